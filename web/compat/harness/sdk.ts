// Runs an SDK in Node as it comes from the registry: compiled once, evaluated once for each device, because it keeps one
// instance per application and evaluation. All it gets from us is what a browser has and Node 20 lacks, a WebSocket; and
// its timers and its log pass through our hands, so that a device can be switched off. Which SDK says the variable
// PORCHLIGHT_SDK: official, the one that applications have, unmodified, or ours.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { compileFunction } from "node:vm";
import type TencentCloudChat from "@tencentcloud/chat";
import type { ChatSDK } from "@tencentcloud/chat";
import { WebSocket } from "ws";
import { assertLoopbackOnly } from "./loopback.ts";
import type { Traffic } from "./traffic.ts";

export interface UserStatus {
  userID: string;
  statusType: number;
  customStatus: string;
}

export interface Failure {
  userID: string;
  code: number;
  message: string;
}

interface Answer<Data> {
  code: number;
  data: Data;
}

interface LoginData {
  repeatLogin?: boolean;
  errorCode?: number;
}

/** What the documentation says of methods whose results the package's typings leave open. */
interface Documented {
  login(options: { userID: string; userSig: string }): Promise<Answer<LoginData>>;
  logout(): Promise<Answer<unknown>>;
  destroy(): Promise<void>;
  getLoginUser(): string;
  getServerTime(): number;
  setSelfStatus(options: { customStatus: string }): Promise<Answer<UserStatus>>;
  getUserStatus(options: {
    userIDList: string[];
  }): Promise<Answer<{ successUserList: UserStatus[]; failureUserList: Failure[] }>>;
  subscribeUserStatus(options: { userIDList: string[] }): Promise<Answer<{ failureUserList: Failure[] }>>;
  unsubscribeUserStatus(options?: {
    userIDList: string[] | undefined;
  }): Promise<Answer<{ failureUserList: Failure[] }>>;
}

export type Chat = Omit<ChatSDK, keyof Documented> & Documented;

export interface SDK {
  create(options: { SDKAppID: number; proxyServer: string; devMode?: boolean }): Chat;
  EVENT: typeof TencentCloudChat.EVENT;
  TYPES: typeof TencentCloudChat.TYPES;
}

/** What one evaluation of the SDK runs in. */
export interface Surroundings {
  traffic: Traffic;
  log: (line: string) => void;
}

export interface Evaluation {
  sdk: SDK;
  /** Leaves as a page does that is closed: sockets end with close code 1001, and nothing runs any more. */
  closePage(): Promise<void>;
  /** Leaves as a process does that is killed: the connections end without a close frame. */
  crash(): Promise<void>;
}

export type Which = "official" | "ours";

/** Which SDK the suite runs on. */
export const which: Which = process.env["PORCHLIGHT_SDK"] === "ours" ? "ours" : "official";

const built = (name: string) => fileURLToPath(new URL(`../../sdk/dist/${name}`, import.meta.url));

/** Our SDK as a script tag loads it. */
export const ourScript = built("porchlight-chat.iife.js");

const bundles: Record<Which, string> = {
  ours: built("index.cjs"),
  official: createRequire(import.meta.url).resolve("@tencentcloud/chat"),
};
const given = ["WebSocket", "XMLHttpRequest", "console", "setTimeout", "setInterval"] as const;
// Newer Nodes have some of these; the SDK must find none of them, or it looks for more of a browser.
const withheld = ["window", "self", "document", "navigator", "Worker", "fetch", "localStorage"] as const;

// Each message is a task of its own, as in a browser, so that promises which one settles run on before the next. And
// a socket that the SDK closes waits a second for the server's answer; only a server that is dead does not give it.
const socketOptions = { allowSynchronousEvents: false, closeTimeout: 1_000 };

type BundleFunction = (this: unknown, ...values: unknown[]) => void;
const compiled = new Map<Which, BundleFunction>();

function compile(name: Which): BundleFunction {
  const known = compiled.get(name);
  if (known !== undefined) return known;
  const filename = bundles[name];
  const parameters = ["module", "exports", "require", ...given, ...withheld];
  const made = compileFunction(readFileSync(filename, "utf8"), parameters, { filename }) as BundleFunction;
  compiled.set(name, made);
  return made;
}

export function evaluate(surroundings: Surroundings, name: Which = which): Evaluation {
  assertLoopbackOnly();
  const sockets = new Set<RecordedSocket>();
  const timers = new Timers();
  const module = { exports: {} as SDK };
  const values: Record<(typeof given)[number], unknown> = {
    WebSocket: class extends RecordedSocket {
      constructor(url: string) {
        super(url, surroundings, timers.running);
        sockets.add(this);
      }
    },
    XMLHttpRequest: forbiddenRequest(surroundings.traffic),
    console: recordingConsole(surroundings.log),
    setTimeout: timers.setTimeout,
    setInterval: timers.setInterval,
  };
  const noRequire = () => {
    throw new Error("the bundle requires nothing");
  };
  compile(name).call(module.exports, module, module.exports, noRequire, ...given.map((name) => values[name]));
  const leave = async (end: (socket: RecordedSocket) => Promise<void>) => {
    timers.stop();
    await Promise.all([...sockets].map(end));
  };
  return {
    sdk: module.exports,
    closePage: () => leave((socket) => socket.leave()),
    crash: () => leave((socket) => socket.crash()),
  };
}

/** What the SDK takes for the browser's WebSocket. */
class RecordedSocket {
  onopen: ((event: unknown) => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: ((event: unknown) => void) | null = null;
  readonly extensions = "";
  readonly #socket: WebSocket;
  readonly #number: number;
  readonly #surroundings: Surroundings;

  constructor(url: string, surroundings: Surroundings, running: () => boolean) {
    this.#surroundings = surroundings;
    this.#number = surroundings.traffic.open(url);
    this.#socket = new WebSocket(url, socketOptions);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.on("open", () => running() && this.#call(() => this.onopen?.({})));
    this.#socket.on("message", (data, isBinary) => {
      if (!running()) return;
      const payload = isBinary ? data : Buffer.from(data as ArrayBuffer).toString("utf8");
      surroundings.traffic.record("in", this.#number, payload);
      this.#call(() => this.onmessage?.({ data: payload }));
    });
    this.#socket.on("close", (code, reason) => {
      surroundings.log(`socket ${this.#number} closed: ${code} ${reason.toString()}`);
      if (running()) this.#call(() => this.onclose?.({ code, reason: reason.toString() }));
    });
    this.#socket.on("error", (error) => {
      surroundings.log(`socket ${this.#number}: ${String(error)}`);
      if (running()) this.#call(() => this.onerror?.(error));
    });
  }

  get readyState(): number {
    return this.#socket.readyState;
  }

  get binaryType(): string {
    return this.#socket.binaryType;
  }

  set binaryType(_value: string) {
    // It is always "arraybuffer", which is what the SDK sets.
  }

  send(data: string | ArrayBuffer): void {
    this.#surroundings.traffic.record("out", this.#number, data);
    this.#socket.send(data);
  }

  close(code?: number, reason?: string): void {
    this.#socket.close(code, reason);
  }

  leave(): Promise<void> {
    return this.#ended(() => this.#socket.close(1001));
  }

  crash(): Promise<void> {
    return this.#ended(() => this.#socket.terminate());
  }

  #ended(provoke: () => void): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socket.readyState === WebSocket.CLOSED) {
        resolve();
        return;
      }
      this.#socket.once("close", () => resolve());
      provoke();
    });
  }

  /** An exception in the SDK's handler would stop the socket from reading; it is kept for the test to fail with. */
  #call(handler: () => void): void {
    try {
      handler();
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#surroundings.traffic.faults.push(`the SDK's handler threw ${text.slice(0, 500)}`);
    }
  }
}

/** The SDK's timers, which end with its page. */
class Timers {
  readonly #handles = new Set<NodeJS.Timeout>();
  #running = true;

  readonly running = (): boolean => this.#running;

  readonly setTimeout = (run: () => void, ms?: number): NodeJS.Timeout => {
    const handle = setTimeout(() => {
      this.#handles.delete(handle);
      if (this.#running) run();
    }, ms);
    this.#handles.add(handle);
    return handle;
  };

  readonly setInterval = (run: () => void, ms?: number): NodeJS.Timeout => {
    const handle = setInterval(() => {
      if (this.#running) run();
    }, ms);
    this.#handles.add(handle);
    return handle;
  };

  stop(): void {
    this.#running = false;
    for (const handle of this.#handles) clearInterval(handle);
    this.#handles.clear();
  }
}

/** With proxyServer the SDK needs no HTTP at all, so each try is a fault. */
function forbiddenRequest(traffic: Traffic): unknown {
  return class {
    open(_method: string, url: string): void {
      traffic.faults.push(`tried to reach ${url}`);
    }

    setRequestHeader(): void {}

    abort(): void {}

    send(): void {
      throw new Error("HTTP is not to be had in this test");
    }
  };
}

function recordingConsole(log: (line: string) => void): unknown {
  const write = (...words: unknown[]) => log(words.map(String).join(" "));
  return { log: write, info: write, warn: write, error: write, debug: write };
}
