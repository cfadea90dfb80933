// Follows every link of the built site: to a file, and to an anchor in it. Nothing outside is asked.

import { readdir, readFile } from "node:fs/promises";
import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";

const dist = fileURLToPath(new URL("dist", import.meta.url));
const names = (await readdir(dist, { recursive: true, withFileTypes: true }))
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name).slice(dist.length));
const files = new Set(names);
const pages = new Map();
for (const name of names) {
  if (name.endsWith(".html")) pages.set(name, await readFile(dist + name, "utf8"));
}
const anchors = new Map(
  [...pages].map(([name, text]) => [
    name,
    new Set([...text.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id)),
  ]),
);
const decoded = (text) => decodeURIComponent(text.replace(/&amp;/g, "&"));

const dead = [];
let count = 0;
for (const [name, text] of pages) {
  for (const [, link] of text.matchAll(/\s(?:href|src)="([^"]+)"/g)) {
    if (/^(https?:|mailto:|data:|javascript:|\/\/)/.test(link)) continue;
    count += 1;
    const [path = "", anchor = ""] = decoded(link).split("#");
    let target =
      path === "" ? name : posix.normalize(posix.join(posix.dirname(name), path.split("?")[0] ?? ""));
    if (path.startsWith("/")) target = posix.normalize(path.split("?")[0] ?? "");
    if (target.endsWith("/")) target += "index.html";
    if (!files.has(target) && files.has(`${target}.html`)) target += ".html";
    if (!files.has(target)) dead.push(`${name}: ${link}: no such file`);
    else if (anchor !== "" && anchors.has(target) && !anchors.get(target)?.has(anchor))
      dead.push(`${name}: ${link}: no such anchor`);
  }
}
if (count < 100) throw new Error(`only ${count} links were found in ${pages.size} pages: is the site whole?`);
if (dead.length > 0) {
  console.error([...new Set(dead)].join("\n"));
  process.exit(1);
}
console.log(`${pages.size} pages, ${count} links, none dead`);
