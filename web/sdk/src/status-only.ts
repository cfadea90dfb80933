/**
 * Login and status alone, for a page that shows who is there and nothing else.
 *
 * @packageDocumentation
 */

import { type ChatOptions, makers, StatusChat } from "./client.ts";

export type { ChatOptions, StatusChat } from "./client.ts";
export { EVENT, type KickedOutType, type NetState, TYPES } from "./constants.ts";
export type { ChatEvent, EventData, EventName, Handler, Unsubscribe } from "./emitter.ts";
export { ChatError, LocalCode } from "./errors.ts";
export type { LoginData, LoginOptions, Result } from "./session.ts";
export type { SocketConstructor, SocketLike } from "./socket.ts";
export type {
  StatusFailure,
  StatusFailures,
  UserIDList,
  UserStatus,
  UserStatuses,
  UserStatusType,
} from "./status.ts";
export type { Statuses, StatusWatch, WatchOptions } from "./watch.ts";

const { create: createOne, createClient: createNew } = makers(StatusChat);

/** Gives the client of an application, the same one each time until it is destroyed. */
export const create: (options: ChatOptions) => StatusChat = createOne;

/** Gives a new client each time. */
export const createClient: (options: ChatOptions) => StatusChat = createNew;
