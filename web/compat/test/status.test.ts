// setSelfStatus, getUserStatus and USER_STATUS_UPDATED, in the forms in which the documentation shows them.

import { describe, expect, test } from "vitest";
import type { Device } from "../harness/device.ts";
import { RawSession } from "../harness/raw.ts";
import { stage } from "../harness/stage.ts";
import { until } from "../harness/until.ts";

const s = stage({ "grace.close": "10m" }); // who goes without a word is not gone while a test runs
const online = 1;
const unlogined = 3;

test("the four values are the documented ones", () => {
  const { TYPES, EVENT } = s.device().sdk;
  expect(TYPES.USER_STATUS_UNKNOWN).toBe(0);
  expect(TYPES.USER_STATUS_ONLINE).toBe(online);
  expect(TYPES.USER_STATUS_OFFLINE).toBe(2);
  expect(TYPES.USER_STATUS_UNLOGINED).toBe(unlogined);
  expect(EVENT.USER_STATUS_UPDATED).toBe("onUserStatusUpdated");
});

test("login raises the own event, on no device before it is ready", async () => {
  const alice = s.id("alice");
  const first = s.device();
  let readyAtEvent: boolean | undefined;
  first.chat.on(first.sdk.EVENT.USER_STATUS_UPDATED, () => {
    readyAtEvent ??= first.chat.isReady();
  });
  await first.login(alice, s.userSig(alice));
  await first.sees({ userID: alice, statusType: online, customStatus: "" });
  expect(readyAtEvent).toBe(true);
});

describe("setSelfStatus", () => {
  test("resolves with the new status and is told to the user's devices, the one that set it too", async () => {
    const alice = s.id("alice");
    const first = await s.login(alice);
    const second = await s.login(alice);

    const { code, data } = await first.chat.setSelfStatus({ customStatus: "In a meeting" });

    const status = { userID: alice, statusType: online, customStatus: "In a meeting" };
    expect(code).toBe(0);
    expect(data).toEqual(status);
    await first.sees(status);
    await second.sees(status);
    expect(await second.query(alice)).toEqual(status);
  });

  test("with '' clears", async () => {
    const [alice, bob] = [s.id("alice"), s.id("bob")];
    const a = await s.login(alice);
    const b = await s.login(bob);
    await b.chat.subscribeUserStatus({ userIDList: [alice] });
    await a.chat.setSelfStatus({ customStatus: "busy" });
    await b.sees({ userID: alice, statusType: online, customStatus: "busy" });

    expect((await a.chat.setSelfStatus({ customStatus: "" })).data.customStatus).toBe("");
    const cleared = { userID: alice, statusType: online, customStatus: "" };
    await a.sees(cleared);
    await b.sees(cleared);
    expect(await b.query(alice)).toEqual(cleared);
    expect(await a.query(alice)).toEqual(cleared);
  });

  test("to the same value again resolves and raises nothing", async () => {
    const [alice, bob] = [s.id("alice"), s.id("bob")];
    const a = await s.login(alice);
    const b = await s.login(bob);
    await b.chat.subscribeUserStatus({ userIDList: [alice] });
    for (const customStatus of ["tea", "tea", "coffee"]) await a.chat.setSelfStatus({ customStatus });
    await b.sees({ userID: alice, statusType: online, customStatus: "coffee" });
    await a.sees({ userID: alice, statusType: online, customStatus: "coffee" });
    expect(b.seen(alice).map((status) => status.customStatus)).toEqual(["tea", "coffee"]);
    expect(customs(a, alice)).toEqual(["tea", "coffee"]);
  });

  const texts: Record<string, string> = {
    "with accents": "Grüße, déjà vu, Ñandú",
    Russian: "Слушаю музыку",
    Chinese: "正在开会，请稍后",
    Arabic: "في اجتماع",
    Hindi: "कल मिलते हैं",
    "Japanese with emoji": "昼休み🍱 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 ☕️",
    "of JSON and HTML": '{"mood":"<b>&amp;</b>","quote":"\\"\'"}',
    "of several lines": "two\nlines\r\nand a tab\t",
    "of characters that nobody sees": "\u0001\u007f\u2028\u202e\ufeff",
    "with a NUL": "a\u0000b",
    "from the far end of Unicode": "\u{10ffff}\u{1f600}",
  };
  for (const [kind, customStatus] of Object.entries(texts)) {
    test(`carries text unchanged: ${kind}`, async () => {
      const [alice, bob] = [s.id("alice"), s.id("bob")];
      const a = await s.login(alice);
      const b = await s.login(bob);
      await b.chat.subscribeUserStatus({ userIDList: [alice] });
      await a.chat.setSelfStatus({ customStatus });
      const status = { userID: alice, statusType: online, customStatus };
      await b.sees(status);
      await a.sees(status);
      expect(await b.query(alice)).toEqual(status);
      expect(await (await s.login(alice)).query(alice)).toEqual(status);
    });
  }

  test.each([
    ["of ASCII", "x".repeat(100), "x".repeat(101)],
    ["of three bytes each", `${"好".repeat(33)}x`, `${"好".repeat(33)}xx`],
    ["of four bytes each", "🎧".repeat(25), `${"🎧".repeat(25)}x`],
  ])("takes 100 bytes %s and refuses 101 with 70402", async (_, fits, tooLong) => {
    const [alice, bob] = [s.id("alice"), s.id("bob")];
    const a = await s.login(alice);
    const b = await s.login(bob);
    await a.chat.setSelfStatus({ customStatus: fits });
    await expect(a.chat.setSelfStatus({ customStatus: tooLong })).rejects.toMatchObject({ code: 70402 });
    const unchanged = { userID: alice, statusType: online, customStatus: fits };
    expect(await b.query(alice)).toEqual(unchanged);
    expect(await a.query(alice)).toEqual(unchanged);
    expect(a.seen(alice).at(-1)).toEqual(unchanged);
  });

  test("has no rate limit: the last of a hundred is what everyone has at the end", async () => {
    const [alice, bob] = [s.id("alice"), s.id("bob")];
    const a = await s.login(alice);
    const b = await s.login(bob);
    await b.chat.subscribeUserStatus({ userIDList: [alice] });
    await Promise.all(Array.from({ length: 100 }, (_, n) => a.chat.setSelfStatus({ customStatus: `n${n}` })));
    const last = { userID: alice, statusType: online, customStatus: "n99" };
    await b.sees(last);
    await a.sees(last);
    expect(await b.query(alice)).toEqual(last);
    for (const list of [customs(a, alice), b.seen(alice).map((status) => status.customStatus)]) {
      const numbers = list.map((custom) => Number(custom.slice(1)));
      expect(numbers).toEqual([...numbers].sort((x, y) => x - y));
    }
  });
});

describe("getUserStatus", () => {
  test("of the own user answers without asking", async () => {
    const alice = s.id("alice");
    const a = await s.login(alice);
    await a.chat.setSelfStatus({ customStatus: "own" });
    const { data } = await a.chat.getUserStatus({ userIDList: [alice] });
    expect(data).toEqual({
      successUserList: [{ userID: alice, statusType: online, customStatus: "own" }],
      failureUserList: [],
    });
    expect(a.traffic.out("im_open_status.ws_get_user_status")).toEqual([]);
  });

  test("of others, in their order, with those who do not exist in failureUserList", async () => {
    const [alice, bob, carol, dave] = [s.id("alice"), s.id("bob"), s.id("carol"), s.id("dave")];
    const a = await s.login(alice);
    const b = await s.login(bob);
    await b.chat.setSelfStatus({ customStatus: "忙" });
    const c = await s.login(carol);
    await c.chat.logout();
    const d = await s.login(dave);

    const { code, data } = await a.chat.getUserStatus({
      userIDList: [bob, "nobody-1", carol, dave, "nobody-2"],
    });

    expect(code).toBe(0);
    expect(data.successUserList).toEqual([
      { userID: bob, statusType: online, customStatus: "忙" },
      { userID: carol, statusType: unlogined, customStatus: "" },
      { userID: dave, statusType: online, customStatus: "" },
    ]);
    expect(data.failureUserList).toMatchObject([
      { userID: "nobody-1", code: 70107 },
      { userID: "nobody-2", code: 70107 },
    ]);
    expect(data.failureUserList.every((failure) => failure.message !== "")).toBe(true);
    expect(d.chat.isReady()).toBe(true);
  });

  test("of nobody who exists resolves with failures alone", async () => {
    const a = await s.login(s.id("alice"));
    const { data } = await a.chat.getUserStatus({ userIDList: ["nobody-1"] });
    expect(data.successUserList).toEqual([]);
    expect(data.failureUserList).toMatchObject([{ userID: "nobody-1", code: 70107 }]);
  });

  test("of an ID that cannot be one says 7003 for it", async () => {
    const a = await s.login(s.id("alice"));
    const tooLong = "u".repeat(33);
    const { data } = await a.chat.getUserStatus({ userIDList: [tooLong] });
    expect(data.failureUserList).toMatchObject([{ userID: tooLong, code: 7003 }]);
  });

  test("of the own user among others puts the own first", async () => {
    const [alice, bob] = [s.id("alice"), s.id("bob")];
    const a = await s.login(alice);
    await s.login(bob);
    const { data } = await a.chat.getUserStatus({ userIDList: [bob, alice] });
    expect(data.successUserList.map((status) => status.userID)).toEqual([alice, bob]);
    expect(data.successUserList.every((status) => status.statusType === online)).toBe(true);
  });

  test("of the same user twice answers once", async () => {
    const [alice, bob] = [s.id("alice"), s.id("bob")];
    const a = await s.login(alice);
    await s.login(bob);
    const { data } = await a.chat.getUserStatus({ userIDList: [bob, bob] });
    expect(data.successUserList).toEqual([{ userID: bob, statusType: online, customStatus: "" }]);
  });

  test("of 500 users; of 501 the SDK asks for the first 500", async () => {
    const a = await s.login(s.id("alice"));
    const ids = Array.from({ length: 501 }, (_, n) => `nobody-${n}`);
    for (const count of [500, 501]) {
      const { data } = await a.chat.getUserStatus({ userIDList: ids.slice(0, count) });
      expect(data.successUserList).toEqual([]);
      expect(data.failureUserList.map((failure) => failure.userID)).toEqual(ids.slice(0, 500));
      expect(data.failureUserList.every((failure) => failure.code === 70107)).toBe(true);
    }
  });

  test("twenty times in five seconds; the SDK refuses the next by itself", async () => {
    const a = await s.login(s.id("alice"));
    const ask = () => a.chat.getUserStatus({ userIDList: ["nobody"] });
    await Promise.all(Array.from({ length: 20 }, ask));
    await expect(ask()).rejects.toMatchObject({ code: 2996 });
  });

  test("over either limit is refused by the server too, and so is an empty list", async () => {
    const session = await RawSession.login(s.server.ready, s.id("alice"));
    const ask = async (ids: string[]) =>
      (await session.call("im_open_status.ws_get_user_status", { To_Account: ids })).ErrorCode;
    expect(await ask([])).toBe(70402);
    expect(await ask(Array.from({ length: 501 }, (_, n) => `nobody-${n}`))).toBe(70402);
    const codes = await Promise.all(Array.from({ length: 21 }, () => ask(["nobody"])));
    expect(codes).toContain(7008);
    expect(codes[0]).toBe(0);
    await session.logout();
    expect(session.traffic.faults).toEqual([]);
  });
});

describe("a user with two devices", () => {
  test("comes once and goes with the last", async () => {
    const [alice, bob] = [s.id("alice"), s.id("bob")];
    const b = await s.login(bob);
    const first = await s.login(alice);
    await first.chat.setSelfStatus({ customStatus: "two of me" });
    await first.chat.logout();
    await b.chat.subscribeUserStatus({ userIDList: [alice] });

    const [one, two] = [await s.login(alice), await s.login(alice)];
    await two.chat.setSelfStatus({ customStatus: "again" });
    await one.closePage();
    await two.chat.setSelfStatus({ customStatus: "one is gone" });
    await two.chat.logout();
    await b.sees({ userID: alice, statusType: unlogined, customStatus: "" });

    expect(b.seen(alice)).toEqual([
      { userID: alice, statusType: online, customStatus: "" },
      { userID: alice, statusType: online, customStatus: "again" },
      { userID: alice, statusType: online, customStatus: "one is gone" },
      { userID: alice, statusType: unlogined, customStatus: "" },
    ]);
  });

  test("a page that is closed is gone at once", async () => {
    const [alice, bob] = [s.id("alice"), s.id("bob")];
    const b = await s.login(bob);
    const a = await s.login(alice);
    await a.chat.setSelfStatus({ customStatus: "closing" });
    await b.chat.subscribeUserStatus({ userIDList: [alice] });
    await a.closePage();
    await until("bob sees it, long before a grace is over", () => b.seen(alice).length > 0);
    expect(b.seen(alice)).toEqual([{ userID: alice, statusType: unlogined, customStatus: "" }]);
  });
});

/** The custom statuses that a device's own events brought since its login. */
function customs(device: Device, userID: string): string[] {
  return device
    .seen(userID)
    .map((status) => status.customStatus)
    .filter((custom) => custom !== "");
}
