// The four calls and the event, and what is refused without asking: against a scripted server, in fake time.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { EVENT, type UserStatus } from "../src/index.ts";
import { loggedIn, ok, outcome, refusal } from "./fake.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe("wrong types are refused with 70402, without asking", () => {
  const lists: unknown[] = [
    undefined,
    null,
    "bob",
    ["bob"],
    {},
    { userIDList: "bob" },
    { userIDList: [3] },
    { userIDList: { 0: "bob" } },
  ];
  test.each([...lists, { userIDList: [] }])("getUserStatus(%o) and subscribeUserStatus", async (options) => {
    const { server, chat } = await loggedIn();
    expect(await outcome(chat.getUserStatus(options as never))).toEqual({ code: 70402 });
    expect(await outcome(chat.subscribeUserStatus(options as never))).toEqual({ code: 70402 });
    expect(server.last.commands()).toEqual(["wslogin", "fetch_config"]);
  });

  test.each([{ userIDList: "bob" }, { userIDList: [3] }, { userIDList: {} }])(
    "unsubscribeUserStatus(%o)",
    async (options) => {
      const { chat } = await loggedIn();
      expect(await outcome(chat.unsubscribeUserStatus(options as never))).toEqual({ code: 70402 });
    },
  );

  test.each([undefined, null, {}, { customStatus: 3 }, { customStatus: null }, "x"])(
    "setSelfStatus(%o)",
    async (options) => {
      const { server, chat } = await loggedIn();
      expect(await outcome(chat.setSelfStatus(options as never))).toEqual({ code: 70402 });
      expect(server.asked("ws_set_custom_status")).toEqual([]);
    },
  );
});

test("a refusal of the server travels with its code, its text and what to do", async () => {
  const { server, chat } = await loggedIn();
  server.script = () => refusal(72001, { ErrorInfo: "switched off" });
  const asked = chat.getUserStatus({ userIDList: ["bob"] });
  const settled = expect(asked).rejects.toMatchObject({
    name: "ChatError",
    code: 72001,
    message: "switched off",
    hint: "an operator can switch it on",
  });
  await vi.advanceTimersByTimeAsync(50);
  await settled;
});

describe("limits that the SDK keeps by itself", () => {
  test("20 calls in 5 s of each kind, in windows that do not slide", async () => {
    const { chat } = await loggedIn();
    for (const call of [
      () => chat.getUserStatus({ userIDList: ["bob"] }),
      () => chat.subscribeUserStatus({ userIDList: ["bob"] }),
      () => chat.unsubscribeUserStatus(),
    ]) {
      const first = Array.from({ length: 20 }, call);
      expect(await outcome(call())).toEqual({ code: 2996 });
      await Promise.all(first);
      await vi.advanceTimersByTimeAsync(5_000);
      expect(await outcome(call())).toHaveProperty("value");
    }
  });

  test("what an operator sets counts from then on", async () => {
    const { server, chat } = await loggedIn();
    const limits = [{ cmd: "ws_get_user_status", interval: 5, count: 2 }];
    const config = {
      status_query_count: "2",
      status_sub_count: "3",
      status_unsub_count: "4",
      cmd_frequency_limit: JSON.stringify(limits),
    };
    server.last.says({
      head: { servcmd: "im_sdk_config_mgr.push_configv2", seq: 0 },
      body: { str_json_config: JSON.stringify(config) },
    });
    const userIDList = ["a", "b", "c", "d", "e"];
    await outcome(chat.getUserStatus({ userIDList }));
    await outcome(chat.subscribeUserStatus({ userIDList }));
    await outcome(chat.unsubscribeUserStatus({ userIDList }));
    const counts = server.last.frames.slice(-3).map(({ body }) => (body["To_Account"] as string[]).length);
    expect(counts).toEqual([2, 3, 4]);
    await outcome(chat.getUserStatus({ userIDList }));
    expect(await outcome(chat.getUserStatus({ userIDList }))).toEqual({ code: 2996 });
  });

  test("an edition without user status: 3122 at once, but for the own status", async () => {
    const { server, chat } = await loggedIn();
    const head = { servcmd: "im_sdk_config_mgr.push_imsdk_purchase_bitsv2", seq: 0 };
    server.last.says({ head, body: { str_purchase_bits: "01111111" } });
    expect(await outcome(chat.getUserStatus({ userIDList: ["bob"] }))).toEqual({ code: 3122 });
    expect(await outcome(chat.subscribeUserStatus({ userIDList: ["bob"] }))).toEqual({ code: 3122 });
    expect(await outcome(chat.getUserStatus({ userIDList: ["alice"] }))).toHaveProperty("value");
    expect(await outcome(chat.setSelfStatus({ customStatus: "x" }))).toHaveProperty("value");
    server.last.says({ head, body: { str_purchase_bits: "10000000" } });
    expect(await outcome(chat.getUserStatus({ userIDList: ["bob"] }))).toHaveProperty("value");
  });

  test("an overload notice: 60022 for as long as it says, for that command alone", async () => {
    const { server, chat } = await loggedIn();
    const body = { OverLoadServCmd: "im_open_status.ws_set_custom_status", DelaySecs: 2 };
    server.last.says({ head: { servcmd: "OverLoadPush.notify2", seq: 0 }, body });
    expect(await outcome(chat.setSelfStatus({ customStatus: "x" }))).toEqual({ code: 60022 });
    expect(await outcome(chat.getUserStatus({ userIDList: ["bob"] }))).toHaveProperty("value");
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await outcome(chat.setSelfStatus({ customStatus: "x" }))).toHaveProperty("value");
  });
});

describe("the own status", () => {
  const own = async (chat: Awaited<ReturnType<typeof loggedIn>>["chat"]) =>
    (await outcome(chat.getUserStatus({ userIDList: ["alice"] }))).value?.data.successUserList[0]
      ?.customStatus;

  test("is what was set, or what another device has set after it", async () => {
    const { server, chat } = await loggedIn();
    await outcome(chat.setSelfStatus({ customStatus: "mine" }));
    expect(await own(chat)).toBe("mine");
    server.last.tells(["alice", 1, "theirs", "1.2"]);
    expect(await own(chat)).toBe("theirs");
  });

  test("is not set back by the answer to what was set before", async () => {
    const { server, chat } = await loggedIn();
    server.script = ({ head }, socket) => {
      if (head.servcmd.endsWith("ws_set_custom_status")) {
        socket.tells(["alice", 1, "mine", "1.1"]);
        socket.tells(["alice", 1, "theirs", "1.2"]);
      }
      return "usual";
    };
    await outcome(chat.setSelfStatus({ customStatus: "mine" }));
    expect(await own(chat)).toBe("theirs");
  });

  test("comes with the login and with each return", async () => {
    const { server, chat } = await loggedIn();
    server.script = ({ head }) =>
      head.servcmd.endsWith("wslogin")
        ? { ...ok, CustomStatus: Buffer.from("更新").toString("base64") }
        : "usual";
    server.last.breaks();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await own(chat)).toBe("更新");
  });
});

describe("USER_STATUS_UPDATED", () => {
  async function hearing() {
    const both = await loggedIn();
    const heard: UserStatus[][] = [];
    both.chat.on(EVENT.USER_STATUS_UPDATED, ({ data }) => heard.push(data));
    return { ...both, heard };
  }

  test("brings the lists as they came, whatever text they hold", async () => {
    const { server, heard } = await hearing();
    const odd = "\ufeffa\u0000b \u{1f600} \u2028";
    server.last.tells(["bob", 1, odd, "1.1"], ["carol", 3, "", "1.2"]);
    server.last.says({
      head: { servcmd: "im_open_push.msg_push", seq: 0 },
      body: {
        EventArray: [{ UserStatusList: [{ To_Account: "dave", StatusType: 2 }] }, { UserStatusList: [] }],
      },
    });
    expect(heard).toEqual([
      [
        { userID: "bob", statusType: 1, customStatus: odd },
        { userID: "carol", statusType: 3, customStatus: "" },
      ],
      [{ userID: "dave", statusType: 2, customStatus: "" }],
    ]);
  });

  test("drops what is older than what was told, and repeats; an epoch goes before a sequence", async () => {
    const { server, heard } = await hearing();
    for (const [custom, version] of [
      ["1", "5.9"],
      ["old", "5.8"],
      ["older", "4.100"],
      ["1", "5.9"],
      ["2", "5.10"],
      ["3", "6.0"],
      ["old", "5.18446744073709551615"],
      ["4", "18446744073709551615.1"],
      ["old", "18446744073709551614.9"],
    ] as const) {
      server.last.tells(["bob", 1, custom, version]);
    }
    expect(heard.flat().map(({ customStatus }) => customStatus)).toEqual(["1", "2", "3", "4"]);
  });

  test("keeps the order over a break, and drops what is older than the answer to a query", async () => {
    const { server, chat, heard } = await hearing();
    server.last.tells(["bob", 1, "new", "5.9"]);
    server.last.breaks();
    await vi.advanceTimersByTimeAsync(1_000);
    server.last.tells(["bob", 1, "old", "5.8"]);
    server.statuses.set("carol", [1, "asked", "5.20"]);
    await outcome(chat.getUserStatus({ userIDList: ["carol"] }));
    server.last.tells(["carol", 1, "old", "5.19"]);
    server.last.tells(["carol", 1, "asked", "5.20"]); // not told yet, only answered
    expect(heard.flat().map(({ customStatus }) => customStatus)).toEqual(["new", "asked"]);
  });

  test("without versions tells all", async () => {
    const { server, heard } = await hearing();
    for (const custom of ["a", "b", "b"]) server.last.tells(["bob", 1, custom]);
    expect(heard.flat().map(({ customStatus }) => customStatus)).toEqual(["a", "b", "b"]);
  });
});
