// Runs once before all test files: says in a word why they cannot run here, before each of them says it at length.

import { assertLoopbackOnly } from "./loopback.ts";

export default function setup(): void {
  assertLoopbackOnly();
}
