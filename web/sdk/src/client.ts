// The client that an application holds: the official SDK's methods for what the server serves, and some of our own.

import { EVENT } from "./constants.ts";
import { type ChatEvent, Emitter, type EventName, type Handler, type Unsubscribe } from "./emitter.ts";
import { ChatError, invalid, LocalCode } from "./errors.ts";
import { type Body, type Frame, isObject, text } from "./frame.ts";
import { Log } from "./log.ts";
import { type LoginData, type LoginOptions, type Result, Session } from "./session.ts";
import { ownSocket, type SocketConstructor } from "./socket.ts";
import {
  Status,
  type StatusFailures,
  type UserIDList,
  type UserStatus,
  type UserStatuses,
} from "./status.ts";
import type { StatusWatch, WatchOptions } from "./watch.ts";
import { Watches } from "./watches.ts";
import { cmdConfig, pushAbilities, pushConfig, pushEvents } from "./wire.gen.ts";

export interface ChatOptions {
  SDKAppID: number;
  /** The server's address, such as `wss://chat.example.com`; a path before `/binfo` may follow. */
  proxyServer: string;
  /** Frames go as text, to be read in a browser's tools. */
  devMode?: boolean;
  /** The WebSocket to use where the surroundings have none: Node before 22, for instance. */
  WebSocket?: SocketConstructor;
}

/** What a client has beside login and status, and what it is told of. */
export interface Part {
  entered(): void;
  returned(): void;
  left(): void;
  pushed(frame: Frame): void;
  listened(eventName: string): void;
}

/** Login and status of one user. Made by `create`. */
export class StatusChat {
  readonly #log = new Log();
  readonly #emitter: Emitter;
  readonly #session: Session;
  readonly #status: Status;
  readonly #watches: Watches;
  readonly #forget: () => void;
  #part: Part | undefined;

  /** Made by `create` and `createClient`. */
  constructor(options: ChatOptions, forget: () => void = () => {}) {
    const { appID, server, socket } = checked(options);
    this.#forget = forget;
    this.#emitter = new Emitter((error) => this.#log.error("a handler threw:", error));
    this.#session = new Session({
      appID,
      server,
      socket,
      devMode: options.devMode === true,
      emitter: this.#emitter,
      log: this.#log,
      entered: (answer) => this.#entered(answer),
      returned: (answer) => this.#returned(answer),
      left: () => this.#left(),
      live: (live) => this.#watches.setLive(live),
      pushed: (frame) => this.#pushed(frame),
    });
    this.#status = new Status({
      session: this.#session,
      emitter: this.#emitter,
      log: this.#log,
      told: (status) => this.#watches.told(status),
    });
    this.#watches = new Watches({ status: this.#status, self: () => this.#session.userID, log: this.#log });
  }

  /** @internal Gives the client one more part. */
  protected extend<T extends Part>(make: (core: { session: Session; emitter: Emitter }) => T): T {
    const part = make({ session: this.#session, emitter: this.#emitter });
    this.#part = part;
    return part;
  }

  /** Logs a user in. Rejects with the server's code, or 2801 where no server answers within 30 s. */
  login(options: LoginOptions): Promise<Result<LoginData>> {
    return this.#session.login(options);
  }

  /** Logs out, at once. The official typings promise nothing; what it resolves with is `{ code: 0, data: {} }`. */
  logout(): Promise<void> {
    return this.#session.logout() as Promise<unknown> as Promise<void>;
  }

  /** Logs out and ends the client for good: its watches, its socket, its listeners. */
  async destroy(): Promise<void> {
    this.#forget();
    await this.#session.destroy();
    this.#watches.finish();
    this.#emitter.emit(EVENT.SDK_DESTROY, undefined);
    this.#emitter.clear();
  }

  /** Whether somebody is logged in, so that calls can be made. It stays true while the connection is broken. */
  isReady(): boolean {
    return this.#session.ready;
  }

  /** Resolves as soon as somebody is logged in; rejects with the code of a login that fails. */
  ready({ signal }: { signal?: AbortSignal } = {}): Promise<void> {
    return this.#session.whenReady(signal);
  }

  /** Who is logged in, or `""`. */
  getLoginUser(): string {
    return this.#session.userID;
  }

  /** The server's clock, in ms since 1970, as the last login found it. */
  getServerTime(): number {
    return this.#session.serverTime;
  }

  /** 0 everything, 1 what happens, 2 warnings (the default), 3 errors, 4 nothing. */
  setLogLevel(level: number): void {
    this.#log.level = level;
  }

  /** Adds a listener and gives what takes it away again. */
  on<Name extends EventName>(eventName: Name, handler: Handler<Name>, context?: unknown): Unsubscribe;
  on(eventName: string, handler: (event: ChatEvent) => void, context?: unknown): Unsubscribe;
  on(eventName: string, handler: unknown, context?: unknown): Unsubscribe {
    const stop = this.#emitter.on(eventName, handler, context);
    this.#part?.listened(eventName);
    return stop;
  }

  /** Takes a listener away; with a context only where it was added with that. */
  off<Name extends EventName>(eventName: Name, handler: Handler<Name>, context?: unknown): void;
  off(eventName: string, handler: (event: ChatEvent) => void, context?: unknown): void;
  off(eventName: string, handler: unknown, context?: unknown): void {
    this.#emitter.off(eventName, handler, context);
  }

  /** Says what the user is doing, in up to 100 bytes of UTF-8; `""` clears it. */
  setSelfStatus(options: { customStatus: string }): Promise<Result<UserStatus>> {
    return this.#status.setSelfStatus(options);
  }

  /** Asks how up to 500 users stand. 20 calls in 5 s; the own user alone is answered without asking. */
  getUserStatus(options: UserIDList): Promise<Result<UserStatuses>> {
    return this.#status.getUserStatus(options);
  }

  /** Subscribes up to 100 users, of 200 that an account can have subscribed. 20 calls in 5 s. */
  subscribeUserStatus(options: UserIDList): Promise<Result<StatusFailures>> {
    return this.#status.subscribeUserStatus(options);
  }

  /** Unsubscribes users; all without a list or with an empty one. 20 calls in 5 s. */
  unsubscribeUserStatus(options?: { userIDList: string[] | undefined }): Promise<Result<StatusFailures>> {
    return this.#status.unsubscribeUserStatus(options);
  }

  /**
   * Keeps the statuses of up to 200 users: subscribes, asks, follows what comes, and asks again after a break. It may be
   * called before the login and outlasts a logout. Throws a {@link ChatError} for a list that cannot be watched.
   */
  watchUserStatus(userIDs: readonly string[], options: WatchOptions = {}): StatusWatch {
    return this.#watches.watch(userIDs, options);
  }

  #entered(answer: Body): void {
    this.#status.entered(answer);
    this.#watches.entered();
    this.#part?.entered();
    this.#configure();
  }

  #returned(answer: Body): void {
    this.#status.returned(answer);
    this.#watches.returned();
    this.#part?.returned();
    this.#configure();
  }

  #left(): void {
    this.#watches.setLive(false);
    this.#part?.left();
  }

  /** Asks for the limits of the application; a change of them is pushed. */
  #configure(): void {
    this.#session
      .call(cmdConfig, { uint64_version: 0 })
      .then((answer) => this.#status.configure(answer["str_json_config"]))
      .catch((error: unknown) => this.#log.info("the limits were not told:", error));
  }

  #pushed({ head, body }: Frame): void {
    switch (head.servcmd) {
      case pushEvents:
        this.#status.pushed({ head, body });
        this.#part?.pushed({ head, body });
        break;
      case pushAbilities:
        this.#status.abilities(body["str_purchase_bits"]);
        break;
      case pushConfig:
        this.#status.configure(body["str_json_config"]);
        break;
      case "OverLoadPush.notify2":
        this.#status.overloaded(text(body["OverLoadServCmd"]), Number(body["DelaySecs"]));
        break;
      default:
        this.#log.debug("a push of no interest:", head.servcmd);
    }
  }
}

/** Gives create and createClient for a kind of client. */
export function makers<T>(Client: new (options: ChatOptions, forget?: () => void) => T): {
  create: (options: ChatOptions) => T;
  createClient: (options: ChatOptions) => T;
} {
  const clients = new Map<number, T>();
  return {
    create(options) {
      const { appID } = checked(options);
      const known = clients.get(appID);
      if (known !== undefined) return known;
      const made = new Client(options, () => clients.delete(appID));
      clients.set(appID, made);
      return made;
    },
    createClient: (options) => new Client(options),
  };
}

function checked(options: ChatOptions): { appID: number; server: string; socket: SocketConstructor } {
  const given: Record<string, unknown> = isObject(options) ? options : {};
  const appID = Number(given["SDKAppID"]);
  if (!Number.isSafeInteger(appID) || appID <= 0) {
    throw new ChatError(
      2000,
      "the SDKAppID is missing or no number",
      "create takes { SDKAppID, proxyServer }",
    );
  }
  const server = text(given["proxyServer"]).replace(/^http/, "ws").replace(/\/+$/, "");
  if (!/^wss?:\/\/./.test(server)) {
    throw invalid("proxyServer is no WebSocket address", "pass the server's, such as wss://chat.example.com");
  }
  const socket = (given["WebSocket"] as SocketConstructor | undefined) ?? ownSocket();
  if (socket === undefined) {
    throw new ChatError(
      LocalCode.invalid,
      "there is no WebSocket here",
      "pass one: create({ …, WebSocket }), from the package ws for instance",
    );
  }
  return { appID, server, socket };
}
