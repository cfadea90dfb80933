/**
 * The client of Porchlight, with the methods, events and codes of the SDK that applications were written for.
 *
 * @packageDocumentation
 */

import { create, createClient } from "./chat.ts";
import { EVENT, TYPES } from "./constants.ts";

export { type Chat, create, createClient } from "./chat.ts";
export type { ChatOptions, StatusChat } from "./client.ts";
export type { ConnectionState } from "./connection.ts";
export { EVENT, type KickedOutType, type NetState, TYPES } from "./constants.ts";
export type { ChatEvent, EventData, EventName, Handler, Unsubscribe } from "./emitter.ts";
export { ChatError, LocalCode } from "./errors.ts";
export type { CustomField, Profile, ProfileChange } from "./profile.ts";
export type {
  AddFriendOptions,
  Friend,
  FriendApplication,
  FriendApplications,
  FriendChecks,
  FriendFailure,
  FriendGroup,
  FriendGroupResult,
  FriendResults,
} from "./relation.ts";
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

/** What `import TencentCloudChat from "@tencentcloud/chat"` gives, of what the server serves. */
const PorchlightChat = { create, createClient, EVENT, TYPES } as const;

export default PorchlightChat;
