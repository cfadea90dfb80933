// The operator of the server, giving orders through the API that the command line and the console use.

import type { Server } from "./server.ts";
import type { AppKey } from "./usersig.ts";

/** Settings of an application by their names; null is the default. */
export type AppSettings = Readonly<Record<string, boolean | number | string | null>>;

interface NewKey {
  id: number;
  secret: string;
}

interface NewApp {
  id: number;
  keys: { id: number; secret?: string }[];
}

export class Operator {
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
  }

  /** Makes an application; the answer is what UserSigs are minted with. */
  async createApp(settings: AppSettings = {}): Promise<AppKey> {
    const app = await this.#call<NewApp>("POST", "/apps", { name: "made by a test", settings });
    const secretKey = app.keys[0]?.secret;
    if (secretKey === undefined) throw new Error(`a new application without its key: ${JSON.stringify(app)}`);
    return { sdkAppID: app.id, secretKey };
  }

  async set(app: AppKey, settings: AppSettings): Promise<void> {
    await this.#call("PATCH", `/apps/${app.sdkAppID}`, { settings });
  }

  async enable(app: AppKey, enabled: boolean): Promise<void> {
    await this.#call("PATCH", `/apps/${app.sdkAppID}`, { enabled });
  }

  /** Adds a key, and gives its number with what UserSigs are minted with from now on. */
  async addKey(app: AppKey): Promise<AppKey & { key: number }> {
    const key = await this.#call<NewKey>("POST", `/apps/${app.sdkAppID}/keys`, {});
    return { sdkAppID: app.sdkAppID, secretKey: key.secret, key: key.id };
  }

  async boundKey(app: AppKey, key: number, notAfter: Date): Promise<void> {
    await this.#call("PATCH", `/apps/${app.sdkAppID}/keys/${key}`, { notAfter: notAfter.toISOString() });
  }

  async withdrawKey(app: AppKey, key: number): Promise<void> {
    await this.#call("POST", `/apps/${app.sdkAppID}/keys/${key}/withdraw`);
  }

  async kick(app: AppKey, userID: string): Promise<void> {
    await this.#call("POST", `/apps/${app.sdkAppID}/users/${encodeURIComponent(userID)}/kick`);
  }

  async ban(app: AppKey, userID: string): Promise<void> {
    await this.#call("PUT", `/apps/${app.sdkAppID}/users/${encodeURIComponent(userID)}/ban`);
  }

  async unban(app: AppKey, userID: string): Promise<void> {
    await this.#call("DELETE", `/apps/${app.sdkAppID}/users/${encodeURIComponent(userID)}/ban`);
  }

  async #call<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
    const { url, operatorToken } = this.#server.ready;
    const response = await fetch(`${url}/admin/v1${path}`, {
      method,
      headers: {
        Authorization: `Bearer ${operatorToken}`,
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text === "" ? undefined : JSON.parse(text)) as Answer;
  }
}
