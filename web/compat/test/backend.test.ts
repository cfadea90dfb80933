// What a back end does over the REST API, as the official SDK sees it.

import { expect, test } from "vitest";
import { stage } from "../harness/stage.ts";

const s = stage();
const unlogined = 3;

interface Online {
  QueryResult: {
    To_Account: string;
    Status: string;
    Detail?: { Platform: string; Status: string }[];
    CustomStatus?: string;
  }[];
  ErrorList: { To_Account: string; ErrorCode: number }[];
}

test("RE12 a back end asks where users are", async () => {
  const [alice, bob, ghost] = [s.id("alice"), s.id("bob"), s.id("ghost")];
  const device = await s.login(alice);
  await device.chat.setSelfStatus({ customStatus: "at work" });
  await s.backend.call("im_open_login_svc/account_import", { UserID: bob });
  const where = await s.backend.call<Online>("openim/query_online_status", {
    To_Account: [alice, bob, ghost],
    IsNeedDetail: 1,
    IsReturnCustomStatus: 1,
  });
  expect(where.QueryResult).toEqual([
    {
      To_Account: alice,
      Status: "Online",
      Detail: [{ Platform: "Web", Status: "Online" }],
      CustomStatus: "at work",
    },
    { To_Account: bob, Status: "Offline", CustomStatus: "" },
  ]);
  expect(where.ErrorList).toEqual([{ To_Account: ghost, ErrorCode: 70107 }]);
});

test("AC1 a user who was imported can be watched before they ever logged in", async () => {
  const [alice, bob] = [s.id("alice"), s.id("bob")];
  await s.backend.call("im_open_login_svc/multiaccount_import", { Accounts: [bob] });
  const device = await s.login(alice);
  const { data } = await device.chat.subscribeUserStatus({ userIDList: [bob] });
  expect(data.failureUserList).toEqual([]);
  await s.login(bob);
  await device.sees({ userID: bob, statusType: 1, customStatus: "" });
});

test("AC5 a kick says REST_API_Kick on every device, and old UserSigs are dead", async () => {
  const [alice, bob] = [s.id("alice"), s.id("bob")];
  const b = await s.login(bob);
  const devices = [await s.login(alice), await s.login(alice)];
  await b.chat.subscribeUserStatus({ userIDList: [alice] });
  const old = s.userSig(alice);
  await s.backend.call("im_open_login_svc/kick", { UserID: alice });
  for (const device of devices) await device.isKicked("REST_API_Kick");
  await b.sees({ userID: alice, statusType: unlogined, customStatus: "" });
  await expect(s.device().chat.login({ userID: alice, userSig: old })).rejects.toMatchObject({ code: 70001 });
});

test("AC4 a deletion says REST_API_Kick; who watches sees the user leave once, and then nobody", async () => {
  const [alice, bob] = [s.id("alice"), s.id("bob")];
  const b = await s.login(bob);
  const device = await s.login(alice);
  await device.chat.setSelfStatus({ customStatus: "not for long" });
  await b.chat.subscribeUserStatus({ userIDList: [alice] });
  await s.backend.call("im_open_login_svc/account_delete", { DeleteItem: [{ UserID: alice }] });
  await device.isKicked("REST_API_Kick");
  await b.sees({ userID: alice, statusType: unlogined, customStatus: "" });
  expect(b.seen(alice)).toHaveLength(1);
  const { data } = await b.chat.getUserStatus({ userIDList: [alice] });
  expect(data.successUserList).toEqual([]);
  expect(data.failureUserList).toMatchObject([{ userID: alice, code: 70107 }]);
});
