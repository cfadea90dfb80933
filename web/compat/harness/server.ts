// The real server as a child process: started, asked to stop, killed, started again where it was.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { AppKey } from "./usersig.ts";

/** The one line of JSON that `porchlight serve -dev` prints when it is ready. */
export interface Ready extends AppKey {
  ready: true;
  url: string;
  ws: string;
  admin: string;
  console: string;
  operatorToken: string;
}

/** Configuration values by their paths, given on the command line as -set path=value. */
export type Settings = Readonly<Record<string, string>>;

const root = fileURLToPath(new URL("../../..", import.meta.url));
const startLimitMS = 30_000;
const stopLimitMS = 30_000;
const linesKept = 200;

export class Server {
  readonly data: string;
  readonly #settings: Settings;
  #process: ChildProcess | undefined;
  #ready: Ready | undefined;
  #stderr: string[] = [];

  private constructor(data: string, settings: Settings) {
    this.data = data;
    this.#settings = settings;
  }

  static async start(settings: Settings = {}): Promise<Server> {
    const server = new Server(await mkdtemp(join(tmpdir(), "porchlight-")), settings);
    await server.#launch("127.0.0.1:0");
    return server;
  }

  get ready(): Ready {
    if (this.#ready === undefined) throw new Error("the server has never been ready");
    return this.#ready;
  }

  /** The end of what the server wrote for people, for the message of a failing test. */
  get stderr(): string {
    return this.#stderr.join("\n");
  }

  /** Asks it to stop, as a service manager does, and waits; it must end by itself with exit code 0. */
  async stop(): Promise<void> {
    const code = await this.#end("SIGTERM");
    if (code !== 0) throw new Error(`the server ended with ${code} at SIGTERM\n${this.stderr}`);
  }

  /** Takes it from the machine as a crash does. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Starts it again after stop or kill: same port, same data. */
  async startAgain(): Promise<void> {
    await this.#launch(new URL(this.ready.url).host);
  }

  /** Stops it if it runs and removes its data. */
  async dispose(): Promise<void> {
    try {
      if (this.#process !== undefined) await this.stop();
    } finally {
      await rm(this.data, { recursive: true, force: true });
    }
  }

  async #launch(listen: string): Promise<void> {
    const args = ["serve", "-dev", "-listen", listen, "-data", this.data];
    for (const [path, value] of Object.entries(this.#settings)) args.push("-set", `${path}=${value}`);
    const child = spawn(binary(), args, { stdio: ["ignore", "pipe", "pipe"] });
    this.#process = child;
    createInterface({ input: child.stderr }).on("line", (line) => {
      this.#stderr = [...this.#stderr.slice(1 - linesKept), line];
    });
    try {
      this.#ready = await readyLine(child);
    } catch (error) {
      await this.#end("SIGKILL");
      throw new Error(`the server did not start: ${String(error)}\n${this.stderr}`);
    }
  }

  async #end(signal: "SIGTERM" | "SIGKILL"): Promise<number | NodeJS.Signals | null> {
    const child = this.#process;
    if (child === undefined) throw new Error("the server is not running");
    this.#process = undefined;
    const impatient = setTimeout(() => child.kill("SIGKILL"), stopLimitMS);
    try {
      return await exitOf(child, () => child.kill(signal));
    } finally {
      clearTimeout(impatient);
    }
  }
}

function binary(): string {
  const path = resolve(process.env["PORCHLIGHT_BIN"] ?? join(root, "bin/porchlight"));
  if (!existsSync(path)) {
    throw new Error(`no server at ${path}: build it (make build), or name it in PORCHLIGHT_BIN`);
  }
  return path;
}

function readyLine(child: ChildProcess): Promise<Ready> {
  return new Promise((fulfil, reject) => {
    const late = setTimeout(
      () => reject(new Error(`not ready after ${startLimitMS / 1000} s`)),
      startLimitMS,
    );
    const settle = (act: () => void) => {
      clearTimeout(late);
      act();
    };
    child.once("error", (error) => settle(() => reject(error)));
    child.once("exit", (code, signal) => settle(() => reject(new Error(`it ended with ${code ?? signal}`))));
    if (child.stdout === null) throw new Error("standard output is not a pipe");
    createInterface({ input: child.stdout }).once("line", (line) => {
      settle(() => {
        const said = JSON.parse(line) as Ready;
        if (said.ready) fulfil(said);
        else reject(new Error(`the first line is not the ready line: ${line}`));
      });
    });
  });
}

function exitOf(child: ChildProcess, provoke: () => void): Promise<number | NodeJS.Signals | null> {
  return new Promise((fulfil) => {
    if (child.exitCode !== null || child.signalCode !== null) {
      fulfil(child.exitCode ?? child.signalCode);
      return;
    }
    child.once("exit", (code, signal) => fulfil(code ?? signal));
    provoke();
  });
}
