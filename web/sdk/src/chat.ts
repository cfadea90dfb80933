// The whole client: login and status, and the people whom a user knows.

import { type ChatOptions, makers, StatusChat } from "./client.ts";
import { Friends } from "./friend.ts";
import type { CustomField, Profile, ProfileChange, Profiles } from "./profile.ts";
import type {
  AddFriendOptions,
  Friend,
  FriendApplications,
  FriendChecks,
  FriendFailure,
  FriendGroup,
  FriendGroupResult,
  FriendResults,
} from "./relation.ts";
import type { Result } from "./session.ts";
import type { UserIDList } from "./status.ts";

/** One user's side of the chat. Made by {@link create}. */
export class Chat extends StatusChat {
  readonly #friends: Friends;
  readonly #profiles: Profiles;

  /** Made by {@link create} and {@link createClient}. */
  constructor(options: ChatOptions, forget?: () => void) {
    super(options, forget);
    this.#friends = this.extend((core) => new Friends(core));
    this.#profiles = this.#friends.profiles;
  }

  /** The own profile. */
  getMyProfile(): Promise<Result<Profile>> {
    return this.#profiles.getMyProfile();
  }

  /** Profiles of users; who does not exist is left out. */
  getUserProfile(options: UserIDList): Promise<Result<Profile[]>> {
    return this.#profiles.getUserProfile(options);
  }

  /** Changes what it is given of the own profile, and gives all of it. */
  updateMyProfile(options: ProfileChange): Promise<Result<Profile>> {
    return this.#profiles.updateMyProfile(options);
  }

  getFriendList(): Promise<Result<Friend[]>> {
    return this.#friends.getFriendList();
  }

  /** Adds a friend: `code` 0, or 30539 where the other is asked first. */
  addFriend(options: AddFriendOptions): Promise<Result<{ userID: string; code: number }>> {
    return this.#friends.addFriend(options);
  }

  /** Takes friends off both lists, or with the type SNS_DELETE_TYPE_SINGLE off one's own. */
  deleteFriend(options: { userIDList: string[]; type?: string | number }): Promise<Result<FriendResults>> {
    return this.#friends.deleteFriend(options);
  }

  /** Says who has whom on the list of friends. */
  checkFriend(options: { userIDList: string[]; type?: string | number }): Promise<Result<FriendChecks>> {
    return this.#friends.checkFriend(options);
  }

  /** Entries of the list of friends, asked for anew. */
  getFriendProfile(
    options: UserIDList,
  ): Promise<Result<{ friendList: Friend[]; failureUserIDList: FriendFailure[] }>> {
    return this.#friends.getFriendProfile(options);
  }

  /** Changes the remark and the custom fields of a friend. */
  updateFriend(options: {
    userID: string;
    remark?: string;
    friendCustomField?: CustomField[];
  }): Promise<Result<Friend>> {
    return this.#friends.updateFriend(options);
  }

  /** The newest hundred applications of each direction. */
  getFriendApplicationList(): Promise<Result<FriendApplications>> {
    return this.#friends.getFriendApplicationList();
  }

  /** Accepts an application: with SNS_APPLICATION_AGREE_AND_ADD both become friends. 30614 where there is none. */
  acceptFriendApplication(options: {
    userID: string;
    remark?: string;
    type: string | number;
  }): Promise<Result<undefined>> {
    return this.#friends.acceptFriendApplication(options);
  }

  refuseFriendApplication(options: { userID: string }): Promise<Result<undefined>> {
    return this.#friends.refuseFriendApplication(options);
  }

  /** Takes an application off one's own list. */
  deleteFriendApplication(options: { userID: string; type: string | number }): Promise<Result<undefined>> {
    return this.#friends.deleteFriendApplication(options);
  }

  /** Sets the unread count to 0, on all devices. */
  setFriendApplicationRead(): Promise<Result<undefined>> {
    return this.#friends.setFriendApplicationRead();
  }

  getFriendGroupList(): Promise<Result<FriendGroup[]>> {
    return this.#friends.getFriendGroupList();
  }

  createFriendGroup(options: { name: string; userIDList: string[] }): Promise<Result<FriendGroupResult>> {
    return this.#friends.createFriendGroup(options);
  }

  /** Removes a group; the friends stay. Gives what it was. */
  deleteFriendGroup(options: { name: string }): Promise<Result<FriendGroup>> {
    return this.#friends.deleteFriendGroup(options);
  }

  renameFriendGroup(options: { oldName: string; newName: string }): Promise<Result<FriendGroup>> {
    return this.#friends.renameFriendGroup(options);
  }

  addToFriendGroup(options: { name: string; userIDList: string[] }): Promise<Result<FriendGroupResult>> {
    return this.#friends.addToFriendGroup(options);
  }

  removeFromFriendGroup(options: { name: string; userIDList: string[] }): Promise<Result<FriendGroupResult>> {
    return this.#friends.removeFromFriendGroup(options);
  }

  getBlacklist(): Promise<Result<string[]>> {
    return this.#friends.getBlacklist();
  }

  /** Blocks users, which ends a friendship. Gives whom it has blocked. */
  addToBlacklist(options: UserIDList): Promise<Result<string[]>> {
    return this.#friends.addToBlacklist(options);
  }

  removeFromBlacklist(options: UserIDList): Promise<Result<string[]>> {
    return this.#friends.removeFromBlacklist(options);
  }
}

const { create: createOne, createClient: createNew } = makers(Chat);

/** Gives the client of an application, the same one each time until it is destroyed, as the official SDK does. */
export const create: (options: ChatOptions) => Chat = createOne;

/** Gives a new client each time: for several users in one program. */
export const createClient: (options: ChatOptions) => Chat = createNew;
