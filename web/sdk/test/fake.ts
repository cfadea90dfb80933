// A small scripted server, in the place of the WebSocket that a client is given. It answers as a real one does unless a
// test says otherwise, and its sockets break when a test wants them to.

import { vi } from "vitest";
import { type Chat, createClient, type SocketConstructor } from "../src/index.ts";

export interface FakeFrame {
  head: { servcmd: string; seq: number; a2?: string; identifier?: string; [field: string]: unknown };
  body: Record<string, unknown>;
}

/** What a test makes of a request: the body of an answer, or undefined for none. */
export type Script = (frame: FakeFrame, socket: FakeSocket) => Record<string, unknown> | undefined;

export const ok = { ActionStatus: "OK", ErrorCode: 0, ErrorInfo: "" };
export const refusal = (code: number, more = {}) => ({
  ActionStatus: "FAIL",
  ErrorCode: code,
  ErrorInfo: "no",
  ...more,
});

const pushHead = { servcmd: "im_open_push.msg_push", seq: 0 };

export class FakeSocket {
  binaryType = "";
  onopen: ((event: unknown) => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: ((event: unknown) => void) | null = null;
  readonly frames: FakeFrame[] = [];
  /** The close code that the client gave. */
  closedWith: number | undefined;
  isOpen = false;
  isFrozen = false;
  readonly #server: FakeServer;

  constructor(
    server: FakeServer,
    readonly url: string,
  ) {
    this.#server = server;
    server.sockets.push(this);
    setTimeout(() => {
      if (this.closedWith !== undefined) return;
      if (server.isDown) this.breaks(1006);
      else if (!server.isMute) {
        this.isOpen = true;
        this.onopen?.({});
      }
    }, server.latencyMS);
  }

  send(data: string | Uint8Array): void {
    if (!this.isOpen) throw new Error("not open");
    const frame = JSON.parse(typeof data === "string" ? data : new TextDecoder().decode(data)) as FakeFrame;
    this.frames.push(frame);
    const body = this.#server.answer(frame, this);
    if (body !== undefined) setTimeout(() => this.says({ head: frame.head, body }), this.#server.latencyMS);
  }

  /** Sends a frame to the client, or something that is none. */
  says(frame: unknown): void {
    if (this.isOpen && !this.isFrozen) {
      this.onmessage?.({ data: typeof frame === "string" ? frame : JSON.stringify(frame) });
    }
  }

  /** Pushes statuses. */
  tells(...statuses: [userID: string, status: number, custom: string, version?: string][]): void {
    this.says({ head: pushHead, body: { EventArray: [{ Event: 22, UserStatusList: statuses.map(item) }] } });
  }

  kicks(type: number): void {
    const notice = { KickoutMsgNotify: { KickType: type, NewInstInfo: {} } };
    const body = { EventArray: [{ Event: 10, C2cNotifyMsgArray: [notice] }] };
    this.says({ head: { servcmd: "im_open_status.stat_forceoffline", seq: 0 }, body });
  }

  breaks(code = 1006, reason = ""): void {
    this.isOpen = false;
    this.onclose?.({ code, reason });
  }

  close(code?: number): void {
    this.closedWith = code ?? 1005;
    this.isOpen = false;
  }

  commands(): string[] {
    return this.frames.map(({ head }) => head.servcmd.slice(head.servcmd.indexOf(".") + 1));
  }
}

export function item([userID, status, custom, version]: [string, number, string, string?]) {
  const CustomStatus = Buffer.from(custom, "utf8").toString("base64");
  return {
    To_Account: userID,
    Status: status,
    CustomStatus,
    ...(version === undefined ? {} : { Version: version }),
  };
}

export class FakeServer {
  readonly sockets: FakeSocket[] = [];
  /** Connections are refused. */
  isDown = false;
  /** Sockets never open. */
  isMute = false;
  latencyMS = 5;
  /** Called first; where it gives "usual" the server answers as always. */
  script: (frame: FakeFrame, socket: FakeSocket) => Record<string, unknown> | undefined | "usual" = () =>
    "usual";
  /** What a query says of users; others do not exist. */
  readonly statuses = new Map<string, [number, string, string?]>();

  readonly socket: SocketConstructor;

  constructor() {
    const server = this;
    this.socket = class extends FakeSocket {
      constructor(url: string) {
        super(server, url);
      }
    };
  }

  get last(): FakeSocket {
    const last = this.sockets.at(-1);
    if (last === undefined) throw new Error("there was no socket yet");
    return last;
  }

  /** All requests of a kind, over all sockets, in order. */
  asked(command: string): FakeFrame[] {
    return this.sockets.flatMap(({ frames }) => frames.filter(({ head }) => head.servcmd.endsWith(command)));
  }

  answer(frame: FakeFrame, socket: FakeSocket): Record<string, unknown> | undefined {
    const scripted = this.script(frame, socket);
    return scripted === "usual" ? this.#usual(frame) : scripted;
  }

  #usual({ head, body }: FakeFrame): Record<string, unknown> {
    const targets = (body["To_Account"] ?? []) as string[];
    const unknown = targets.filter((userID) => !this.statuses.has(userID));
    const ErrorList = unknown.map((userID) => ({
      To_Account: userID,
      ErrorCode: 70107,
      ErrorInfo: "unknown",
    }));
    switch (head.servcmd) {
      case "im_open_status.wslogin":
        return {
          ...ok,
          A2Key: "a2",
          TinyId: "144115200000000001",
          InstId: 7,
          HelloInterval: 10,
          TimeStamp: Math.floor(Date.now() / 1000) + 60,
          CustomStatus: "",
          PurchaseBits: "10000000",
        };
      case "im_open_status.ws_get_user_status":
        return {
          ...ok,
          UserStatusList: targets.flatMap((userID) => {
            const status = this.statuses.get(userID);
            return status === undefined ? [] : [item([userID, ...status])];
          }),
          ErrorList,
        };
      case "im_open_status.ws_status_subscribe":
        return { ...ok, ErrorList };
      default:
        return ok;
    }
  }
}

/** A client of a scripted server, in fake time. */
export function scripted(): { server: FakeServer; chat: Chat } {
  const server = new FakeServer();
  const chat = createClient({ SDKAppID: 1400000001, proxyServer: "ws://fake", WebSocket: server.socket });
  chat.setLogLevel(4);
  return { server, chat };
}

/** The same, with alice logged in. */
export async function loggedIn(): Promise<{ server: FakeServer; chat: Chat }> {
  const both = scripted();
  const login = both.chat.login({ userID: "alice", userSig: "sig" });
  await vi.advanceTimersByTimeAsync(50);
  await login;
  return both;
}

/** Lets time pass until a promise has settled, and gives how. */
export async function outcome<T>(
  promise: Promise<T>,
  limitMS = 60_000,
): Promise<{ value?: T; code?: number }> {
  let settled: { value?: T; code?: number } | undefined;
  promise.then(
    (value) => {
      settled = { value };
    },
    (error: { code?: number }) => {
      settled = { code: error.code ?? Number.NaN };
    },
  );
  for (let passed = 0; passed <= limitMS; passed += 100) {
    await vi.advanceTimersByTimeAsync(100);
    if (settled !== undefined) return settled;
  }
  throw new Error(`it did not settle in ${limitMS / 1000} s`);
}
