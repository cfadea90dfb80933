// subscribeUserStatus and unsubscribeUserStatus, and who hears what because of them.

import { describe, expect, test } from "vitest";
import type { Device } from "../harness/device.ts";
import { RawSession, register } from "../harness/raw.ts";
import { stage } from "../harness/stage.ts";

const s = stage();
const online = 1;

describe("subscribeUserStatus", () => {
  test("resolves, and changes after it are told, those before it not", async () => {
    const [alice, bob] = [s.id("alice"), s.id("bob")];
    const a = await s.login(alice);
    const b = await s.login(bob);
    await a.chat.setSelfStatus({ customStatus: "before" });

    const { code, data } = await b.chat.subscribeUserStatus({ userIDList: [alice] });
    expect(code).toBe(0);
    expect(data.failureUserList).toEqual([]);

    await a.chat.setSelfStatus({ customStatus: "after" });
    await b.sees({ userID: alice, statusType: online, customStatus: "after" });
    expect(b.seen(alice).map((status) => status.customStatus)).toEqual(["after"]);
    expect(a.seen(bob)).toEqual([]);
  });

  test("of the own user and of unknown ones fails for these, and the others are subscribed", async () => {
    const [alice, bob] = [s.id("alice"), s.id("bob")];
    const a = await s.login(alice);
    const b = await s.login(bob);
    const { data } = await b.chat.subscribeUserStatus({ userIDList: ["nobody", bob, alice] });
    expect(data.failureUserList).toHaveLength(2);
    expect(data.failureUserList).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ userID: "nobody", code: 70107 }),
        expect.objectContaining({ userID: bob, code: 70402 }),
      ]),
    );
    await a.chat.setSelfStatus({ customStatus: "heard" });
    await b.sees({ userID: alice, statusType: online, customStatus: "heard" });
  });

  test("serves every device of the account, and one that comes later", async () => {
    const [alice, bob] = [s.id("alice"), s.id("bob")];
    const a = await s.login(alice);
    const first = await s.login(bob);
    const second = await s.login(bob);
    await first.chat.subscribeUserStatus({ userIDList: [alice] });
    const third = await s.login(bob);
    await a.chat.setSelfStatus({ customStatus: "to all of bob" });
    const status = { userID: alice, statusType: online, customStatus: "to all of bob" };
    for (const device of [first, second, third]) await device.sees(status);

    await first.chat.logout();
    await a.chat.setSelfStatus({ customStatus: "to the rest" });
    for (const device of [second, third]) await device.sees({ ...status, customStatus: "to the rest" });
    expect(first.seen(alice)).toEqual([status]);
  });

  test("of someone who comes, speaks and goes tells all of it once and in order", async () => {
    const [alice, bob] = [s.id("alice"), s.id("bob")];
    await register(s.server.ready, [alice]);
    const b = await s.login(bob);
    await b.chat.subscribeUserStatus({ userIDList: [alice] });
    const a = await s.login(alice);
    await a.chat.setSelfStatus({ customStatus: "hello" });
    await a.chat.logout();
    await b.sees({ userID: alice, statusType: 3, customStatus: "" });
    expect(b.seen(alice)).toEqual([
      { userID: alice, statusType: online, customStatus: "" },
      { userID: alice, statusType: online, customStatus: "hello" },
      { userID: alice, statusType: 3, customStatus: "" },
    ]);
  });

  test("then a query misses nothing, however the change falls between them", async () => {
    const [alice, bob] = [s.id("alice"), s.id("bob")];
    const a = await s.login(alice);
    const b = await s.login(bob);
    for (let round = 0; round < 15; round += 1) {
      const change = a.chat.setSelfStatus({ customStatus: `round ${round}` });
      await b.chat.subscribeUserStatus({ userIDList: [alice] });
      const queried = await b.query(alice);
      await change;
      const last = { userID: alice, statusType: online, customStatus: `round ${round}` };
      if (queried.customStatus !== last.customStatus) await b.sees(last);
      await b.chat.unsubscribeUserStatus({ userIDList: [alice] });
    }
  });

  test("of an empty list fails without asking, and the server refuses it and more than a hundred", async () => {
    const bob = await s.login(s.id("bob"));
    // The official SDK throws here, ours rejects; who awaits the call sees no difference.
    await expect((async () => bob.chat.subscribeUserStatus({ userIDList: [] }))()).rejects.toThrow();
    expect(bob.traffic.out("im_open_status.ws_status_subscribe")).toEqual([]);

    const session = await RawSession.login(s.server.ready, s.id("carol"));
    const subscribe = (count: number) =>
      session.call("im_open_status.ws_status_subscribe", { To_Account: nobodies(count) });
    expect((await subscribe(0)).ErrorCode).toBe(70402);
    expect((await subscribe(101)).ErrorCode).toBe(70402);
    expect((await subscribe(100)).ErrorCode).toBe(0);
    await session.logout();
    expect(session.traffic.faults).toEqual([]);
  });

  test("of 101 users: the SDK asks for the first hundred", async () => {
    const bob = await s.login(s.id("bob"));
    const { data } = await bob.chat.subscribeUserStatus({ userIDList: nobodies(101) });
    expect(data.failureUserList.map((failure) => failure.userID)).toEqual(nobodies(100));
  });

  test("twenty times in five seconds; the SDK refuses the next by itself", async () => {
    const bob = await s.login(s.id("bob"));
    const subscribe = () => bob.chat.subscribeUserStatus({ userIDList: ["nobody"] });
    await Promise.all(Array.from({ length: 20 }, subscribe));
    await expect(subscribe()).rejects.toMatchObject({ code: 2996 });
  });

  test("of more than 200 users lets the one subscribed earliest go", async () => {
    const bob = await s.login(s.id("bob"));
    const filler = Array.from({ length: 198 }, (_, n) => s.id(`filler${n}`));
    const [alice, carol, dave, eve] = [s.id("alice"), s.id("carol"), s.id("dave"), s.id("eve")];
    await register(s.server.ready, [...filler, dave, eve]);
    const a = await s.login(alice);
    const c = await s.login(carol);
    for (const userIDList of [[alice, carol, ...filler.slice(0, 98)], filler.slice(98)]) {
      const { data } = await bob.chat.subscribeUserStatus({ userIDList });
      expect(data.failureUserList).toEqual([]);
    }
    await bob.chat.subscribeUserStatus({ userIDList: [alice] }); // now the newest; carol is the oldest
    await bob.chat.subscribeUserStatus({ userIDList: [dave] }); // the 201st

    await c.chat.setSelfStatus({ customStatus: "unheard" });
    await a.chat.setSelfStatus({ customStatus: "heard" });
    await bob.sees({ userID: alice, statusType: online, customStatus: "heard" });
    expect(bob.seen(carol)).toEqual([]);
  });
});

describe("unsubscribeUserStatus", () => {
  test("of some leaves the others", async () => {
    const [alice, bob, carol] = [s.id("alice"), s.id("bob"), s.id("carol")];
    const a = await s.login(alice);
    const c = await s.login(carol);
    const b = await s.login(bob);
    await b.chat.subscribeUserStatus({ userIDList: [alice, carol] });
    const { data } = await b.chat.unsubscribeUserStatus({ userIDList: [alice] });
    expect(data.failureUserList).toEqual([]);
    await a.chat.setSelfStatus({ customStatus: "unheard" });
    await c.chat.setSelfStatus({ customStatus: "heard" });
    await b.sees({ userID: carol, statusType: online, customStatus: "heard" });
    expect(b.seen(alice)).toEqual([]);
  });

  test("of someone who is not subscribed succeeds", async () => {
    const [alice, bob] = [s.id("alice"), s.id("bob")];
    await s.login(alice);
    const b = await s.login(bob);
    const { code, data } = await b.chat.unsubscribeUserStatus({ userIDList: [alice] });
    expect(code).toBe(0);
    expect(data.failureUserList).toEqual([]);
  });

  const all: { form: string; call: (device: Device) => Promise<{ data: { failureUserList: unknown[] } }> }[] =
    [
      { form: "()", call: ({ chat }) => chat.unsubscribeUserStatus() },
      { form: "({ userIDList: [] })", call: ({ chat }) => chat.unsubscribeUserStatus({ userIDList: [] }) },
      {
        form: "({ userIDList: undefined })",
        call: ({ chat }) => chat.unsubscribeUserStatus({ userIDList: undefined }),
      },
    ];

  for (const { form, call } of all) {
    test(`${form} clears the list`, async () => {
      const [alice, bob, carol] = [s.id("alice"), s.id("bob"), s.id("carol")];
      const a = await s.login(alice);
      const c = await s.login(carol);
      const b = await s.login(bob);
      await b.chat.subscribeUserStatus({ userIDList: [alice, carol] });
      expect((await call(b)).data.failureUserList).toEqual([]);
      await a.chat.setSelfStatus({ customStatus: "unheard" });
      await b.chat.subscribeUserStatus({ userIDList: [carol] });
      await c.chat.setSelfStatus({ customStatus: "heard" });
      await b.sees({ userID: carol, statusType: online, customStatus: "heard" });
      expect(b.seen(alice)).toEqual([]);
    });
  }

  test("on one device is for all devices of the account", async () => {
    const [alice, bob, carol] = [s.id("alice"), s.id("bob"), s.id("carol")];
    const a = await s.login(alice);
    const c = await s.login(carol);
    const first = await s.login(bob);
    const second = await s.login(bob);
    await first.chat.subscribeUserStatus({ userIDList: [alice, carol] });
    await second.chat.unsubscribeUserStatus({ userIDList: [alice] });
    await a.chat.setSelfStatus({ customStatus: "unheard" });
    await c.chat.setSelfStatus({ customStatus: "heard" });
    for (const device of [first, second]) {
      await device.sees({ userID: carol, statusType: online, customStatus: "heard" });
      expect(device.seen(alice)).toEqual([]);
    }
  });
});

test("who subscribed nobody hears nobody", async () => {
  const [alice, bob, carol] = [s.id("alice"), s.id("bob"), s.id("carol")];
  const a = await s.login(alice);
  const b = await s.login(bob);
  const c = await s.login(carol);
  await a.chat.setSelfStatus({ customStatus: "to nobody" });
  await a.chat.logout();
  await b.chat.subscribeUserStatus({ userIDList: [carol] });
  await c.chat.setSelfStatus({ customStatus: "barrier" });
  await b.sees({ userID: carol, statusType: online, customStatus: "barrier" });
  expect(b.seen(alice)).toEqual([]);
});

function nobodies(count: number): string[] {
  return Array.from({ length: count }, (_, n) => `nobody-${n}`);
}
