// One user on more devices than the application allows. The one that -dev makes allows ten in browsers.

import { expect, test } from "vitest";
import type { Device } from "../harness/device.ts";
import { stage } from "../harness/stage.ts";
import { until } from "../harness/until.ts";

const s = stage();
const allowed = 10;

test("the eleventh pushes the oldest out, which is told once and leaves no ghost", async () => {
  const [alice, bob] = [s.id("alice"), s.id("bob")];
  const b = await s.login(bob);
  const devices = [await s.login(alice)];
  await b.chat.subscribeUserStatus({ userIDList: [alice] });
  while (devices.length < allowed) devices.push(await s.login(alice));
  const [oldest, ...others] = devices;
  if (oldest === undefined) throw new Error("there is no oldest");
  expect(devices.flatMap((device) => device.kicks)).toEqual([]);

  others.push(await s.login(alice));
  await oldest.isKicked("multipleAccount");
  const kickedAt = performance.now();
  await expect(oldest.chat.setSelfStatus({ customStatus: "me?" })).rejects.toMatchObject({ code: 3003 });

  // Some log out, the others' pages are closed.
  for (const [n, device] of others.entries()) {
    await (n % 2 === 0 ? device.chat.logout() : device.closePage());
  }
  await b.sees({ userID: alice, statusType: 3, customStatus: "" });
  expect(b.seen(alice)).toHaveLength(1);

  // The socket of the one that was kicked lives on; its heartbeats bring nobody back.
  await heartbeatAfter(kickedAt, oldest);
  expect((await b.query(alice)).statusType).toBe(3);
  expect(b.seen(alice)).toHaveLength(1);
  expect(oldest.kicks).toEqual(["multipleAccount"]);
  expect(others.flatMap((device) => device.kicks)).toEqual([]);
});

test("who is away past the grace goes first, and learns it on return", async () => {
  const [alice, bob, dave] = [s.id("alice"), s.id("bob"), s.id("dave")];
  const wire = await s.wire();
  const b = await s.login(bob);
  const d = await s.login(dave);
  await b.chat.subscribeUserStatus({ userIDList: [dave] });
  const oldest = await s.login(alice);
  const away = await s.login(alice, { ws: wire.ws });
  for (let n = 2; n < allowed; n += 1) await s.login(alice);

  await wire.refuse();
  await d.crash();
  await b.sees({ userID: dave, statusType: 3, customStatus: "" });
  await s.login(alice);
  await wire.accept();
  await away.isKicked("multipleAccount");
  await heartbeatAfter(performance.now(), away);
  expect(away.kicks).toEqual(["multipleAccount"]);
  expect(oldest.kicks).toEqual([]);
  expect(oldest.chat.isReady()).toBe(true);
});

async function heartbeatAfter(time: number, device: Device): Promise<void> {
  await until("a heartbeat of the kicked device is answered", () =>
    device.traffic.exchanges().some(({ request, answer }) => {
      return request.head.servcmd === "heartbeat.alive" && request.at > time && answer !== undefined;
    }),
  );
}
