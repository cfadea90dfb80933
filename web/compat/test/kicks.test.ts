// Every reason for which the SDK says KICKED_OUT, each provoked as it happens in life, and each told once.

import { expect, test } from "vitest";
import { RawSession } from "../harness/raw.ts";
import { stage } from "../harness/stage.ts";

const s = stage();
const android = 2;
const unlogined = 3;

test("multipleAccount: the same user on another page", async () => {
  const app = await s.operator.createApp();
  const alice = s.id("alice");
  const first = await s.loginTo(app, alice);
  const second = await s.loginTo(app, alice);
  await first.isKicked("multipleAccount");
  expect(second.chat.isReady()).toBe(true);
  expect(second.kicks).toEqual([]);
});

test("multipleDevice: the same user on a phone, where the policy allows one platform", async () => {
  const app = await s.operator.createApp({ "login.policy": "single" });
  const alice = s.id("alice");
  const page = await s.loginTo(app, alice);
  const phone = await RawSession.login({ ...app, ws: s.server.ready.ws }, alice, android);
  await page.isKicked("multipleDevice");
  await expect(page.chat.setSelfStatus({ customStatus: "me?" })).rejects.toMatchObject({ code: 3002 });
  await phone.logout();
});

test("REST_API_Kick: an administrator throws the user out, on every device, and old UserSigs are dead", async () => {
  const [alice, bob] = [s.id("alice"), s.id("bob")];
  const b = await s.login(bob);
  const devices = [await s.login(alice), await s.login(alice)];
  await b.chat.subscribeUserStatus({ userIDList: [alice] });
  const old = s.userSig(alice);

  await s.operator.kick(s.server.ready, alice);
  for (const device of devices) await device.isKicked("REST_API_Kick");
  await b.sees({ userID: alice, statusType: unlogined, customStatus: "" });
  expect(b.seen(alice)).toHaveLength(1);

  const again = s.device();
  await expect(again.chat.login({ userID: alice, userSig: old })).rejects.toMatchObject({ code: 70001 });
  await newSecond();
  await again.login(alice, s.userSig(alice));
  expect(devices.flatMap((device) => device.kicks)).toEqual(["REST_API_Kick", "REST_API_Kick"]);
});

test("REST_API_Kick: who was away learns it on return", async () => {
  const alice = s.id("alice");
  const wire = await s.wire();
  const away = await s.login(alice, { ws: wire.ws });
  await wire.refuse();
  await s.operator.kick(s.server.ready, alice);
  await wire.accept();
  await away.isKicked("REST_API_Kick");
});

test("REST_API_Kick: a ban, which refuses logins until it is lifted", async () => {
  const alice = s.id("alice");
  const device = await s.login(alice);
  await s.operator.ban(s.server.ready, alice);
  await device.isKicked("REST_API_Kick");
  await newSecond();
  await expect(s.device().chat.login({ userID: alice, userSig: s.userSig(alice) })).rejects.toMatchObject({
    code: 70051,
  });
  await s.operator.unban(s.server.ready, alice);
  await s.login(alice);
});

test("userSigExpired: the UserSig runs out while the user is online, who is gone then", async () => {
  const [alice, bob] = [s.id("alice"), s.id("bob")];
  const b = await s.login(bob);
  const device = s.device();
  await device.login(alice, s.userSig(alice, 3));
  await b.chat.subscribeUserStatus({ userIDList: [alice] });
  await device.isKicked("userSigExpired");
  await b.sees({ userID: alice, statusType: unlogined, customStatus: "" });
  await device.login(alice, s.userSig(alice));
  expect(device.kicks).toEqual(["userSigExpired"]);
});

test("userSigExpired: the key that signed the UserSig is withdrawn", async () => {
  const app = await s.operator.createApp();
  const [alice, bob] = [s.id("alice"), s.id("bob")];
  const a = await s.loginTo(app, alice);
  const next = await s.operator.addKey(app);
  const b = await s.loginTo(next, bob);
  await b.chat.subscribeUserStatus({ userIDList: [alice] });

  await s.operator.withdrawKey(app, 1);
  await a.isKicked("userSigExpired");
  await b.sees({ userID: alice, statusType: unlogined, customStatus: "" });
  await expect(
    s.device({ sdkAppID: app.sdkAppID }).chat.login({ userID: alice, userSig: s.userSigOf(app, alice) }),
  ).rejects.toMatchObject({ code: 70009 });
  await s.loginTo(next, alice);
  expect(b.kicks).toEqual([]);
  expect(b.chat.isReady()).toBe(true);
});

/** Waits for a second that is not the one of the last order: UserSigs of that one are dead too. */
function newSecond(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1_000 - (Date.now() % 1_000) + 20));
}
