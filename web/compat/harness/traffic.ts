// What went over a device's sockets, frame by frame, and what must be true of every frame whatever the test.

import { isLoopback } from "./loopback.ts";

export interface Head {
  servcmd: string;
  seq: number;
  [field: string]: unknown;
}

export interface Body {
  ErrorCode?: number;
  ErrorInfo?: string;
  [field: string]: unknown;
}

export interface Frame {
  direction: "out" | "in";
  /** performance.now() when it passed. */
  at: number;
  /** Which of the device's sockets, counted from 1. */
  socket: number;
  binary: boolean;
  head: Head;
  body: Body;
}

/** A request of the device and the answer to it. */
export interface Exchange {
  request: Frame;
  answer: Frame | undefined;
}

export class Traffic {
  readonly frames: Frame[] = [];
  /** The addresses of all sockets, in the order of their opening. */
  readonly urls: string[] = [];
  /** What went wrong beneath the SDK: a handler that threw, an address that is not this machine's, a bad frame. */
  readonly faults: string[] = [];

  /** Counts a socket that is about to open; its address must be this machine's. */
  open(url: string): number {
    this.urls.push(url);
    if (!isLoopback(url)) {
      this.faults.push(`tried to reach ${url}`);
      throw new Error(`not a loopback address: ${url}`);
    }
    return this.urls.length;
  }

  record(direction: Frame["direction"], socket: number, data: unknown): void {
    const binary = typeof data !== "string";
    const text = binary ? Buffer.from(data as ArrayBuffer).toString("utf8") : data;
    try {
      const { head, body } = JSON.parse(text) as { head: Head; body: Body };
      const frame: Frame = { direction, at: performance.now(), socket, binary, head, body };
      this.frames.push(frame);
      if (direction === "in") this.#inspect(frame, text);
    } catch (error) {
      this.faults.push(`${direction}: ${String(error)}: ${text.slice(0, 300)}`);
    }
  }

  out(servcmd: string): Frame[] {
    return this.frames.filter((frame) => frame.direction === "out" && frame.head.servcmd === servcmd);
  }

  /** Every request so far, the repeated ones too, with the answer that came to it. */
  exchanges(): Exchange[] {
    const answers = new Map<string, Frame>();
    for (const frame of this.frames) {
      if (frame.direction === "in") answers.set(`${frame.head.servcmd} ${frame.head.seq}`, frame);
    }
    return this.frames
      .filter((frame) => frame.direction === "out")
      .map((request) => ({ request, answer: answers.get(`${request.head.servcmd} ${request.head.seq}`) }));
  }

  #inspect(frame: Frame, text: string): void {
    const complain = (what: string) =>
      this.faults.push(`${what} in a frame of the server: ${text.slice(0, 500)}`);
    const url = this.urls[frame.socket - 1] ?? "";
    if (frame.binary !== new URL(url).pathname.endsWith("/binfo")) complain("wrong kind of message");
    if (typeof frame.head.servcmd !== "string" || typeof frame.body !== "object") complain("no head or body");
    walk(frame, (key, value) => {
      if (value === null) complain(`null for ${key}`);
      if (key === "CustomStatus" && !isBase64OfUTF8(value))
        complain("a CustomStatus that is not base64 of UTF-8");
    });
  }
}

function walk(value: unknown, visit: (key: string, value: unknown) => void, key = ""): void {
  visit(key, value);
  if (typeof value !== "object" || value === null) return;
  for (const [name, inner] of Object.entries(value)) walk(inner, visit, name);
}

function isBase64OfUTF8(value: unknown): boolean {
  if (typeof value !== "string") return false;
  const bytes = Buffer.from(value, "base64");
  return bytes.toString("base64") === value && Buffer.from(bytes.toString("utf8"), "utf8").equals(bytes);
}
