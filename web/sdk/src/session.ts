// Logging in, coming back, being thrown out. A session is its A2Key: sockets come and go beneath it.

import { codeSigExpired } from "./codes.gen.ts";
import { Connection, type ConnectionState, type RequestOptions } from "./connection.ts";
import { EVENT, type KickedOutType, type NetState } from "./constants.ts";
import type { Emitter } from "./emitter.ts";
import { ChatError, LocalCode } from "./errors.ts";
import { type Body, type Frame, isObject, objects, text } from "./frame.ts";
import type { Log } from "./log.ts";
import type { SocketConstructor } from "./socket.ts";
import { cmdHeartbeat, cmdLogin, cmdLogout, cmdPushAck, type LoggedIn, pushError } from "./wire.gen.ts";

/** How long a login may wait for its answer, a server that is not there yet included, in ms. */
export const loginLimitMS = 30_000;

const platformWeb = 7;
const a2Expired = 20_002; // as good as codeSigExpired
const kickedAnswer = 1002;

const kicks: Readonly<Record<number, readonly [type: KickedOutType, code: number]>> = {
  1: ["multipleAccount", LocalCode.kickedByAccount],
  2: ["multipleDevice", LocalCode.kickedByDevice],
  3: ["REST_API_Kick", LocalCode.kickedByAdmin],
};

/** How a call ends that succeeded. */
export interface Result<Data> {
  code: 0;
  data: Data;
}

export interface LoginOptions {
  userID: string;
  /** Minted in the application's back end, for this user. */
  userSig: string;
}

export interface LoginData {
  actionStatus: string;
  errorCode: number;
  errorInfo: string;
  /** True if the user was logged in already, and nothing was done. */
  repeatLogin?: boolean;
  /** One constant number a user, as a string. */
  tinyID?: string;
}

export interface SessionOptions {
  appID: number;
  /** The address as the application gave it, without a path. */
  server: string;
  /** Frames as text, which is easier to read in a browser's tools. */
  devMode: boolean;
  socket: SocketConstructor;
  emitter: Emitter;
  log: Log;
  /** Somebody has logged in. */
  entered: (answer: Body) => void;
  /** The session is back on a new socket. */
  returned: (answer: Body) => void;
  /** The session is over, and calls are refused with this. */
  left: (error: ChatError) => void;
  /** The connection is up, for a session that stands, or is not. */
  live: (live: boolean) => void;
  pushed: (frame: Frame) => void;
}

interface Member {
  userID: string;
  who: Readonly<Record<string, unknown>>;
}

interface Waiter {
  resolve: () => void;
  reject: (error: unknown) => void;
}

export class Session {
  readonly #options: SessionOptions;
  readonly #connection: Connection;
  readonly #waiters = new Set<Waiter>();
  readonly #instance = hex(16);
  #member: Member | undefined;
  #refusal: number = LocalCode.notLoggedIn; // of calls while nobody is logged in
  #login = 0; // the one that runs, by number; 0 for none
  #logins = 0;
  #announced = true; // SDK_READY has been told
  #net: NetState = "connected"; // as the application knows it: it is not told of the first connection
  #clockMS = 0; // the server's, ahead of ours

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#connection = new Connection({
      url: () => this.#url(),
      socket: options.socket,
      binary: !options.devMode,
      who: () => this.#who(),
      opened: () => this.#return(),
      changed: (state) => this.#changed(state),
      beat: () => this.#beat(),
      pushed: (frame) => this.#pushed(frame),
      log: options.log,
    });
  }

  get userID(): string {
    return this.#member?.userID ?? "";
  }

  get ready(): boolean {
    return this.#member !== undefined && this.#refusal === 0;
  }

  get serverTime(): number {
    return Date.now() + this.#clockMS;
  }

  /** Why a call cannot be made now, or undefined. */
  get refusal(): ChatError | undefined {
    return this.#refusal === 0 ? undefined : new ChatError(this.#refusal);
  }

  async login(options: LoginOptions): Promise<Result<LoginData>> {
    const { userID, userSig } = isObject(options)
      ? (options as unknown as LoginOptions)
      : { userID: "", userSig: "" };
    if (typeof userID !== "string" || userID === "") throw new ChatError(LocalCode.userIDMissing);
    if (typeof userSig !== "string" || userSig === "") throw new ChatError(LocalCode.userSigMissing);
    if (this.#connection.state === "closed") throw destroyed();
    if (this.#login !== 0) throw new ChatError(LocalCode.loginRunning);
    if (this.#member !== undefined) {
      if (!this.ready || this.#member.userID !== userID) throw new ChatError(LocalCode.loginRunning);
      return {
        code: 0,
        data: { actionStatus: "OK", errorCode: 0, errorInfo: "logged in already", repeatLogin: true },
      };
    }
    this.#logins += 1;
    const mine = this.#logins;
    this.#login = mine;
    this.#refusal = LocalCode.loggingIn;
    try {
      return await this.#logIn(userID, userSig, () => this.#login === mine);
    } catch (error) {
      if (this.#login === mine) {
        this.#login = 0;
        this.#refusal = LocalCode.loginFailed;
        if (error instanceof ChatError && error.code === LocalCode.timeout) this.#connection.leave();
        else this.#connection.rest();
        this.#tellWaiters(error);
      }
      throw error;
    }
  }

  async logout(): Promise<Result<Record<string, never>>> {
    if (this.#login !== 0) {
      this.#login = 0;
      this.#connection.leave();
      this.#end(LocalCode.loggedOut);
      return { code: 0, data: {} };
    }
    if (!this.ready)
      throw this.#connection.state === "closed" ? destroyed() : new ChatError(LocalCode.notLoggedIn);
    this.#refusal = LocalCode.loggedOut;
    const member = this.#member;
    try {
      await this.#connection.request(cmdLogout, { wslogout_type: 0, is_web_uniapp: 0 });
      if (this.#member === member) this.#connection.rest();
    } catch {
      if (this.#member === member) this.#connection.leave(); // a close frame says the same
    }
    if (this.#member === member) this.#end(LocalCode.loggedOut);
    return { code: 0, data: {} };
  }

  /** Ends for good. */
  async destroy(): Promise<void> {
    if (this.#connection.state === "closed") return;
    if (this.ready && this.#connection.state !== "open") this.#connection.leave();
    if (this.ready) {
      if (this.#connection.state === "open") await this.logout();
      else this.#end(LocalCode.loggedOut);
    } else if (this.#login !== 0) await this.logout();
    this.#refusal = LocalCode.loggedOut;
    this.#connection.close(destroyed());
    this.#tellWaiters(destroyed());
  }

  /** Resolves as soon as somebody is logged in; rejects if the login fails. */
  whenReady(signal: AbortSignal | undefined): Promise<void> {
    if (this.ready) return Promise.resolve();
    if (this.#connection.state === "closed") return Promise.reject(destroyed());
    return new Promise((resolve, reject) => {
      const aborted = () => waiter.reject(signal?.reason);
      const done = () => {
        this.#waiters.delete(waiter);
        signal?.removeEventListener("abort", aborted);
      };
      const waiter = {
        resolve: () => {
          done();
          resolve();
        },
        reject: (error: unknown) => {
          done();
          reject(error);
        },
      };
      this.#waiters.add(waiter);
      if (signal?.aborted) aborted();
      else signal?.addEventListener("abort", aborted);
    });
  }

  /** Asks in the name of who is logged in. Rejects with the code of a refusal. */
  async call(servcmd: string, body: Body): Promise<Body> {
    if (this.#refusal !== 0) throw new ChatError(this.#refusal);
    return this.#ask(servcmd, body);
  }

  /** Its answer is where the server says that a session is over which asks nothing else. */
  #beat(): void {
    this.#ask(cmdHeartbeat, {}, { once: true }).catch(() => {}); // silence is the connection's to see
  }

  async #ask(servcmd: string, body: Body, options?: RequestOptions): Promise<Body> {
    const member = this.#member;
    const answer = await this.#connection.request(servcmd, body, options);
    const code = codeOf(answer);
    if (code === 0) return answer;
    if (member !== undefined && this.#member === member) this.#heed(code, answer);
    throw new ChatError(code, text(answer["ErrorInfo"]));
  }

  async #logIn(userID: string, userSig: string, current: () => boolean): Promise<Result<LoginData>> {
    this.#connection.open();
    const asked = performance.now();
    const who = { ...this.#nobody(), identifier: userID, usersig: userSig };
    const answer = await this.#connection.request(cmdLogin, loginBody, { limitMS: loginLimitMS, who });
    if (!current()) throw new ChatError(LocalCode.loggedOut);
    const code = codeOf(answer);
    if (code !== 0) throw new ChatError(code, text(answer["ErrorInfo"]));
    const { A2Key, TinyId, InstId, TimeStamp } = answer as Partial<LoggedIn>;
    if (!A2Key) throw new ChatError(LocalCode.noA2Key);
    if (!TinyId) throw new ChatError(LocalCode.noTinyID);
    this.#clockMS = Number(TimeStamp) * 1_000 + (performance.now() - asked) / 2 - Date.now() || 0;
    this.#member = {
      userID,
      who: { ...this.#nobody(), a2: A2Key, tinyid: TinyId, status_instid: InstId ?? 0 },
    };
    this.#login = 0;
    this.#refusal = 0;
    this.#announced = false;
    setTimeout(() => this.#announce(), 0); // after the promise of the login, so that a listener can still be added
    this.#options.entered(answer);
    this.#options.live(true);
    this.#tellWaiters(undefined);
    const data = { actionStatus: "OK", errorCode: 0, errorInfo: "", tinyID: String(TinyId) };
    return { code: 0, data };
  }

  /** A socket is open: the session goes on on it. */
  #return(): void {
    const member = this.#member;
    if (member === undefined) return;
    this.#connection
      .request(cmdLogin, loginBody, { once: true })
      .then((answer) => {
        if (this.#member !== member) return;
        const code = codeOf(answer);
        if (code !== 0) {
          if (!this.#heed(code, answer)) this.#connection.replace();
          return;
        }
        this.#tellNet("connected");
        this.#options.returned(answer);
        if (this.#member === member) this.#options.live(true);
        this.#beat();
      })
      .catch((error: unknown) => {
        this.#options.log.info("the return was not answered:", error);
        if (this.#member === member) this.#connection.replace();
      });
  }

  #pushed(frame: Frame): void {
    const { servcmd } = frame.head;
    this.#announce();
    if (frame.body["NeedAck"] === 1 && this.#member !== undefined) {
      const acknowledgement = { SessionData: frame.body["SessionData"] };
      this.#connection.request(cmdPushAck, acknowledgement, { once: true }).catch(() => {});
    }
    if (servcmd === pushError) {
      const error = { code: codeOf(frame.body), message: text(frame.body["ErrorInfo"]) };
      this.#options.log.error("the server could not read a frame:", error);
      this.#options.emitter.emit(EVENT.ERROR, error);
    }
    for (const event of objects(frame.body["EventArray"])) {
      for (const notice of objects(event["C2cNotifyMsgArray"])) {
        const kick = notice["KickoutMsgNotify"];
        if (isObject(kick)) this.#kicked(Number(kick["KickType"]));
      }
    }
    if (this.#member !== undefined) this.#options.pushed(frame);
  }

  /** Ends the session where a code says that it is over, and says whether it does. */
  #heed(code: number, answer: Body): boolean {
    if (code === codeSigExpired || code === a2Expired) {
      this.#thrownOut("userSigExpired", LocalCode.sigExpired);
      return true;
    }
    return code === kickedAnswer && this.#kicked(Number(answer["KickType"]));
  }

  #kicked(number: number): boolean {
    const kick = kicks[number];
    if (kick === undefined || this.#member === undefined) return false;
    const { who } = this.#member;
    const [type, code] = kick;
    // The server keeps the socket for this; nobody waits for its answer.
    if (number !== 3)
      this.#connection.request(cmdLogout, { wslogout_type: 1, is_web_uniapp: 0 }, { who }).catch(() => {});
    this.#thrownOut(type, code);
    return true;
  }

  #thrownOut(type: KickedOutType, code: number): void {
    if (type === "REST_API_Kick") this.#connection.leave();
    else this.#connection.rest();
    this.#end(code);
    this.#options.emitter.emit(EVENT.KICKED_OUT, { type });
  }

  /** Nobody is logged in any more. */
  #end(code: number): void {
    const was = this.#member;
    this.#member = undefined;
    this.#refusal = code;
    this.#connection.rejectAll(new ChatError(code));
    this.#options.live(false);
    this.#options.left(new ChatError(code));
    this.#tellWaiters(new ChatError(code));
    if (was !== undefined) {
      this.#announce();
      this.#options.emitter.emit(EVENT.SDK_NOT_READY, undefined);
    }
  }

  #announce(): void {
    if (this.#announced) return;
    this.#announced = true;
    this.#options.emitter.emit(EVENT.SDK_READY, undefined);
  }

  #changed(state: ConnectionState): void {
    if (state === "open" && this.#member === undefined) this.#tellNet("connected");
    if (state === "waiting") {
      if (this.#member !== undefined) this.#options.live(false);
      this.#tellNet(this.#net === "connected" ? "connecting" : "disconnected");
    }
  }

  #tellNet(state: NetState): void {
    if (this.#net === state) return;
    this.#net = state;
    this.#options.emitter.emit(EVENT.NET_STATE_CHANGE, { state });
  }

  #tellWaiters(error: unknown): void {
    for (const waiter of [...this.#waiters]) {
      if (error === undefined) waiter.resolve();
      else waiter.reject(error);
    }
  }

  #who(): Readonly<Record<string, unknown>> {
    return this.#member?.who ?? this.#nobody();
  }

  #nobody(): Readonly<Record<string, unknown>> {
    return { platform: platformWeb, sdkappid: this.#options.appID };
  }

  #url(): string {
    const { server, devMode, appID } = this.#options;
    const path = devMode ? "info" : "binfo";
    const query = `sdkappid=${appID}&instanceid=${this.#instance}&random=${Math.random()}&platform=${platformWeb}`;
    return `${server}/${path}?${query}&sdkversion=porchlight`;
  }
}

const loginBody = { State: "Online", is_web_uniapp: 0, InstType: 0, CustomInfo: "" };

function codeOf(answer: Body): number {
  return Number(answer["ErrorCode"]) || 0;
}

function destroyed(): ChatError {
  return new ChatError(LocalCode.loggedOut, "this client was destroyed", "call create for a new one");
}

function hex(bytes: number): string {
  const random = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
