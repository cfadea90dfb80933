// A client of a few lines for what the official SDK keeps from the server: a hundred accounts in a moment, a call too
// many. It says on the socket what the SDK says there.

import { WebSocket } from "ws";
import { type Body, Traffic } from "./traffic.ts";
import { type AppKey, mint } from "./usersig.ts";

export class RawSession {
  readonly traffic = new Traffic();
  readonly #app: AppKey;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, { resolve: (body: Body) => void; reject: (error: Error) => void }>();
  #who: Record<string, unknown>;
  readonly #platform: number;
  #seq = 0;

  private constructor(app: AppKey, ws: string, userID: string, platform: number) {
    this.#platform = platform;
    const url = `${ws}/binfo?sdkappid=${app.sdkAppID}&instanceid=${userID}&random=0.5&platform=${platform}&host=unknown&version=-1&sdkversion=3.6.6&compress=gzip`;
    this.#app = app;
    this.#who = { identifier: userID, usersig: mint(app, userID) };
    this.traffic.open(url);
    this.#socket = new WebSocket(url);
    this.#socket.on("message", (data) => {
      this.traffic.record("in", 1, data);
      const frame = this.traffic.frames.at(-1);
      if (frame !== undefined) this.#waiting.get(frame.head.seq)?.resolve(frame.body);
    });
    this.#socket.on("close", () => {
      for (const { reject } of this.#waiting.values()) reject(new Error("closed before the answer"));
    });
  }

  /** Logs in from a platform, by the number that the clients give it; 7 is the web. */
  static async login(app: AppKey & { ws: string }, userID: string, platform = 7): Promise<RawSession> {
    const session = new RawSession(app, app.ws, userID, platform);
    await new Promise<void>((resolve, reject) => {
      session.#socket.once("open", resolve);
      session.#socket.once("error", reject);
    });
    const answer = await session.call("im_open_status.wslogin", { State: "Online", is_web_uniapp: 0 });
    if (answer.ErrorCode !== 0) throw new Error(`${userID} cannot log in: ${JSON.stringify(answer)}`);
    session.#who = { a2: answer["A2Key"], tinyid: answer["TinyId"], status_instid: answer["InstId"] };
    return session;
  }

  call(servcmd: string, body: Body): Promise<Body> {
    const seq = ++this.#seq;
    const head = {
      ver: "v4",
      platform: this.#platform,
      ...this.#who,
      sdkappid: this.#app.sdkAppID,
      contenttype: "json",
      servcmd,
      seq,
    };
    return new Promise((resolve, reject) => {
      this.#waiting.set(seq, { resolve, reject });
      this.#socket.send(Buffer.from(JSON.stringify({ head, body })));
    });
  }

  async logout(): Promise<void> {
    await this.call("im_open_status.wslogout", { wslogout_type: 0, is_web_uniapp: 0 });
    this.#waiting.clear();
    this.#socket.close(1001);
  }
}

/** Makes accounts by logging each in for the first time, and out again. */
export async function register(app: AppKey & { ws: string }, userIDs: readonly string[]): Promise<void> {
  const width = 20;
  for (let start = 0; start < userIDs.length; start += width) {
    await Promise.all(
      userIDs
        .slice(start, start + width)
        .map(async (userID) => (await RawSession.login(app, userID)).logout()),
    );
  }
}
