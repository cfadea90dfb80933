// A connection that breaks while both sides live on: the SDK comes back by itself, and nobody notices.

import { describe, expect, test } from "vitest";
import { stage } from "../harness/stage.ts";
import { until } from "../harness/until.ts";
import type { Wire } from "../harness/wire.ts";

const s = stage();
const online = 1;
const unlogined = 3;

describe("a connection is broken", () => {
  const ways: { how: string; cut: (wire: Wire) => void }[] = [
    { how: "with a FIN", cut: (wire) => wire.hangUp() },
    { how: "with an RST", cut: (wire) => wire.reset() },
    { how: "and nobody is told", cut: (wire) => wire.freeze() },
  ];

  for (const { how, cut } of ways) {
    test(`${how}: it comes back, nobody hears of it, and all is as it was`, async () => {
      const [alice, bob, carol, dave] = [s.id("alice"), s.id("bob"), s.id("carol"), s.id("dave")];
      const wire = await s.wire();
      const a = await s.login(alice, { ws: wire.ws });
      const b = await s.login(bob);
      const c = await s.login(carol);
      const d = await s.login(dave);
      await a.chat.setSelfStatus({ customStatus: "kept" });
      await a.chat.subscribeUserStatus({ userIDList: [carol] });
      await b.chat.subscribeUserStatus({ userIDList: [alice, dave] });

      await a.comesBack(() => cut(wire));

      expect(await a.query(alice)).toEqual({ userID: alice, statusType: online, customStatus: "kept" });
      await c.chat.setSelfStatus({ customStatus: "still heard" });
      await a.sees({ userID: carol, statusType: online, customStatus: "still heard" });

      // Dave's grace begins after alice's and is as long: when his end is told, hers would have been.
      await d.crash();
      await b.sees({ userID: dave, statusType: unlogined, customStatus: "" });
      expect(b.seen(alice)).toEqual([]);
      expect(await b.query(alice)).toEqual({ userID: alice, statusType: online, customStatus: "kept" });
      expect(a.kicks).toEqual([]);
      expect(a.readiness).toEqual(["ready"]);
    });
  }

  test("again and again: the last status is everybody's", async () => {
    const [alice, bob] = [s.id("alice"), s.id("bob")];
    const wire = await s.wire();
    const a = await s.login(alice, { ws: wire.ws });
    const b = await s.login(bob);
    await b.chat.subscribeUserStatus({ userIDList: [alice] });
    for (let round = 0; round < 5; round += 1) {
      await a.chat.setSelfStatus({ customStatus: `round ${round}` });
      // The SDK takes a socket that closes within its first second for a failure, and waits before it tries again.
      const opened = performance.now();
      await until("the socket is old enough to be missed", () => performance.now() > opened + 1_500);
      await a.comesBack(() => (round % 2 === 0 ? wire.hangUp() : wire.reset()));
    }
    const last = { userID: alice, statusType: online, customStatus: "round 4" };
    await b.sees(last);
    expect(await b.query(alice)).toEqual(last);
    expect(b.seen(alice).map((status) => status.statusType)).not.toContain(unlogined);
    expect(a.kicks).toEqual([]);
  });

  test("and what the application asks meanwhile is done once", async () => {
    const [alice, bob, carol] = [s.id("alice"), s.id("bob"), s.id("carol")];
    const wire = await s.wire();
    const a = await s.login(alice, { ws: wire.ws });
    const b = await s.login(bob);
    const c = await s.login(carol);
    await b.chat.subscribeUserStatus({ userIDList: [alice] });

    // Frozen: sent, not answered, and sent again over the next socket before that has logged in.
    let asked: Promise<unknown> = Promise.resolve();
    await a.comesBack(() => {
      wire.freeze();
      asked = Promise.all([
        a.chat.setSelfStatus({ customStatus: "meanwhile" }),
        a.chat.subscribeUserStatus({ userIDList: [carol] }),
      ]);
    });
    await asked;

    await b.sees({ userID: alice, statusType: online, customStatus: "meanwhile" });
    expect(b.seen(alice)).toHaveLength(1);
    await c.chat.setSelfStatus({ customStatus: "heard" });
    await a.sees({ userID: carol, statusType: online, customStatus: "heard" });
  });
});

test("who does not come back is shown online through the grace, and gone once after it", async () => {
  const [alice, bob] = [s.id("alice"), s.id("bob")];
  const a = await s.login(alice);
  const b = await s.login(bob);
  await a.chat.setSelfStatus({ customStatus: "on a train" });
  await b.chat.subscribeUserStatus({ userIDList: [alice] });

  const crashed = performance.now();
  await a.crash();
  expect(await b.query(alice)).toEqual({ userID: alice, statusType: online, customStatus: "on a train" });
  await b.sees({ userID: alice, statusType: unlogined, customStatus: "" });
  expect(performance.now() - crashed).toBeGreaterThan(4_000);
  expect(b.seen(alice)).toHaveLength(1);
});

test("a session whose UserSig expires is over, and says so", async () => {
  const [alice, bob] = [s.id("alice"), s.id("bob")];
  const b = await s.login(bob);
  const a = s.device();
  await a.login(alice, s.userSig(alice, 4));
  await b.chat.subscribeUserStatus({ userIDList: [alice] });
  await b.sees({ userID: alice, statusType: unlogined, customStatus: "" });
  await a.isKicked("userSigExpired");
  expect(b.seen(alice)).toHaveLength(1);

  await a.login(alice, s.userSig(alice));
  await b.sees({ userID: alice, statusType: online, customStatus: "" });
});
