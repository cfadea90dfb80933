// Gives a user many friends at once, as a back end does that moves here.

import type { Server } from "./server.ts";
import { mint } from "./usersig.ts";

/** Registers the user and so many others, and puts them on the user's list. Gives who they are. */
export async function befriend(server: Server, userID: string, count: number): Promise<string[]> {
  const friends = Array.from({ length: count }, (_, n) => `${userID}-f${n}`);
  for (const some of parts([userID, ...friends], 100)) {
    await call(server, "im_open_login_svc/multiaccount_import", { Accounts: some });
  }
  for (const some of parts(friends, 1_000)) {
    const items = some.map((friend) => ({
      To_Account: friend,
      AddSource: "AddSource_Type_Old",
      Remark: "a friend",
    }));
    await call(server, "sns/friend_import", { From_Account: userID, AddFriendItem: items });
  }
  return friends;
}

async function call(server: Server, command: string, body: object): Promise<void> {
  const { url, sdkAppID, admin } = server.ready;
  const query = new URLSearchParams({
    sdkappid: String(sdkAppID),
    identifier: admin,
    usersig: mint(server.ready, admin),
    random: "1",
    contenttype: "json",
  });
  const response = await fetch(`${url}/v4/${command}?${query}`, {
    method: "POST",
    body: JSON.stringify(body),
  });
  const answer = (await response.json()) as { ErrorCode: number; ErrorInfo: string; Fail_Account?: string[] };
  if (answer.ErrorCode !== 0 || answer.Fail_Account !== undefined) throw new Error(JSON.stringify(answer));
}

function parts<Item>(list: Item[], size: number): Item[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, n) =>
    list.slice(n * size, (n + 1) * size),
  );
}
