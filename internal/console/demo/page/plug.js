// A network plug for a page: the SDK is given a WebSocket that can be cut off. To the server a pulled plug is a connection
// that broke (close code 4001, with which a client says the same), to the SDK one that ended without a word.

export class Plug {
  isIn = true;
  #sockets = new Set();

  /** What the SDK takes for the browser's WebSocket. */
  get WebSocket() {
    const plug = this;
    return class {
      #socket;
      #isCut = false;
      onopen = null;
      onmessage = null;
      onclose = null;
      onerror = null;
      binaryType = "arraybuffer";

      constructor(url) {
        plug.#sockets.add(this);
        if (!plug.isIn) {
          this.#isCut = true;
          setTimeout(() => this.onclose?.({ code: 1006, reason: "" }), 300);
          return;
        }
        this.#socket = new WebSocket(url);
        this.#socket.binaryType = "arraybuffer";
        this.#socket.onopen = (event) => this.#isCut || this.onopen?.(event);
        this.#socket.onmessage = (event) => this.#isCut || this.onmessage?.(event);
        this.#socket.onclose = (event) => {
          plug.#sockets.delete(this);
          if (!this.#isCut) this.onclose?.(event);
        };
      }

      send(data) {
        if (!this.#isCut) this.#socket.send(data);
      }

      close(code) {
        if (!this.#isCut) this.#socket.close(code);
      }

      cut() {
        if (this.#isCut) return;
        this.#isCut = true;
        this.#socket.close(4001);
        this.onclose?.({ code: 1006, reason: "" });
      }
    };
  }

  pull() {
    this.isIn = false;
    for (const socket of this.#sockets) socket.cut();
    this.#sockets.clear();
  }

  putBack() {
    this.isIn = true;
    dispatchEvent(new Event("online")); // as a browser says it when its network is back
  }
}
