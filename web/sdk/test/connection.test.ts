// Sockets that break in every way, in the middle of everything: against a scripted server, in fake time.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Chat, EVENT } from "../src/index.ts";
import { type FakeServer, loggedIn, ok, outcome, refusal, scripted } from "./fake.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date", "performance"] });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const sig = { userID: "alice", userSig: "sig" };
const isCommand = (command: string) => (frame: { head: { servcmd: string } }) =>
  frame.head.servcmd.endsWith(command);

describe("a restart of the server in the middle of", () => {
  const calls: [string, string, (chat: Chat) => Promise<unknown>][] = [
    ["setSelfStatus", "ws_set_custom_status", (chat) => chat.setSelfStatus({ customStatus: "x" })],
    ["getUserStatus", "ws_get_user_status", (chat) => chat.getUserStatus({ userIDList: ["bob"] })],
    [
      "subscribeUserStatus",
      "ws_status_subscribe",
      (chat) => chat.subscribeUserStatus({ userIDList: ["bob"] }),
    ],
    ["unsubscribeUserStatus", "ws_status_unsubscribe", (chat) => chat.unsubscribeUserStatus()],
    ["logout", "wslogout", (chat) => chat.logout()],
  ];

  test.each(calls)(
    "%s: it is said again, as it was, after the return, and answered",
    async (_, command, call) => {
      const { server, chat } = await loggedIn();
      const first = server.last;
      server.script = (frame) => (isCommand(command)(frame) ? undefined : "usual");
      const asked = outcome(call(chat));
      await vi.advanceTimersByTimeAsync(10);
      server.isDown = true;
      first.breaks(1001, "the server is restarting");
      await vi.advanceTimersByTimeAsync(2_000);
      server.isDown = false;
      server.script = () => "usual";
      expect(await asked).toHaveProperty("value");

      const [before, again] = [
        first.frames.find(isCommand(command)),
        server.last.frames.find(isCommand(command)),
      ];
      expect(again).toEqual(before);
      const order = server.last.commands();
      expect(order.indexOf("wslogin")).toBeLessThan(order.indexOf(command));
    },
  );

  test.each(calls)(
    "%s that does not come back: it rejects with a code in time, or is done",
    async (name, _, call) => {
      const { server, chat } = await loggedIn();
      server.script = () => undefined;
      const asked = outcome(call(chat));
      server.isDown = true;
      server.last.breaks();
      const result = await asked;
      if (name === "logout") {
        expect(result).toHaveProperty("value");
        expect(chat.isReady()).toBe(false);
      } else expect(result).toEqual({ code: 2801 });
    },
  );

  test("login: the same login is said again", async () => {
    const { server, chat } = scripted();
    server.script = () => undefined;
    const login = outcome(chat.login(sig));
    await vi.advanceTimersByTimeAsync(20);
    const first = server.last;
    server.script = () => "usual";
    first.breaks();
    expect(await login).toHaveProperty("value");
    expect(server.last.frames[0]).toEqual(first.frames[0]);
    const instance = (url: string) => new URL(url).searchParams.get("instanceid");
    expect(instance(server.last.url)).toBe(instance(first.url));
  });

  test("the return itself: it is tried again", async () => {
    const { server, chat } = await loggedIn();
    let returns = 0;
    server.script = (frame) => {
      if (!isCommand("wslogin")(frame)) return "usual";
      returns += 1;
      return returns < 3 ? refusal(60008) : "usual";
    };
    server.last.breaks();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(returns).toBe(3);
    expect(chat.isReady()).toBe(true);
    expect(await outcome(chat.setSelfStatus({ customStatus: "x" }))).toHaveProperty("value");
  });
});

test("NET_STATE_CHANGE tells of a break and of the return, and nothing of the first connection", async () => {
  const { server, chat } = scripted();
  const states: string[] = [];
  chat.on(EVENT.NET_STATE_CHANGE, ({ data }) => states.push(data.state));
  await outcome(chat.login(sig));
  expect(states).toEqual([]);
  server.isDown = true;
  server.last.breaks();
  expect(states).toEqual(["connecting"]);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(states).toEqual(["connecting", "disconnected"]);
  expect(chat.isReady()).toBe(true);
  server.isDown = false;
  await vi.advanceTimersByTimeAsync(20_000);
  expect(states).toEqual(["connecting", "disconnected", "connected"]);
});

describe("the pauses between tries", () => {
  test("begin below a quarter of a second and grow to twenty at most, each at random", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0.999);
    const { server } = await loggedIn();
    await vi.advanceTimersByTimeAsync(5_000);
    server.isDown = true;
    const broken = performance.now();
    server.last.breaks();
    const tries: number[] = [];
    for (let last = server.sockets.length; performance.now() - broken < 120_000; ) {
      await vi.advanceTimersByTimeAsync(10);
      if (server.sockets.length > last) tries.push(performance.now() - broken);
      last = server.sockets.length;
    }
    const pauses = tries.map((at, n) => at - (tries[n - 1] ?? 0));
    expect(pauses[0]).toBeLessThan(300);
    expect(pauses[3]).toBeGreaterThan(1_500);
    expect(Math.max(...pauses)).toBeLessThan(20_100);
    expect(pauses.at(-1)).toBeGreaterThan(19_000);
  });

  test("are the server's where it gives one", async () => {
    const { server } = await loggedIn();
    server.last.breaks(1001, "the server is restarting; retry-after-ms=3000");
    await vi.advanceTimersByTimeAsync(2_900);
    expect(server.sockets).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(200);
    expect(server.sockets).toHaveLength(2);
  });

  test("are longer where the server has no room", async () => {
    const { server } = await loggedIn();
    server.last.breaks(1013);
    await vi.advanceTimersByTimeAsync(1_900);
    expect(server.sockets).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(3_000);
    expect(server.sockets).toHaveLength(2);
  });
});

describe("a server that falls silent", () => {
  test("is asked after 10 s, and where it says nothing for 5 s the socket is replaced", async () => {
    const { server } = await loggedIn();
    const first = server.last;
    await vi.advanceTimersByTimeAsync(10_500);
    expect(server.asked("heartbeat.alive")).toHaveLength(1);
    first.isFrozen = true;
    await vi.advanceTimersByTimeAsync(9_000);
    expect(server.sockets).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(8_000);
    expect(first.closedWith).toBe(4001);
    expect(server.sockets).toHaveLength(2);
  });

  test("is asked after 4 s where a call waits for it, so that the call is answered on the next socket", async () => {
    const { server, chat } = await loggedIn();
    server.last.isFrozen = true;
    const asked = outcome(chat.setSelfStatus({ customStatus: "x" }));
    await vi.advanceTimersByTimeAsync(9_500);
    expect(server.sockets).toHaveLength(2);
    expect(await asked).toHaveProperty("value");
  });

  test("is not asked while it speaks", async () => {
    const { server } = await loggedIn();
    for (let n = 0; n < 60; n += 1) {
      server.last.tells(["bob", 1, "", `1.${n}`]);
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(server.asked("heartbeat.alive")).toEqual([]);
  });

  test("and tells by its answer to that that a session is over", async () => {
    const { server, chat } = await loggedIn();
    const kicks: string[] = [];
    chat.on(EVENT.KICKED_OUT, ({ data }) => kicks.push(data.type));
    server.script = () => refusal(70001);
    await vi.advanceTimersByTimeAsync(12_000);
    expect(kicks).toEqual(["userSigExpired"]);
  });
});

describe("the page and the network", () => {
  /** The parts of a page that the SDK listens to. */
  function page() {
    const target = () => {
      const listeners = new Map<string, () => void>();
      return {
        visibilityState: "visible",
        addEventListener: (name: string, listener: () => void) => listeners.set(name, listener),
        removeEventListener: (name: string) => listeners.delete(name),
        tell: (name: string) => listeners.get(name)?.(),
        listeners,
      };
    };
    const parts = { document: target(), self: target() };
    vi.stubGlobal("document", parts.document);
    vi.stubGlobal("self", parts.self);
    return parts;
  }

  async function waiting(server: FakeServer): Promise<void> {
    server.isDown = true;
    server.last.breaks();
    await vi.advanceTimersByTimeAsync(60_000);
    server.isDown = false;
  }

  test.each(["visibilitychange", "pageshow", "online"])(
    "%s: a client that waits tries at once",
    async (name) => {
      vi.spyOn(Math, "random").mockReturnValue(0.999);
      const { document, self } = page();
      const { server, chat } = await loggedIn();
      await waiting(server);
      const tries = server.sockets.length;
      (name === "visibilitychange" ? document : self).tell(name);
      await vi.advanceTimersByTimeAsync(20);
      expect(server.sockets).toHaveLength(tries + 1);
      expect(await outcome(chat.setSelfStatus({ customStatus: "x" }), 500)).toHaveProperty("value");
      await outcome(chat.destroy());
      expect([...document.listeners.keys(), ...self.listeners.keys()]).toEqual([]);
    },
  );

  test("a page that is seen again asks a server that was silent, and finds a dead socket in 5 s", async () => {
    const { document } = page();
    const { server } = await loggedIn();
    server.last.isFrozen = true;
    vi.setSystemTime(Date.now() + 3_600_000); // asleep: timers stood still
    await vi.advanceTimersByTimeAsync(10_000);
    document.tell("visibilitychange");
    await vi.advanceTimersByTimeAsync(6_000);
    expect(server.sockets).toHaveLength(2);
  });

  test("offline is not believed, but looked into", async () => {
    const { self } = page();
    const { server, chat } = await loggedIn();
    self.tell("offline");
    await vi.advanceTimersByTimeAsync(100);
    expect(server.asked("heartbeat.alive")).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(6_000);
    expect(server.sockets).toHaveLength(1);
    expect(chat.isReady()).toBe(true);
  });
});

describe("frames that nobody expects", () => {
  const odd: unknown[] = [
    "",
    "no JSON",
    "null",
    "[]",
    "3",
    {},
    { head: null },
    { head: {} },
    { head: { servcmd: 3 } },
    { head: { servcmd: "who.knows", seq: 1 } },
    { head: { servcmd: "im_open_push.msg_push" }, body: null },
    { head: { servcmd: "im_open_push.msg_push" }, body: { EventArray: null } },
    { head: { servcmd: "im_open_push.msg_push" }, body: { EventArray: [null, 3, { UserStatusList: null }] } },
    { head: { servcmd: "im_open_push.msg_push" }, body: { EventArray: [{ UserStatusList: [null, 3] }] } },
    {
      head: { servcmd: "im_open_push.msg_push" },
      body: { EventArray: [{ C2cNotifyMsgArray: [{ KickoutMsgNotify: 3 }] }] },
    },
    { head: { servcmd: "im_sdk_config_mgr.push_configv2" }, body: { str_json_config: "{" } },
    { head: { servcmd: "im_sdk_config_mgr.push_imsdk_purchase_bitsv2" }, body: { str_purchase_bits: "128" } },
    { head: { servcmd: "OverLoadPush.notify2" }, body: {} },
    { head: { servcmd: "im_open_status.wslogin", seq: 12 }, body: refusal(70001) },
  ];
  test.each(odd)("%o changes nothing", async (frame) => {
    const { server, chat } = await loggedIn();
    const events: unknown[] = [];
    for (const name of Object.values(EVENT)) chat.on(name, (event) => events.push(event));
    await vi.advanceTimersByTimeAsync(50); // whoever listens for a list is told of it
    events.length = 0;
    server.last.says(frame);
    await vi.advanceTimersByTimeAsync(10);
    expect(events).toEqual([]);
    server.statuses.set("bob", [1, ""]);
    expect(
      (await outcome(chat.getUserStatus({ userIDList: ["bob"] }))).value?.data.successUserList,
    ).toHaveLength(1);
    expect(chat.isReady()).toBe(true);
  });

  test("answers in any order and twice are each taken once, by their own question", async () => {
    const { server, chat } = await loggedIn();
    const held: (() => void)[] = [];
    server.script = ({ head, body }, socket) => {
      if (!head.servcmd.endsWith("ws_get_user_status")) return "usual";
      const [user] = body["To_Account"] as string[];
      const list = [{ To_Account: user, Status: 1, CustomStatus: "" }];
      held.push(() => socket.says({ head, body: { ...ok, UserStatusList: list } }));
      return undefined;
    };
    const asked = ["bob", "carol", "dave"].map((userID) =>
      outcome(chat.getUserStatus({ userIDList: [userID] })),
    );
    for (const say of [...held].reverse()) {
      say();
      say();
    }
    const found = (await Promise.all(asked)).map(({ value }) => value?.data.successUserList[0]?.userID);
    expect(found).toEqual(["bob", "carol", "dave"]);
  });

  test("an answer of another shape is a result without what is missing", async () => {
    const { server, chat } = await loggedIn();
    server.script = () => ({ ...ok, UserStatusList: "none", ErrorList: null });
    expect((await outcome(chat.getUserStatus({ userIDList: ["bob"] }))).value?.data).toEqual({
      successUserList: [],
      failureUserList: [],
    });
  });

  test("one that wants to be acknowledged is", async () => {
    const { server } = await loggedIn();
    server.last.says({
      head: { servcmd: "im_open_push.msg_push", seq: 0 },
      body: { NeedAck: 1, SessionData: "opaque" },
    });
    await vi.advanceTimersByTimeAsync(10);
    expect(server.asked("ws_msg_push_ack").map(({ body }) => body)).toEqual([{ SessionData: "opaque" }]);
  });

  test("a frame of ours that the server could not read is told as an ERROR", async () => {
    const { server, chat } = await loggedIn();
    const errors: unknown[] = [];
    chat.on(EVENT.ERROR, ({ data }) => errors.push(data));
    server.last.says({ head: { servcmd: "porchlight.error", seq: 0 }, body: refusal(60002) });
    expect(errors).toEqual([{ code: 60002, message: "no" }]);
  });
});

test("what a listener throws stops no other, and unsubscribing is once and for all", async () => {
  const { server, chat } = await loggedIn();
  const heard: string[] = [];
  const context = { name: "context" };
  chat.on(EVENT.USER_STATUS_UPDATED, () => {
    throw new Error("a listener's own");
  });
  const stop = chat.on(EVENT.USER_STATUS_UPDATED, () => heard.push("first"));
  function second(this: unknown) {
    heard.push((this as typeof context).name);
  }
  chat.on(EVENT.USER_STATUS_UPDATED, second, context);
  server.last.tells(["bob", 1, "a", "1.1"]);
  expect(heard).toEqual(["first", "context"]);
  stop();
  stop();
  chat.off(EVENT.USER_STATUS_UPDATED, second, {});
  server.last.tells(["bob", 1, "b", "1.2"]);
  expect(heard).toEqual(["first", "context", "context"]);
  chat.off(EVENT.USER_STATUS_UPDATED, second, context);
  server.last.tells(["bob", 1, "c", "1.3"]);
  expect(heard).toHaveLength(3);
  expect(chat.on(undefined as never, second as never)).toBeTypeOf("function");
});
