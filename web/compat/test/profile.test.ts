// Profiles, in the forms in which the documentation shows them.

import { expect, test } from "vitest";
import { Circle } from "../harness/relations.ts";
import { stage } from "../harness/stage.ts";

const s = stage();

async function user(name: string): Promise<[string, Circle]> {
  const id = s.id(name);
  return [id, new Circle(await s.login(id))];
}

const everything = {
  nick: "Алиса 🎧",
  avatar: "https://example.org/a.png",
  gender: "Gender_Type_Female",
  selfSignature: 'says "hi"\n',
  allowType: "AllowType_Type_NeedConfirm",
  birthday: 19990131,
  location: "four-by-four-16b",
  language: 7,
  messageSettings: 1,
  level: 3,
  role: 4,
};

test("PR1 updateMyProfile sets every field, and everyone reads them", async () => {
  const [alice, a] = await user("alice");
  const { data } = await a.chat.updateMyProfile(everything);
  expect(data).toMatchObject({ userID: alice, ...everything });
  const [, b] = await user("bob");
  expect((await b.chat.getUserProfile({ userIDList: [alice] })).data).toMatchObject([
    { userID: alice, ...everything },
  ]);
  const again = new Circle(await s.login(alice));
  expect((await again.chat.getMyProfile()).data).toMatchObject({ userID: alice, ...everything });
});

test("a profile in which nothing was set has its defaults", async () => {
  const [alice, a] = await user("alice");
  expect((await a.chat.getMyProfile()).data).toMatchObject({
    userID: alice,
    nick: "",
    gender: "Gender_Type_Unknown",
    allowType: "AllowType_Type_AllowAny",
  });
});

test("PR4 a change is told to the user's other devices and to friends, and to nobody else", async () => {
  const [alice, a] = await user("alice");
  const second = new Circle(await s.login(alice));
  const [, b] = await user("bob");
  const [, c] = await user("carol");
  await b.chat.addFriend({ to: alice, source: "AddSource_Type_Web", type: "Add_Type_Single" });
  await b.hearsFriends(alice);
  await c.chat.getUserProfile({ userIDList: [alice] });

  await a.chat.updateMyProfile({ nick: "Al", avatar: "https://example.org/b.png" });
  for (const circle of [a, second, b]) {
    await circle.hears("PROFILE_UPDATED", (list) =>
      list.some((profile) => profile.userID === alice && profile.nick === "Al"),
    );
  }
  await b.hears("FRIEND_LIST_UPDATED", (list) => list.some((friend) => friend.profile.nick === "Al"));
  await c.chat.getFriendList();
  expect(c.heard("PROFILE_UPDATED")).toEqual([]);
});

test("who does not exist is left out of what is asked for", async () => {
  const [alice, a] = await user("alice");
  await a.chat.updateMyProfile({ nick: "kept" });
  const [, b] = await user("bob");
  expect((await b.chat.getUserProfile({ userIDList: [alice, s.id("ghost")] })).data).toMatchObject([
    { userID: alice, nick: "kept" },
  ]);
});

test("what only an administrator may set is refused with 40008", async () => {
  const [, a] = await user("alice");
  await expect(a.chat.updateMyProfile({ adminForbidType: "AdminForbid_Type_SendOut" })).rejects.toMatchObject(
    { code: 40008 },
  );
  await expect(
    a.chat.updateMyProfile({ nick: "A", adminForbidType: "AdminForbid_Type_None" }),
  ).rejects.toMatchObject({
    code: 40008,
  });
  expect((await a.chat.getMyProfile()).data).toMatchObject({ nick: "" }); // all of it or nothing
});

test("custom fields are those that the application declares", async () => {
  const app = await s.operator.createApp({
    "profile.fields": "Team",
    "friend.fields": "Since",
    "login.policy": "multi",
  });
  const [alice, bob] = [s.id("alice"), s.id("bob")];
  const a = new Circle(await s.loginTo(app, alice));
  const b = new Circle(await s.loginTo(app, bob));
  await a.chat.updateMyProfile({ profileCustomField: [{ key: "Tag_Profile_Custom_Team", value: "blue" }] });
  const { data } = await b.chat.getUserProfile({ userIDList: [alice] });
  expect(data[0]?.profileCustomField).toEqual([{ key: "Tag_Profile_Custom_Team", value: "blue" }]);
  await expect(
    a.chat.updateMyProfile({ profileCustomField: [{ key: "Tag_Profile_Custom_Other", value: "blue" }] }),
  ).rejects.toMatchObject({ code: 40009 });

  await a.chat.addFriend({ to: bob, source: "AddSource_Type_Web" });
  await a.hearsFriends(bob);
  await a.chat.updateFriend({
    userID: bob,
    friendCustomField: [{ key: "Tag_SNS_Custom_Since", value: "school" }],
  });
  const again = new Circle(await s.loginTo(app, alice));
  await again.hearsFriends(bob);
  expect((await again.friend(bob))?.friendCustomField).toEqual([
    { key: "Tag_SNS_Custom_Since", value: "school" },
  ]);
});
