// What a device hears of profiles, friends and blocklists, and the methods for them as the documentation describes
// them: the package's own typings leave their results open.

import { isDeepStrictEqual } from "node:util";
import type { Device } from "./device.ts";
import { patienceMS, pause, until } from "./until.ts";

export interface Profile {
  userID: string;
  nick: string;
  gender: string;
  birthday: number;
  location: string;
  selfSignature: string;
  allowType: string;
  language: number;
  avatar: string;
  messageSettings: number;
  adminForbidType: string;
  level: number;
  role: number;
  profileCustomField: { key: string; value: string }[];
}

export interface Friend {
  userID: string;
  remark: string;
  source: string;
  groupList: string[];
  profile: Profile;
  friendCustomField: { key: string; value: string }[];
}

export interface Application {
  userID: string;
  nick: string;
  avatar: string;
  time: number;
  source: string;
  wording: string;
  type: string;
}

export interface Applications {
  friendApplicationList: Application[];
  unreadCount: number;
}

export interface Group {
  name: string;
  count: number;
  userIDList: string[];
}

interface Failed {
  userID: string;
  code: number;
}

interface Answer<Data> {
  code: number;
  data: Data;
}

/** The documented methods. */
export interface Relations {
  getMyProfile(): Promise<Answer<Profile>>;
  getUserProfile(options: { userIDList: string[] }): Promise<Answer<Profile[]>>;
  updateMyProfile(options: Partial<Omit<Profile, "userID">>): Promise<Answer<Profile>>;
  getFriendList(): Promise<Answer<Friend[]>>;
  addFriend(options: {
    to: string;
    source: string;
    wording?: string;
    remark?: string;
    groupName?: string;
    type?: string;
  }): Promise<Answer<{ userID?: string; code: number }>>;
  deleteFriend(options: {
    userIDList: string[];
    type: string;
  }): Promise<Answer<{ successUserIDList: { userID: string }[]; failureUserIDList: Failed[] }>>;
  checkFriend(options: {
    userIDList: string[];
    type: string;
  }): Promise<
    Answer<{ successUserIDList: { userID: string; relation: string }[]; failureUserIDList: Failed[] }>
  >;
  getFriendProfile(options: {
    userIDList: string[];
  }): Promise<Answer<{ friendList: Friend[]; failureUserIDList: Failed[] }>>;
  updateFriend(options: {
    userID: string;
    remark?: string;
    friendCustomField?: { key: string; value: string }[];
  }): Promise<Answer<Friend>>;
  getFriendApplicationList(): Promise<Answer<Applications>>;
  acceptFriendApplication(options: { userID: string; remark?: string; type: string }): Promise<unknown>;
  refuseFriendApplication(options: { userID: string }): Promise<unknown>;
  deleteFriendApplication(options: { userID: string; type: string }): Promise<unknown>;
  setFriendApplicationRead(): Promise<unknown>;
  getFriendGroupList(): Promise<Answer<Group[]>>;
  createFriendGroup(options: {
    name: string;
    userIDList: string[];
  }): Promise<Answer<{ friendGroup: Group; failureUserIDList: Failed[] }>>;
  deleteFriendGroup(options: { name: string }): Promise<Answer<Group>>;
  renameFriendGroup(options: { oldName: string; newName: string }): Promise<Answer<Group>>;
  addToFriendGroup(options: {
    name: string;
    userIDList: string[];
  }): Promise<Answer<{ friendGroup: Group; failureUserIDList: Failed[] }>>;
  removeFromFriendGroup(options: {
    name: string;
    userIDList: string[];
  }): Promise<Answer<{ friendGroup: Group; failureUserIDList: Failed[] }>>;
  getBlacklist(): Promise<Answer<string[]>>;
  addToBlacklist(options: { userIDList: string[] }): Promise<Answer<string[]>>;
  removeFromBlacklist(options: { userIDList: string[] }): Promise<Answer<string[]>>;
}

/** The events about relations, by what the documentation calls them, with what each carries. */
interface Carried {
  PROFILE_UPDATED: Profile[];
  FRIEND_LIST_UPDATED: Friend[];
  FRIEND_APPLICATION_LIST_UPDATED: Applications;
  FRIEND_GROUP_LIST_UPDATED: Group[];
  BLACKLIST_UPDATED: string[];
}

/** A device's relations, and what it has been told of them. */
export class Circle {
  readonly chat: Relations;
  readonly #device: Device;
  readonly #heard = new Map<keyof Carried, unknown[]>();

  constructor(device: Device) {
    this.#device = device;
    this.chat = device.chat as unknown as Relations;
    const names: (keyof Carried)[] = [
      "PROFILE_UPDATED",
      "FRIEND_LIST_UPDATED",
      "FRIEND_APPLICATION_LIST_UPDATED",
      "FRIEND_GROUP_LIST_UPDATED",
      "BLACKLIST_UPDATED",
    ];
    for (const name of names) {
      const heard: unknown[] = [];
      this.#heard.set(name, heard);
      // A copy: the SDK goes on changing what it hands out.
      device.chat.on(device.sdk.EVENT[name], (event: { data: unknown }) =>
        heard.push(structuredClone(event.data)),
      );
    }
  }

  /** All that events of one name have brought, in order. */
  heard<Name extends keyof Carried>(name: Name): Carried[Name][] {
    return this.#heard.get(name) as Carried[Name][];
  }

  /** Waits for an event that is as wanted; those that have come already count. */
  async hears<Name extends keyof Carried>(
    name: Name,
    wanted: (data: Carried[Name]) => boolean,
  ): Promise<void> {
    const who = this.#device.chat.getLoginUser();
    await until(`${who} hears ${name} (${wanted})`, () => this.heard(name).some(wanted));
  }

  /** Waits until the friend list of an event names exactly these. */
  hearsFriends(...userIDs: string[]): Promise<void> {
    return this.hears("FRIEND_LIST_UPDATED", (list) =>
      same(
        list.map((friend) => friend.userID),
        userIDs,
      ),
    );
  }

  async friends(): Promise<string[]> {
    return (await this.chat.getFriendList()).data.map((friend) => friend.userID).sort();
  }

  /** The groups, as soon as there are so many: the official SDK answers from a list that it asks for as it starts. */
  async groups(count: number): Promise<Group[]> {
    const end = performance.now() + patienceMS;
    let groups = (await this.chat.getFriendGroupList()).data;
    while (groups.length !== count && performance.now() < end) {
      await pause(20);
      groups = (await this.chat.getFriendGroupList()).data;
    }
    return groups;
  }

  async friend(userID: string): Promise<Friend | undefined> {
    return (await this.chat.getFriendList()).data.find((friend) => friend.userID === userID);
  }
}

/** Whether two lists hold the same, in whatever order. */
export function same(list: string[], wanted: string[]): boolean {
  return isDeepStrictEqual([...list].sort(), [...wanted].sort());
}
