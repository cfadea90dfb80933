// The example application's back end as a child process, beside a server: the tests in a browser use its very pages.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { ourScript, which } from "./sdk.ts";

const folder = fileURLToPath(new URL("../../../examples/web-status", import.meta.url));
const startLimitMS = 20_000;

export class Example {
  readonly url: string;
  readonly #process: ChildProcess;

  private constructor(url: string, process: ChildProcess) {
    this.url = url;
    this.#process = process;
  }

  /** For the server with this data directory. With ws, pages connect there and not to the server itself. */
  static async start(data: string, ws?: string): Promise<Example> {
    if (!existsSync(`${folder}/node_modules`)) {
      throw new Error("the example's packages are missing: npm ci --prefix examples/web-status");
    }
    const args = ["server.mjs", "--port", "0", "--data", data, ...(ws === undefined ? [] : ["--server", ws])];
    if (which === "ours") args.push("--sdk", ourScript);
    const child = spawn(process.execPath, args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
    return new Example(await urlOf(child), child);
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.kill("SIGTERM");
    await ended;
  }
}

function urlOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const said: string[] = [];
    const fail = (why: string) => reject(new Error(`the example ${why}\n${said.join("\n")}`));
    const late = setTimeout(() => fail("is not ready"), startLimitMS);
    child.once("error", (error) => fail(String(error)));
    child.once("exit", (code) => fail(`ended with ${code}`));
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) throw new Error("the example's output is not a pipe");
      createInterface({ input: stream }).on("line", (line) => {
        said.push(line);
        const url = /Open (http:\/\/127\.0\.0\.1:\d+)\//.exec(line)?.[1];
        if (url === undefined) return;
        clearTimeout(late);
        resolve(url);
      });
    }
  });
}
