// Keeps the official SDK where only loopback is: it knows the addresses of the service it was written for, and a test
// that goes wrong must not be able to reach them.

import { networkInterfaces } from "node:os";

export function assertLoopbackOnly(): void {
  const outside = Object.entries(networkInterfaces())
    .filter(([, addresses]) => addresses?.some((address) => !address.internal))
    .map(([name]) => name);
  if (outside.length > 0) {
    throw new Error(
      `The official SDK runs only where there is no network but loopback, and here is also ${outside.join(", ")}.\n` +
        "From the root of the repository: scripts/loopback.sh npm --prefix web test",
    );
  }
}

export function isLoopback(url: string): boolean {
  const { hostname } = new URL(url);
  return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d+){3}$/.test(hostname);
}
