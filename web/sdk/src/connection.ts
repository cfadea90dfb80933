// The only owner of the socket. It opens one while one is wanted, beats while it is silent, comes back when it breaks,
// and says again on the next one what was not answered on the last.

import { ChatError, LocalCode } from "./errors.ts";
import { type Body, decode, type Frame } from "./frame.ts";
import type { Log } from "./log.ts";
import type { SocketConstructor, SocketLike } from "./socket.ts";
import { Wakes } from "./wakes.ts";

/** Silence of the server after which it is asked whether it is there, in ms. */
export const heartbeatMS = 10_000;
/** The same while a request waits for its answer: the server gives a slow command 8 s, so that it has 9. */
export const answerMS = 4_000;
/** How long it may take to say anything then, before the socket is replaced. */
export const heartbeatLimitMS = 5_000;
/** How long a socket may take to open. */
export const openLimitMS = 10_000;
/** How long a request may wait for its answer, breaks of the connection included. */
export const requestLimitMS = 15_000;
/** The first pause before a new try is between 0 and this; each further one has twice the room. */
export const backoffMS = 250;
/** The most that a pause may be. */
export const backoffMostMS = 20_000;
/** A socket that lived for this long was a good one: the pauses begin anew. */
export const goodAfterMS = 3_000;
/** The least pause after the server has said that it has no room (close code 1013). */
export const noRoomMS = 2_000;

/**
 * - `idle`: no socket, and none is wanted
 * - `connecting`: one is being opened
 * - `open`: one is there
 * - `waiting`: one is wanted, and it is not yet the time to try again
 * - `closed`: for good
 */
export type ConnectionState = "idle" | "connecting" | "open" | "waiting" | "closed";

export interface ConnectionOptions {
  /** The address of the next socket. */
  url: () => string;
  socket: SocketConstructor;
  /** Whether frames go out as binary messages. */
  binary: boolean;
  /** What the head of a request says of who asks. */
  who: () => Readonly<Record<string, unknown>>;
  /** A socket is open; what is asked in here goes before what waits from before. */
  opened: () => void;
  /** The state has changed. */
  changed: (state: ConnectionState) => void;
  /** Asks the server whether it is there; any frame that comes then will do for an answer. */
  beat: () => void;
  /** A frame that answers nothing. */
  pushed: (frame: Frame) => void;
  log: Log;
}

export interface RequestOptions {
  limitMS?: number;
  /** What belongs to one socket fails with it and is not said again. */
  once?: boolean;
  /** Who asks, where it is not who is logged in. */
  who?: Readonly<Record<string, unknown>>;
}

interface Pending {
  text: string;
  once: boolean;
  timer: ReturnType<typeof setTimeout>;
  resolve: (body: Body) => void;
  reject: (error: ChatError) => void;
}

const maxSeq = 2_415_919_103;

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #pending = new Map<string, Pending>();
  readonly #wakes: Wakes;
  #state: ConnectionState = "idle";
  #wanted = false;
  #socket: SocketLike | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined; // of the state: opening, beating, or the pause
  #seq = Math.floor(Math.random() * 100_000_000);
  #failures = 0;
  #openedAt = 0;
  #heardAt = 0;
  #askedAt: number | undefined; // when the first request went out after that
  #isBeating = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#wakes = new Wakes({ look: () => this.#look(), doubt: () => this.#doubt() });
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** From now on a socket is wanted: it comes back whenever it breaks. */
  open(): void {
    if (this.#state === "closed") return;
    this.#wanted = true;
    this.#wakes.start();
    if (this.#state === "idle" || this.#state === "waiting") this.#connect();
  }

  /** The socket stays while it lives, and does not come back. */
  rest(): void {
    this.#wanted = false;
    if (this.#state === "waiting" || this.#state === "connecting") this.#drop("idle", 4000);
  }

  /** Lets go of the socket as someone who leaves; {@link open} opens another. */
  leave(): void {
    this.#wanted = false;
    if (this.#state !== "closed") this.#drop("idle", 4000);
  }

  /** Takes the socket for dead and opens another. */
  replace(): void {
    if (this.#state !== "open" && this.#state !== "connecting") return;
    this.#drop(undefined, 4001);
    this.#lost({});
  }

  /** Ends for good. What waits for an answer rejects with this. */
  close(error: ChatError): void {
    this.#wanted = false;
    this.#wakes.stop();
    this.#drop("closed", 4000);
    this.rejectAll(error);
  }

  /** Gives what waits for an answer up. */
  rejectAll(error: ChatError): void {
    const all = [...this.#pending.values()];
    this.#pending.clear();
    for (const pending of all) {
      clearTimeout(pending.timer);
      pending.reject(error);
    }
  }

  /** Asks. Rejects with 2801 if there is no answer in time; what a refusal says is the caller's to see. */
  request(servcmd: string, body: Body, options: RequestOptions = {}): Promise<Body> {
    if (this.#state === "closed") return Promise.reject(new ChatError(LocalCode.loggedOut));
    this.#seq = this.#seq >= maxSeq ? 1 : this.#seq + 1;
    const seq = this.#seq;
    const text = this.#encode(servcmd, seq, body, options.who ?? this.#options.who());
    return new Promise((resolve, reject) => {
      const key = `${servcmd} ${seq}`;
      const timer = setTimeout(() => {
        this.#pending.delete(key);
        reject(new ChatError(LocalCode.timeout));
      }, options.limitMS ?? requestLimitMS);
      this.#pending.set(key, { text, once: options.once ?? false, timer, resolve, reject });
      if (this.#state === "open") this.#say(text);
    });
  }

  /** Sends a request, and begins to wonder if nothing is heard after it. */
  #say(text: string): void {
    this.#send(text);
    if (this.#askedAt !== undefined) return;
    this.#askedAt = performance.now();
    if (!this.#isBeating) this.#listen();
  }

  #encode(servcmd: string, seq: number, body: Body, who: Readonly<Record<string, unknown>>): string {
    const reqtime = Math.floor(Date.now() / 1_000);
    return JSON.stringify({
      head: { ver: "v4", ...who, contenttype: "json", reqtime, servcmd, seq, cs: 0 },
      body,
    });
  }

  #send(text: string): void {
    try {
      this.#socket?.send(this.#options.binary ? new TextEncoder().encode(text) : text);
    } catch (error) {
      this.#options.log.debug("the socket takes nothing:", error); // it is closing, and says so itself
    }
  }

  #connect(): void {
    clearTimeout(this.#timer);
    let socket: SocketLike;
    try {
      socket = new this.#options.socket(this.#options.url());
    } catch (error) {
      this.#options.log.error("the socket cannot be opened:", error);
      this.#lost({});
      return;
    }
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    const mine = () => this.#socket === socket;
    socket.onopen = () => mine() && this.#opened();
    socket.onmessage = (event: { data: unknown }) => mine() && this.#heard(event.data);
    socket.onclose = (event: { code?: number; reason?: string }) => {
      if (!mine()) return;
      this.#drop(undefined);
      this.#lost(event);
    };
    socket.onerror = () => {}; // a close follows
    this.#timer = setTimeout(() => this.replace(), openLimitMS);
    this.#become("connecting");
  }

  #opened(): void {
    this.#openedAt = this.#heardAt = performance.now();
    this.#askedAt = undefined;
    this.#isBeating = false;
    const before = [...this.#pending.values()];
    this.#state = "open"; // so that what is asked now goes out
    this.#options.opened();
    if (this.#state !== "open") return;
    for (const { text } of before) this.#say(text);
    this.#options.changed("open");
    this.#listen();
  }

  /** When the server is to be asked whether it is there. */
  get #due(): number {
    const silent = this.#heardAt + heartbeatMS;
    return this.#askedAt === undefined ? silent : Math.min(silent, this.#askedAt + answerMS);
  }

  /** Beats when nothing was heard for a while. A timer that fires late proves nothing, so the question comes first. */
  #listen(): void {
    clearTimeout(this.#timer);
    this.#isBeating = false;
    const wait = Math.max(this.#due - performance.now(), 0);
    this.#timer = setTimeout(() => (performance.now() >= this.#due ? this.#beat() : this.#listen()), wait);
  }

  #beat(): void {
    clearTimeout(this.#timer);
    this.#isBeating = true;
    const asked = performance.now();
    this.#options.beat();
    this.#timer = setTimeout(() => {
      if (this.#heardAt >= asked) this.#listen();
      else this.replace();
    }, heartbeatLimitMS);
  }

  #heard(data: unknown): void {
    this.#heardAt = performance.now();
    this.#askedAt = undefined;
    const frame = decode(data);
    if (frame === undefined) {
      this.#options.log.warn("a message of the server is no frame");
      return;
    }
    const key = `${frame.head.servcmd} ${frame.head.seq}`;
    const pending = this.#pending.get(key);
    if (pending === undefined) {
      this.#options.pushed(frame);
      return;
    }
    this.#pending.delete(key);
    clearTimeout(pending.timer);
    pending.resolve(frame.body);
  }

  /** The socket is gone. */
  #lost({ code, reason }: { code?: number; reason?: string }): void {
    for (const [key, pending] of this.#pending) {
      if (!pending.once) continue;
      this.#pending.delete(key);
      clearTimeout(pending.timer);
      pending.reject(new ChatError(LocalCode.timeout));
    }
    if (!this.#wanted) {
      this.#become("idle");
      return;
    }
    if (this.#openedAt > 0 && performance.now() - this.#openedAt >= goodAfterMS) this.#failures = 0;
    this.#openedAt = 0;
    const pause = pauseMS(this.#failures, code, reason);
    this.#failures += 1;
    this.#options.log.info(`no connection (${code ?? "no close code"}); next try in ${Math.round(pause)} ms`);
    this.#timer = setTimeout(() => this.#connect(), pause);
    this.#become("waiting");
  }

  /** Lets go of the socket, with a close code unless it has closed, and takes a state unless another follows. */
  #drop(state: ConnectionState | undefined, code?: number): void {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket !== undefined && code !== undefined) {
      try {
        socket.close(code);
      } catch {
        // it is closed already
      }
    }
    if (state !== undefined) this.#become(state);
  }

  #become(state: ConnectionState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#options.changed(state);
  }

  /** The page is looked at again, or the network is back. */
  #look(): void {
    if (this.#state === "waiting") this.#connect();
    else if (this.#state === "open" && performance.now() - this.#heardAt >= heartbeatMS) this.#beat();
  }

  /** The network may be gone. */
  #doubt(): void {
    if (this.#state === "open") this.#beat();
  }
}

/** How long to wait before the next try. The server's own word counts: every client is given another time. */
export function pauseMS(failures: number, code?: number, reason?: string): number {
  const told = /retry-after-ms=(\d{1,6})/.exec(reason ?? "")?.[1];
  if (told !== undefined && failures === 0) return Math.min(Number(told), backoffMostMS);
  const pause = Math.random() * Math.min(backoffMS * 2 ** failures, backoffMostMS);
  return code === 1013 ? noRoomMS + Math.random() * noRoomMS + pause : pause;
}
