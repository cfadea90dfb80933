// The example's pages in Chromium: what a newcomer sees in the first minute, and what browsers do with sockets.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, BrowserContext, Frame, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { chromiumPath, launch } from "../harness/browser.ts";
import { Example } from "../harness/example.ts";
import { isLoopback } from "../harness/loopback.ts";
import { stage } from "../harness/stage.ts";
import { patienceMS, pause, until } from "../harness/until.ts";

const executable = chromiumPath();
if (executable === undefined) {
  if (process.env["CI"]) throw new Error("No Chromium, and in CI nothing may be left out.");
  console.warn("No Chromium: set CHROMIUM or install it. test/page.test.ts is skipped.");
}

/** Where to leave pictures of the pages, if anybody wants to look at them. */
const pictures = process.env["SCREENSHOTS"];

type View = Page | Frame;

describe.skipIf(executable === undefined)("in Chromium", () => {
  const s = stage({ "grace.close": "10m" }); // who goes without a word is not gone while a test runs
  let browser: Browser;
  let example: Example;
  let contexts: BrowserContext[] = [];
  let complaints: string[] = [];

  beforeAll(async () => {
    browser = await launch(executable ?? "");
    example = await Example.start(s.server.data);
  });
  afterAll(async () => {
    await example?.stop();
    await browser?.close();
  });
  afterEach(async () => {
    await Promise.all(contexts.map((context) => context.close()));
    contexts = [];
    const said = complaints;
    complaints = [];
    expect(said).toEqual([]);
  });

  function forgive(pattern: RegExp): void {
    complaints = complaints.filter((complaint) => !pattern.test(complaint));
  }

  /** Opens a page of the example in a window of its own; what it complains of fails the test. */
  async function open(path: string, size = { width: 1280, height: 1000 }): Promise<Page> {
    const context = await browser.newContext({ viewport: size });
    contexts.push(context);
    const page = await context.newPage();
    page.setDefaultTimeout(patienceMS);
    page.on("pageerror", (error) => complaints.push(`${path}: ${error.message}`));
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(`${path}: ${message.text()}`);
    });
    page.on("request", (request) => {
      const url = request.url();
      if (/^(http|ws)/.test(url) && !isLoopback(url)) complaints.push(`${path}: tried to reach ${url}`);
    });
    await page.goto(example.url + path);
    return page;
  }

  test("two windows side by side: each sees the other, and what the other says", async () => {
    const page = await open("/");
    const [alice, bob] = await windows(page, ["alice", "bob"]);
    await shows(alice, `[data-user="bob"] .status`, "online");
    await shows(bob, `[data-user="alice"] .status`, "online");
    await shows(alice, "#own", "online");

    await alice.click("text=正在听音乐");
    await shows(bob, `[data-user="alice"] .status`, "online: “正在听音乐 🎧”");
    await shows(alice, "#own", "online: “正在听音乐 🎧”");

    await bob.fill("#custom", "Back in five — ça va ☕");
    await bob.click("text=Set");
    await shows(alice, `[data-user="bob"] .status`, "online: “Back in five — ça va ☕”");
    await picture(page, "two-windows");

    await alice.fill("#custom", "ü".repeat(51));
    await alice.click("text=Set");
    await alice.waitForSelector("#log li:has-text('(70402)')");
    await shows(alice, "#own", "online: “正在听音乐 🎧”");
    forgive(/70402/); // the SDK tells the console of each refusal

    await alice.click("#session");
    await shows(bob, `[data-user="alice"] .status`, "logged out");
    await picture(page, "alice-logged-out");
    await alice.click("#session");
    await shows(bob, `[data-user="alice"] .status`, "online");
    await alice.click("text=Clear");
  });

  test("unsubscribed, a window asks; subscribed again, it is told", async () => {
    const [alice, bob] = [s.id("alice"), s.id("bob")];
    const a = await open(`/user.html?user=${alice}&watch=${bob}`);
    await ready(a);
    const b = await open(`/user.html?user=${bob}&watch=${alice}`);
    await shows(a, `[data-user="${bob}"] .status`, "online"); // was unknown to the server at first
    await b.waitForSelector(".unsubscribe:enabled");
    await b.click(".unsubscribe");
    await b.waitForSelector(".subscribe:enabled");
    await a.click("text=In a meeting");
    await shows(a, "#own", "online: “In a meeting”");
    expect(await b.textContent(`[data-user="${alice}"] .status`)).toBe("online");
    await b.click(".query");
    await shows(b, `[data-user="${alice}"] .status`, "online: “In a meeting”");
    await b.click(".subscribe");
    await b.waitForSelector(".unsubscribe:enabled");
    await a.click("text=Clear");
    await shows(b, `[data-user="${alice}"] .status`, "online");
  });

  test("a page that is closed is gone at once, one that is reloaded is back", async () => {
    const [alice, bob] = [s.id("alice"), s.id("bob")];
    const watcher = await s.login(bob);
    const page = await open(`/user.html?user=${alice}`);
    await ready(page);
    await watcher.chat.subscribeUserStatus({ userIDList: [alice] });
    await page.click("text=At lunch");
    await watcher.sees({ userID: alice, statusType: 1, customStatus: "At lunch 🍜" });

    await page.reload();
    await ready(page);
    await until("the reload is told", () => watcher.seen(alice).length === 3);
    expect(watcher.seen(alice).slice(1)).toEqual([
      { userID: alice, statusType: 3, customStatus: "" },
      { userID: alice, statusType: 1, customStatus: "" },
    ]);

    await page.close();
    await until("the end is told, long before a grace is over", () => watcher.seen(alice).length === 4);
    expect(watcher.seen(alice).at(-1)).toEqual({ userID: alice, statusType: 3, customStatus: "" });
  });

  test("WI23 no event comes before the SDK is ready", async () => {
    const page = await open(`/user.html?user=${s.id("alice")}`);
    await page.waitForSelector("#log li:has-text('I am now online')");
    const log = await page.locator("#log li").allTextContents(); // the newest first
    const at = (text: string) => log.findIndex((line) => line.includes(text));
    expect(at("logged in as"), log.join("\n")).toBeGreaterThan(at("I am now online"));
  });

  test("a page left for another is gone at once", async () => {
    const [alice, bob] = [s.id("alice"), s.id("bob")];
    const watcher = await s.login(bob);
    const page = await open(`/user.html?user=${alice}`);
    await ready(page);
    await watcher.chat.subscribeUserStatus({ userIDList: [alice] });
    await page.goto("about:blank");
    await watcher.sees({ userID: alice, statusType: 3, customStatus: "" });
  });

  test("without a server says so in words, and works once there is one", async () => {
    const page = await open(`/user.html?user=${s.id("alice")}`, { width: 390, height: 844 });
    await ready(page);
    await s.server.stop();
    await page.waitForSelector("#trouble:has-text('No connection to ws://127.0.0.1')");
    await picture(page, "server-down");
    const late = await open(`/user.html?user=${s.id("bob")}`);
    await late.waitForSelector("#trouble:has-text('Nothing answers at http://127.0.0.1')");
    await s.server.startAgain();
    await ready(late);
    await page.waitForSelector("#connection[data-state=connected]");
    await page.waitForSelector("#trouble", { state: "hidden" });
    await page.click("text=In a meeting");
    await shows(page, "#own", "online: “In a meeting”");
    forgive(/ERR_CONNECTION|WebSocket|status of 503/);
  });
});

async function windows(page: Page, users: string[]): Promise<[Frame, Frame]> {
  const frames: Frame[] = [];
  for (const user of users) {
    const handle = await page.waitForSelector(`iframe[src*="user=${user}"]`);
    const frame = await handle.contentFrame();
    if (frame === null) throw new Error(`the window of ${user} is empty`);
    await ready(frame);
    frames.push(frame);
  }
  const [first, second] = frames;
  if (first === undefined || second === undefined) throw new Error("two windows are needed");
  return [first, second];
}

async function ready(view: View): Promise<void> {
  await view.waitForSelector("#session:has-text('Log out'):enabled");
}

/** Waits until an element's text is exactly this. */
async function shows(view: View, selector: string, text: string): Promise<void> {
  const locator = view.locator(selector);
  await locator.waitFor();
  let last: string | null = null;
  const end = performance.now() + patienceMS;
  do {
    last = await locator.textContent();
    if (last === text) return;
    await pause(20);
  } while (performance.now() < end);
  throw new Error(`${selector} shows ${last}, not ${text}`);
}

async function picture(page: Page, name: string): Promise<void> {
  if (pictures === undefined) return;
  await mkdir(pictures, { recursive: true });
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: join(pictures, `${name}-${colorScheme}.png`), fullPage: true });
  }
}
