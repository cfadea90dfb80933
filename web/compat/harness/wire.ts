// A wire that can be cut: passes TCP connections on to the server until a test breaks them.

import { connect, createServer, type Server as Listener, type Socket } from "node:net";

interface Pair {
  client: Socket;
  upstream: Socket;
}

export class Wire {
  readonly #target: URL;
  readonly #listener: Listener;
  readonly #pairs = new Set<Pair>();
  #port = 0;

  private constructor(target: string) {
    this.#target = new URL(target);
    this.#listener = createServer((client) => this.#accept(client));
  }

  /** Listens on a port of its own for what is meant for the server at this WebSocket address. */
  static async to(target: string): Promise<Wire> {
    const wire = new Wire(target);
    await wire.#listen();
    return wire;
  }

  get ws(): string {
    return `ws://127.0.0.1:${this.#port}`;
  }

  /** Ends every connection in both directions with a FIN, as when a process dies: no WebSocket close frame. */
  hangUp(): void {
    for (const { client, upstream } of this.#drop()) {
      client.destroySoon();
      upstream.destroySoon();
    }
  }

  /** Ends every connection in both directions with an RST, as when a router forgets it. */
  reset(): void {
    for (const { client, upstream } of this.#drop()) {
      client.resetAndDestroy();
      upstream.resetAndDestroy();
    }
  }

  /** Passes nothing more on over the connections that there are, and says so to nobody. New ones work. */
  freeze(): void {
    for (const { client, upstream } of this.#pairs) {
      client.unpipe(upstream).pause();
      upstream.unpipe(client).pause();
    }
  }

  /** Ends every connection and lets none be made until accept. */
  async refuse(): Promise<void> {
    const closed = new Promise((resolve) => this.#listener.close(resolve));
    this.reset();
    await closed;
  }

  async accept(): Promise<void> {
    await this.#listen();
  }

  async close(): Promise<void> {
    if (this.#listener.listening) await this.refuse();
    this.reset();
  }

  async #listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#listener.listen(this.#port, "127.0.0.1", resolve));
    const address = this.#listener.address();
    if (address === null || typeof address === "string") throw new Error("the wire has no port");
    this.#port = address.port;
  }

  #accept(client: Socket): void {
    const upstream = connect(Number(this.#target.port), this.#target.hostname);
    const pair = { client, upstream };
    this.#pairs.add(pair);
    client.pipe(upstream).pipe(client);
    client.on("error", () => upstream.destroy());
    upstream.on("error", () => client.destroy());
    const gone = () => {
      if (client.closed && upstream.closed) this.#pairs.delete(pair);
    };
    client.on("close", gone);
    upstream.on("close", gone);
  }

  #drop(): Pair[] {
    const pairs = [...this.#pairs];
    this.#pairs.clear();
    return pairs;
  }
}
