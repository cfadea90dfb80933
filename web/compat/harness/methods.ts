// One walk through every public method of our SDK, on a real server. It is one function, so that it can be run in a page
// as well: it reaches for nothing outside itself.

import type PorchlightChat from "../../sdk/src/index.ts";
import type { Chat, ChatOptions } from "../../sdk/src/index.ts";

export interface Walk {
  sdk: typeof PorchlightChat;
  options: ChatOptions;
  alice: { userID: string; userSig: string };
  bob: { userID: string; userSig: string };
}

/** Gives the names of the methods it has called; throws where something is not as it should be. */
export async function walkThroughEveryMethod({ sdk, options, alice, bob }: Walk): Promise<string[]> {
  const called = new Set<string>();
  const recorded = (chat: Chat) =>
    new Proxy(chat, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        called.add(String(name));
        return value.bind(target);
      },
    });
  const demand = (what: string, holds: boolean) => {
    if (!holds) throw new Error(`not so: ${what}`);
  };
  const until = async (what: string, holds: () => boolean) => {
    for (let n = 0; !holds(); n += 1) {
      demand(`${what}, after 30 s`, n < 3_000);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  const { EVENT, TYPES } = sdk;

  const a = recorded(sdk.create(options));
  const b = recorded(sdk.createClient(options));
  a.setLogLevel(4);
  const events: string[] = [];
  const heard: { userID: string; customStatus: string }[] = [];
  const listener = ({ data }: { data: { userID: string; customStatus: string }[] }) => heard.push(...data);
  for (const name of [EVENT.SDK_READY, EVENT.SDK_NOT_READY, EVENT.SDK_DESTROY])
    a.on(name, () => events.push(name));
  a.on(EVENT.USER_STATUS_UPDATED, listener);

  demand("nobody is logged in", !a.isReady() && a.getLoginUser() === "");
  const ready = a.ready();
  const watch = a.watchUserStatus([bob.userID]);
  await Promise.all([a.login(alice), b.login(bob), ready]);
  demand("alice is logged in", a.isReady() && a.getLoginUser() === alice.userID);
  demand("the server's clock is ours", Math.abs(a.getServerTime() - Date.now()) < 3_000);
  await watch.ready;

  const subscribed = await a.subscribeUserStatus({ userIDList: [bob.userID, alice.userID] });
  demand("oneself cannot be subscribed", subscribed.data.failureUserList[0]?.code === 70402);
  const set = await b.setSelfStatus({ customStatus: "在家 🏠" });
  demand("the own status is the answer", set.data.statusType === TYPES.USER_STATUS_ONLINE);
  await until("the notice comes", () => heard.some(({ customStatus }) => customStatus === "在家 🏠"));
  await until("the watch has it", () => watch.statuses.get(bob.userID)?.customStatus === "在家 🏠");
  const { data } = await a.getUserStatus({ userIDList: [bob.userID, "nobody"] });
  demand("a query has it", data.successUserList[0]?.customStatus === "在家 🏠");
  demand("nobody does not exist", data.failureUserList[0]?.code === 70107);

  await a.updateMyProfile({ nick: "Al", allowType: TYPES.ALLOW_TYPE_NEED_CONFIRM });
  demand("the own profile", (await a.getMyProfile()).data.nick === "Al");
  demand(
    "another's profile",
    (await b.getUserProfile({ userIDList: [alice.userID] })).data[0]?.nick === "Al",
  );

  const source = "AddSource_Type_Web";
  const apply = async () => {
    demand(
      "she is asked",
      (await b.addFriend({ to: alice.userID, source, wording: "hi" })).data.code === 30539,
    );
    await until("the application comes", () => applications.at(-1) === 1);
  };
  const applications: number[] = [];
  a.on(EVENT.FRIEND_APPLICATION_LIST_UPDATED, ({ data: list }) =>
    applications.push(list.friendApplicationList.length),
  );
  await apply();
  await a.refuseFriendApplication({ userID: bob.userID });
  await until("it is gone", () => applications.at(-1) === 0);
  await apply();
  await a.deleteFriendApplication({ userID: bob.userID, type: TYPES.SNS_APPLICATION_SENT_TO_ME });
  await until("it is gone again", () => applications.at(-1) === 0);
  await b.deleteFriendApplication({ userID: alice.userID, type: TYPES.SNS_APPLICATION_SENT_BY_ME });
  await apply();
  await a.setFriendApplicationRead();
  demand("all are read", (await a.getFriendApplicationList()).data.unreadCount === 0);
  await a.acceptFriendApplication({ userID: bob.userID, type: TYPES.SNS_APPLICATION_AGREE_AND_ADD });
  const checked = await a.checkFriend({ userIDList: [bob.userID], type: TYPES.SNS_CHECK_TYPE_BOTH });
  demand("they are friends", checked.data.successUserIDList[0]?.relation === TYPES.SNS_TYPE_BOTH_WAY);
  await a.updateFriend({ userID: bob.userID, remark: "Bobby" });
  demand("the list has it", (await a.getFriendList()).data[0]?.remark === "Bobby");
  const some = await a.getFriendProfile({ userIDList: [bob.userID] });
  demand("the entry has it", some.data.friendList[0]?.remark === "Bobby");
  const made = await a.createFriendGroup({ name: "Pals", userIDList: [bob.userID] });
  demand("the group has one", made.data.friendGroup.count === 1);
  await a.renameFriendGroup({ oldName: "Pals", newName: "Friends" });
  await a.removeFromFriendGroup({ name: "Friends", userIDList: [bob.userID] });
  await a.addToFriendGroup({ name: "Friends", userIDList: [bob.userID] });
  demand("it has again", (await a.getFriendGroupList()).data[0]?.userIDList[0] === bob.userID);
  await a.deleteFriendGroup({ name: "Friends" });
  const ended = await a.deleteFriend({ userIDList: [bob.userID] });
  demand("the friendship is over", ended.data.successUserIDList.length === 1);
  await a.addToBlacklist({ userIDList: [bob.userID] });
  demand("he is blocked", (await a.getBlacklist()).data[0] === bob.userID);
  await a.removeFromBlacklist({ userIDList: [bob.userID] });

  watch.close();
  a.off(EVENT.USER_STATUS_UPDATED, listener);
  await a.unsubscribeUserStatus();
  const before = heard.length;
  await b.setSelfStatus({ customStatus: "" });
  await a.getUserStatus({ userIDList: [bob.userID] });
  demand("nothing is heard any more", heard.length === before);

  await a.logout();
  demand("alice is logged out", !a.isReady());
  await until("the client says so", () => events.includes(EVENT.SDK_NOT_READY));
  await a.destroy();
  await b.destroy();
  demand(events.join(), events.join() === [EVENT.SDK_READY, EVENT.SDK_NOT_READY, EVENT.SDK_DESTROY].join());
  return [...called].sort();
}
