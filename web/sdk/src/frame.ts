// Frames as they stand in one WebSocket message, and the reading of what comes from outside.

export interface Head {
  servcmd: string;
  seq: number | string;
}

export type Body = Readonly<Record<string, unknown>>;

export interface Frame {
  head: Head;
  body: Body;
}

/** Reads a message; undefined where it is no frame. */
export function decode(data: unknown): Frame | undefined {
  try {
    const text = typeof data === "string" ? data : new TextDecoder().decode(data as ArrayBuffer);
    const frame: unknown = JSON.parse(text);
    if (!isObject(frame) || !isObject(frame["head"])) return undefined;
    const { servcmd, seq } = frame["head"];
    if (typeof servcmd !== "string") return undefined;
    const body = isObject(frame["body"]) ? frame["body"] : {};
    return { head: { servcmd, seq: typeof seq === "string" ? seq : Number(seq) }, body };
  } catch {
    return undefined;
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The objects of a list that may be anything. */
export function objects(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

export function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** The text in base64 of UTF-8; "" where it is none. */
export function fromBase64(value: unknown): string {
  try {
    const bytes = Uint8Array.from(atob(text(value)), (character) => character.charCodeAt(0));
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  } catch {
    return "";
  }
}
