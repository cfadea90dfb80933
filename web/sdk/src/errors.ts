// What a call rejects with. Codes of the server travel unchanged; those that the SDK raises itself have the numbers that
// the official one raises in the same place.

import { hints } from "./codes.gen.ts";

/** The codes that the SDK raises itself. */
export const LocalCode = {
  userIDMissing: 2002,
  userSigMissing: 2003,
  noTinyID: 2022,
  noA2Key: 2023,
  notLoggedIn: 2024,
  loginRunning: 2025,
  timeout: 2801,
  badAnswer: 2903,
  tooOften: 2996,
  loggingIn: 3000,
  loginFailed: 3001,
  kickedByDevice: 3002,
  kickedByAccount: 3003,
  sigExpired: 3004,
  loggedOut: 3005,
  kickedByAdmin: 3006,
  noAbility: 3122,
  overload: 60022,
  invalid: 70402,
} as const;

const again = "log in again";
const texts: Readonly<Record<number, readonly [message: string, hint: string]>> = {
  2002: ["the userID is missing or no string", "login takes { userID, userSig }"],
  2003: [
    "the userSig is missing or no string",
    "mint one in your back end, with the application's secret key",
  ],
  2022: [
    "the server's answer to the login holds no TinyId",
    "is proxyServer the address of a Porchlight server?",
  ],
  2023: [
    "the server's answer to the login holds no A2Key",
    "is proxyServer the address of a Porchlight server?",
  ],
  2024: ["nobody is logged in", "call login first and wait for it"],
  2025: ["a login is running, or another user is logged in", "wait for it, or call logout first"],
  2801: ["the server did not answer in time", "is it running, and can this machine reach it? Try again"],
  2903: ["the server's answer cannot be used", "do the versions of server and SDK fit?"],
  2996: [
    "called more often than the server allows",
    "wait a few seconds; watchUserStatus keeps to the limit by itself",
  ],
  3000: ["the login is still running", "wait for login or ready()"],
  3001: ["the last login failed", again],
  3002: ["another device of this user has ended this session", again],
  3003: ["another login of this user has ended this session", again],
  3004: ["the UserSig has expired", "log in with a new UserSig"],
  3005: ["logged out", again],
  3006: ["an administrator has ended this session", "log in with a new UserSig"],
  3122: ["this application's edition does not include user status", "an operator can change that"],
  60022: ["the server is overloaded and takes no such call now", "try again in a few seconds"],
};

/** An error with a number that says what to do about it. */
export class ChatError extends Error {
  override readonly name = "ChatError";
  /** What went wrong; a number of the server's, or one of {@link LocalCode}. */
  readonly code: number;
  /** What to do about it, or `""`. */
  readonly hint: string;
  /** Always empty; the official SDK's errors have it. */
  readonly data: Readonly<Record<string, never>> = {};

  constructor(code: number, message?: string, hint?: string) {
    const [text, todo] = texts[code] ?? ["", ""];
    super(message || text || `error ${code}`);
    this.code = code;
    this.hint = hint ?? (todo || hints[code] || "");
  }
}

export function invalid(message: string, hint = ""): ChatError {
  return new ChatError(LocalCode.invalid, message, hint);
}
