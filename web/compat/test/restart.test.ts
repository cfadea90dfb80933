// The server goes and comes back on the same port and data: clients return by themselves and nobody is seen to leave.

import { expect, test } from "vitest";
import { stage } from "../harness/stage.ts";

const s = stage();
const online = 1;
const unlogined = 3;

const ways = [
  { how: "asked to stop", end: () => s.server.stop() },
  { how: "killed", end: () => s.server.kill() },
];

for (const { how, end } of ways) {
  test(`${how} and started again: all come back, and nobody blinks`, async () => {
    const [alice, bob, carol, dave] = [s.id("alice"), s.id("bob"), s.id("carol"), s.id("dave")];
    const a = await s.login(alice);
    const b = await s.login(bob);
    const c = await s.login(carol);
    const d = await s.login(dave);
    await a.chat.setSelfStatus({ customStatus: "kept 🌙" });
    await d.chat.setSelfStatus({ customStatus: "will not return" });
    await b.chat.subscribeUserStatus({ userIDList: [alice, dave] });
    await a.chat.subscribeUserStatus({ userIDList: [carol] });

    const restart = (async () => {
      await end();
      await d.crash();
      await s.server.startAgain();
    })();
    await Promise.all([a, b, c].map((device) => device.comesBack(() => {})).concat(restart));

    // All graces began with the new server. When dave's end is known, alice's would be.
    const kept = { userID: alice, statusType: online, customStatus: "kept 🌙" };
    expect(await b.query(alice)).toEqual(kept);
    await b.comesToKnow({ userID: dave, statusType: unlogined, customStatus: "" });
    expect(b.seen(alice)).toEqual([kept]); // told once more at its return, since nobody knows what it missed
    expect(await b.query(alice)).toEqual(kept);
    expect(await a.query(alice)).toEqual(kept);

    await c.chat.setSelfStatus({ customStatus: "new" });
    await a.sees({ userID: carol, statusType: online, customStatus: "new" });
    await a.chat.setSelfStatus({ customStatus: "" });
    await b.sees({ userID: alice, statusType: online, customStatus: "" });
    for (const device of [a, b, c]) {
      expect(device.kicks).toEqual([]);
      expect(device.readiness).toEqual(["ready"]);
    }
  });
}
