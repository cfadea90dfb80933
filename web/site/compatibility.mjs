// What works, row by row, each with the tests that prove it. A row whose test does not exist fails the build, and CI runs the
// tests: on the official SDK, unmodified, and on ours.

import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** What works, the file and the words of its tests. Files of one SDK alone are marked below. */
const rows = [
  [
    "`create`, `login`, `SDK_READY`, `isReady`, `getLoginUser`, `getServerTime`",
    "session",
    ["resolves, and SDK_READY follows"],
  ],
  [
    "`login` of the same user again",
    "session",
    ["a second one of the same user says so and changes nothing"],
  ],
  [
    "a refused login, by its code",
    "session",
    ["with an expired UserSig", "of an application that the server does not know"],
  ],
  [
    "`logout`, and another user on the same socket",
    "session",
    ["keeps the socket, and another user logs in on it"],
  ],
  ["`destroy`", "session", ["destroy logs out at once"]],
  ["text sockets (`devMode`)", "session", ["works over the text socket that devMode asks for"]],
  [
    "`setSelfStatus`",
    "status",
    ["resolves with the new status and is told to the user's devices", "with '' clears"],
  ],
  [
    "custom statuses in any script, up to 100 bytes",
    "status",
    ["carries text unchanged", "takes 100 bytes %s and refuses 101 with 70402"],
  ],
  [
    "`getUserStatus`",
    "status",
    ["of others, in their order, with those who do not exist in failureUserList", "of 500 users"],
  ],
  [
    "`USER_STATUS_UPDATED`",
    "status",
    ["login raises the own event, on no device before it is ready", "comes once and goes with the last"],
  ],
  ["20 calls in 5 s", "status", ["twenty times in five seconds; the SDK refuses the next by itself"]],
  ["`subscribeUserStatus`", "subscribe", ["resolves, and changes after it are told, those before it not"]],
  [
    "the list of 200, from which the earliest leave",
    "subscribe",
    ["of more than 200 users lets the one subscribed earliest go"],
  ],
  [
    "`unsubscribeUserStatus`, of some and of all",
    "subscribe",
    ["of some leaves the others", "clears the list"],
  ],
  [
    "`KICKED_OUT` `multipleAccount`, `multipleDevice`",
    "kicks",
    ["multipleAccount: the same user on another page", "multipleDevice: the same user on a phone"],
  ],
  ["`KICKED_OUT` `REST_API_Kick`", "kicks", ["REST_API_Kick: an administrator throws the user out"]],
  [
    "`KICKED_OUT` by a back end's REST call",
    "backend",
    ["AC5 a kick says REST_API_Kick on every device", "AC4 a deletion says REST_API_Kick"],
  ],
  ["a back end that asks where users are", "backend", ["RE12 a back end asks where users are"]],
  [
    "`KICKED_OUT` `userSigExpired`",
    "kicks",
    ["userSigExpired: the UserSig runs out while the user is online"],
  ],
  [
    "multi-login policies",
    "multilogin",
    ["the eleventh pushes the oldest out, which is told once and leaves no ghost"],
  ],
  ["a connection that breaks", "reconnect", ["it comes back, nobody hears of it, and all is as it was"]],
  ["calls in the middle of a break", "reconnect", ["and what the application asks meanwhile is done once"]],
  [
    "a server that is restarted or killed",
    "restart",
    ["and started again: all come back, and nobody blinks"],
  ],
  [
    "switches, editions and limits that change",
    "applications",
    [
      "the status switch, off and on",
      "the edition, without user status",
      "limits: the SDK keeps to the new ones",
    ],
  ],
  [
    "keys that are rotated",
    "applications",
    ["a key is rotated: nobody is thrown out before it is withdrawn"],
  ],
  [
    "an application's page in Chromium",
    "page",
    ["two windows side by side", "a page that is closed is gone at once"],
  ],
  ["what the SDK asks by itself", "traffic", ["are all answered OK, and none is repeated"]],
  [
    "what is not served is refused by code 60009",
    "traffic",
    ["is refused with 60009, and the client stays logged in"],
  ],
  [
    "every public method, in Node, a page and a worker",
    "ours",
    ["in Node, on the WebSocket of a package", "on a page's own WebSocket", "in a worker"],
  ],
  [
    "`watchUserStatus`",
    "ours",
    ["fifty users change while the watcher is away", "keeps what it watches through a restart of the server"],
  ],
];
const alone = { traffic: "official", ours: "ours" };

export async function compatibilityPage(root) {
  const lines = [];
  for (const [what, file, titles] of rows) {
    const name = `web/compat/test/${file}.test.ts`;
    const text = await readFile(join(root, name), "utf8");
    for (const title of titles) {
      if (!text.includes(title))
        throw new Error(`${name} holds no test ${JSON.stringify(title)}, which proves ${what}`);
    }
    const mark = (sdk) => ((alone[file] ?? sdk) === sdk ? "✓" : "");
    const proof = `[${file}](https://github.com/porchlight-im/porchlight/blob/main/${name})`;
    lines.push(`| ${what} | ${mark("official")} | ${mark("ours")} | ${proof} |`);
  }
  return `# Compatibility

Each row is proved by tests that run on a real server at every change, with the official package \`@tencentcloud/chat\` 3.6.6 as it
comes from the registry, and with ours. This page is made from them: a row without its test would fail the build.

| | official SDK | ours | proved by |
|---|---|---|---|
${lines.join("\n")}

Messages, conversations and groups are not served yet: their lists are empty, and each call for them is refused with code 60009,
never with a false success. [What the server owes the official client](/spec/wire) is written down clause by clause.
`;
}
