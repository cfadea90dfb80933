// All watches of a client: who is watched, subscribed and asked for together, in as few calls as there can be.

import {
  codeInternal,
  codeOverload,
  codeServerTimeout,
  codeTimeout,
  codeTooOften,
  codeUserRate,
} from "./codes.gen.ts";
import { ChatError, invalid, LocalCode } from "./errors.ts";
import type { Log } from "./log.ts";
import type { Status, StatusFailure, UserStatus } from "./status.ts";
import { type StatusWatch, StatusWatch as Watch, type WatchOptions } from "./watch.ts";
import { callsWindowMS, maxSubscribed } from "./wire.gen.ts";

/** Who is watched no more stays subscribed for so long, in ms: a page that is left and entered again asks nothing. */
export const lingerMS = 2_000;
/** So often everything watched is subscribed and asked for anew, as the list is the account's and other devices change it. */
export const auditMS = 300_000;
/** After so long users are asked for again of whom the server said nothing; each time twice as long, up to the most. */
export const failedAgainMS = 1_000;
export const failedAgainMostMS = 30_000;

const transient = new Set<number>([
  LocalCode.timeout,
  LocalCode.tooOften,
  LocalCode.overload,
  LocalCode.badAnswer,
  codeTooOften,
  codeTimeout,
  codeServerTimeout,
  codeInternal,
  codeUserRate,
  codeOverload,
]);
const sessionCodes = new Set<number>([2024, 3000, 3001, 3002, 3003, 3004, 3005, 3006]);

interface WatchesOptions {
  status: Status;
  /** Who is logged in, or "". */
  self: () => string;
  log: Log;
}

export class Watches {
  readonly #options: WatchesOptions;
  readonly #watches = new Set<StatusWatch>();
  readonly #counts = new Map<string, number>(); // watches of each user
  readonly #fresh = new Set<string>(); // subscribed and asked for since the last break
  readonly #subscribed = new Set<string>();
  readonly current = new Map<string, UserStatus>();
  readonly failed = new Map<string, StatusFailure>();
  #live = false;
  #of = ""; // whose view `current` is
  #round: Promise<void> | undefined;
  #dirty = false;
  #failedAgain = failedAgainMS;
  #timer: { at: number; handle: ReturnType<typeof setTimeout> } | undefined;
  #audit: ReturnType<typeof setTimeout> | undefined;

  constructor(options: WatchesOptions) {
    this.#options = options;
  }

  get live(): boolean {
    return this.#live;
  }

  watch(userIDs: readonly string[], options: WatchOptions): StatusWatch {
    return new Watch(this, userIDs, options);
  }

  add(watch: StatusWatch, userIDs: readonly string[]): void {
    const fresh = userIDs.filter((userID) => !this.#counts.has(userID)).length;
    if (this.#counts.size + fresh > maxSubscribed) {
      throw invalid(
        `more than ${maxSubscribed} users cannot be watched`,
        "ask for the rest with getUserStatus",
      );
    }
    this.#watches.add(watch);
    for (const userID of userIDs) this.#counts.set(userID, (this.#counts.get(userID) ?? 0) + 1);
    this.#failedAgain = failedAgainMS;
    if (this.#audit === undefined) this.#auditLater();
    queueMicrotask(() => this.#sync());
  }

  remove(watch: StatusWatch, userIDs: readonly string[]): void {
    for (const userID of userIDs) {
      const left = (this.#counts.get(userID) ?? 0) - 1;
      if (left > 0) {
        this.#counts.set(userID, left);
        continue;
      }
      this.#counts.delete(userID);
      this.failed.delete(userID);
    }
    if (watch.isEmpty) this.#watches.delete(watch);
    if (this.#counts.size === 0) {
      clearTimeout(this.#audit);
      this.#audit = undefined;
    }
    this.#later(lingerMS);
  }

  /** Somebody has logged in. */
  entered(): void {
    const self = this.#options.self();
    if (this.#of !== self) {
      this.#of = self;
      this.current.clear();
      this.#subscribed.clear();
    }
    this.failed.clear();
    this.returned();
  }

  /** The connection is back: everybody is asked for again, together. */
  returned(): void {
    this.#fresh.clear();
  }

  setLive(live: boolean): void {
    if (live) this.#sync();
    if (live === this.#live) return;
    this.#live = live;
    if (live) this.#sync();
    for (const watch of this.#watches) watch.changed();
  }

  /** A status that the server has told, whoever asked for it. */
  told(status: UserStatus): void {
    if (!this.#counts.has(status.userID)) return;
    this.current.set(status.userID, status);
    this.failed.delete(status.userID);
    this.#changed(status.userID);
  }

  /** Ends all watches. */
  finish(error?: ChatError): void {
    for (const watch of [...this.#watches]) watch.finish(error);
    this.#watches.clear();
    clearTimeout(this.#timer?.handle);
    clearTimeout(this.#audit);
    this.#timer = this.#audit = undefined;
  }

  #changed(userID: string): void {
    for (const watch of this.#watches) if (watch.has(userID)) watch.changed();
  }

  #sync(): void {
    this.#dirty = true;
    if (this.#round !== undefined || !this.#live) return;
    this.#dirty = false;
    this.#round = this.#ask()
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        this.#round = undefined;
        if (this.#dirty) this.#sync();
      });
  }

  /** Makes one round of calls: all that is to be subscribed, asked for and unsubscribed, at once. */
  async #ask(): Promise<void> {
    const { status } = this.#options;
    const self = this.#options.self();
    const fresh = [...this.#counts.keys()].filter((userID) => userID !== self && !this.#fresh.has(userID));
    const gone = [...this.#subscribed].filter((userID) => !this.#counts.has(userID));
    if (this.#counts.has(self) && !this.#fresh.has(self)) {
      this.#fresh.add(self);
      this.told(status.own);
    }
    for (const userID of fresh) this.#fresh.add(userID);
    if (fresh.some((userID) => this.failed.has(userID))) {
      this.#failedAgain = Math.min(2 * this.#failedAgain, failedAgainMostMS);
    }
    const calls = [
      ...chunks(fresh, status.most.subscribe).map(async (part) => {
        const { data } = await status.subscribe(part);
        for (const userID of part) this.#subscribed.add(userID);
        this.#failures(data.failureUserList);
      }),
      ...chunks(fresh, status.most.query).map(async (part) =>
        this.#failures((await status.query(part)).failureUserList),
      ),
      ...chunks(gone, status.most.unsubscribe).map(async (part) => {
        await status.unsubscribeUserStatus({ userIDList: part });
        for (const userID of part) this.#forget(userID);
      }),
    ];
    const failed = (await Promise.allSettled(calls)).find((result) => result.status === "rejected");
    if (failed === undefined) return;
    for (const userID of fresh) this.#fresh.delete(userID);
    throw failed.reason;
  }

  #forget(userID: string): void {
    this.#subscribed.delete(userID);
    this.#fresh.delete(userID);
    if (this.#counts.has(userID))
      this.#sync(); // watched again meanwhile
    else this.current.delete(userID);
  }

  #failures(list: readonly StatusFailure[]): void {
    const mine = list.filter(({ userID }) => this.#counts.has(userID));
    for (const failure of mine) {
      this.failed.set(failure.userID, failure);
      this.#subscribed.delete(failure.userID);
      this.#fresh.delete(failure.userID);
      this.#changed(failure.userID);
    }
    if (mine.length > 0) this.#later(this.#failedAgain);
  }

  /** A round has failed: what can pass is tried again, a session that is over is waited for, all else ends the watches. */
  #failed(error: unknown): void {
    const code = error instanceof ChatError ? error.code : undefined;
    if (code === undefined || transient.has(code)) this.#later(callsWindowMS);
    else if (!sessionCodes.has(code)) {
      this.#options.log.warn("the watches end:", error);
      this.finish(error as ChatError);
    }
  }

  /** Looks again after a while, or sooner where that was asked for before. */
  #later(ms: number): void {
    const at = performance.now() + ms;
    if (this.#timer !== undefined && this.#timer.at <= at) return;
    clearTimeout(this.#timer?.handle);
    const handle = setTimeout(() => {
      this.#timer = undefined;
      this.#sync();
    }, ms);
    this.#timer = { at, handle };
  }

  #auditLater(): void {
    this.#audit = setTimeout(
      () => {
        this.#fresh.clear();
        this.#sync();
        this.#auditLater();
      },
      auditMS * (0.8 + 0.4 * Math.random()),
    );
  }
}

function chunks(list: readonly string[], size: number): string[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, n) =>
    list.slice(n * size, (n + 1) * size),
  );
}
