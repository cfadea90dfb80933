// Gives a user many friends at once, as a back end does that moves here.

import { Backend, type Envelope } from "./backend.ts";
import type { Server } from "./server.ts";

/** Registers the user and so many others, and puts them on the user's list. Gives who they are. */
export async function befriend(server: Server, userID: string, count: number): Promise<string[]> {
  const backend = new Backend(server.ready);
  const friends = Array.from({ length: count }, (_, n) => `${userID}-f${n}`);
  for (const some of parts([userID, ...friends], 100)) {
    await backend.call("im_open_login_svc/multiaccount_import", { Accounts: some });
  }
  for (const some of parts(friends, 1_000)) {
    const items = some.map((friend) => ({
      To_Account: friend,
      AddSource: "AddSource_Type_Old",
      Remark: "a friend",
    }));
    const answer = await backend.call<Envelope & { Fail_Account?: string[] }>("sns/friend_import", {
      From_Account: userID,
      AddFriendItem: items,
    });
    if (answer.Fail_Account !== undefined) throw new Error(`not imported: ${answer.Fail_Account.join()}`);
  }
  return friends;
}

function parts<Item>(list: Item[], size: number): Item[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, n) =>
    list.slice(n * size, (n + 1) * size),
  );
}
