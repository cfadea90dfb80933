// Friends, applications to become one, groups of friends, and who is blocked. A list is asked for when somebody wants it:
// by a call, or by listening for its event; from then on it is kept.

import type { Part } from "./client.ts";
import { EVENT } from "./constants.ts";
import type { Emitter } from "./emitter.ts";
import { ChatError, LocalCode } from "./errors.ts";
import { type Body, type Frame, isObject, objects, text } from "./frame.ts";
import { Kept } from "./kept.ts";
import { userIDs } from "./list.ts";
import { type CustomField, type Profile, Profiles, type Tag, tags, withTags } from "./profile.ts";
import {
  type AddFriendOptions,
  entry,
  type Friend,
  type FriendApplications,
  type FriendChecks,
  type FriendFailure,
  type FriendGroup,
  type FriendGroupResult,
  type FriendResults,
  named,
  names,
  noFriend,
  ok,
  only,
  results,
  without,
  wrong,
} from "./relation.ts";
import type { Result, Session } from "./session.ts";
import {
  cmdBlacklistAdd,
  cmdBlacklistDelete,
  cmdBlacklistGet,
  cmdFriendAdd,
  cmdFriendCheck,
  cmdFriendDelete,
  cmdFriendGet,
  cmdFriendGroupAdd,
  cmdFriendGroupAlter,
  cmdFriendGroupDrop,
  cmdFriendGroupGet,
  cmdFriendRespond,
  cmdFriendSome,
  cmdFriendUpdate,
  cmdPendencyDelete,
  cmdPendencyGet,
  cmdPendencyReport,
} from "./wire.gen.ts";

interface FriendsOptions {
  session: Session;
  emitter: Emitter;
}

const pending = 30_539; // the other is asked; no failure

export class Friends implements Part {
  readonly profiles: Profiles;
  readonly #options: FriendsOptions;
  readonly #friends: Kept<Map<string, Friend>>;
  readonly #applications: Kept<FriendApplications>;
  readonly #groups: Kept<FriendGroup[]>;
  readonly #blocked: Kept<string[]>;

  constructor(options: FriendsOptions) {
    this.#options = options;
    const { emitter } = options;
    this.profiles = new Profiles({
      ...options,
      changed: (profile) => this.#profileChanged(profile),
      known: (userID) => this.#friends.value?.get(userID)?.profile,
    });
    const kept = <T>(name: string, ask: () => Promise<T>, tell: (value: T) => void) =>
      new Kept(emitter, name, ask, tell);
    this.#friends = kept(
      EVENT.FRIEND_LIST_UPDATED,
      () => this.#askFriends(),
      (value) => emitter.emit(EVENT.FRIEND_LIST_UPDATED, [...value.values()]),
    );
    this.#applications = kept(
      EVENT.FRIEND_APPLICATION_LIST_UPDATED,
      () => this.#askApplications(),
      (value) => emitter.emit(EVENT.FRIEND_APPLICATION_LIST_UPDATED, value),
    );
    this.#groups = kept(
      EVENT.FRIEND_GROUP_LIST_UPDATED,
      () => this.#askGroups(),
      (value) => emitter.emit(EVENT.FRIEND_GROUP_LIST_UPDATED, value),
    );
    this.#blocked = kept(
      EVENT.BLACKLIST_UPDATED,
      () => this.#askBlocked(),
      (value) => emitter.emit(EVENT.BLACKLIST_UPDATED, value),
    );
  }

  get #all(): Kept<unknown>[] {
    return [this.#friends, this.#applications, this.#groups, this.#blocked] as Kept<unknown>[];
  }

  /** Somebody has logged in. */
  entered(): void {
    for (const list of this.#all) list.begin();
  }

  /** The connection is back: what is kept is asked for again. */
  returned(): void {
    for (const list of this.#all) list.refresh();
  }

  left(): void {
    this.profiles.forget();
    for (const list of this.#all) list.forget();
  }

  /** Somebody listens for an event. */
  listened(name: string): void {
    if (!this.#options.session.ready) return;
    for (const list of this.#all) if (list.event === name) list.begin();
  }

  #profileChanged(profile: Profile): void {
    this.#friends.change((friends) => {
      const friend = friends.get(profile.userID);
      return friend === undefined ? friends : new Map(friends).set(profile.userID, { ...friend, profile });
    });
  }

  async getFriendList(): Promise<Result<Friend[]>> {
    return ok([...(await this.#friends.get()).values()]);
  }

  async addFriend(options: AddFriendOptions): Promise<Result<{ userID: string; code: number }>> {
    if (!isObject(options) || typeof options["to"] !== "string")
      throw wrong("addFriend", '{ to: "…", source: "…" }');
    const {
      to,
      source,
      wording = "",
      remark = "",
      groupName = "",
      type = "Add_Type_Both",
    } = options as AddFriendOptions;
    const item = {
      To_Account: to,
      AddSource: source,
      AddWording: wording,
      Remark: remark,
      GroupName: groupName,
    };
    const answer = await this.#call(cmdFriendAdd, { AddFriendItem: [item], AddType: type });
    const { code, message } = only(answer);
    if (code !== 0 && code !== pending) throw new ChatError(code, message);
    if (code === 0) await this.#came([to]);
    if (groupName !== "") await this.#groups.refreshed();
    return ok({ userID: to, code });
  }

  async deleteFriend(options: {
    userIDList: string[];
    type?: string | number;
  }): Promise<Result<FriendResults>> {
    const DeleteType = options?.type ?? "Delete_Type_Both";
    const answer = await this.#call(cmdFriendDelete, { To_Account: userIDs(options), DeleteType });
    const deleted = results(answer["ResultItem"]);
    const gone = deleted.successUserIDList.map(({ userID }) => userID);
    this.#friends.change((friends) => without(friends, gone));
    return ok(deleted);
  }

  async checkFriend(options: {
    userIDList: string[];
    type?: string | number;
  }): Promise<Result<FriendChecks>> {
    const CheckType = options?.type ?? "CheckResult_Type_Both";
    const answer = await this.#call(cmdFriendCheck, { To_Account: userIDs(options), CheckType });
    const { failureUserIDList } = results(answer["InfoItem"]);
    const successUserIDList = objects(answer["InfoItem"])
      .filter((item) => Number(item["ResultCode"]) === 0)
      .map((item) => ({ userID: text(item["To_Account"]), relation: text(item["Relation"]) }));
    return ok({ successUserIDList, failureUserIDList });
  }

  async getFriendProfile(options: {
    userIDList: string[];
  }): Promise<Result<{ friendList: Friend[]; failureUserIDList: FriendFailure[] }>> {
    return ok(await this.#some(userIDs(options)));
  }

  async updateFriend(options: {
    userID: string;
    remark?: string;
    friendCustomField?: CustomField[];
  }): Promise<Result<Friend>> {
    if (!isObject(options) || typeof options["userID"] !== "string")
      throw wrong("updateFriend", '{ userID: "…", remark: "…" }');
    const { userID, remark, friendCustomField = [] } = options;
    const SnsItem = friendCustomField.map(({ key, value }) => ({ Tag: key, Value: value }));
    if (remark !== undefined) SnsItem.push({ Tag: "Tag_SNS_IM_Remark", Value: remark });
    const { code, message } = only(
      await this.#call(cmdFriendUpdate, { UpdateItem: [{ To_Account: userID, SnsItem }] }),
    );
    if (code !== 0) throw new ChatError(code, message);
    const [friend] = (await this.#some([userID])).friendList;
    if (friend === undefined) throw new ChatError(LocalCode.badAnswer);
    this.#friends.change((friends) => new Map(friends).set(userID, friend));
    return ok(friend);
  }

  async getFriendApplicationList(): Promise<Result<FriendApplications>> {
    return ok(await this.#applications.get());
  }

  acceptFriendApplication(options: {
    userID: string;
    remark?: string;
    type: string | number;
  }): Promise<Result<undefined>> {
    return this.#respond(options, options?.type ?? "Response_Action_AgreeAndAdd");
  }

  refuseFriendApplication(options: { userID: string }): Promise<Result<undefined>> {
    return this.#respond(options, "Response_Action_Reject");
  }

  async deleteFriendApplication(options: {
    userID: string;
    type: string | number;
  }): Promise<Result<undefined>> {
    if (!isObject(options) || typeof options["userID"] !== "string")
      throw wrong("deleteFriendApplication", '{ userID: "…", type }');
    const { userID, type = "Pendency_Type_ComeIn" } = options;
    const { code, message } = only(
      await this.#call(cmdPendencyDelete, { PendencyType: type, To_Account: [userID] }),
    );
    if (code !== 0) throw new ChatError(code, message);
    await this.#applications.refreshed();
    return ok(undefined);
  }

  async setFriendApplicationRead(): Promise<Result<undefined>> {
    const { friendApplicationList } = await this.#applications.get();
    const newest = Math.max(
      Math.floor(this.#options.session.serverTime / 1_000),
      ...friendApplicationList.map(({ time }) => time),
    );
    await this.#call(cmdPendencyReport, { LatestPendencyTimeStamp: newest });
    await this.#applications.refreshed();
    return ok(undefined);
  }

  async getFriendGroupList(): Promise<Result<FriendGroup[]>> {
    return ok(await this.#groups.get());
  }

  async createFriendGroup(options: {
    name: string;
    userIDList: string[];
  }): Promise<Result<FriendGroupResult>> {
    const name = named(options?.name);
    const To_Account = options.userIDList ?? [];
    const answer = await this.#call(cmdFriendGroupAdd, { GroupName: [name], To_Account });
    return ok({
      friendGroup: await this.#group(name),
      failureUserIDList: results(answer["ResultItem"]).failureUserIDList,
    });
  }

  async deleteFriendGroup(options: { name: string }): Promise<Result<FriendGroup>> {
    const name = named(options?.name);
    const before = (await this.#groups.get()).find((group) => group.name === name);
    await this.#call(cmdFriendGroupDrop, { GroupName: [name] });
    await this.#groups.again();
    return ok(before ?? { name, count: 0, userIDList: [] });
  }

  async renameFriendGroup(options: { oldName: string; newName: string }): Promise<Result<FriendGroup>> {
    const [old, name] = [named(options?.oldName), named(options?.newName)];
    await this.#call(cmdFriendGroupAlter, { GroupOldName: old, GroupNewName: name });
    return ok(await this.#group(name));
  }

  addToFriendGroup(options: { name: string; userIDList: string[] }): Promise<Result<FriendGroupResult>> {
    return this.#regroup(options, "Update_Type_Add");
  }

  removeFromFriendGroup(options: { name: string; userIDList: string[] }): Promise<Result<FriendGroupResult>> {
    return this.#regroup(options, "Update_Type_Delete");
  }

  async getBlacklist(): Promise<Result<string[]>> {
    return ok(await this.#blocked.get());
  }

  addToBlacklist(options: { userIDList: string[] }): Promise<Result<string[]>> {
    return this.#block(cmdBlacklistAdd, options);
  }

  removeFromBlacklist(options: { userIDList: string[] }): Promise<Result<string[]>> {
    return this.#block(cmdBlacklistDelete, options);
  }

  pushed(frame: Frame): void {
    for (const event of objects(frame.body["EventArray"])) {
      this.profiles.pushed(event["ProfileDataMod"]);
      this.#changed(event["FriendListMod"]);
    }
  }

  /** Takes what a push says of friends, applications and blocks. */
  #changed(list: unknown): void {
    for (const item of objects(list)) {
      const came = names(item["FriendAdd_Account"]);
      const went = names(item["FriendDel_Account"]);
      if (came.length > 0) void this.#came(came);
      if (went.length > 0) this.#friends.change((friends) => without(friends, went));
      for (const updated of objects(item["FriendUpInfo"]))
        this.#updated(text(updated["Friend_Account"]), tags(updated["Sns"]));
      if (
        item["PendencyAdd"] !== undefined ||
        item["FrienPencydDel_Account"] !== undefined ||
        item["ReportTime"] !== undefined
      ) {
        this.#applications.refresh();
      }
      const [blocked, unblocked] = [names(item["BlackListAdd_Account"]), names(item["BlackListDel_Account"])];
      if (blocked.length + unblocked.length > 0) {
        this.#blocked.change((before) =>
          [...new Set([...before, ...blocked])].filter((id) => !unblocked.includes(id)),
        );
      }
    }
  }

  /** The entries of new friends are asked for, if the list is kept. */
  async #came(users: readonly string[]): Promise<void> {
    if (this.#friends.value === undefined) return;
    try {
      const { friendList } = await this.#some(users);
      this.#friends.change((friends) => {
        const after = new Map(friends);
        for (const friend of friendList) after.set(friend.userID, friend);
        return after;
      });
    } catch {
      this.#friends.refresh();
    }
  }

  #updated(userID: string, list: readonly Tag[]): void {
    this.#friends.change((friends) => {
      const friend = friends.get(userID);
      return friend === undefined ? friends : new Map(friends).set(userID, entry(friend, list));
    });
  }

  async #respond(
    options: { userID: string; remark?: string },
    action: string | number,
  ): Promise<Result<undefined>> {
    if (!isObject(options) || typeof options["userID"] !== "string") throw wrong("this", '{ userID: "…" }');
    const { userID, remark = "" } = options as { userID: string; remark?: string };
    const item = { To_Account: userID, Remark: remark, TagName: "", ResponseAction: action };
    const { code, message } = only(await this.#call(cmdFriendRespond, { ResponseFriendItem: [item] }));
    if (code !== 0) throw new ChatError(code, message);
    await Promise.all([this.#came([userID]), this.#applications.refreshed()]);
    return ok(undefined);
  }

  async #regroup(
    options: { name: string; userIDList: string[] },
    UpdateType: string,
  ): Promise<Result<FriendGroupResult>> {
    const name = named(options?.name);
    const UpdateGroupItem = userIDs(options).map((userID) => ({ To_Account: userID, UpdateType }));
    const answer = await this.#call(cmdFriendGroupAlter, { GroupOldName: name, UpdateGroupItem });
    return ok({
      friendGroup: await this.#group(name),
      failureUserIDList: results(answer["ResultItem"]).failureUserIDList,
    });
  }

  async #block(command: string, options: { userIDList: string[] }): Promise<Result<string[]>> {
    const users = userIDs(options);
    const { successUserIDList, failureUserIDList } = results(
      (await this.#call(command, { To_Account: users }))["ResultItem"],
    );
    const [failure] = failureUserIDList;
    if (successUserIDList.length === 0 && failure !== undefined)
      throw new ChatError(failure.code, failure.message);
    await this.#blocked.refreshed();
    return ok(successUserIDList.map(({ userID }) => userID));
  }

  async #group(name: string): Promise<FriendGroup> {
    const groups = await this.#groups.again();
    return groups.find((group) => group.name === name) ?? { name, count: 0, userIDList: [] };
  }

  #call(command: string, body: Body): Promise<Body> {
    return this.#options.session.call(command, { From_Account: this.#options.session.userID, ...body });
  }

  async #some(
    users: readonly string[],
  ): Promise<{ friendList: Friend[]; failureUserIDList: FriendFailure[] }> {
    const items = (await this.#call(cmdFriendSome, { To_Account: users }))["InfoItem"];
    const friendList = objects(items)
      .filter((item) => Number(item["ResultCode"]) === 0)
      .map((item) => {
        const list = tags(item["SnsProfileItem"]);
        const friend = entry(noFriend(text(item["To_Account"])), list);
        return { ...friend, profile: withTags(friend.profile, list) };
      });
    return { friendList, failureUserIDList: results(items).failureUserIDList };
  }

  async #askFriends(): Promise<Map<string, Friend>> {
    const friends = new Map<string, Friend>();
    for (let StartIndex = 0; ; ) {
      const answer = await this.#call(cmdFriendGet, { StartIndex, StandardSequence: 0, CustomSequence: 0 });
      const page = objects(answer["UserDataItem"]).map((item) =>
        entry(noFriend(text(item["To_Account"])), tags(item["ValueItem"])),
      );
      const profiles = page.length === 0 ? [] : await this.profiles.ask(page.map(({ userID }) => userID));
      for (const friend of page) {
        const profile = profiles.find(({ userID }) => userID === friend.userID) ?? friend.profile;
        friends.set(friend.userID, { ...friend, profile });
      }
      const next = Number(answer["NextStartIndex"]);
      if (answer["CompleteFlag"] !== 0 || !(next > StartIndex)) return friends;
      StartIndex = next;
    }
  }

  async #askApplications(): Promise<FriendApplications> {
    const body = { PendencyType: "Pendency_Type_Both", StartTime: 0, MaxLimited: 100, LastSequence: 0 };
    const answer = await this.#call(cmdPendencyGet, body);
    const friendApplicationList = objects(answer["PendencyItem"]).map((item) => ({
      userID: text(item["To_Account"]),
      nick: text(item["Nick"]),
      avatar: text(item["Image"]),
      time: Number(item["AddTime"]),
      source: text(item["AddSource"]),
      wording: text(item["AddWording"]),
      type: text(item["PendencyType"]),
    }));
    return { friendApplicationList, unreadCount: Number(answer["UnreadPendencyCount"]) || 0 };
  }

  async #askGroups(): Promise<FriendGroup[]> {
    const answer = await this.#call(cmdFriendGroupGet, {
      LastSequence: 0,
      NeedFriend: "Need_Friend_Type_Yes",
    });
    return objects(answer["ResultItem"]).map((item) => {
      const userIDList = names(item["To_Account"]);
      return {
        name: text(item["GroupName"]),
        count: Number(item["FriendNumber"]) || userIDList.length,
        userIDList,
      };
    });
  }

  async #askBlocked(): Promise<string[]> {
    const all: string[] = [];
    for (let StartIndex = 0; ; ) {
      const answer = await this.#call(cmdBlacklistGet, { StartIndex, MaxLimited: 1_000 });
      all.push(...objects(answer["BlackListItem"]).map((item) => text(item["To_Account"])));
      const next = Number(answer["StartIndex"]);
      if (!(next > StartIndex)) return all;
      StartIndex = next;
    }
  }
}
