// What the surroundings tell of the page and the network, where they do: nothing of it is relied on.

export interface WakeOptions {
  /** The page is visible again or the network is said to be back: now is the time to look. */
  look: () => void;
  /** The network is said to be gone, which is not believed, but looked into. */
  doubt: () => void;
}

interface Target {
  addEventListener?: (name: string, listener: () => void) => void;
  removeEventListener?: (name: string, listener: () => void) => void;
}

export class Wakes {
  readonly #listeners: readonly [target: Target, name: string, listener: () => void][];
  #running = false;

  constructor({ look, doubt }: WakeOptions) {
    const page: Target & { visibilityState?: string } = typeof document === "undefined" ? {} : document;
    const whole: Target = typeof self === "undefined" ? {} : self;
    this.#listeners = [
      [page, "visibilitychange", () => page.visibilityState === "visible" && look()],
      [whole, "pageshow", look],
      [whole, "online", look],
      [whole, "offline", doubt],
    ];
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    for (const [target, name, listener] of this.#listeners) target.addEventListener?.(name, listener);
  }

  stop(): void {
    this.#running = false;
    for (const [target, name, listener] of this.#listeners) target.removeEventListener?.(name, listener);
  }
}
