// Logging in, being thrown out, coming back: against a scripted server, in fake time.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Chat, create, createClient, EVENT } from "../src/index.ts";
import { FakeServer, loggedIn, outcome, refusal, scripted } from "./fake.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const sig = { userID: "alice", userSig: "sig" };

describe("calls before a login, and when it is over", () => {
  const calls: [string, (chat: Chat) => Promise<unknown>][] = [
    ["setSelfStatus", (chat) => chat.setSelfStatus({ customStatus: "x" })],
    ["getUserStatus", (chat) => chat.getUserStatus({ userIDList: ["bob"] })],
    ["subscribeUserStatus", (chat) => chat.subscribeUserStatus({ userIDList: ["bob"] })],
    ["unsubscribeUserStatus", (chat) => chat.unsubscribeUserStatus()],
  ];

  test.each(calls)("%s says by its code why it cannot be made", async (_, call) => {
    const { server, chat } = scripted();
    expect(await outcome(call(chat))).toEqual({ code: 2024 });
    const login = chat.login(sig);
    expect(await outcome(call(chat))).toEqual({ code: 3000 });
    await outcome(login);
    await outcome(chat.logout());
    expect(await outcome(call(chat))).toEqual({ code: 3005 });
    server.script = () => refusal(70003);
    expect(await outcome(chat.login(sig))).toEqual({ code: 70003 });
    expect(await outcome(call(chat))).toEqual({ code: 3001 });
    server.script = () => "usual";
    await outcome(chat.login(sig));
    expect(await outcome(call(chat))).toHaveProperty("value");
    await outcome(chat.destroy());
    expect(await outcome(call(chat))).toEqual({ code: 3005 });
    expect(await outcome(chat.login(sig))).toEqual({ code: 3005 });
    expect(server.last.closedWith).toBe(4000);
  });

  test("logout without a login, and a second one", async () => {
    const { chat } = scripted();
    expect(await outcome(chat.logout())).toEqual({ code: 2024 });
    await outcome(chat.login(sig));
    const both = [chat.logout(), chat.logout()];
    expect(await outcome(both[1] as Promise<void>)).toEqual({ code: 2024 });
    expect(await outcome(both[0] as Promise<void>)).toEqual({ value: { code: 0, data: {} } });
  });
});

describe("login", () => {
  const wrong: [unknown, number][] = [
    [undefined, 2002],
    [null, 2002],
    ["alice", 2002],
    [{}, 2002],
    [{ userID: 3, userSig: "x" }, 2002],
    [{ userID: "", userSig: "x" }, 2002],
    [{ userID: "alice" }, 2003],
    [{ userID: "alice", userSig: 3 }, 2003],
  ];
  test.each(wrong)("with %o rejects with %i and opens no socket", async (options, code) => {
    const { server, chat } = scripted();
    expect(await outcome(chat.login(options as never))).toEqual({ code });
    expect(server.sockets).toEqual([]);
  });

  test("twice at once is refused, again is told, of another is refused", async () => {
    const { chat } = scripted();
    const first = chat.login(sig);
    expect(await outcome(chat.login(sig))).toEqual({ code: 2025 });
    await outcome(first);
    expect((await outcome(chat.login(sig))).value).toMatchObject({ code: 0, data: { repeatLogin: true } });
    expect(await outcome(chat.login({ ...sig, userID: "bob" }))).toEqual({ code: 2025 });
    expect(chat.getLoginUser()).toBe("alice");
  });

  test("waits for a server that is not there yet, and gives up after 30 s", async () => {
    const { server, chat } = scripted();
    server.isDown = true;
    const login = chat.login(sig);
    await vi.advanceTimersByTimeAsync(5_000);
    server.isDown = false;
    expect(await outcome(login)).toHaveProperty("value");

    const other = scripted();
    other.server.isDown = true;
    expect(await outcome(other.chat.login(sig))).toEqual({ code: 2801 });
    expect(other.chat.isReady()).toBe(false);
    const tries = other.server.sockets.length;
    await vi.advanceTimersByTimeAsync(120_000);
    expect(other.server.sockets).toHaveLength(tries);
    other.server.isDown = false;
    expect(await outcome(other.chat.login(sig))).toHaveProperty("value");
  });

  test("that a server never answers, or whose socket never opens, rejects and leaves nothing behind", async () => {
    for (const setUp of [
      (server: FakeServer) => (server.script = () => undefined),
      (server: FakeServer) => (server.isMute = true),
    ]) {
      const { server, chat } = scripted();
      setUp(server);
      expect(await outcome(chat.login(sig))).toEqual({ code: 2801 });
      await vi.advanceTimersByTimeAsync(120_000);
      expect(server.last.closedWith).toBeDefined();
    }
  });

  test("that is answered without what it needs rejects", async () => {
    for (const [body, code] of [
      [{}, 2023],
      [{ A2Key: "a2" }, 2022],
    ] as const) {
      const { server, chat } = scripted();
      server.script = () => ({ ...body });
      expect(await outcome(chat.login(sig))).toEqual({ code });
    }
  });

  test("is given up by logout, and by destroy", async () => {
    for (const how of ["logout", "destroy"] as const) {
      const { server, chat } = scripted();
      server.script = () => undefined;
      const login = outcome(chat.login(sig));
      await vi.advanceTimersByTimeAsync(100);
      await outcome(chat[how]());
      expect(await login).toEqual({ code: 3005 });
      expect(server.last.closedWith).toBe(4000);
    }
  });

  test("tells SDK_READY once, also to who listens only after it, and before any status", async () => {
    const { server, chat } = scripted();
    const told: string[] = [];
    const login = chat.login(sig);
    server.script = ({ head }, socket) => {
      if (head.servcmd.endsWith("fetch_config")) setTimeout(() => socket.tells(["alice", 1, "", "1.1"]), 0);
      return "usual";
    };
    await outcome(
      login.then(() => {
        chat.on(EVENT.SDK_READY, () => told.push("ready"));
        chat.on(EVENT.USER_STATUS_UPDATED, () => told.push("status"));
      }),
    );
    await vi.advanceTimersByTimeAsync(100);
    expect(told[0]).toBe("ready");
    expect(told.filter((what) => what === "ready")).toHaveLength(1);
  });

  test("sets the server's clock", async () => {
    const { chat } = await loggedIn();
    expect(Math.abs(chat.getServerTime() - Date.now() - 60_000)).toBeLessThan(1_500);
  });
});

describe("ready()", () => {
  test("resolves with the login, rejects with it, and can be given up", async () => {
    const { server, chat } = scripted();
    const ready = chat.ready();
    await outcome(chat.login(sig));
    expect(await outcome(ready)).toHaveProperty("value");
    expect(await outcome(chat.ready())).toHaveProperty("value");
    await outcome(chat.logout());

    server.script = () => refusal(70009);
    const doomed = outcome(chat.ready());
    await outcome(chat.login(sig));
    expect(await doomed).toEqual({ code: 70009 });

    const controller = new AbortController();
    const given = chat.ready({ signal: controller.signal });
    controller.abort(Object.assign(new Error("enough"), { code: 1 }));
    expect(await outcome(given)).toEqual({ code: 1 });
    await outcome(chat.destroy());
    expect(await outcome(chat.ready())).toEqual({ code: 3005 });
  });
});

describe("thrown out", () => {
  const kicks = [
    [1, "multipleAccount", 3003],
    [2, "multipleDevice", 3002],
    [3, "REST_API_Kick", 3006],
  ] as const;
  for (const [number, type, code] of kicks) {
    for (const how of ["by a push", "by an answer"]) {
      test(`${type} ${how}: told once, calls are refused with ${code}, and it does not come back`, async () => {
        const { server, chat } = await loggedIn();
        const told: unknown[] = [];
        chat.on(EVENT.KICKED_OUT, ({ data }) => told.push(data.type));
        chat.on(EVENT.SDK_NOT_READY, () => told.push("not ready"));
        server.script = ({ head }) =>
          head.servcmd.endsWith("ws_set_custom_status") ? refusal(1002, { KickType: number }) : "usual";
        const asked = outcome(chat.setSelfStatus({ customStatus: "x" }));
        if (how === "by a push") server.last.kicks(number);
        expect([code, 1002]).toContain((await asked).code);
        server.last.kicks(number);
        expect(told).toEqual(["not ready", type]);
        expect(await outcome(chat.setSelfStatus({ customStatus: "x" }))).toEqual({ code });
        expect(chat.getLoginUser()).toBe("");
        const logouts = server.asked("wslogout");
        expect(logouts.map(({ head, body }) => [head.a2, body["wslogout_type"]])).toEqual(
          number === 3 ? [] : [["a2", 1]],
        );
        server.last.breaks();
        await vi.advanceTimersByTimeAsync(60_000);
        expect(server.sockets).toHaveLength(1);
        server.script = () => "usual";
        expect(await outcome(chat.login(sig))).toHaveProperty("value");
      });
    }
  }

  test.each([70001, 20002])("userSigExpired by %i in any answer", async (code) => {
    const { server, chat } = await loggedIn();
    const told: unknown[] = [];
    chat.on(EVENT.KICKED_OUT, ({ data }) => told.push(data.type));
    server.script = () => refusal(code);
    expect(await outcome(chat.setSelfStatus({ customStatus: "x" }))).toEqual({ code });
    expect(told).toEqual(["userSigExpired"]);
    expect(await outcome(chat.setSelfStatus({ customStatus: "x" }))).toEqual({ code: 3004 });
  });

  test("userSigExpired at the return", async () => {
    const { server, chat } = await loggedIn();
    const told: unknown[] = [];
    chat.on(EVENT.KICKED_OUT, ({ data }) => told.push(data.type));
    server.script = () => refusal(70001);
    server.last.breaks();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(told).toEqual(["userSigExpired"]);
  });

  test("a late answer to the session before ends nothing of the next", async () => {
    const { server, chat } = await loggedIn();
    const first = server.last;
    server.script = ({ head }) => (head.servcmd.endsWith("ws_set_custom_status") ? undefined : "usual");
    const asked = outcome(chat.setSelfStatus({ customStatus: "x" }));
    await outcome(chat.logout());
    expect(await asked).toEqual({ code: 3005 });
    await outcome(chat.login(sig));
    const frame = server.asked("ws_set_custom_status")[0];
    first.says({ head: frame?.head, body: refusal(70001) });
    expect(chat.isReady()).toBe(true);
  });
});

test("create gives the same client for an application until that is destroyed, createClient a new one", async () => {
  const { socket } = new FakeServer();
  const options = { SDKAppID: 1400000002, proxyServer: "http://fake/chat/", WebSocket: socket };
  const chat = create(options);
  expect(create(options)).toBe(chat);
  expect(createClient(options)).not.toBe(chat);
  await chat.destroy();
  await chat.destroy();
  expect(create(options)).not.toBe(chat);
});

test.each([
  [undefined, 2000],
  [{}, 2000],
  [{ SDKAppID: "x", proxyServer: "ws://fake" }, 2000],
  [{ SDKAppID: 1400000001 }, 70402],
  [{ SDKAppID: 1400000001, proxyServer: "fake" }, 70402],
])("create(%o) throws %i, with a hint", (options, code) => {
  vi.stubGlobal("WebSocket", FakeServer);
  expect(() => create(options as never)).toThrow(
    expect.objectContaining({ code, hint: expect.stringMatching(/./) }),
  );
  vi.unstubAllGlobals();
});

test("without any WebSocket create says what to do", () => {
  vi.stubGlobal("WebSocket", undefined);
  expect(() => create({ SDKAppID: 1400000001, proxyServer: "ws://fake" })).toThrow(
    "there is no WebSocket here",
  );
  vi.unstubAllGlobals();
});
