// Applications that change while their users are online. What an operator changes counts from the next call on.

import { expect, test } from "vitest";
import { stage } from "../harness/stage.ts";
import { until } from "../harness/until.ts";

const s = stage();
const online = 1;

test("an application that was just made serves its users, apart from all others", async () => {
  const [one, two] = [await s.operator.createApp(), await s.operator.createApp()];
  const alice = s.id("alice");
  const a = await s.loginTo(one, alice);
  const other = await s.loginTo(two, alice);
  await a.chat.setSelfStatus({ customStatus: "only here" });
  const b = await s.loginTo(two, s.id("bob"));
  expect(await b.query(alice)).toEqual({ userID: alice, statusType: online, customStatus: "" });
  expect(other.seen(alice).every((status) => status.customStatus === "")).toBe(true);
  expect(a.kicks).toEqual([]);
});

test("the status switch, off and on: 72001, silence, and everything told afterwards", async () => {
  const app = await s.operator.createApp();
  const [alice, bob] = [s.id("alice"), s.id("bob")];
  const a = await s.loginTo(app, alice);
  const b = await s.loginTo(app, bob);
  await b.chat.subscribeUserStatus({ userIDList: [alice] });
  await s.operator.set(app, { "status.on": false });

  const refused = { code: 72001 };
  await expect(b.chat.getUserStatus({ userIDList: [alice] })).rejects.toMatchObject(refused);
  await expect(b.chat.subscribeUserStatus({ userIDList: [alice] })).rejects.toMatchObject(refused);
  await expect(b.chat.unsubscribeUserStatus({ userIDList: [alice] })).rejects.toMatchObject(refused);
  const own = await b.chat.getUserStatus({ userIDList: [bob] });
  expect(own.data.successUserList).toHaveLength(1);
  await a.chat.setSelfStatus({ customStatus: "unheard" });
  await a.sees({ userID: alice, statusType: online, customStatus: "unheard" });
  expect(b.seen(alice)).toEqual([]);

  await s.operator.set(app, { "status.on": true });
  await b.sees({ userID: alice, statusType: online, customStatus: "unheard" });
  await a.chat.setSelfStatus({ customStatus: "heard" });
  await b.sees({ userID: alice, statusType: online, customStatus: "heard" });
  expect(await b.query(alice)).toEqual({ userID: alice, statusType: online, customStatus: "heard" });
});

test("the edition, without user status and with it again: the SDK itself refuses at once", async () => {
  const app = await s.operator.createApp();
  const alice = s.id("alice");
  const a = await s.loginTo(app, alice);
  await s.operator.set(app, { "status.edition": false });
  const told = (bit: string) => () =>
    a.traffic.frames.some(({ direction, head, body }) => {
      const push = direction === "in" && head.servcmd === "im_sdk_config_mgr.push_imsdk_purchase_bitsv2";
      return push && String(body["str_purchase_bits"]).at(-8) === bit;
    });
  await until("the abilities are pushed", told("0"));
  await expect(a.chat.subscribeUserStatus({ userIDList: ["x"] })).rejects.toMatchObject({ code: 3122 });
  await s.operator.set(app, { "status.edition": true });
  await until("the abilities are pushed again", told("1"));
  const { data } = await a.chat.subscribeUserStatus({ userIDList: ["x"] });
  expect(data.failureUserList).toMatchObject([{ userID: "x", code: 70107 }]);
});

test("limits: the SDK keeps to the new ones at once, and to the old ones when they are back", async () => {
  const app = await s.operator.createApp();
  const a = await s.loginTo(app, s.id("alice"));
  const ids = Array.from({ length: 120 }, (_, n) => `nobody-${n}`);
  const subscribed = async () =>
    (await a.chat.subscribeUserStatus({ userIDList: ids })).data.failureUserList.length;
  const configs = () =>
    a.traffic.frames.filter(({ head }) => head.servcmd === "im_sdk_config_mgr.push_configv2").length;
  expect(await subscribed()).toBe(100);
  await s.operator.set(app, { "limit.subscribe": 110 });
  await until("the limits are pushed", () => configs() === 1);
  expect(await subscribed()).toBe(110);
  await s.operator.set(app, { "limit.subscribe": null });
  await until("the limits are pushed again", () => configs() === 2);
  expect(await subscribed()).toBe(100);
});

test("disabled: nobody gets in or stays; enabled again: all are back by themselves", async () => {
  const app = await s.operator.createApp();
  const alice = s.id("alice");
  const a = await s.loginTo(app, alice);
  await s.operator.enable(app, false);
  await until("the connection is gone", () => a.net.includes("connecting"));
  const b = s.device({ sdkAppID: app.sdkAppID });
  await expect(
    b.chat.login({ userID: s.id("bob"), userSig: s.userSigOf(app, s.id("bob")) }),
  ).rejects.toMatchObject({
    code: 60016,
  });
  await a.comesBack(() => s.operator.enable(app, true));
  await b.login(s.id("bob"), s.userSigOf(app, s.id("bob")));
  expect(await b.query(alice)).toMatchObject({ statusType: online });
  expect(a.kicks).toEqual([]);
});

test("a key is rotated: nobody is thrown out before it is withdrawn", async () => {
  const app = await s.operator.createApp();
  const [alice, bob, carol] = [s.id("alice"), s.id("bob"), s.id("carol")];
  const a = await s.loginTo(app, alice);

  // The new key is added; the back end still mints with the old one, then with the new one.
  const next = await s.operator.addKey(app);
  const b = await s.loginTo(app, bob);
  const c = await s.loginTo(next, carol);

  // The old key is bounded: it lets nobody in any more, and nobody leaves.
  await s.operator.boundKey(app, 1, new Date(Date.now() - 1_000));
  await expect(
    s.device({ sdkAppID: app.sdkAppID }).chat.login({ userID: alice, userSig: s.userSigOf(app, alice) }),
  ).rejects.toMatchObject({ code: 70009 });
  expect(await c.query(alice)).toMatchObject({ statusType: online });
  expect(await c.query(bob)).toMatchObject({ statusType: online });

  // Alice takes a new UserSig in time, bob does not: the withdrawal ends his session alone.
  await a.chat.logout();
  await a.login(alice, s.userSigOf(next, alice));
  await s.operator.withdrawKey(app, 1);
  await b.isKicked("userSigExpired");
  expect(a.kicks).toEqual([]);
  expect(c.kicks).toEqual([]);
  expect(await c.query(alice)).toMatchObject({ statusType: online });
});
