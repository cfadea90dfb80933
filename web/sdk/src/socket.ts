// What the SDK needs of a WebSocket: the browser's, that of Node 22, Deno and Bun, and of the package ws have it.

export interface SocketLike {
  binaryType: string;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
}

export type SocketConstructor = new (url: string) => SocketLike;

/** The surroundings' own WebSocket, where they have one. */
export function ownSocket(): SocketConstructor | undefined {
  return typeof WebSocket === "undefined" ? undefined : (WebSocket as unknown as SocketConstructor);
}
