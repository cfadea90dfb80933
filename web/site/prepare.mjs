// Puts the pages together in made/: those of pages/, those of the repository's docs/ and spec/ with their links turned to
// where things are here, and the ones that are made from the source: compatibility, limits, errors.

import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { compatibilityPage } from "./compatibility.mjs";
import { errorsPage, limitsPage } from "./tables.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const root = here("../..");
const made = here("made");
const source = "https://github.com/porchlight-im/porchlight/blob/main/";

/** Where each page of the repository is on the site. */
const places = new Map();
for (const folder of ["docs", "spec"]) {
  for (const name of await readdir(join(root, folder))) {
    if (!name.endsWith(".md")) continue;
    places.set(`${folder}/${name}`, folder === "docs" ? name : `spec/${name}`);
  }
}

/** Turns the relative links of a page to the site's pages, and all others to the repository. */
function turned(text, from) {
  return text.replace(/\]\((?!https?:|#)([^)#\s]+)(#[^)\s]*)?\)/g, (_, path, anchor = "") => {
    const target = posix.normalize(posix.join(posix.dirname(from), path));
    const place = places.get(target);
    return place === undefined ? `](${source}${target}${anchor})` : `](/${place}${anchor})`;
  });
}

/** Angle brackets are text in the repository's pages, and would be elements here. */
function escaped(text) {
  let fenced = false;
  return text
    .split("\n")
    .map((line) => {
      if (/^\s*```/.test(line)) fenced = !fenced;
      if (fenced || /^ {4}/.test(line)) return line;
      return line
        .split(/(`[^`]*`)/)
        .map((part) =>
          part.startsWith("`") ? part.replace(/\{\{/g, "{&#8203;{") : part.replace(/</g, "&lt;"),
        )
        .join("");
    })
    .join("\n");
}

await rm(made, { recursive: true, force: true });
await mkdir(join(made, "spec"), { recursive: true });
await cp(here("pages"), made, { recursive: true });
for (const [from, to] of places) {
  const text = await readFile(join(root, from), "utf8");
  await writeFile(join(made, to), escaped(turned(text, from)));
}
await writeFile(join(made, "compatibility.md"), await compatibilityPage(root));
await writeFile(join(made, "limits.md"), await limitsPage(root));
await writeFile(join(made, "errors.md"), await errorsPage(root));
await mkdir(here("public"), { recursive: true });
await cp(join(root, "docs/demo.png"), here("public/demo.png"));
console.log(
  `made ${(await readdir(made)).length} pages and ${(await readdir(join(made, "spec"))).map((n) => basename(n)).join(", ")}`,
);
