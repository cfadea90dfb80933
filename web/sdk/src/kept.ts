// A list that is asked for once and then kept up to date, with an event that tells of its changes.

import type { Emitter } from "./emitter.ts";
import { differ } from "./profile.ts";

export class Kept<T> {
  readonly event: string;
  readonly #emitter: Emitter;
  readonly #ask: () => Promise<T>;
  readonly #tell: (value: T) => void;
  #value: T | undefined;
  #asking: Promise<T> | undefined;
  #era = 0; // of a login; an answer of an older one is nobody's

  constructor(emitter: Emitter, event: string, ask: () => Promise<T>, tell: (value: T) => void) {
    this.event = event;
    this.#emitter = emitter;
    this.#ask = ask;
    this.#tell = tell;
  }

  get value(): T | undefined {
    return this.#value;
  }

  /** The list, asked for if it is not kept yet. */
  async get(): Promise<T> {
    return this.#value ?? (await this.again());
  }

  /** Asks anew, and tells if it is not what was known. */
  again(): Promise<T> {
    const era = this.#era;
    const asked: Promise<T> = this.#ask().then((value) => {
      // Of two that were asked one after the other the later one counts.
      if (this.#era === era && this.#asking === asked) {
        this.#asking = undefined;
        this.#set(value);
      }
      return value;
    });
    this.#asking = asked;
    asked.catch(() => {
      if (this.#asking === asked) this.#asking = undefined; // the return of the connection asks again
    });
    return asked;
  }

  /** Asks for it if somebody listens for it. */
  begin(): void {
    if (this.#value === undefined && this.#asking === undefined && this.#emitter.has(this.event))
      this.#quietly();
  }

  /** Asks anew if it is kept. */
  refresh(): void {
    if (this.#value !== undefined || this.#asking !== undefined) this.#quietly();
    else this.begin();
  }

  /** The same, and waits for it: after a call of one's own the list has what the call did. */
  async refreshed(): Promise<void> {
    if (this.#value === undefined && this.#asking === undefined && !this.#emitter.has(this.event)) return;
    await this.again().catch(() => {}); // the call has succeeded all the same
  }

  /** Changes what is kept. While it is asked for the answer may be older than the change, so it is asked again. */
  change(change: (value: T) => T): void {
    if (this.#asking !== undefined) this.#quietly();
    else if (this.#value !== undefined) this.#set(change(this.#value));
    else this.begin();
  }

  forget(): void {
    this.#era += 1;
    this.#value = this.#asking = undefined;
  }

  #quietly(): void {
    this.again().catch(() => {}); // who needs it asks, and hears why it cannot be had
  }

  #set(value: T): void {
    const before = this.#value;
    this.#value = value;
    if (before === undefined || differ(plain(before), plain(value))) this.#tell(value);
  }
}

function plain(value: unknown): unknown {
  return value instanceof Map ? [...value] : value;
}
