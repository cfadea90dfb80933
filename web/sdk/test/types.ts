// Read by tsc alone: an application can put this package in the place of the official one, as far as it goes.

import type { ChatSDK } from "@tencentcloud/chat";
import type { Chat, EVENT, Statuses, StatusWatch, UserStatus } from "../src/index.ts";
import { create } from "../src/index.ts";

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
function holds<_Statement extends true>(): void {}

/** Every method of ours that the official SDK has as well does what its typings say. */
export const replacement = (chat: Chat): Pick<ChatSDK, keyof Chat & keyof ChatSDK> =>
  chat satisfies Pick<ChatSDK, keyof Chat & keyof ChatSDK>;

// What is ours alone, and nothing else.
holds<Same<Exclude<keyof Chat, keyof ChatSDK>, "ready" | "watchUserStatus">>();

/** Events are typed by their names. */
export function listen(chat: Chat): void {
  const stop = chat.on("onUserStatusUpdated" satisfies typeof EVENT.USER_STATUS_UPDATED, ({ data }) => {
    holds<Same<typeof data, UserStatus[]>>();
  });
  stop();
  chat.on("kickedOut", ({ data }) => {
    holds<
      Same<typeof data.type, "multipleAccount" | "multipleDevice" | "userSigExpired" | "REST_API_Kick">
    >();
  });
}

/** A watch is iterated over for maps. */
export async function iterate(watch: StatusWatch): Promise<void> {
  for await (const statuses of watch) holds<Same<typeof statuses, Statuses>>();
}

/** The browser's WebSocket can be passed in. */
export const made = (): Chat => create({ SDKAppID: 1, proxyServer: "wss://chat.example.com", WebSocket });

// @ts-expect-error: what the server does not serve is absent, not a stub
export const absent = (chat: Chat): unknown => chat.sendMessage;
