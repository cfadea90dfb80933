// The system's Chromium, in which the SDK is what it is made for: its socket in a worker, its timers a browser's.

import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, chromium } from "playwright-core";
import { assertLoopbackOnly } from "./loopback.ts";

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** Where Chromium is: what CHROMIUM says, or the first of its usual names on the path. */
export function chromiumPath(): string | undefined {
  const named = process.env["CHROMIUM"];
  if (named !== undefined && named !== "") return named;
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(existsSync);
}

export function launch(executablePath: string): Promise<Browser> {
  assertLoopbackOnly();
  return chromium.launch({
    executablePath,
    headless: true,
    // As root Chromium has no sandbox to offer; inside `unshare -r` everybody is root.
    chromiumSandbox: process.getuid?.() !== 0,
    args: [
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}
