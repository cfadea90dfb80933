// Two phones, and in words what is going on between them.

import { Phone } from "./phone.js";

const graceS = 5; // the server's grace.close, unless it was set
const linesKept = 60;
const log = document.getElementById("log");
const story = document.getElementById("story");
let cut; // whose plug is or was out, since when, and whether the other has noticed

const phones = [
  ["alice", "bob"],
  ["bob", "alice"],
].map(([user, other]) => new Phone({ user, other, tell }));

function tell(what, phone) {
  const line = document.createElement("li");
  line.dataset.user = phone.user;
  const time = document.createElement("time");
  time.textContent = new Date().toLocaleTimeString([], { hour12: false });
  const who = document.createElement("b");
  who.textContent = phone.name;
  line.append(time, who, ` ${what}`);
  log.prepend(line);
  log.children[linesKept]?.remove();
  if (!phone.plug.isIn && (cut?.phone !== phone || cut.backAt !== undefined))
    cut = { phone, at: performance.now() };
  if (phone.plug.isIn && cut?.phone === phone) cut.backAt ??= performance.now();
  if (cut !== undefined && cut.phone !== phone && phone.belief?.statusType !== 1) cut.isNoticed = true;
  explain();
}

function explain() {
  const text = whatHappens();
  if (story.textContent !== text) story.textContent = text;
}

function whatHappens() {
  if (cut === undefined) {
    return "Both phones are connected. Each has subscribed to the other, so a change is told the moment it happens: try a status, or log one of them out.";
  }
  const { phone, at, backAt, isNoticed } = cut;
  const other = phones.find((one) => one !== phone);
  const goneS = ((backAt ?? performance.now()) - at) / 1000;
  if (backAt === undefined) {
    if (!isNoticed) {
      const left = Math.max(Math.ceil(graceS - goneS), 0);
      return `${phone.name}'s connection broke. The server waits ${left} s more before it believes that: a train in a tunnel is no goodbye. ${other.name} still sees ${phone.name} online. Put the plug back in time and nobody will have noticed.`;
    }
    return `${phone.name} did not come back in time, so ${other.name} now sees ${phone.name} gone, without the status. Change ${other.name}'s status, then put the plug back: ${phone.name} will know in one round of calls.`;
  }
  const noticed = isNoticed ? `and ${other.name} sees it` : `and ${other.name} never noticed`;
  return `${phone.name} is back after ${goneS.toFixed(1)} s, ${noticed}. The session was never lost: no new login, no new UserSig, and the subscriptions are still there.`;
}

setInterval(explain, 250);
await Promise.all(phones.map((phone) => phone.start()));
