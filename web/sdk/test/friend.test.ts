// Profiles, friends and the blocklist: what is asked for, when, and what becomes of it. Against a scripted server.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Chat, EVENT, type Friend } from "../src/index.ts";
import { type FakeFrame, type FakeServer, loggedIn, ok, outcome, refusal } from "./fake.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const tag = (Tag: string, Value: unknown) => ({ Tag, Value });
const push = (server: FakeServer, event: object) =>
  server.last.says({ head: { servcmd: "im_open_push.msg_push", seq: 0 }, body: { EventArray: [event] } });
const mod = (server: FakeServer, change: object) => push(server, { Event: 7, FriendListMod: [change] });

/** A server on which alice has these friends, in pages of two. */
function befriend(server: FakeServer, friends: Map<string, string>): void {
  const remark = (userID: string) => tag("Tag_SNS_IM_Remark", friends.get(userID));
  const answers: Record<string, (frame: FakeFrame) => object> = {
    "sns.friend_get": ({ body }) => {
      const start = Number(body["StartIndex"]);
      const page = [...friends.keys()].slice(start, start + 2);
      return {
        CompleteFlag: start + 2 >= friends.size ? 1 : 0,
        NextStartIndex: start + 2,
        UserDataItem: page.map((userID) => ({ To_Account: userID, ValueItem: [remark(userID)] })),
      };
    },
    "sns.friend_get_specified": ({ body }) => ({
      InfoItem: (body["To_Account"] as string[]).map((userID) => ({
        To_Account: userID,
        ResultCode: friends.has(userID) ? 0 : 30003,
        SnsProfileItem: [remark(userID), tag("Tag_Profile_IM_Nick", `${userID}!`)],
      })),
    }),
    "profile.portrait_get_all": ({ body }) => ({
      UserProfileItem: (body["UserItem"] as { To_Account: string }[]).map(({ To_Account }) => ({
        To_Account,
        ProfileItem: [tag("Tag_Profile_IM_Nick", `${To_Account}!`)],
      })),
    }),
  };
  server.script = (frame) => {
    const answer = answers[frame.head.servcmd];
    return answer === undefined ? "usual" : { ...ok, ...answer(frame) };
  };
}

async function withFriends(...friends: [string, string][]) {
  const both = await loggedIn();
  const all = new Map(friends);
  befriend(both.server, all);
  return { ...both, all };
}

function hear(chat: Chat) {
  const lists: string[][] = [];
  chat.on(EVENT.FRIEND_LIST_UPDATED, ({ data }) =>
    lists.push(data.map(({ userID, remark }) => `${userID}:${remark}`)),
  );
  return lists;
}

const soon = () => vi.advanceTimersByTimeAsync(100);

test("nothing is asked for that nobody wants", async () => {
  const { server, chat } = await withFriends(["bob", "B"]);
  await soon();
  mod(server, { PushType: 1, FriendAdd_Account: ["carol"] });
  await soon();
  expect(server.last.commands()).toEqual(["wslogin", "fetch_config"]);
  expect((await outcome(chat.getFriendList())).value?.data.map(({ userID }) => userID)).toEqual(["bob"]);
});

describe("the list of friends", () => {
  test("comes to who listens, page by page with profiles, and at the next login again", async () => {
    const { chat } = await withFriends(["bob", "B"], ["carol", "C"], ["dave", "D"]);
    const lists = hear(chat);
    await soon();
    expect(lists).toEqual([["bob:B", "carol:C", "dave:D"]]);
    const friends = (await outcome(chat.getFriendList())).value?.data as Friend[];
    expect(friends.map(({ profile }) => profile.nick)).toEqual(["bob!", "carol!", "dave!"]);
    await outcome(chat.logout());
    await outcome(chat.login({ userID: "alice", userSig: "sig" }));
    await soon();
    expect(lists).toHaveLength(2);
  });

  test("follows what is told: who came, who went, what changed", async () => {
    const { server, chat, all } = await withFriends(["bob", "B"]);
    const lists = hear(chat);
    await soon();
    all.set("carol", "C");
    mod(server, { PushType: 1, FriendAdd_Account: ["carol"] });
    await soon();
    mod(server, {
      PushType: 5,
      FriendUpInfo: [{ Friend_Account: "bob", Sns: [tag("Tag_SNS_IM_Remark", "Robin")] }],
    });
    mod(server, { PushType: 2, FriendDel_Account: ["carol", "nobody"] });
    mod(server, { PushType: 2, FriendDel_Account: ["carol"] }); // told twice
    await soon();
    expect(lists).toEqual([["bob:B"], ["bob:B", "carol:C"], ["bob:Robin", "carol:C"], ["bob:Robin"]]);
  });

  test("is asked for again after a break, and told only where it is another", async () => {
    const { server, chat, all } = await withFriends(["bob", "B"]);
    const lists = hear(chat);
    await soon();
    server.last.breaks();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(lists).toHaveLength(1);
    all.set("carol", "C");
    server.last.breaks();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(lists.at(-1)).toEqual(["bob:B", "carol:C"]);
  });

  test("that cannot be had rejects, and can be had later", async () => {
    const { server, chat, all } = await withFriends(["bob", "B"]);
    server.script = ({ head }) => (head.servcmd === "sns.friend_get" ? refusal(70500) : "usual");
    expect(await outcome(chat.getFriendList())).toEqual({ code: 70500 });
    befriend(server, all);
    expect((await outcome(chat.getFriendList())).value?.data).toHaveLength(1);
  });
});

test("a change while the list is on its way is not lost", async () => {
  const { server, chat, all } = await withFriends(["bob", "B"]);
  const lists = hear(chat);
  await vi.advanceTimersByTimeAsync(1); // asked, not answered
  all.delete("bob");
  mod(server, { PushType: 2, FriendDel_Account: ["bob"] });
  await soon();
  expect(lists.at(-1)).toEqual([]);
});

describe("profiles", () => {
  test("a friend's change is told with all of the profile, from what is known", async () => {
    const { server, chat } = await withFriends(["bob", "B"]);
    const profiles: unknown[] = [];
    chat.on(EVENT.PROFILE_UPDATED, ({ data }) =>
      profiles.push(...data.map(({ userID, nick, level }) => [userID, nick, level])),
    );
    hear(chat);
    await soon();
    const change = { Profile_Account: "bob", ProfileList: [{ Tag: "Tag_Profile_IM_Level", ValueNum: 7 }] };
    for (let n = 0; n < 2; n += 1) push(server, { Event: 8, ProfileDataMod: [change] });
    expect(profiles).toEqual([["bob", "bob!", 7]]);
    expect((await outcome(chat.getFriendList())).value?.data[0]?.profile.level).toBe(7);
  });

  test("of somebody who is not known it is asked for", async () => {
    const { server, chat } = await withFriends();
    const profiles: unknown[] = [];
    chat.on(EVENT.PROFILE_UPDATED, ({ data }) =>
      profiles.push(...data.map(({ userID, nick }) => [userID, nick])),
    );
    push(server, { Event: 8, ProfileDataMod: [{ Profile_Account: "bob", ProfileList: [] }] });
    await soon();
    expect(profiles).toEqual([["bob", "bob!"]]);
  });

  test("only what can be set is sent, by its tags", async () => {
    const { server, chat } = await withFriends();
    const change = {
      nick: "Al",
      level: 3,
      userID: "mallory",
      profileCustomField: [{ key: "Tag_Profile_Custom_Team", value: "blue" }],
    };
    await outcome(chat.updateMyProfile(change));
    expect(server.asked("portrait_set")[0]?.body["ProfileItem"]).toEqual([
      tag("Tag_Profile_IM_Nick", "Al"),
      tag("Tag_Profile_IM_Level", 3),
      tag("Tag_Profile_Custom_Team", "blue"),
    ]);
  });
});

describe("a result that is a refusal rejects with its code", () => {
  const calls: [string, (chat: Chat) => Promise<unknown>][] = [
    ["addFriend", (chat) => chat.addFriend({ to: "bob", source: "AddSource_Type_Web" })],
    ["updateFriend", (chat) => chat.updateFriend({ userID: "bob", remark: "B" })],
    [
      "acceptFriendApplication",
      (chat) => chat.acceptFriendApplication({ userID: "bob", type: "Response_Action_Agree" }),
    ],
    ["refuseFriendApplication", (chat) => chat.refuseFriendApplication({ userID: "bob" })],
    [
      "deleteFriendApplication",
      (chat) => chat.deleteFriendApplication({ userID: "bob", type: "Pendency_Type_ComeIn" }),
    ],
    ["addToBlacklist", (chat) => chat.addToBlacklist({ userIDList: ["bob"] })],
  ];
  test.each(calls)("%s", async (_, call) => {
    const { server, chat } = await loggedIn();
    server.script = () => ({
      ...ok,
      ResultItem: [{ To_Account: "bob", ResultCode: 30525, ResultInfo: "blocked" }],
    });
    expect(await outcome(call(chat))).toEqual({ code: 30525 });
  });
  test.each(calls)("%s, and an answer without a result with 2903, or with none", async (name, call) => {
    const { chat } = await loggedIn();
    const result = await outcome(call(chat));
    if (name === "addToBlacklist") expect(result).toHaveProperty("value");
    else expect(result).toEqual({ code: 2903 });
  });
});

test.each<[string, (chat: Chat) => Promise<unknown>]>([
  ["getUserProfile", (chat) => chat.getUserProfile(undefined as never)],
  ["updateMyProfile", (chat) => chat.updateMyProfile(undefined as never)],
  ["addFriend", (chat) => chat.addFriend({} as never)],
  ["deleteFriend", (chat) => chat.deleteFriend({ userIDList: [] })],
  ["checkFriend", (chat) => chat.checkFriend({ userIDList: "bob" } as never)],
  ["getFriendProfile", (chat) => chat.getFriendProfile(null as never)],
  ["updateFriend", (chat) => chat.updateFriend({} as never)],
  ["acceptFriendApplication", (chat) => chat.acceptFriendApplication(undefined as never)],
  ["refuseFriendApplication", (chat) => chat.refuseFriendApplication({ userID: 3 } as never)],
  ["deleteFriendApplication", (chat) => chat.deleteFriendApplication(undefined as never)],
  ["createFriendGroup", (chat) => chat.createFriendGroup(undefined as never)],
  ["deleteFriendGroup", (chat) => chat.deleteFriendGroup({} as never)],
  ["renameFriendGroup", (chat) => chat.renameFriendGroup({ oldName: "a" } as never)],
  ["addToFriendGroup", (chat) => chat.addToFriendGroup({ name: "a" } as never)],
  ["removeFromFriendGroup", (chat) => chat.removeFromFriendGroup({ name: "a", userIDList: [3] } as never)],
  ["addToBlacklist", (chat) => chat.addToBlacklist(undefined as never)],
  ["removeFromBlacklist", (chat) => chat.removeFromBlacklist({ userIDList: [] })],
])("%s with wrong types rejects with 70402, without asking", async (_, call) => {
  const { server, chat } = await loggedIn();
  expect(await outcome(call(chat))).toEqual({ code: 70402 });
  expect(server.last.commands()).toEqual(["wslogin", "fetch_config"]);
});
