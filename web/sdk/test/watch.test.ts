// watchUserStatus: against a scripted server, in fake time.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Statuses } from "../src/index.ts";
import { auditMS, failedAgainMostMS, lingerMS } from "../src/watches.ts";
import { loggedIn, outcome, refusal, scripted } from "./fake.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const customs = (statuses: Statuses) =>
  Object.fromEntries([...statuses].map(([id, { customStatus }]) => [id, customStatus]));
const statusCommands = (commands: string[]) =>
  commands.filter((command) => /user_status|ws_status/.test(command));
const users = (count: number) => Array.from({ length: count }, (_, n) => `user${n}`);

async function watching(...ids: string[]) {
  const both = await loggedIn();
  for (const id of ids) both.server.statuses.set(id, [1, `${id}'s`, "1.1"]);
  const watch = both.chat.watchUserStatus(ids);
  await outcome(watch.ready);
  return { ...both, watch };
}

test("subscribes and asks in one round, and follows what comes", async () => {
  const { server, watch } = await watching("bob", "carol");
  expect(statusCommands(server.last.commands())).toEqual(["ws_status_subscribe", "ws_get_user_status"]);
  expect(customs(watch.statuses)).toEqual({ bob: "bob's", carol: "carol's" });
  expect(watch.live).toBe(true);
  server.last.tells(["bob", 3, "", "1.2"], ["eve", 1, "not watched", "1.1"]);
  await vi.advanceTimersByTimeAsync(1);
  expect(watch.statuses.get("bob")).toEqual({ userID: "bob", statusType: 3, customStatus: "" });
  expect(watch.statuses.has("eve")).toBe(false);
  server.last.tells(["bob", 1, "older", "1.1"]);
  await vi.advanceTimersByTimeAsync(1);
  expect(watch.statuses.get("bob")?.statusType).toBe(3);
});

test("watches that are made together are asked for together, in as few calls as they fit in", async () => {
  const { server, chat } = await loggedIn();
  const ids = users(150);
  for (const id of ids) server.statuses.set(id, [1, "", "1.1"]);
  const watches = [chat.watchUserStatus(ids.slice(0, 100)), chat.watchUserStatus(ids.slice(50))];
  await Promise.all(watches.map((watch) => outcome(watch.ready)));
  const asked = statusCommands(server.last.commands());
  expect(asked).toEqual(["ws_status_subscribe", "ws_status_subscribe", "ws_get_user_status"]);
  expect(() => chat.watchUserStatus(users(201))).toThrow(expect.objectContaining({ code: 70402 }));
  expect(() => chat.watchUserStatus([...ids, 3 as never])).toThrow(expect.objectContaining({ code: 70402 }));
});

test("may be made before the login, and outlasts a logout", async () => {
  const { server, chat } = scripted();
  server.statuses.set("bob", [1, "b", "1.1"]);
  const watch = chat.watchUserStatus(["bob"]);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(server.sockets).toEqual([]);
  await outcome(chat.login({ userID: "alice", userSig: "sig" }));
  await outcome(watch.ready);
  expect(customs(watch.statuses)).toEqual({ bob: "b" });
  await outcome(chat.logout());
  expect(watch.live).toBe(false);
  server.statuses.set("bob", [1, "c", "1.2"]);
  await outcome(chat.login({ userID: "alice", userSig: "sig" }));
  await vi.advanceTimersByTimeAsync(100);
  expect(customs(watch.statuses)).toEqual({ bob: "c" });
  await outcome(chat.logout());
  server.statuses.clear();
  await outcome(chat.login({ userID: "zoe", userSig: "sig" }));
  await vi.advanceTimersByTimeAsync(100);
  expect(customs(watch.statuses)).toEqual({}); // what alice could see is not zoe's
});

test("after 20 s without a network everything is right in one round of calls, within a second", async () => {
  const ids = users(50);
  const { server, chat, watch } = await watching(...ids);
  const first = server.last;
  server.isDown = true;
  first.breaks();
  await vi.advanceTimersByTimeAsync(1);
  expect(watch.live).toBe(false);
  for (const id of ids) server.statuses.set(id, [1, "changed", "1.2"]);
  await vi.advanceTimersByTimeAsync(20_000);
  expect(customs(watch.statuses)["user0"]).toBe("user0's");

  server.isDown = false;
  const tries = server.sockets.length;
  while (server.sockets.length === tries) await vi.advanceTimersByTimeAsync(10);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(new Set(Object.values(customs(watch.statuses)))).toEqual(new Set(["changed"]));
  expect(statusCommands(server.last.commands())).toEqual(["ws_status_subscribe", "ws_get_user_status"]);
  expect(watch.live).toBe(true);
  expect(chat.isReady()).toBe(true);
});

describe("iteration", () => {
  test("yields the first whole map, then the newest after each change, and ends with close", async () => {
    const { server, chat } = await loggedIn();
    for (const id of ["bob", "carol"]) server.statuses.set(id, [1, "", "1.1"]);
    const watch = chat.watchUserStatus(["bob", "carol"]);
    const seen: Record<string, string>[] = [];
    const done = outcome(
      (async () => {
        for await (const statuses of watch) seen.push(customs(statuses));
      })(),
    );
    await vi.advanceTimersByTimeAsync(100);
    expect(seen).toEqual([{ bob: "", carol: "" }]);
    for (const n of [2, 3, 4]) server.last.tells(["bob", 1, `b${n}`, `1.${n}`]);
    await vi.advanceTimersByTimeAsync(10);
    expect(seen).toEqual([
      { bob: "", carol: "" },
      { bob: "b4", carol: "" },
    ]);
    watch.close();
    expect(await done).toHaveProperty("value");
  });

  test.each(["abort", "destroy", "break"])("ends with %s", async (how) => {
    const { server, chat } = await loggedIn();
    server.statuses.set("bob", [1, "", "1.1"]);
    const controller = new AbortController();
    const watch = chat.watchUserStatus(["bob"], { signal: controller.signal });
    const done = outcome(
      (async () => {
        for await (const _ of watch) if (how === "break") break;
      })(),
    );
    await vi.advanceTimersByTimeAsync(50);
    if (how === "abort") controller.abort();
    if (how === "destroy") await outcome(chat.destroy());
    expect(await done).toHaveProperty("value");
    expect(watch.live).toBe(how === "break");
  });

  test("throws what the server refuses for good", async () => {
    const { server, chat } = await loggedIn();
    server.script = ({ head }) => (/user_status|ws_status/.test(head.servcmd) ? refusal(72001) : "usual");
    const watch = chat.watchUserStatus(["bob"]);
    const done = outcome(
      (async () => {
        for await (const _ of watch) throw new Error("there is nothing to see");
      })(),
    );
    expect(await done).toEqual({ code: 72001 });
    expect(await outcome(watch.ready)).toEqual({ code: 72001 });
    expect(watch.live).toBe(false);
  });

  test("a signal that was aborted before makes a watch that has ended", async () => {
    const { server, chat } = await loggedIn();
    const watch = chat.watchUserStatus(["bob"], { signal: AbortSignal.abort() });
    await vi.advanceTimersByTimeAsync(100);
    expect(await outcome(watch.ready)).toEqual({ code: 3005 });
    expect(statusCommands(server.last.commands())).toEqual([]);
  });
});

test("onChange calls back once for what came together, until it is taken back", async () => {
  const { server, watch } = await watching("bob", "carol");
  const seen: Record<string, string>[] = [];
  const stop = watch.onChange((statuses) => seen.push(customs(statuses)));
  server.last.tells(["bob", 1, "b2", "1.2"], ["carol", 1, "c2", "1.2"]);
  await vi.advanceTimersByTimeAsync(1);
  expect(seen).toEqual([{ bob: "b2", carol: "c2" }]);
  stop();
  server.last.tells(["bob", 1, "b3", "1.3"]);
  await vi.advanceTimersByTimeAsync(1);
  expect(seen).toHaveLength(1);
});

test("what is watched no more is unsubscribed after a while, unless another watch has it", async () => {
  const { server, chat, watch } = await watching("bob", "carol", "dave");
  const other = chat.watchUserStatus(["carol"]);
  await outcome(other.ready);
  watch.remove(["dave"]);
  watch.close();
  const again = chat.watchUserStatus(["bob"]);
  await vi.advanceTimersByTimeAsync(lingerMS + 100);
  expect(server.asked("ws_status_unsubscribe").map(({ body }) => body["To_Account"])).toEqual([["dave"]]);
  expect(customs(again.statuses)).toEqual({ bob: "bob's" });
  again.close();
  other.close();
  await vi.advanceTimersByTimeAsync(lingerMS + 100);
  expect(server.asked("ws_status_unsubscribe").at(-1)?.body["To_Account"]).toEqual(["bob", "carol"]);
  const asked = server.last.frames.length;
  await vi.advanceTimersByTimeAsync(2 * auditMS);
  expect(statusCommands(server.last.commands().slice(asked))).toEqual([]);
});

test("users are added to a watch that runs; the own user is known without asking", async () => {
  const { server, chat, watch } = await watching("bob");
  server.statuses.set("carol", [2, "", "1.1"]);
  await outcome(chat.setSelfStatus({ customStatus: "me" }));
  watch.add(["carol", "alice", "bob"]);
  await vi.advanceTimersByTimeAsync(100);
  expect(customs(watch.statuses)).toEqual({ bob: "bob's", carol: "", alice: "me" });
  expect(server.asked("ws_status_subscribe").at(-1)?.body["To_Account"]).toEqual(["carol"]);
});

test("who does not exist yet is in failures, and is asked for again", async () => {
  const { server, chat } = await loggedIn();
  server.statuses.set("bob", [1, "", "1.1"]);
  const watch = chat.watchUserStatus(["bob", "ghost"]);
  await outcome(watch.ready);
  expect([...watch.statuses.keys()]).toEqual(["bob"]);
  expect(watch.failures.get("ghost")).toMatchObject({ code: 70107 });
  await vi.advanceTimersByTimeAsync(300_000);
  const times = server.asked("ws_status_subscribe").length;
  expect(times).toBeGreaterThan(8);
  expect(times).toBeLessThan(20); // ever more rarely
  server.statuses.set("ghost", [1, "boo", "1.1"]);
  await vi.advanceTimersByTimeAsync(failedAgainMostMS + 1_000);
  expect(customs(watch.statuses)).toEqual({ bob: "", ghost: "boo" });
  expect(watch.failures.size).toBe(0);
});

test("everything is subscribed and asked for anew now and then, for other devices change the list", async () => {
  const { server } = await watching("bob");
  const asked = server.asked("ws_status_subscribe").length;
  await vi.advanceTimersByTimeAsync(auditMS * 1.3);
  expect(server.asked("ws_status_subscribe").length).toBeGreaterThan(asked);
});

test.each([2996, 7008, 60008, 70500, -10114])("a refusal that passes (%i) is waited out", async (code) => {
  const { server, chat } = await loggedIn();
  server.statuses.set("bob", [1, "b", "1.1"]);
  if (code === 2996) {
    const calls = Array.from({ length: 20 }, () => chat.getUserStatus({ userIDList: ["bob"] }));
    await outcome(Promise.all(calls));
  } else
    server.script = ({ head }) => (head.servcmd.endsWith("ws_status_subscribe") ? refusal(code) : "usual");
  const watch = chat.watchUserStatus(["bob"]);
  await vi.advanceTimersByTimeAsync(1_000);
  server.script = () => "usual";
  expect(await outcome(watch.ready)).toHaveProperty("value");
  await vi.advanceTimersByTimeAsync(10_000);
  expect(server.asked("ws_status_subscribe").length).toBeGreaterThan(0);
  expect(customs(watch.statuses)).toEqual({ bob: "b" });
});

test("a break in the middle of the first round is made good by the next", async () => {
  const { server, chat } = await loggedIn();
  server.statuses.set("bob", [1, "b", "1.1"]);
  server.script = ({ head }) => (/user_status|ws_status/.test(head.servcmd) ? undefined : "usual");
  const watch = chat.watchUserStatus(["bob"]);
  await vi.advanceTimersByTimeAsync(10);
  server.script = () => "usual";
  server.last.breaks();
  expect(await outcome(watch.ready)).toHaveProperty("value");
  expect(customs(watch.statuses)).toEqual({ bob: "b" });
});
