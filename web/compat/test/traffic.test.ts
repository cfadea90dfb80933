// What goes over the socket while the application does little: the SDK must be content with all that it asks by itself.
// That no frame of the server holds a null, and that each CustomStatus is base64, is looked at in every test.

import { describe, expect, test } from "vitest";
import type { Device } from "../harness/device.ts";
import { stage } from "../harness/stage.ts";
import type { Exchange } from "../harness/traffic.ts";
import { until } from "../harness/until.ts";

const s = stage();

// Measured: about fifteen start-up commands, heartbeats and telemetry. A command that is repeated because its answer
// does not content the SDK comes thousands of times.
const startUpMost = 25;
const windowMS = 3_000;

describe("the start-up commands", () => {
  test("are all answered OK, and none is repeated", async () => {
    const device = await s.login(s.id("alice"));
    const ready = performance.now();
    // The window is what is measured; it ends later only if the last request by then has no answer yet.
    await until("the window is over", () => performance.now() > ready + windowMS);
    const inWindow = device.traffic.exchanges().filter(({ request }) => request.at <= ready + windowMS);
    const requests = inWindow.map(({ request }) => request.head.servcmd);
    await until("all are answered", () => inWindow.every((exchange) => isAnswered(device, exchange)));

    expect(refused(device)).toEqual([]);
    expect(requests.length, requests.join("\n")).toBeLessThan(startUpMost);
    for (const command of [
      "im_open_status.wslogin",
      "profile.portrait_get_all",
      "sns.friend_get",
      "sns.black_list_get",
      "recentcontact.page_get",
      "openim.getmsg",
      "group_open_http_svc.get_joined_group_list",
      "im_sdk_config_mgr.fetch_config",
      "im_sdk_config_mgr.fetch_imsdk_purchase_bitsv2",
    ]) {
      expect(
        requests.filter((request) => request === command),
        command,
      ).toHaveLength(1);
    }
  });

  test("find no friends, groups or conversations yet", async () => {
    const { chat } = await s.login(s.id("alice"));
    expect((await chat.getFriendList()).data).toEqual([]);
    expect((await chat.getBlacklist()).data).toEqual([]);
    expect((await chat.getGroupList()).data.groupList).toEqual([]);
    expect((await chat.getConversationList()).data.conversationList).toEqual([]);
  });

  test("WI13 go nowhere but to the server", async () => {
    const device = await s.login(s.id("alice"));
    const { ws, sdkAppID } = s.server.ready;
    for (const url of device.traffic.urls) {
      expect(url.startsWith(`${ws}/binfo?sdkappid=${sdkAppID}&`), url).toBe(true);
    }
  });
});

test("heartbeat and hello are answered, on one socket all the time", async () => {
  const device = await s.login(s.id("alice"));
  const states = [...device.net];
  const answered = (command: string) => () =>
    device.traffic
      .exchanges()
      .some(({ request, answer }) => request.head.servcmd === command && answer !== undefined);
  await until("a heartbeat is answered", answered("heartbeat.alive"));
  await until("a hello is answered", answered("im_open_status.wshello"));
  expect(refused(device)).toEqual([]);
  expect(device.net).toEqual(states);
  expect(device.traffic.urls).toHaveLength(1);
});

describe("what the server does not serve yet", () => {
  const unserved: { what: string; call: (device: Device, other: string) => Promise<unknown> }[] = [
    {
      what: "a message",
      call: ({ chat, sdk }, other) =>
        chat.sendMessage(
          chat.createTextMessage({
            to: other,
            conversationType: sdk.TYPES.CONV_C2C,
            payload: { text: "hello" },
          }),
        ),
    },
    {
      what: "a new group",
      call: ({ chat, sdk }) => chat.createGroup({ type: sdk.TYPES.GRP_WORK, name: "group" }),
    },
  ];

  for (const { what, call } of unserved) {
    test(`${what} is refused with 60009, and the client stays logged in`, async () => {
      const [alice, bob] = [s.id("alice"), s.id("bob")];
      const a = await s.login(alice);
      const b = await s.login(bob);
      await a.chat.subscribeUserStatus({ userIDList: [bob] });
      await expect(call(a, bob)).rejects.toMatchObject({ code: 60009 });

      await b.chat.setSelfStatus({ customStatus: "unmoved" });
      await a.sees({ userID: bob, statusType: 1, customStatus: "unmoved" });
      expect(a.chat.isReady()).toBe(true);
      expect(a.kicks).toEqual([]);
      expect(a.traffic.urls).toHaveLength(1);
    });
  }
});

function isAnswered(device: Device, { request }: Exchange): boolean {
  return device.traffic.exchanges().some((exchange) => exchange.request === request && exchange.answer);
}

/** The requests that were answered with an error, or not at all. */
function refused(device: Device): string[] {
  return device.traffic
    .exchanges()
    .filter(({ answer }) => answer?.body.ErrorCode !== 0)
    .map(({ request, answer }) => `${request.head.servcmd}: ${JSON.stringify(answer?.body)}`);
}
