// watchUserStatus: a map of users that stays true, through breaks, restarts and lists that other devices change.

import type { Unsubscribe } from "./emitter.ts";
import { ChatError, invalid, LocalCode } from "./errors.ts";
import type { StatusFailure, UserStatus } from "./status.ts";

export type Statuses = ReadonlyMap<string, UserStatus>;

export interface WatchOptions {
  /** Ends the watch, as `close` does. */
  signal?: AbortSignal;
}

/** What a watch asks of those who keep it. */
interface Keeper {
  readonly live: boolean;
  readonly current: ReadonlyMap<string, UserStatus>;
  readonly failed: ReadonlyMap<string, StatusFailure>;
  add(watch: StatusWatch, userIDs: readonly string[]): void;
  remove(watch: StatusWatch, userIDs: readonly string[]): void;
}

/**
 * The statuses of some users, kept up to date until it is closed. Iterate over it for the map after each change; a
 * reader that is slow gets the newest only.
 */
export class StatusWatch implements AsyncIterable<Statuses> {
  /** Settles when each user has a status or a failure; rejects where the server refuses, and when closed before. */
  readonly ready: Promise<void>;
  readonly #keeper: Keeper;
  readonly #users = new Set<string>();
  readonly #listeners = new Set<(statuses: Statuses) => void>();
  readonly #sleepers = new Set<() => void>();
  readonly #release: () => void;
  #settle: { resolve: () => void; reject: (error: unknown) => void };
  #statuses: Statuses = new Map();
  #changes = 0;
  #scheduled = false;
  #end: { error: unknown } | undefined;

  /** Made by watchUserStatus. */
  constructor(keeper: Keeper, userIDs: readonly string[], { signal }: WatchOptions) {
    this.#keeper = keeper;
    this.#settle = { resolve: () => {}, reject: () => {} };
    this.ready = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.ready.catch(() => {}); // who does not ask need not hear
    const aborted = () => this.finish(undefined);
    signal?.addEventListener("abort", aborted);
    this.#release = () => signal?.removeEventListener("abort", aborted);
    if (signal?.aborted) aborted();
    else this.add(userIDs);
  }

  /** What is known now, by userID. A user of whom nothing is known yet is not in it. */
  get statuses(): Statuses {
    return this.#statuses;
  }

  /** The users of whom the server says nothing, such as those who do not exist yet. They are asked for again. */
  get failures(): ReadonlyMap<string, StatusFailure> {
    return new Map([...this.#keeper.failed].filter(([userID]) => this.#users.has(userID)));
  }

  /** Whether changes arrive at once; if not, `statuses` is what was known when the connection broke. */
  get live(): boolean {
    return this.#end === undefined && this.#keeper.live;
  }

  /** Calls back after every change of `statuses`, `failures` or `live`. */
  onChange(listener: (statuses: Statuses) => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Watches more users. */
  add(userIDs: readonly string[]): void {
    if (this.#end !== undefined) return;
    const more = checked(userIDs).filter((userID) => !this.#users.has(userID));
    this.#keeper.add(this, more);
    for (const userID of more) this.#users.add(userID);
    this.changed();
  }

  /** Watches these users no more. */
  remove(userIDs: readonly string[]): void {
    const gone = checked(userIDs).filter((userID) => this.#users.delete(userID));
    this.#keeper.remove(this, gone);
    this.changed();
  }

  /** Ends the watch, and its iterations with it. */
  close(): void {
    this.finish(undefined);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Statuses, void, void> {
    let seen = 0;
    for (;;) {
      if (this.#changes > seen) {
        seen = this.#changes;
        yield this.#statuses;
      } else if (this.#end !== undefined) {
        if (this.#end.error !== undefined) throw this.#end.error;
        return;
      } else {
        await new Promise<void>((wake) => this.#sleepers.add(wake));
      }
    }
  }

  /** @internal Says that something of a user of this watch may have changed. */
  changed(): void {
    if (this.#scheduled || this.#end !== undefined) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      if (this.#end === undefined) this.#publish();
    });
  }

  /** @internal Ends the watch; with an error where the server refuses it. */
  finish(error: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    this.#release();
    const users = [...this.#users];
    this.#users.clear();
    this.#keeper.remove(this, users);
    this.#settle.reject(error ?? new ChatError(LocalCode.loggedOut, "the watch was closed", "watch again"));
    this.#wake();
    this.#listeners.clear();
  }

  /** @internal */
  has(userID: string): boolean {
    return this.#users.has(userID);
  }

  /** @internal */
  get isEmpty(): boolean {
    return this.#users.size === 0;
  }

  #publish(): void {
    const { current, failed } = this.#keeper;
    const statuses = new Map<string, UserStatus>();
    let known = 0;
    for (const userID of this.#users) {
      const status = current.get(userID);
      if (status !== undefined) statuses.set(userID, status);
      if (status !== undefined || failed.has(userID)) known += 1;
    }
    this.#statuses = statuses;
    const complete = known === this.#users.size;
    if (complete) this.#settle.resolve();
    if (complete || this.#changes > 0) this.#changes += 1; // the first map is one with everybody in it
    for (const listener of [...this.#listeners]) listener(statuses);
    this.#wake();
  }

  #wake(): void {
    const sleepers = [...this.#sleepers];
    this.#sleepers.clear();
    for (const wake of sleepers) wake();
  }
}

function checked(userIDs: readonly string[]): string[] {
  if (!Array.isArray(userIDs) || !userIDs.every((userID) => typeof userID === "string" && userID !== "")) {
    throw invalid("the users to watch are no list of userIDs", 'pass ["…", "…"]');
  }
  return [...new Set(userIDs)];
}
