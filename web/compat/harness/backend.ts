// The back end of an application, calling the server's REST API as its administrator.

import { mint } from "./usersig.ts";

/** What every answer begins with. */
export interface Envelope {
  ActionStatus: "OK" | "FAIL";
  ErrorCode: number;
  ErrorInfo: string;
}

export interface BackendOf {
  readonly url: string;
  readonly sdkAppID: number;
  readonly secretKey: string;
  readonly admin: string;
}

export class Backend {
  readonly #of: BackendOf;

  constructor(of: BackendOf) {
    this.#of = of;
  }

  /** Calls a command such as "openim/query_online_status", which must be answered OK. */
  async call<Answer>(command: string, body: unknown): Promise<Answer & Envelope> {
    const { url, sdkAppID, admin } = this.#of;
    const query = new URLSearchParams({
      sdkappid: String(sdkAppID),
      identifier: admin,
      usersig: mint(this.#of, admin),
      random: String(Math.floor(Math.random() * 2 ** 32)),
      contenttype: "json",
    });
    const response = await fetch(`${url}/v4/${command}?${query}`, {
      method: "POST",
      body: JSON.stringify(body),
    });
    const answer = (await response.json()) as Answer & Envelope;
    if (answer.ActionStatus !== "OK") throw new Error(`${command}: ${JSON.stringify(answer)}`);
    return answer;
  }
}
