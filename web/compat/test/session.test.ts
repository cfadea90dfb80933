// Logging in and out, and what the SDK says of itself meanwhile.

import { describe, expect, test, vi } from "vitest";
import { stage } from "../harness/stage.ts";
import { until } from "../harness/until.ts";
import { mint } from "../harness/usersig.ts";

const s = stage();

describe("login", () => {
  test("resolves, and SDK_READY follows", async () => {
    const alice = s.id("alice");
    const device = s.device();
    expect(device.chat.isReady()).toBe(false);
    expect(device.chat.getLoginUser()).toBe("");

    const answer = await device.chat.login({ userID: alice, userSig: s.userSig(alice) });
    await until("SDK_READY came", () => device.readiness.length > 0);

    expect(answer.code).toBe(0);
    expect(answer.data.errorCode).toBe(0);
    expect(device.readiness).toEqual(["ready"]);
    expect(device.chat.isReady()).toBe(true);
    expect(device.chat.getLoginUser()).toBe(alice);
    expect(Math.abs(device.chat.getServerTime() - Date.now())).toBeLessThan(3_000);
  });

  test("a second one of the same user says so and changes nothing", async () => {
    const alice = s.id("alice");
    const device = await s.login(alice);
    const { data } = await device.chat.login({ userID: alice, userSig: s.userSig(alice) });
    expect(data.repeatLogin).toBe(true);
    expect((await device.chat.setSelfStatus({ customStatus: "here" })).data.customStatus).toBe("here");
    expect(device.traffic.out("im_open_status.wslogin")).toHaveLength(1);
  });

  test("works over the text socket that devMode asks for", async () => {
    const [alice, bob] = [s.id("alice"), s.id("bob")];
    const a = await s.login(alice, { devMode: true });
    const b = await s.login(bob);
    expect(new URL(a.traffic.urls[0] ?? "").pathname).toBe("/info");
    expect(a.traffic.frames.some((frame) => frame.binary)).toBe(false);

    await a.chat.subscribeUserStatus({ userIDList: [bob] });
    await b.chat.setSelfStatus({ customStatus: "喝茶 🍵" });
    await a.sees({ userID: bob, statusType: 1, customStatus: "喝茶 🍵" });
  });

  test("brings the custom status that the user has on another device", async () => {
    const alice = s.id("alice");
    const first = await s.login(alice);
    await first.chat.setSelfStatus({ customStatus: "from the first" });
    const second = await s.login(alice);
    expect(await second.query(alice)).toEqual({
      userID: alice,
      statusType: 1,
      customStatus: "from the first",
    });
  });
});

describe("a login is refused", () => {
  const wrongKey = "0".repeat(64);
  const otherApp = 1400009999;
  const rows: { why: string; code: number; sig: (userID: string) => string }[] = [
    { why: "with an expired UserSig", code: 70001, sig: (userID) => mintedLongAgo(userID) },
    {
      why: "with a UserSig of another key",
      code: 70009,
      sig: (userID) => mint({ ...s.server.ready, secretKey: wrongKey }, userID),
    },
    { why: "with a UserSig of another user", code: 70013, sig: (userID) => s.userSig(`${userID}x`) },
    {
      why: "with a UserSig of another application",
      code: 70014,
      sig: (userID) => mint({ ...s.server.ready, sdkAppID: otherApp }, userID),
    },
    { why: "with something that is no UserSig", code: 70003, sig: () => "this is no UserSig" },
    { why: "with half a UserSig", code: 70003, sig: (userID) => s.userSig(userID).slice(0, 60) },
  ];

  for (const { why, code, sig } of rows) {
    test(`${why}: ${code}`, async () => {
      const alice = s.id("alice");
      const device = s.device();
      await expect(device.chat.login({ userID: alice, userSig: sig(alice) })).rejects.toMatchObject({ code });
      expect(device.chat.isReady()).toBe(false);
      expect(device.kicks).toEqual([]);

      await device.login(alice, s.userSig(alice));
      expect(device.chat.isReady()).toBe(true);
    });
  }

  test("of an application that the server does not know: 70020", async () => {
    const alice = s.id("alice");
    const device = s.device({ sdkAppID: otherApp });
    const userSig = mint({ ...s.server.ready, sdkAppID: otherApp }, alice);
    await expect(device.chat.login({ userID: alice, userSig })).rejects.toMatchObject({ code: 70020 });
  });

  test("and nobody hears of it", async () => {
    const [alice, bob] = [s.id("alice"), s.id("bob")];
    const b = await s.login(bob);
    const a = await s.login(alice);
    await b.chat.subscribeUserStatus({ userIDList: [alice] });

    const intruder = s.device();
    const userSig = mint({ ...s.server.ready, secretKey: wrongKey }, alice);
    await expect(intruder.chat.login({ userID: alice, userSig })).rejects.toMatchObject({ code: 70009 });
    await intruder.closePage();

    await a.chat.setSelfStatus({ customStatus: "barrier" });
    await b.sees({ userID: alice, statusType: 1, customStatus: "barrier" });
    expect(b.seen(alice)).toHaveLength(1);
    expect(a.kicks).toEqual([]);
  });
});

describe("logout", () => {
  test("keeps the socket, and another user logs in on it", async () => {
    const [alice, bob] = [s.id("alice"), s.id("bob")];
    const watcher = await s.login(s.id("watcher"));
    const device = await s.login(alice);
    await watcher.chat.subscribeUserStatus({ userIDList: [alice] });

    await device.chat.logout();
    await watcher.sees({ userID: alice, statusType: 3, customStatus: "" });
    expect(device.readiness).toEqual(["ready", "not ready"]);
    expect(device.chat.isReady()).toBe(false);
    expect(device.chat.getLoginUser()).toBe("");

    await device.login(bob, s.userSig(bob));
    expect(device.chat.getLoginUser()).toBe(bob);
    await device.chat.setSelfStatus({ customStatus: "on an old socket" });
    expect(await watcher.query(bob)).toEqual({
      userID: bob,
      statusType: 1,
      customStatus: "on an old socket",
    });
    expect(device.traffic.urls).toHaveLength(1);
  });

  test("leaves a socket whose heartbeat is answered", async () => {
    const device = await s.login(s.id("alice"));
    await device.chat.logout();
    const netBefore = [...device.net];
    const after = performance.now();
    const beats = () =>
      device.traffic
        .exchanges()
        .filter(({ request }) => request.head.servcmd === "heartbeat.alive" && request.at > after);
    await until("a logged-out heartbeat is answered", () =>
      beats().some(({ answer }) => answer !== undefined),
    );
    expect(beats()[0]?.answer?.body.ErrorCode).toBe(0);
    expect(device.net).toEqual(netBefore);
    expect(device.traffic.urls).toHaveLength(1);
  });

  test("of one device leaves the other as it is", async () => {
    const [alice, bob] = [s.id("alice"), s.id("bob")];
    const first = await s.login(alice);
    const second = await s.login(alice);
    const b = await s.login(bob);
    await b.chat.subscribeUserStatus({ userIDList: [alice] });

    await first.chat.logout();
    await second.chat.setSelfStatus({ customStatus: "still here" });
    await b.sees({ userID: alice, statusType: 1, customStatus: "still here" });
    expect(b.seen(alice)).toHaveLength(1);
    expect(second.kicks).toEqual([]);
    expect(second.chat.isReady()).toBe(true);
  });

  test("and login again brings everything back but the custom status", async () => {
    const [alice, bob] = [s.id("alice"), s.id("bob")];
    const b = await s.login(bob);
    const device = await s.login(alice);
    await device.chat.subscribeUserStatus({ userIDList: [bob] });
    await device.chat.setSelfStatus({ customStatus: "before" });
    await device.chat.logout();
    await device.login(alice, s.userSig(alice));
    expect(await device.query(alice)).toEqual({ userID: alice, statusType: 1, customStatus: "" });

    // The subscription list is the account's and outlasts a logout by a day.
    await b.chat.setSelfStatus({ customStatus: "do you hear me" });
    await device.sees({ userID: bob, statusType: 1, customStatus: "do you hear me" });
  });
});

test("destroy logs out at once", async () => {
  const [alice, bob] = [s.id("alice"), s.id("bob")];
  const b = await s.login(bob);
  const a = await s.login(alice);
  await a.chat.setSelfStatus({ customStatus: "about to go" });
  await b.chat.subscribeUserStatus({ userIDList: [alice] });
  await a.chat.destroy();
  await b.sees({ userID: alice, statusType: 3, customStatus: "" });
  expect(b.seen(alice)).toHaveLength(1);
});

/** A UserSig that was good for a day, two days ago. */
function mintedLongAgo(userID: string): string {
  const twoDaysMS = 2 * 86_400_000;
  vi.useFakeTimers({ now: Date.now() - twoDaysMS, toFake: ["Date"] });
  try {
    return s.userSig(userID);
  } finally {
    vi.useRealTimers();
  }
}
