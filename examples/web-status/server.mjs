// The back end of this little application. An application has one of its own already: it knows who its users are, and
// it alone holds the secret key with which it gives each of them a UserSig. This one believes everybody, which is why
// it listens on this machine only.
//
//   node server.mjs [--port 7801] [--data ../../porchlight-data] [--server URL] [--sdk FILE]
//
// The page runs on the official SDK, or on the one in FILE: our own's script-tag build takes its place unseen.
//
// The key comes from the file dev.json that `porchlight serve -dev` writes into its data directory, or from the
// environment: PORCHLIGHT_SDKAPPID and PORCHLIGHT_SECRET_KEY, with --server.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Api } from "tls-sig-api-v2";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const { values: options } = parseArgs({
  options: {
    port: { type: "string", default: "7801" },
    data: { type: "string", default: here("../../porchlight-data") },
    server: { type: "string" },
    sdk: { type: "string" },
  },
});
const dayS = 86_400;

const pages = {
  "/": ["index.html", "text/html"],
  "/user.html": ["user.html", "text/html"],
  "/user.js": ["user.js", "text/javascript"],
  "/style.css": ["style.css", "text/css"],
};
// The official SDK, byte for byte as it comes from the registry, unless another takes its place.
const sdk = options.sdk ?? createRequire(import.meta.url).resolve("@tencentcloud/chat");
const alias = options.sdk ? "\nglobalThis.TencentCloudChat = PorchlightChat;" : "";

// What the SDK needs from a page's policy: its socket lives in a worker made from a blob, and must reach the server.
const policy = "default-src 'self'; connect-src 'self' ws: wss:; worker-src blob:; img-src 'self' data:";

async function application() {
  const { PORCHLIGHT_SDKAPPID: id, PORCHLIGHT_SECRET_KEY: key } = process.env;
  const file = `${options.data}/dev.json`;
  const dev = id && key ? { sdkAppID: Number(id), secretKey: key } : JSON.parse(await readFile(file, "utf8"));
  return { ...dev, url: (options.server ?? dev.url).replace(/^ws/, "http").replace(/\/$/, "") };
}

async function userSig(user) {
  if (!/^[\w-]{1,32}$/.test(user ?? "")) {
    return [400, { error: "A user's name is 1 to 32 letters, digits, _ or -." }];
  }
  let url = "the Porchlight server";
  try {
    const app = await application();
    url = app.url;
    await fetch(`${url}/healthz`);
    const sig = new Api(app.sdkAppID, app.secretKey).genUserSig(user, dayS);
    return [200, { sdkAppID: app.sdkAppID, userSig: sig, proxyServer: url.replace(/^http/, "ws") }];
  } catch (error) {
    console.error(`${url}: ${error.cause?.message ?? error.message}`);
    return [
      503,
      { error: `Nothing answers at ${url}. Start it: porchlight serve -dev -data ${options.data}` },
    ];
  }
}

async function answer(path, query) {
  if (path === "/usersig") {
    const [status, body] = await userSig(query.get("user"));
    return [status, "application/json", JSON.stringify(body)];
  }
  if (path === "/sdk.js") return [200, "text/javascript", (await readFile(sdk, "utf8")) + alias];
  if (!Object.hasOwn(pages, path)) return [404, "text/plain", "There is no such page."];
  const [file, type] = pages[path];
  return [200, type, await readFile(here(file))];
}

const server = createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://localhost");
  const [status, type, body] = await answer(pathname, searchParams);
  response.writeHead(status, {
    "Content-Type": `${type}; charset=utf-8`,
    "Content-Security-Policy": policy,
    "Cache-Control": "no-store",
  });
  response.end(body);
});
server.listen(Number(options.port), "127.0.0.1", () => {
  const url = `http://127.0.0.1:${server.address().port}`;
  console.log(`Open ${url}/ to see alice and bob side by side, ${url}/user.html?user=carol for one more.`);
});
