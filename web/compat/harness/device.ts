// One device of one user: a browser tab, as far as the server can tell. It keeps all that happened to it.

import { isDeepStrictEqual } from "node:util";
import { type Chat, type Evaluation, evaluate, type SDK, type UserStatus } from "./sdk.ts";
import { Traffic } from "./traffic.ts";
import { patienceMS, pause, until } from "./until.ts";

export interface DeviceOptions {
  sdkAppID: number;
  /** The server's WebSocket address, or that of a proxy before it. */
  ws: string;
  devMode?: boolean;
}

interface SDKEvent<Data> {
  name: string;
  data: Data;
}

const linesKept = 25;

export class Device {
  readonly chat: Chat;
  readonly sdk: SDK;
  readonly traffic = new Traffic();
  /** The data of each USER_STATUS_UPDATED, in order. */
  readonly statusEvents: UserStatus[][] = [];
  /** The states of NET_STATE_CHANGE, in order. */
  readonly net: string[] = [];
  /** The types of KICKED_OUT, in order. */
  readonly kicks: string[] = [];
  /** SDK_READY as "ready", SDK_NOT_READY as "not ready", in order. */
  readonly readiness: string[] = [];
  readonly #evaluation: Evaluation;
  #log: string[] = [];

  constructor({ sdkAppID, ws, devMode }: DeviceOptions) {
    this.#evaluation = evaluate({ traffic: this.traffic, log: (line) => this.#note(line) });
    this.sdk = this.#evaluation.sdk;
    this.chat = this.sdk.create({
      SDKAppID: sdkAppID,
      proxyServer: ws,
      ...(devMode === undefined ? {} : { devMode }),
    });
    this.chat.setLogLevel(2);
    this.#listen();
  }

  /** Logs in and waits for SDK_READY, as the documentation tells applications to. */
  async login(userID: string, userSig: string): Promise<void> {
    const before = this.readiness.length;
    await this.chat.login({ userID, userSig });
    await until(`${userID} is ready`, () => this.readiness.slice(before).includes("ready"));
  }

  /** All statuses of a user that events have brought, in order. */
  seen(userID: string): UserStatus[] {
    return this.statusEvents.flat().filter((status) => status.userID === userID);
  }

  /** Waits for an event with exactly this status, the ones that have come already included. */
  async sees(status: UserStatus): Promise<void> {
    const what = `${this.chat.getLoginUser()} sees ${JSON.stringify(status)}`;
    await until(what, () => this.seen(status.userID).some((seen) => isDeepStrictEqual(seen, status)));
  }

  async isKicked(type: string): Promise<void> {
    await until("the device is kicked out", () => this.kicks.length > 0);
    if (this.kicks.join() !== type) throw new Error(`kicked out for ${this.kicks.join()}, not for ${type}`);
  }

  /** The status of one user as a query answers it now. */
  async query(userID: string): Promise<UserStatus> {
    const { data } = await this.chat.getUserStatus({ userIDList: [userID] });
    const [status] = data.successUserList;
    if (status === undefined) throw new Error(`no status of ${userID}: ${JSON.stringify(data)}`);
    return status;
  }

  /** Waits until a query says this of the user, however it came to be. */
  async comesToKnow(status: UserStatus): Promise<void> {
    const end = performance.now() + patienceMS;
    let known = await this.query(status.userID);
    while (!isDeepStrictEqual(known, status)) {
      if (performance.now() > end) {
        throw new Error(`queried in vain for ${JSON.stringify(status)}, last ${JSON.stringify(known)}`);
      }
      await pause(1_000); // well below the SDK's own limit of twenty queries in five seconds
      known = await this.query(status.userID);
    }
  }

  /** Does what breaks the connection and waits until the SDK has come back and logged in again by itself. */
  async comesBack(provoke: () => void | Promise<void>): Promise<void> {
    const logins = () =>
      this.traffic.exchanges().filter(({ request, answer }) => {
        return request.head.servcmd === "im_open_status.wslogin" && answer?.body.ErrorCode === 0;
      }).length;
    const [states, before] = [this.net.length, logins()];
    await provoke();
    const back = () => this.net.slice(states).at(-1) === "connected" && logins() > before;
    await until(`${this.chat.getLoginUser()} is back`, back);
  }

  closePage(): Promise<void> {
    return this.#evaluation.closePage();
  }

  crash(): Promise<void> {
    return this.#evaluation.crash();
  }

  /** The last that happened, for the message of a failing test. */
  story(): string {
    const frames = this.traffic.frames.slice(-linesKept).map(({ direction, at, socket, head, body }) => {
      const arrow = direction === "out" ? "->" : "<-";
      return `${(at / 1000).toFixed(3)} #${socket} ${arrow} ${head.servcmd} ${head.seq} ${JSON.stringify(body).slice(0, 200)}`;
    });
    return [...frames, ...this.#log].join("\n");
  }

  #note(line: string): void {
    this.#log = [
      ...this.#log.slice(1 - linesKept),
      `${(performance.now() / 1000).toFixed(3)} ${line.slice(0, 300)}`,
    ];
  }

  #listen(): void {
    const { EVENT } = this.sdk;
    this.#on<UserStatus[]>(EVENT.USER_STATUS_UPDATED, (data) => this.statusEvents.push(data));
    this.#on<{ state: string }>(EVENT.NET_STATE_CHANGE, (data) => this.net.push(data.state));
    this.#on<{ type: string }>(EVENT.KICKED_OUT, (data) => this.kicks.push(data.type));
    this.#on<unknown>(EVENT.SDK_READY, () => this.readiness.push("ready"));
    this.#on<unknown>(EVENT.SDK_NOT_READY, () => this.readiness.push("not ready"));
  }

  #on<Data>(name: string, handle: (data: Data) => void): void {
    this.chat.on(name, (event: SDKEvent<Data>) => {
      this.#note(`${name} ${JSON.stringify(event.data)}`);
      handle(event.data);
    });
  }
}
