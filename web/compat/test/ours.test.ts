// What our own SDK gives beyond the official one, on the real server, in Node and in Chromium.

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import PorchlightChat, {
  type Chat,
  createClient,
  EVENT,
  type StatusWatch,
  TYPES,
} from "../../sdk/src/index.ts";
import { chromiumPath, launch } from "../harness/browser.ts";
import { walkThroughEveryMethod } from "../harness/methods.ts";
import { RawSession, register } from "../harness/raw.ts";
import { evaluate } from "../harness/sdk.ts";
import { stage } from "../harness/stage.ts";
import { Traffic } from "../harness/traffic.ts";
import { until } from "../harness/until.ts";
import type { Wire } from "../harness/wire.ts";

const s = stage();
const idle = createClient({ SDKAppID: 1, proxyServer: "ws://nowhere", WebSocket });
const whole = Object.getPrototypeOf(idle);
const everyMethod = [whole, Object.getPrototypeOf(whole)]
  .flatMap((part) => Object.getOwnPropertyNames(part))
  .filter((name) => name !== "constructor" && name !== "extend") // which is for subclasses
  .sort();

function client(ws = s.server.ready.ws): Chat {
  return createClient({ SDKAppID: s.server.ready.sdkAppID, proxyServer: ws, WebSocket });
}

async function loggedIn(userID: string, ws?: string): Promise<Chat> {
  const chat = client(ws);
  await chat.login({ userID, userSig: s.userSig(userID) });
  return chat;
}

const who = (name: string) => ({ userID: s.id(name), userSig: s.userSig(s.id(name)) });

describe("every public method", () => {
  const walk = () => ({ alice: who("alice"), bob: who("bob") });
  const where = () => ({ SDKAppID: s.server.ready.sdkAppID, proxyServer: s.server.ready.ws });

  test("in Node, on the WebSocket of a package", async () => {
    const options = { ...where(), WebSocket };
    const called = await walkThroughEveryMethod({ sdk: PorchlightChat, options, ...walk() });
    expect(called).toEqual(everyMethod);
  });

  const executable = chromiumPath();
  if (executable === undefined && process.env["CI"])
    throw new Error("No Chromium, and in CI nothing may be left out.");
  describe.skipIf(executable === undefined)("in Chromium", () => {
    let browser: Browser;
    let page: Page;
    const complaints: string[] = [];
    beforeAll(async () => {
      browser = await launch(executable ?? "");
      page = await browser.newPage();
      page.on("pageerror", (error) => complaints.push(error.message));
      page.on("console", (message) => {
        const isIcon = message.location().url.endsWith("/favicon.ico"); // the browser asks by itself
        if (message.type() === "error" && !isIcon) complaints.push(message.text());
      });
    });
    afterAll(() => browser?.close());

    test("on a page's own WebSocket", async () => {
      await page.goto(s.server.ready.url); // a page of the right origin that does nothing
      const args = JSON.stringify({ options: where(), ...walk() });
      const called = await page.evaluate(
        `import("/demo/chat.js").then(({ default: sdk }) => (${walkThroughEveryMethod})({ sdk, ...${args} }))`,
      );
      expect(called).toEqual(everyMethod);
      expect(complaints).toEqual([]);
    });

    test("in a worker", async () => {
      await page.goto(s.server.ready.url);
      const args = JSON.stringify({ options: where(), ...walk() });
      const called = await page.evaluate(`new Promise((resolve, reject) => {
        const source = ${JSON.stringify(`import sdk from "${s.server.ready.url}/demo/chat.js";
          (${walkThroughEveryMethod})({ sdk, ...${args} }).then(
            (called) => postMessage({ called }), (error) => postMessage({ error: String(error) }));`)};
        const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })), { type: "module" });
        worker.onmessage = ({ data }) => (data.called ? resolve(data.called) : reject(new Error(data.error)));
        worker.onerror = (event) => reject(new Error(event.message));
      })`);
      expect(called).toEqual(everyMethod);
    });

    test("the demo: two phones see each other, through a plug that is pulled and put back", async () => {
      await page.goto(`${s.server.ready.url}/demo/`);
      const says = (user: string, selector: string, text: string) =>
        page.waitForSelector(`[data-user="${user}"] ${selector}:has-text("${text}")`);
      await says("alice", ".contact .status", "online");
      await says("bob", ".contact .status", "online");
      await page.click('[data-user="alice"] .chips >> text=正在听音乐');
      await says("bob", ".contact .status", "online: “正在听音乐 🎧”");

      await page.click('[data-user="alice"] .plug');
      await says("alice", ".net", "no network");
      await page.click('[data-user="bob"] .chips >> text=In a meeting');
      await says("bob", ".own", "online: “In a meeting”");
      await says("bob", ".contact .status", "logged out"); // the grace is over
      await page.click('[data-user="alice"] .plug');
      await says("alice", ".contact .status", "online: “In a meeting”");
      await says("bob", ".contact .status", "online");

      await page.click('[data-user="alice"] .friend');
      await says("bob", ".friend", "Unfriend");
      await page.click('[data-user="bob"] .friend');
      await says("alice", ".friend", "Add friend");

      await page.click('[data-user="bob"] .session');
      await says("alice", ".contact .status", "logged out");
      expect(complaints).toEqual([]);
    });
  });
});

test("its constants are the official ones", async () => {
  const official = evaluate({ traffic: new Traffic(), log: () => {} }, "official").sdk;
  expect(official.EVENT).toMatchObject(EVENT);
  expect(official.TYPES).toMatchObject(TYPES);
});

describe("watchUserStatus", () => {
  const customs = (watch: StatusWatch) =>
    new Set([...watch.statuses.values()].map((status) => status.customStatus));
  const rounds = (frames: { head: { servcmd: string } }[]) =>
    frames.map(({ head }) => head.servcmd).filter((command) => /user_status|ws_status/.test(command));

  test("fifty users change while the watcher is away: all is right within a second of the return", async () => {
    const ids = Array.from({ length: 50 }, (_, n) => s.id(`user${n}`));
    const sessions = await Promise.all(ids.map((id) => RawSession.login(s.server.ready, id)));
    const say = (CustomStatus: string) =>
      Promise.all(
        sessions.map((session) => session.call("im_open_status.ws_set_custom_status", { CustomStatus })),
      );
    await say("before");
    const wire: Wire = await s.wire();
    const watcher = s.device({ ws: wire.ws });
    await watcher.login(s.id("watcher"), s.userSig(s.id("watcher")));
    const watch = (watcher.chat as unknown as Chat).watchUserStatus(ids);
    await watch.ready;
    expect(customs(watch)).toEqual(new Set(["before"]));

    await wire.refuse();
    await until("the break is seen", () => !watch.live);
    await say("changed");
    const asked = watcher.traffic.frames.length;
    await wire.accept();
    await until("the watcher is back", () => watch.live);
    const back = performance.now();
    await until("all is right", () => customs(watch).size === 1 && customs(watch).has("changed"));
    console.info(
      `${ids.length} statuses were right ${Math.round(performance.now() - back)} ms after the return`,
    );
    const out = watcher.traffic.frames.slice(asked).filter(({ direction }) => direction === "out");
    expect(rounds(out)).toEqual(["im_open_status.ws_status_subscribe", "im_open_status.ws_get_user_status"]);
    watch.close();
    await Promise.all(sessions.map((session) => session.logout()));
  });

  test("keeps what it watches through a restart of the server, and yields what changes after it", async () => {
    const [alice, bob] = [s.id("alice"), s.id("bob")];
    await register(s.server.ready, [bob]);
    const a = await loggedIn(alice);
    const seen: (string | undefined)[] = [];
    const controller = new AbortController();
    const watch = a.watchUserStatus([bob], { signal: controller.signal });
    const done = (async () => {
      for await (const statuses of watch) seen.push(statuses.get(bob)?.customStatus);
    })();
    const b = await loggedIn(bob);
    await b.setSelfStatus({ customStatus: "before" });
    await until("the first is seen", () => seen.at(-1) === "before");
    await s.server.stop();
    await s.server.startAgain();
    await until("both are back", () => watch.live);
    await b.setSelfStatus({ customStatus: "after" });
    await until("the second is seen", () => seen.at(-1) === "after");
    controller.abort();
    await done;
    await a.destroy();
    await b.destroy();
  });
});
