// What is known of each user, by version: nothing older is shown after something newer, on whatever connection it comes.

import type { Told } from "./status.ts";

/** Of so many users versions are kept; of the one heard of longest ago no more, when another comes. */
export const versionsKept = 10_000;

interface Known {
  learnt: string;
  told: string;
}

export class Versions {
  readonly #users = new Map<string, Known>();

  clear(): void {
    this.#users.clear();
  }

  /** Takes what an answer says; false where something newer is known. */
  learn({ status, version }: Told): boolean {
    const known = this.#users.get(status.userID);
    if (known !== undefined && isOlder(version, known.learnt)) return false;
    this.#keep(status.userID, { learnt: version, told: known?.told ?? "" });
    return true;
  }

  /** Takes what a notice says; false where it has been told or something newer is known. */
  tell({ status, version }: Told): boolean {
    const known = this.#users.get(status.userID);
    if (known !== undefined && (isOlder(version, known.learnt) || (version !== "" && version === known.told)))
      return false;
    this.#keep(status.userID, { learnt: version, told: version });
    return true;
  }

  #keep(userID: string, known: Known): void {
    this.#users.delete(userID);
    this.#users.set(userID, known);
    if (this.#users.size <= versionsKept) return;
    for (const oldest of this.#users.keys()) {
      this.#users.delete(oldest);
      return;
    }
  }
}

/** Whether a version `"<epoch>.<sequence>"` is before another. One that is missing says nothing of order. */
export function isOlder(version: string, than: string): boolean {
  if (version === "" || than === "") return false;
  const [epoch = "", sequence = ""] = version.split(".");
  const [otherEpoch = "", otherSequence = ""] = than.split(".");
  return (compare(epoch, otherEpoch) || compare(sequence, otherSequence)) < 0;
}

/** Compares two decimal numbers of any length without leading zeros. */
function compare(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}
