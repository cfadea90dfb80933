// One user's window, on the official SDK as it is. What a Porchlight server asks of an application is one option, in
// the call of create: proxyServer.

const { TencentCloudChat } = globalThis;
const { EVENT } = TencentCloudChat;

const parameters = new URLSearchParams(location.search);
const me = parameters.get("user") || "alice";
const others = (parameters.get("watch") ?? "alice,bob").split(",").filter((name) => name && name !== me);

const mostBytes = 100; // of a custom status
const againMS = 3_000; // between two tries, where trying again can help
const linesKept = 100;

const generalWords = ["unknown", "online", "offline", "logged out"];
const codeWords = {
  2801: "the server did not answer in time",
  2996: "asked too often; wait a few seconds",
  3122: "this application may not use user status",
  70001: "the UserSig has expired",
  70009: "the UserSig was made with another key than the server's",
  70020: "the server knows no such SDKAppID",
  70107: "nobody of that name has ever logged in",
  70402: "the server does not accept this value",
};
const kickWords = {
  multipleAccount: "This user logged in too many times elsewhere, and this window had to go.",
  multipleDevice: "This user logged in on another device.",
  userSigExpired: "The session is over: its UserSig has expired.",
  REST_API_Kick: "An administrator has logged this user out.",
};

const element = (id) => document.getElementById(id);
const people = new Map(); // by name: { row, subscribed, again: a timer }
let chat;
let server;
let isCutOff = false;

// Logging in and out.

async function logIn() {
  element("session").disabled = true;
  try {
    const { sdkAppID, userSig, proxyServer } = await userSigOf(me);
    if (chat && server !== proxyServer) location.reload(); // an instance keeps the address it was made with
    if (!chat) {
      server = proxyServer;
      chat = TencentCloudChat.create({ SDKAppID: sdkAppID, proxyServer });
      chat.setLogLevel(2);
      listen();
    }
    await chat.login({ userID: me, userSig });
    trouble("");
  } catch (error) {
    trouble(`Not logged in: ${words(error)}.`);
    if (error.again) setTimeout(logIn, againMS);
  }
  showSession();
}

async function logOut() {
  element("session").disabled = true;
  await attempt("log out", () => chat.logout());
  showSession();
}

async function userSigOf(user) {
  let response;
  try {
    response = await fetch(`usersig?user=${encodeURIComponent(user)}`);
  } catch {
    throw temporary("the page's own back end, server.mjs, does not answer");
  }
  const body = await response.json();
  if (!response.ok) throw response.status === 503 ? temporary(body.error) : new Error(body.error);
  return body;
}

function temporary(message) {
  return Object.assign(new Error(message), { again: true });
}

function listen() {
  chat.on(EVENT.SDK_READY, ready);
  chat.on(EVENT.SDK_NOT_READY, notReady);
  chat.on(EVENT.USER_STATUS_UPDATED, ({ data }) => data.forEach(statusChanged));
  chat.on(EVENT.NET_STATE_CHANGE, ({ data }) => netStateChanged(data.state));
  chat.on(EVENT.KICKED_OUT, ({ data }) => {
    log("kicked out");
    trouble(kickWords[data.type] ?? `The server ended the session: ${data.type}.`);
  });
}

async function ready() {
  log(`logged in as ${me}`);
  showConnection("connected"); // the first connection raises no event
  showSession();
  await refresh([me]);
  for (const name of people.keys()) subscribe(name);
}

function notReady() {
  log("logged out");
  showStatus(element("own"), { statusType: 3, customStatus: "" });
  for (const [name, person] of people) {
    clearTimeout(person.again);
    showStatus(person.row.querySelector(".status"), { statusType: 0, customStatus: "" });
    showSubscribed(name, false);
  }
  showSession();
}

// The SDK comes back by itself after a break, and the subscriptions are the server's; but what changed meanwhile is
// not told again, so ask.
function netStateChanged(state) {
  showConnection(state);
  log(
    state === "connected"
      ? "connected"
      : state === "connecting"
        ? "connecting again"
        : "the connection is lost",
  );
  if (state === "disconnected") {
    isCutOff = true;
    trouble(`No connection to ${server}. Is it running? The SDK comes back by itself.`);
  }
  if (state === "connected" && isCutOff) {
    isCutOff = false;
    trouble("");
  }
  if (state === "connected" && chat.isReady()) refresh([me, ...people.keys()]);
}

// Status: the four calls and the event.

async function setCustom(customStatus) {
  await attempt("set the status", async () => {
    const { data } = await chat.setSelfStatus({ customStatus });
    showStatus(element("own"), data);
  });
}

async function subscribe(name) {
  clearTimeout(people.get(name).again);
  await attempt(`subscribe to ${name}`, async () => {
    const { data } = await chat.subscribeUserStatus({ userIDList: [name] });
    const [failure] = data.failureUserList;
    showSubscribed(name, !failure, failure && words(failure));
    // Users begin to exist when they first log in: bob's window may just be a moment behind alice's.
    if (failure?.code === 70107) people.get(name).again = setTimeout(() => subscribe(name), againMS);
    if (!failure) await refresh([name]); // an event tells of changes only
  });
}

async function unsubscribe(name) {
  clearTimeout(people.get(name).again);
  await attempt(`unsubscribe from ${name}`, async () => {
    await chat.unsubscribeUserStatus({ userIDList: [name] });
    showSubscribed(name, false);
    log(`unsubscribed from ${name}`);
  });
}

async function query(name) {
  await refresh([name]);
  const { textContent } = people.get(name).row.querySelector(".status");
  log(`asked: ${name} is ${textContent}`);
}

async function refresh(names) {
  await attempt("query", async () => {
    const { data } = await chat.getUserStatus({ userIDList: names });
    for (const status of data.successUserList) showStatusOf(status);
    for (const failure of data.failureUserList) hint(failure.userID, words(failure));
  });
}

function statusChanged(status) {
  showStatusOf(status);
  const who = status.userID === me ? "I am" : `${status.userID} is`;
  log(`${who} now ${inWords(status)}`);
}

// What the page shows.

function showStatusOf(status) {
  const place =
    status.userID === me ? element("own") : people.get(status.userID)?.row.querySelector(".status");
  if (place) showStatus(place, status);
}

function showStatus(place, status) {
  place.dataset.type = status.statusType;
  place.textContent = inWords(status);
}

function inWords({ statusType, customStatus }) {
  return generalWords[statusType] + (customStatus ? `: “${customStatus}”` : "");
}

function showSubscribed(name, subscribed, why = "") {
  people.get(name).subscribed = subscribed;
  showSession();
  hint(name, why || (subscribed ? "Subscribed: changes show at once." : "Not subscribed: query to see."));
}

function hint(name, text) {
  const place = people.get(name)?.row.querySelector(".hint");
  if (place && place.textContent !== text) place.textContent = text;
}

function showSession() {
  const isIn = chat?.isReady() ?? false;
  element("session").disabled = false;
  element("session").textContent = isIn ? "Log out" : "Log in";
  for (const button of document.querySelectorAll("section button")) {
    button.disabled = !isIn;
  }
  for (const { row, subscribed } of people.values()) {
    row.querySelector(".subscribe").disabled = !isIn || subscribed;
    row.querySelector(".unsubscribe").disabled = !isIn || !subscribed;
  }
}

function showConnection(state) {
  document.body.dataset.state = state;
  element("connection").dataset.state = state;
  element("connection").textContent = state === "disconnected" ? "no connection" : state;
}

function trouble(text) {
  element("trouble").hidden = text === "";
  element("trouble").textContent = text;
}

function log(text) {
  const line = document.createElement("li");
  const time = document.createElement("time");
  time.textContent = new Date().toLocaleTimeString();
  line.append(time, text);
  element("log").prepend(line);
  element("log").children[linesKept]?.remove();
}

// With proxyServer the SDK has no texts of its own: errors that it raises itself come with a code alone.
function words({ code, message }) {
  const text = codeWords[code] ?? message ?? "";
  return code ? `${text || "error"} (${code})` : text.replace(/\.$/, "");
}

async function attempt(what, run) {
  try {
    await run();
  } catch (error) {
    log(`could not ${what}: ${words(error)}`);
  }
}

function addPerson(name) {
  if (name === me || people.has(name)) return;
  const row = element("person").content.firstElementChild.cloneNode(true);
  row.dataset.user = name;
  row.querySelector("strong").textContent = name;
  row.querySelector(".subscribe").addEventListener("click", () => subscribe(name));
  row.querySelector(".unsubscribe").addEventListener("click", () => unsubscribe(name));
  row.querySelector(".query").addEventListener("click", () => query(name));
  element("people").append(row);
  people.set(name, { row, subscribed: false, again: undefined });
}

function showBytes() {
  const bytes = new TextEncoder().encode(element("custom").value).length;
  element("bytes").textContent = `${bytes} of ${mostBytes} bytes`;
  element("bytes").classList.toggle("over", bytes > mostBytes);
}

document.title = `${me}: status`;
element("me").textContent = me;
others.forEach(addPerson);
showSession();

element("session").addEventListener("click", () => (chat?.isReady() ? logOut() : logIn()));
element("custom").addEventListener("input", showBytes);
element("set").addEventListener("submit", (event) => {
  event.preventDefault();
  setCustom(element("custom").value);
});
element("set").addEventListener("click", ({ target }) => {
  if (target.dataset.custom === undefined) return;
  element("custom").value = target.dataset.custom;
  showBytes();
  setCustom(target.dataset.custom);
});
element("add").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = element("name").value;
  element("name").value = "";
  addPerson(name);
  showSession();
  if (name !== me && chat?.isReady()) subscribe(name);
});
logIn();
