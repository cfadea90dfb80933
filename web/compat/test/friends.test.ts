// Friends, friend applications and friend groups, in the forms in which the documentation shows them.

import { expect, test } from "vitest";
import { befriend } from "../harness/befriend.ts";
import { Circle } from "../harness/relations.ts";
import { stage } from "../harness/stage.ts";

const s = stage();
const source = "AddSource_Type_Web";
const both = "Delete_Type_Both";

async function user(name: string): Promise<[string, Circle]> {
  const id = s.id(name);
  return [id, new Circle(await s.login(id))];
}

async function pair(): Promise<[string, Circle, string, Circle]> {
  return [...(await user("alice")), ...(await user("bob"))];
}

test("FR1 addFriend puts each on the other's list, and tells both", async () => {
  const [alice, a, bob, b] = await pair();
  const { data } = await a.chat.addFriend({
    to: bob,
    source,
    wording: "hi",
    remark: "Bobby",
    groupName: "Pals",
  });
  expect(data).toMatchObject({ userID: bob, code: 0 });
  await a.hearsFriends(bob);
  await b.hearsFriends(alice);
  expect(await a.friend(bob)).toMatchObject({ userID: bob, remark: "Bobby", groupList: ["Pals"], source });
  expect(await b.friend(alice)).toMatchObject({ userID: alice, remark: "", groupList: [] });
  const again = new Circle(await s.login(alice)); // the SDK hears nothing of a group that is made on the way
  await again.hearsFriends(bob);
  expect(await again.groups(1)).toMatchObject([{ name: "Pals", count: 1, userIDList: [bob] }]);
});

test("friends are there at the next login, with their profiles", async () => {
  const [alice, a, bob, b] = await pair();
  await b.chat.updateMyProfile({ nick: "Bob the builder" });
  await a.chat.addFriend({ to: bob, source, remark: "B" });
  await a.hearsFriends(bob);
  const [, again] = [alice, new Circle(await s.login(alice))];
  await again.hearsFriends(bob);
  expect(await again.friend(bob)).toMatchObject({ remark: "B", profile: { nick: "Bob the builder" } });
});

test("FR11 a list of several pages is there at the next login, each friend once", async () => {
  const alice = s.id("alice");
  const friends = await befriend(s.server, alice, 250);
  const a = new Circle(await s.login(alice));
  await a.hearsFriends(...friends);
  expect(await a.friend(friends[249] ?? "")).toMatchObject({
    remark: "a friend",
    source: "AddSource_Type_Old",
  });
});

test("one-way friends are on one list alone", async () => {
  const [alice, a, bob, b] = await pair();
  await a.chat.addFriend({ to: bob, source, type: "Add_Type_Single" });
  await a.hearsFriends(bob);
  expect(await b.friends()).toEqual([]);
  expect(
    (await b.chat.checkFriend({ userIDList: [alice], type: "CheckResult_Type_Both" })).data.successUserIDList,
  ).toMatchObject([{ userID: alice, relation: "CheckResult_Type_BWithA" }]);
  expect(
    (await b.chat.checkFriend({ userIDList: [alice], type: "CheckResult_Type_Single" })).data
      .successUserIDList,
  ).toMatchObject([{ userID: alice, relation: "CheckResult_Type_NoRelation" }]);
});

test("FR2 who wants to be asked is asked: the application is told to both, and accepted", async () => {
  const [alice, a, bob, b] = await pair();
  await b.chat.updateMyProfile({ allowType: "AllowType_Type_NeedConfirm" });
  await a.chat.updateMyProfile({ nick: "Al" });
  const { data } = await a.chat.addFriend({ to: bob, source, wording: "it is me", remark: "Bobby" });
  expect(data.code).toBe(30539);
  await b.hears("FRIEND_APPLICATION_LIST_UPDATED", ({ friendApplicationList: [first], unreadCount }) => {
    return (
      unreadCount === 1 &&
      first?.userID === alice &&
      first.wording === "it is me" &&
      first.nick === "Al" &&
      first.source === source
    );
  });
  await a.hears("FRIEND_APPLICATION_LIST_UPDATED", ({ friendApplicationList: [first], unreadCount }) => {
    return unreadCount === 0 && first?.userID === bob && first.type === "Pendency_Type_SendOut";
  });
  expect(await a.friends()).toEqual([]);

  await b.chat.setFriendApplicationRead();
  await b.hears(
    "FRIEND_APPLICATION_LIST_UPDATED",
    (list) => list.unreadCount === 0 && list.friendApplicationList.length === 1,
  );
  await b.chat.acceptFriendApplication({
    userID: alice,
    remark: "Ally",
    type: "Response_Action_AgreeAndAdd",
  });
  await a.hearsFriends(bob);
  await b.hearsFriends(alice);
  expect(await a.friend(bob)).toMatchObject({ remark: "Bobby" });
  expect(await b.friend(alice)).toMatchObject({ remark: "Ally" });
  for (const circle of [a, b]) {
    await circle.hears("FRIEND_APPLICATION_LIST_UPDATED", (list) => list.friendApplicationList.length === 0);
  }
});

test("FR3 an application that is refused is gone on both sides", async () => {
  const [alice, a, bob, b] = await pair();
  await b.chat.updateMyProfile({ allowType: "AllowType_Type_NeedConfirm" });
  await a.chat.addFriend({ to: bob, source });
  await b.hears("FRIEND_APPLICATION_LIST_UPDATED", (list) => list.unreadCount === 1);
  await b.chat.refuseFriendApplication({ userID: alice });
  for (const circle of [a, b]) {
    await circle.hears("FRIEND_APPLICATION_LIST_UPDATED", (list) => list.friendApplicationList.length === 0);
    expect(await circle.friends()).toEqual([]);
  }
  await expect(
    b.chat.acceptFriendApplication({ userID: alice, type: "Response_Action_Agree" }),
  ).rejects.toMatchObject({ code: 30614 });
});

test("an application that is deleted is gone on that side alone", async () => {
  const [alice, a, bob, b] = await pair();
  await b.chat.updateMyProfile({ allowType: "AllowType_Type_NeedConfirm" });
  await a.chat.addFriend({ to: bob, source });
  await b.hears("FRIEND_APPLICATION_LIST_UPDATED", (list) => list.unreadCount === 1);
  await b.chat.deleteFriendApplication({ userID: alice, type: "Pendency_Type_ComeIn" });
  await b.hears("FRIEND_APPLICATION_LIST_UPDATED", (list) => list.friendApplicationList.length === 0);
  expect((await a.chat.getFriendApplicationList()).data.friendApplicationList).toMatchObject([
    { userID: bob },
  ]);
});

test("who can be added by nobody, or does not exist, is refused with the documented codes", async () => {
  const [, a, bob, b] = await pair();
  await b.chat.updateMyProfile({ allowType: "AllowType_Type_DenyAny" });
  await expect(a.chat.addFriend({ to: bob, source })).rejects.toMatchObject({ code: 30516 });
  await expect(a.chat.addFriend({ to: s.id("ghost"), source })).rejects.toMatchObject({ code: 30003 });
  expect(await a.friends()).toEqual([]);
});

test("FR8 deleteFriend takes each off the other's list, and tells both", async () => {
  const [alice, a, bob, b] = await pair();
  await a.chat.addFriend({ to: bob, source });
  await b.hearsFriends(alice);
  await a.hearsFriends(bob);
  const { data } = await a.chat.deleteFriend({ userIDList: [bob], type: both });
  expect(data.successUserIDList).toMatchObject([{ userID: bob }]);
  await a.hearsFriends();
  await b.hearsFriends();
});

test("FR10 updateFriend changes remark on all the user's devices", async () => {
  const [alice, a, bob] = await pair();
  await a.chat.addFriend({ to: bob, source });
  await a.hearsFriends(bob);
  const second = new Circle(await s.login(alice));
  await second.hearsFriends(bob);
  const { data } = await a.chat.updateFriend({ userID: bob, remark: "Робин" });
  expect(data).toMatchObject({ userID: bob, remark: "Робин" });
  await second.hears("FRIEND_LIST_UPDATED", (list) =>
    list.some((friend) => friend.userID === bob && friend.remark === "Робин"),
  );
});

test("getFriendProfile gives entries and profiles together", async () => {
  const [, a, bob, b] = await pair();
  await b.chat.updateMyProfile({ nick: "Bob", gender: "Gender_Type_Male" });
  await a.chat.addFriend({ to: bob, source, remark: "B" });
  await a.hearsFriends(bob);
  const { data } = await a.chat.getFriendProfile({ userIDList: [bob] });
  expect(data.friendList).toMatchObject([
    { userID: bob, remark: "B", profile: { nick: "Bob", gender: "Gender_Type_Male" } },
  ]);
});

test("FR12 friend groups are made, filled, renamed and removed", async () => {
  const [alice, a, bob] = await pair();
  await a.chat.addFriend({ to: bob, source });
  await a.hearsFriends(bob);
  const made = await a.chat.createFriendGroup({ name: "Fam", userIDList: [bob] });
  expect(made.data.friendGroup).toMatchObject({ name: "Fam", count: 1, userIDList: [bob] });
  await a.hears("FRIEND_GROUP_LIST_UPDATED", (list) =>
    list.some((group) => group.name === "Fam" && group.count === 1),
  );
  await a.chat.renameFriendGroup({ oldName: "Fam", newName: "Семья" });
  await a.chat.createFriendGroup({ name: "Work", userIDList: [] });
  await a.chat.addToFriendGroup({ name: "Work", userIDList: [bob] });
  await a.chat.removeFromFriendGroup({ name: "Семья", userIDList: [bob] });

  const second = new Circle(await s.login(alice));
  await second.hearsFriends(bob);
  expect(await second.groups(2)).toMatchObject([
    { name: "Семья", count: 0 },
    { name: "Work", count: 1, userIDList: [bob] },
  ]);
  expect(await second.friend(bob)).toMatchObject({ groupList: ["Work"] });
  await a.chat.deleteFriendGroup({ name: "Work" });
  const third = new Circle(await s.login(alice));
  await third.hearsFriends(bob);
  expect((await third.groups(1)).map((group) => group.name)).toEqual(["Семья"]);
  expect(await third.friend(bob)).toMatchObject({ groupList: [] });
});

test("a friend's status is told without a subscription, from the answer on, and no more after deletion", async () => {
  const [alice, bob] = [s.id("alice"), s.id("bob")];
  const [first, second] = [await s.login(alice), await s.login(bob)];
  const [a, b] = [new Circle(first), new Circle(second)];
  await a.chat.addFriend({ to: bob, source });
  await second.chat.setSelfStatus({ customStatus: "for friends" });
  await first.sees({ userID: bob, statusType: 1, customStatus: "for friends" });
  await a.hearsFriends(bob);
  await b.chat.deleteFriend({ userIDList: [alice], type: both });
  await second.chat.setSelfStatus({ customStatus: "for nobody" });
  await second.sees({ userID: bob, statusType: 1, customStatus: "for nobody" });
  await a.chat.checkFriend({ userIDList: [bob], type: "CheckResult_Type_Both" }); // what came before it has come by now
  expect(first.seen(bob).map((status) => status.customStatus)).toEqual(["for friends"]);
});
