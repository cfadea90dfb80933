// Events by name, with the official SDK's on and off(name, handler, context), typed, and with an unsubscribe function.

import type { EVENT, KickedOutType, NetState } from "./constants.ts";
import type { Profile } from "./profile.ts";
import type { Friend, FriendApplications, FriendGroup } from "./relation.ts";
import type { UserStatus } from "./status.ts";

/** What each event brings. */
export interface EventData {
  [EVENT.SDK_READY]: undefined;
  [EVENT.SDK_NOT_READY]: undefined;
  [EVENT.SDK_DESTROY]: undefined;
  /** The users whose status changed, each with all of its status. */
  [EVENT.USER_STATUS_UPDATED]: UserStatus[];
  /** Whole profiles of which something changed: one's own, friends'. */
  [EVENT.PROFILE_UPDATED]: Profile[];
  /** The whole list, as the next three. */
  [EVENT.FRIEND_LIST_UPDATED]: Friend[];
  [EVENT.FRIEND_GROUP_LIST_UPDATED]: FriendGroup[];
  [EVENT.FRIEND_APPLICATION_LIST_UPDATED]: FriendApplications;
  [EVENT.BLACKLIST_UPDATED]: string[];
  [EVENT.KICKED_OUT]: { type: KickedOutType };
  [EVENT.NET_STATE_CHANGE]: { state: NetState };
  [EVENT.ERROR]: { code: number; message: string };
}

export type EventName = keyof EventData;

export interface ChatEvent<Name extends EventName = EventName> {
  name: Name;
  data: EventData[Name];
}

/** Takes back what gave it. Calling it again does nothing. */
export type Unsubscribe = () => void;

export type Handler<Name extends EventName> = (event: ChatEvent<Name>) => void;

interface Listener {
  handler: (this: unknown, event: { name: string; data: unknown }) => void;
  context: unknown;
}

export class Emitter {
  readonly #listeners = new Map<string, readonly Listener[]>();
  readonly #report: (error: unknown) => void;

  /** What a handler throws is reported and stops no other handler. */
  constructor(report: (error: unknown) => void) {
    this.#report = report;
  }

  on(name: string, handler: unknown, context: unknown): Unsubscribe {
    if (typeof name !== "string" || typeof handler !== "function") {
      this.#report(new TypeError(`on(${String(name)}, …) needs the name of an event and a function`));
      return () => {};
    }
    const listener: Listener = { handler: handler as Listener["handler"], context };
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), listener]);
    return () => this.#remove(name, (one) => one !== listener);
  }

  off(name: string, handler: unknown, context: unknown): void {
    this.#remove(
      name,
      (one) => one.handler !== handler || (context !== undefined && one.context !== context),
    );
  }

  has(name: string): boolean {
    return this.#listeners.has(name);
  }

  emit<Name extends EventName>(name: Name, data: EventData[Name]): void {
    for (const { handler, context } of this.#listeners.get(name) ?? []) {
      try {
        handler.call(context, { name, data });
      } catch (error) {
        this.#report(error);
      }
    }
  }

  clear(): void {
    this.#listeners.clear();
  }

  #remove(name: string, keep: (listener: Listener) => boolean): void {
    const left = (this.#listeners.get(name) ?? []).filter(keep);
    if (left.length > 0) this.#listeners.set(name, left);
    else this.#listeners.delete(name);
  }
}
