// How long the official SDK takes from login() to SDK_READY, a new client of a new user each time, the opening of the
// socket included: the median of ten, in Node and in Chromium. Figures, not a test.

import type { Browser } from "playwright-core";
import { befriend } from "./harness/befriend.ts";
import { chromiumPath, launch } from "./harness/browser.ts";
import { Device } from "./harness/device.ts";
import { Example } from "./harness/example.ts";
import { assertLoopbackOnly } from "./harness/loopback.ts";
import { Server } from "./harness/server.ts";
import { mint } from "./harness/usersig.ts";

interface Figures {
  environment: string;
  medianMS: number;
  worstMS: number;
  runs: number;
}

const runs = 10;
const manyFriends = 3_000;

export async function main(args: string[]): Promise<void> {
  assertLoopbackOnly();
  const server = await Server.start();
  try {
    const friends = "friends";
    await befriend(server, friends, manyFriends);
    const figures = [
      await inNode(server, "Node", (n) => `node-${n}`),
      await inNode(server, "Node, 3,000 friends", () => friends),
      ...(await inChromium(server)),
    ];
    if (args.includes("-json") || args.includes("--json")) {
      console.log(JSON.stringify({ metric: "login to SDK_READY", figures }));
      return;
    }
    console.log("From login() to SDK_READY, socket not yet open:");
    for (const { environment, medianMS, worstMS } of figures) {
      console.log(
        `  ${environment.padEnd(20)} median ${medianMS.toFixed(1)} ms, worst ${worstMS.toFixed(1)} ms of ${runs}`,
      );
    }
  } finally {
    await server.dispose();
  }
}

async function inNode(server: Server, environment: string, user: (n: number) => string): Promise<Figures> {
  const { sdkAppID, ws } = server.ready;
  const times = await repeat(async (n) => {
    const userID = user(n);
    const userSig = mint(server.ready, userID);
    const device = new Device({ sdkAppID, ws });
    const start = performance.now();
    const ready = new Promise<number>((resolve) => {
      device.chat.on(device.sdk.EVENT.SDK_READY, () => resolve(performance.now() - start));
    });
    await device.chat.login({ userID, userSig });
    const time = await ready;
    await device.closePage();
    return time;
  });
  return summary(environment, times);
}

async function inChromium(server: Server): Promise<Figures[]> {
  const executable = chromiumPath();
  if (executable === undefined) {
    console.error("No Chromium: set CHROMIUM or install it.");
    return [];
  }
  const example = await Example.start(server.data);
  try {
    const browser = await launch(executable);
    try {
      return [summary("Chromium", await repeat((n) => inPage(browser, example, server, `page-${n}`)))];
    } finally {
      await browser.close();
    }
  } finally {
    await example.stop();
  }
}

async function inPage(browser: Browser, example: Example, server: Server, userID: string): Promise<number> {
  const { sdkAppID, ws } = server.ready;
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${example.url}/blank`); // there is no such page: an empty document of the right origin
  await page.addScriptTag({ url: "/sdk.js" });
  const time = await page.evaluate<number>(`new Promise((resolve, reject) => {
    const chat = TencentCloudChat.create(${JSON.stringify({ SDKAppID: sdkAppID, proxyServer: ws })});
    const start = performance.now();
    chat.on(TencentCloudChat.EVENT.SDK_READY, () => resolve(performance.now() - start));
    chat.login(${JSON.stringify({ userID, userSig: mint(server.ready, userID) })}).catch(reject);
  })`);
  await context.close();
  return time;
}

async function repeat(run: (n: number) => Promise<number>): Promise<number[]> {
  const times: number[] = [];
  await run(0); // the first one warms caches and is not counted
  for (let n = 1; n <= runs; n += 1) times.push(await run(n));
  return times;
}

function summary(environment: string, times: number[]): Figures {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (index: number) => sorted[index] ?? Number.NaN;
  const middle = sorted.length / 2;
  return {
    environment,
    medianMS: (at(Math.ceil(middle) - 1) + at(Math.floor(middle))) / 2,
    worstMS: at(sorted.length - 1),
    runs: sorted.length,
  };
}
