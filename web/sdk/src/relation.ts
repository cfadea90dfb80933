// Friends, applications, groups and blocks as applications see them, and the reading of what the server says of them.

import { ChatError, invalid, LocalCode } from "./errors.ts";
import { type Body, objects, text } from "./frame.ts";
import { type CustomField, empty, type Profile, type Tag, withCustom } from "./profile.ts";
import type { Result } from "./session.ts";

export interface Friend {
  userID: string;
  remark: string;
  /** How the friend was added, `AddSource_Type_…`. */
  source: string;
  /** When, in seconds since 1970. */
  timeStamp: number;
  groupList: string[];
  profile: Profile;
  friendCustomField: CustomField[];
}

export interface FriendApplication {
  userID: string;
  nick: string;
  avatar: string;
  /** In seconds since 1970. */
  time: number;
  source: string;
  wording: string;
  /** {@link TYPES}.SNS_APPLICATION_SENT_TO_ME or …_SENT_BY_ME. */
  type: string;
}

export interface FriendApplications {
  friendApplicationList: FriendApplication[];
  unreadCount: number;
}

export interface FriendGroup {
  name: string;
  count: number;
  userIDList: string[];
}

/** A user for whom a call has failed, while it succeeded for others. */
export interface FriendFailure {
  userID: string;
  code: number;
  message: string;
}

export interface FriendResults {
  successUserIDList: { userID: string }[];
  failureUserIDList: FriendFailure[];
}

export interface FriendChecks {
  successUserIDList: { userID: string; relation: string }[];
  failureUserIDList: FriendFailure[];
}

export interface FriendGroupResult {
  friendGroup: FriendGroup;
  failureUserIDList: FriendFailure[];
}

export interface AddFriendOptions {
  to: string;
  /** `AddSource_Type_` and a word of the application's. */
  source: string;
  wording?: string;
  /** {@link TYPES}.SNS_ADD_TYPE_BOTH, the default, or SNS_ADD_TYPE_SINGLE, which asks nobody. */
  type?: string | number;
  remark?: string;
  groupName?: string;
}

const customPrefix = "Tag_SNS_Custom_";

export function ok<Data>(data: Data): Result<Data> {
  return { code: 0, data };
}

export function wrong(call: string, takes: string): ChatError {
  return invalid("the options are not what the call takes", `${call} takes ${takes}`);
}

export function named(name: unknown): string {
  if (typeof name !== "string" || name === "")
    throw invalid("the name of the group is missing or no text", "pass one");
  return name;
}

export function names(list: unknown): string[] {
  return Array.isArray(list) ? list.filter((name) => typeof name === "string") : [];
}

export function results(list: unknown): FriendResults {
  const all = objects(list).map((item) => ({
    userID: text(item["To_Account"]),
    code: Number(item["ResultCode"]) || 0,
    message: text(item["ResultInfo"]),
  }));
  return {
    successUserIDList: all.filter(({ code }) => code === 0).map(({ userID }) => ({ userID })),
    failureUserIDList: all.filter(({ code }) => code !== 0),
  };
}

/** What became of the one user of a call. */
export function only(answer: Body): { code: number; message: string } {
  const [item] = objects(answer["ResultItem"]);
  if (item === undefined) throw new ChatError(LocalCode.badAnswer);
  return { code: Number(item["ResultCode"]) || 0, message: text(item["ResultInfo"]) };
}

export function noFriend(userID: string): Friend {
  return {
    userID,
    remark: "",
    source: "",
    timeStamp: 0,
    groupList: [],
    profile: empty(userID),
    friendCustomField: [],
  };
}

/** An entry with what the tags say of it. */
export function entry(friend: Friend, list: readonly Tag[]): Friend {
  const value = (name: string) => list.find(({ tag }) => tag === `Tag_SNS_IM_${name}`)?.value;
  const group = value("Group");
  return {
    ...friend,
    remark: text(value("Remark") ?? friend.remark),
    source: text(value("AddSource") ?? friend.source),
    timeStamp: Number(value("AddTime") ?? friend.timeStamp),
    groupList: group === undefined ? friend.groupList : names(group),
    friendCustomField: withCustom(friend.friendCustomField, list, customPrefix),
  };
}

export function without(friends: Map<string, Friend>, users: readonly string[]): Map<string, Friend> {
  const after = new Map(friends);
  for (const userID of users) after.delete(userID);
  return after;
}
