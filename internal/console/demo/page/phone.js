// One phone: one user on one client of the SDK, and what the user sees.

import { createClient, EVENT } from "./chat.js";
import { Plug } from "./plug.js";

const words = ["unknown", "online", "offline", "logged out"];
const mostBytes = 100; // of a custom status

export class Phone {
  plug = new Plug();
  chat;
  #watch;
  #root;
  #tell;
  #net = "connected";
  #isFriend = false;

  /** tell(what, phone) is called with each thing that happens. */
  constructor({ user, other, tell }) {
    this.user = user;
    this.other = other;
    this.#tell = tell;
    this.#root = document.getElementById("phone").content.firstElementChild.cloneNode(true);
    this.#root.dataset.user = user;
    this.#fill();
    this.#listen();
    document.querySelector(".phones").append(this.#root);
  }

  get name() {
    return capital(this.user);
  }

  /** What this phone's user believes of the other. */
  get belief() {
    return this.#watch?.statuses.get(this.other);
  }

  async start() {
    try {
      const { sdkAppID, userSig } = await userSigOf(this.user);
      if (this.chat === undefined) this.#open(sdkAppID);
      await this.chat.login({ userID: this.user, userSig });
      this.#tell("logs in", this);
    } catch (error) {
      this.#tell(`cannot log in: ${error.message} (${error.code ?? "no code"})`, this);
    }
    this.#show();
  }

  async setStatus(customStatus) {
    try {
      await this.chat.setSelfStatus({ customStatus });
      this.#tell(customStatus ? `says “${customStatus}”` : "clears the status", this);
    } catch (error) {
      this.#hint(`${error.message} (${error.code})`);
    }
    this.#show();
  }

  /** Adds the other as a friend, or ends the friendship, on both lists. */
  async #befriend() {
    try {
      if (this.#isFriend) await this.chat.deleteFriend({ userIDList: [this.other] });
      else await this.chat.addFriend({ to: this.other, source: "AddSource_Type_Demo" });
    } catch (error) {
      this.#hint(`${error.message} (${error.code})`);
    }
  }

  #open(sdkAppID) {
    const proxyServer = location.origin.replace(/^http/, "ws");
    this.chat = createClient({ SDKAppID: sdkAppID, proxyServer, WebSocket: this.plug.WebSocket });
    this.chat.on(EVENT.NET_STATE_CHANGE, ({ data }) => {
      this.#net = data.state;
      if (data.state === "connected") this.#tell("is connected again, and asks for what it missed", this);
      this.#show();
    });
    this.chat.on(EVENT.KICKED_OUT, ({ data }) => this.#tell(`was thrown out: ${data.type}`, this));
    this.chat.on(EVENT.SDK_NOT_READY, () => this.#show());
    this.chat.on(EVENT.USER_STATUS_UPDATED, () => this.#show());
    this.chat.on(EVENT.FRIEND_LIST_UPDATED, ({ data }) => {
      const isFriend = data.some(({ userID }) => userID === this.other);
      if (isFriend !== this.#isFriend) {
        this.#tell(`${isFriend ? "has" : "no longer has"} ${capital(this.other)} as a friend`, this);
      }
      this.#isFriend = isFriend;
      this.#show();
    });
    this.#watch = this.chat.watchUserStatus([this.other]);
    let before = "";
    this.#watch.onChange(() => {
      const now = inWords(this.belief);
      if (this.belief !== undefined && now !== before)
        this.#tell(`sees: ${capital(this.other)} is ${now}`, this);
      before = now;
      this.#show();
    });
  }

  #listen() {
    const find = (selector) => this.#root.querySelector(selector);
    find(".session").addEventListener("click", async () => {
      if (this.chat?.isReady()) {
        await this.chat.logout();
        this.#tell("logs out", this);
        this.#show();
      } else await this.start();
    });
    find(".say").addEventListener("submit", (event) => {
      event.preventDefault();
      this.setStatus(event.target.elements.custom.value);
    });
    find(".say").addEventListener("input", ({ target }) => {
      const bytes = new TextEncoder().encode(target.value).length;
      this.#hint(bytes > mostBytes ? `${bytes} bytes, and a status may have ${mostBytes}` : "");
    });
    find(".chips").addEventListener("click", ({ target }) => {
      if (target.tagName !== "BUTTON") return;
      const text = target.dataset.text ?? target.textContent;
      find(".say").elements.custom.value = text;
      this.setStatus(text);
    });
    find(".friend").addEventListener("click", () => this.#befriend());
    find(".plug").addEventListener("click", () => {
      if (this.plug.isIn) {
        this.plug.pull();
        this.#tell("is cut off", this);
      } else {
        this.plug.putBack();
        this.#tell("has the plug back in", this);
      }
      this.#show();
    });
  }

  #fill() {
    const names = [this.name, capital(this.other)];
    this.#root.setAttribute("aria-label", `${names[0]}'s phone`);
    for (const [n, part] of [...this.#root.querySelectorAll(".me, .contact")].entries()) {
      part.querySelector(".name").textContent = names[n];
      part.querySelector(".avatar").textContent = names[n][0];
    }
    this.#show();
    const clock = this.#root.querySelector("time");
    const tick = () => {
      clock.textContent = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    };
    tick();
    setInterval(tick, 1_000);
  }

  async #show() {
    const find = (selector) => this.#root.querySelector(selector);
    const isIn = this.chat?.isReady() ?? false;
    const isCut = !this.plug.isIn;
    const state = isCut ? "no network" : isIn && this.#net !== "connected" ? "connecting…" : "connected";
    find(".net").textContent = state;
    find(".net").dataset.state = isCut ? "cut" : this.#net;
    find(".session").textContent = isIn ? "Log out" : "Log in";
    find(".plug").textContent = isCut ? "Put the plug back" : "Pull the network plug";
    find(".plug").setAttribute("aria-pressed", String(isCut));
    find(".friend").textContent = this.#isFriend ? "Unfriend" : "Add friend";
    for (const control of this.#root.querySelectorAll(".say *, .chips *, .friend")) {
      control.disabled = !isIn || isCut;
    }
    const own = isIn
      ? (await this.chat.getUserStatus({ userIDList: [this.user] })).data.successUserList[0]
      : undefined;
    find(".own").textContent = isIn ? inWords(own) : "logged out";
    find(".me .avatar").dataset.type = isIn && state === "connected" ? 1 : 0;
    find(".contact .status").textContent = this.belief ? inWords(this.belief) : "not known yet";
    find(".contact .avatar").dataset.type = this.belief?.statusType ?? 0;
    const isStale = this.belief !== undefined && !this.#watch.live;
    find(".contact").classList.toggle("stale", isStale);
    if (isStale) this.#hint("What was known before the connection was lost.");
    else if (find(".hint").textContent.startsWith("What was known")) this.#hint("");
  }

  #hint(text) {
    this.#root.querySelector(".hint").textContent = text;
  }
}

function capital(name) {
  return name[0].toUpperCase() + name.slice(1);
}

function inWords(status) {
  if (status === undefined) return words[0];
  return words[status.statusType] + (status.customStatus ? `: “${status.customStatus}”` : "");
}

async function userSigOf(user) {
  const response = await fetch(`usersig?user=${encodeURIComponent(user)}`, { method: "POST" });
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}
