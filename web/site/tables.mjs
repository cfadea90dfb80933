// Pages that are made from the source, so that they cannot say anything else than it does.

import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** The limits of the source, with what their comments say. */
export async function limitsPage(root) {
  const text = await readFile(join(root, "internal/im/limits.go"), "utf8");
  const rows = [];
  for (const line of text.split("\n")) {
    const match = /^\t(\w+)\s+=\s+([^/]+?)(?:\s*\/\/\s*(.*))?$/.exec(line);
    if (match === null) continue;
    const [, name, value, comment = ""] = match;
    rows.push(`| \`${name}\` | ${readable(value)} | ${inCell(comment)} |`);
  }
  if (rows.length < 20) throw new Error("internal/im/limits.go has not the form that is expected");
  return `# Limits

The limits of the source, each the default of a setting of the [server](/configuration) or of an [application](/applications).
Nothing is unbounded. Of user status: a query takes 500 users, a subscription 100, an account's list 200; query, subscribe and
unsubscribe may each be called 20 times in 5 s; \`setSelfStatus\` has no rate.

| name | default | |
|---|---|---|
${rows.join("\n")}
`;
}

/** The codes of the server and of the SDK, with what each means and what to do. */
export async function errorsPage(root) {
  const go = await readFile(join(root, "internal/im/codes.go"), "utf8");
  const numbers = new Map(
    [...go.matchAll(/^\t(Code\w+)\s+Code = (-?\d+)/gm)].map(([, name, value]) => [name, Number(value)]),
  );
  const server = [...go.matchAll(/^\t(Code\w+):\s+"(.+)",$/gm)].map(([, name, text]) => [
    numbers.get(name),
    text,
  ]);
  const ts = await readFile(join(root, "web/sdk/src/errors.ts"), "utf8");
  const local = [...ts.matchAll(/^ {2}(\d+): \[\s*"([^"]+)",\s*(?:"([^"]+)"|again),?\s*\],$/gm)].map(
    ([, code, text, todo]) => [Number(code), `${text}; ${todo ?? "log in again"}`],
  );
  if (server.length < 20 || local.length < 10)
    throw new Error("a table of codes has not the form that is expected");
  const table = (list) =>
    list
      .sort(([a], [b]) => a - b)
      .map(([code, text]) => `| ${code} | ${inCell(text)} |`)
      .join("\n");
  return `# Errors

A call that fails rejects with an error that has a \`code\`, a \`message\`, and in our SDK a \`hint\`: what to do. The codes are those that
clients of the original know, and travel from the server unchanged.

## Said by the server

| code | what it means; what to do |
|---|---|
${table(server)}

## Said by our SDK itself

| code | what it means; what to do |
|---|---|
${table(local)}
`;
}

function readable(value) {
  return value
    .trim()
    .replace(/_/g, " ")
    .replace(/ \* time\.(\w)\w*/g, (_, unit) => ` ${{ S: "s", M: "ms", H: "h" }[unit] ?? unit}`)
    .replace(/^time\.Minute$/, "1 min")
    .replace(/(\d+) << 10/, "$1 KiB");
}

function inCell(text) {
  return text.replace(/</g, "&lt;").replace(/\|/g, "\\|");
}
