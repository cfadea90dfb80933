// Lists of users, as calls take them and in parts as large as one request may be.

import { invalid } from "./errors.ts";
import { isObject } from "./frame.ts";

export function chunked<T>(list: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, n) =>
    list.slice(n * size, (n + 1) * size),
  );
}

/** The userIDList of a call's options; throws 70402 where it is none. */
export function userIDs(options: unknown): string[] {
  const list: unknown = isObject(options) ? options["userIDList"] : undefined;
  if (!Array.isArray(list) || list.length === 0 || !list.every((id) => typeof id === "string")) {
    throw invalid("userIDList is no list of userIDs", 'pass { userIDList: ["…"] } with one userID at least');
  }
  return list;
}
