// The blocklist, in the forms in which the documentation shows them.

import { expect, test, vi } from "vitest";
import { Circle, same } from "../harness/relations.ts";
import { stage } from "../harness/stage.ts";
import { patienceMS } from "../harness/until.ts";

const s = stage();
const source = "AddSource_Type_Web";

async function user(name: string): Promise<[string, Circle]> {
  const id = s.id(name);
  return [id, new Circle(await s.login(id))];
}

test("FR15 addToBlacklist ends the friendship, forbids another, and tells all the user's devices", async () => {
  const [alice, a] = await user("alice");
  const second = new Circle(await s.login(alice));
  const [bob, b] = await user("bob");
  await a.chat.addFriend({ to: bob, source });
  await b.hearsFriends(alice);
  await a.hearsFriends(bob);
  await second.hearsFriends(bob);

  await a.chat.addToBlacklist({ userIDList: [bob] });
  for (const circle of [a, second]) {
    await circle.hears("BLACKLIST_UPDATED", (list) => same(list, [bob]));
    await circle.hearsFriends();
  }
  await b.hearsFriends();
  expect((await a.chat.getBlacklist()).data).toEqual([bob]);
  await expect(a.chat.addFriend({ to: bob, source })).rejects.toMatchObject({ code: 30515 });
  await expect(b.chat.addFriend({ to: alice, source })).rejects.toMatchObject({ code: 30525 });
  expect((await b.chat.getBlacklist()).data).toEqual([]);
});

test("FR16 removeFromBlacklist tells all the user's devices, and friendship is possible again", async () => {
  const [alice, a] = await user("alice");
  const second = new Circle(await s.login(alice));
  const [bob, b] = await user("bob");
  await a.chat.addToBlacklist({ userIDList: [bob] });
  await second.hears("BLACKLIST_UPDATED", (list) => same(list, [bob]));
  await a.chat.removeFromBlacklist({ userIDList: [bob] });
  await second.hears("BLACKLIST_UPDATED", (list) => list.length === 0);
  await a.chat.addFriend({ to: bob, source });
  await b.hearsFriends(alice);
});

test("the blocklist is there at the next login", async () => {
  const [alice, a] = await user("alice");
  const [bob] = await user("bob");
  const [carol] = await user("carol");
  await a.chat.addToBlacklist({ userIDList: [bob, carol] });
  await a.hears("BLACKLIST_UPDATED", (list) => same(list, [bob, carol]));
  const again = new Circle(await s.login(alice));
  await vi.waitFor(
    async () => expect(same((await again.chat.getBlacklist()).data, [bob, carol])).toBe(true),
    patienceMS, // the SDK fetches the list after it has said that it is ready
  );
});

test("unknown users cannot be blocked", async () => {
  const [, a] = await user("alice");
  await a.chat.addToBlacklist({ userIDList: [s.id("ghost")] }).catch(() => undefined);
  expect((await a.chat.getBlacklist()).data).toEqual([]);
});
