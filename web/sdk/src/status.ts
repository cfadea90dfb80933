// User status: the four calls, the event, and what is known of everybody by version.

import { EVENT } from "./constants.ts";
import type { Emitter } from "./emitter.ts";
import { ChatError, invalid, LocalCode } from "./errors.ts";
import { type Body, type Frame, fromBase64, isObject, objects, text } from "./frame.ts";
import type { Log } from "./log.ts";
import type { Result, Session } from "./session.ts";
import { Versions } from "./versions.ts";
import {
  abilityStatus,
  callsWindowMS,
  cmdGetStatus,
  cmdSetStatus,
  cmdSubscribe,
  cmdUnsubscribe,
  maxCallsWindow,
  maxQuery,
  maxSubscribe,
} from "./wire.gen.ts";

/** 0 unknown, 1 online, 2 offline (a phone that can be reached by push), 3 logged out or never logged in. */
export type UserStatusType = 0 | 1 | 2 | 3;

export interface UserStatus {
  userID: string;
  statusType: UserStatusType;
  /** What the user says, or `""`. */
  customStatus: string;
}

/** A user for whom a call has failed, while it succeeded for others. */
export interface StatusFailure {
  userID: string;
  code: number;
  message: string;
}

export interface UserStatuses {
  successUserList: UserStatus[];
  failureUserList: StatusFailure[];
}

export interface StatusFailures {
  failureUserList: StatusFailure[];
}

export interface UserIDList {
  userIDList: string[];
}

/** A status as the server told it, with its version where it has one. */
export interface Told {
  status: UserStatus;
  version: string;
}

interface StatusOptions {
  session: Session;
  emitter: Emitter;
  log: Log;
  /** Every status that the server tells, newest only. */
  told: (status: UserStatus) => void;
}

interface Limit {
  count: number;
  windowMS: number;
}

export class Status {
  readonly #options: StatusOptions;
  readonly #versions = new Versions();
  readonly #windows = new Map<string, { start: number; calls: number }>();
  readonly #limits = new Map<string, Limit>();
  readonly #overloads = new Map<string, number>(); // command, and until when
  #custom = "";
  #ownNotices = 0;
  #able = true;
  #most = { query: maxQuery, subscribe: maxSubscribe, unsubscribe: maxSubscribe };

  constructor(options: StatusOptions) {
    this.#options = options;
  }

  /** How many users one query and one subscription take. */
  get most(): Readonly<{ query: number; subscribe: number; unsubscribe: number }> {
    return this.#most;
  }

  /** The own status, as far as it is known here. */
  get own(): UserStatus {
    return { userID: this.#options.session.userID, statusType: 1, customStatus: this.#custom };
  }

  entered(answer: Body): void {
    this.#windows.clear();
    this.#overloads.clear();
    this.#versions.clear();
    this.abilities(answer["PurchaseBits"]);
    this.#custom = fromBase64(answer["CustomStatus"]);
  }

  /** The own custom status may have changed on another device meanwhile. */
  returned(answer: Body): void {
    if (typeof answer["CustomStatus"] === "string") this.#custom = fromBase64(answer["CustomStatus"]);
  }

  abilities(bits: unknown): void {
    if (typeof bits === "string" && /^[01]{1,64}$/.test(bits))
      this.#able = bits.at(-1 - abilityStatus) === "1";
  }

  /** Takes the limits that the operator has set for the application. */
  configure(configured: unknown): void {
    let config: unknown;
    try {
      config = JSON.parse(text(configured) || "{}");
    } catch {
      config = undefined;
    }
    if (!isObject(config)) return;
    this.#most = {
      query: Number(config["status_query_count"]) || maxQuery,
      subscribe: Number(config["status_sub_count"]) || maxSubscribe,
      unsubscribe: Number(config["status_unsub_count"]) || maxSubscribe,
    };
    this.#limits.clear();
    try {
      for (const limit of objects(JSON.parse(text(config["cmd_frequency_limit"]) || "[]"))) {
        const [count, interval] = [Number(limit["count"]), Number(limit["interval"])];
        if (count > 0 && interval > 0)
          this.#limits.set(text(limit["cmd"]), { count, windowMS: interval * 1_000 });
      }
    } catch {
      this.#options.log.warn("the server's limits cannot be read");
    }
  }

  overloaded(servcmd: string, seconds: number): void {
    if (seconds > 0) this.#overloads.set(servcmd, performance.now() + seconds * 1_000);
  }

  async setSelfStatus(options: { customStatus: string }): Promise<Result<UserStatus>> {
    this.#mayCall();
    if (!isObject(options) || typeof options.customStatus !== "string") {
      throw invalid("customStatus is no string", 'setSelfStatus takes { customStatus: "…" }; "" clears it');
    }
    const { customStatus } = options;
    this.#notOverloaded(cmdSetStatus);
    const before = this.#ownNotices;
    await this.#options.session.call(cmdSetStatus, { CustomStatus: customStatus });
    // The notice that the setter gets as well may have come, and one of a later change after it.
    if (this.#ownNotices === before) this.#custom = customStatus;
    return { code: 0, data: { userID: this.#options.session.userID, statusType: 1, customStatus } };
  }

  async getUserStatus(options: UserIDList): Promise<Result<UserStatuses>> {
    this.#mayCall();
    const asked = this.#list(options, this.#most.query);
    const own = this.#options.session.userID;
    const others = asked.filter((userID) => userID !== own);
    if (others.length === 0) return { code: 0, data: { successUserList: [this.own], failureUserList: [] } };
    const { statuses, failureUserList } = await this.query(others);
    const successUserList = others.length === asked.length ? statuses : [this.own, ...statuses];
    return { code: 0, data: { successUserList, failureUserList } };
  }

  /** Asks the server. What it answers is told to who watches, too. */
  async query(
    userIDs: readonly string[],
  ): Promise<{ statuses: UserStatus[]; failureUserList: StatusFailure[] }> {
    this.#count(cmdGetStatus);
    const answer = await this.#options.session.call(cmdGetStatus, { To_Account: userIDs });
    const told = objects(answer["UserStatusList"]).map(read);
    for (const one of told) {
      if (this.#versions.learn(one)) this.#options.told(one.status);
    }
    return { statuses: told.map(({ status }) => status), failureUserList: failures(answer) };
  }

  async subscribeUserStatus(options: UserIDList): Promise<Result<StatusFailures>> {
    this.#mayCall();
    return this.subscribe(this.#list(options, this.#most.subscribe));
  }

  async subscribe(userIDs: readonly string[]): Promise<Result<StatusFailures>> {
    this.#count(cmdSubscribe);
    const answer = await this.#options.session.call(cmdSubscribe, { To_Account: userIDs });
    return { code: 0, data: { failureUserList: failures(answer) } };
  }

  async unsubscribeUserStatus(options?: {
    userIDList: string[] | undefined;
  }): Promise<Result<StatusFailures>> {
    this.#mayCall();
    const list: unknown = options?.userIDList;
    const all = list === undefined || (Array.isArray(list) && list.length === 0);
    const body = all
      ? { UnsubscribeAll: 1 }
      : { To_Account: this.#list(options as UserIDList, this.#most.unsubscribe) };
    this.#count(cmdUnsubscribe);
    const answer = await this.#options.session.call(cmdUnsubscribe, body);
    return { code: 0, data: { failureUserList: failures(answer) } };
  }

  /** Tells what a push says, but for what is older than what was told before, or the same. */
  pushed(frame: Frame): void {
    for (const event of objects(frame.body["EventArray"])) {
      if (!Array.isArray(event["UserStatusList"])) continue;
      const news = objects(event["UserStatusList"])
        .map(read)
        .filter((one) => this.#versions.tell(one));
      for (const { status } of news) {
        if (status.userID === this.#options.session.userID) {
          this.#custom = status.customStatus;
          this.#ownNotices += 1;
        }
        this.#options.told(status);
      }
      const statuses = news.map(({ status }) => status);
      if (statuses.length > 0) this.#options.emitter.emit(EVENT.USER_STATUS_UPDATED, statuses);
    }
  }

  /** Rejects what the server would refuse, with the code that the official SDK raises for it. */
  #mayCall(): void {
    const { refusal } = this.#options.session;
    if (refusal !== undefined) throw refusal;
  }

  #list(options: UserIDList, most: number): string[] {
    const list: unknown = isObject(options) ? options["userIDList"] : undefined;
    if (!Array.isArray(list) || list.length === 0 || !list.every((id) => typeof id === "string")) {
      throw invalid(
        "userIDList is no list of userIDs",
        'pass { userIDList: ["…"] } with one userID at least',
      );
    }
    if (list.length > most) {
      this.#options.log.warn(
        `only the first ${most} of ${list.length} users are asked for, as many as one call takes`,
      );
    }
    return list.slice(0, most);
  }

  #notOverloaded(servcmd: string): void {
    if ((this.#overloads.get(servcmd) ?? 0) > performance.now()) throw new ChatError(LocalCode.overload);
  }

  /** Holds a call against the ability and the limit of its kind. */
  #count(servcmd: string): void {
    if (!this.#able) throw new ChatError(LocalCode.noAbility);
    this.#notOverloaded(servcmd);
    const name = servcmd.slice(servcmd.indexOf(".") + 1);
    const { count, windowMS } = this.#limits.get(name) ?? { count: maxCallsWindow, windowMS: callsWindowMS };
    const now = performance.now();
    const window = this.#windows.get(servcmd);
    if (window === undefined || now - window.start > windowMS) {
      this.#windows.set(servcmd, { start: now, calls: 1 });
      return;
    }
    if (window.calls >= count) throw new ChatError(LocalCode.tooOften);
    window.calls += 1;
  }
}

function read(item: Record<string, unknown>): Told {
  const statusType = Number(item["Status"] ?? item["StatusType"]) as UserStatusType;
  return {
    status: { userID: text(item["To_Account"]), statusType, customStatus: fromBase64(item["CustomStatus"]) },
    version: text(item["Version"]),
  };
}

function failures(answer: Body): StatusFailure[] {
  return objects(answer["ErrorList"]).map((item) => ({
    userID: text(item["Invalid_Account"]) || text(item["To_Account"]),
    code: Number(item["ErrorCode"]),
    message: text(item["ErrorInfo"]),
  }));
}
