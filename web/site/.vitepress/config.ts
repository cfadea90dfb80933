import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitepress";

const clauses = readdirSync(fileURLToPath(new URL("../made/spec", import.meta.url)))
  .map((name) => name.replace(/\.md$/, ""))
  .map((name) => ({ text: name.charAt(0).toUpperCase() + name.slice(1), link: `/spec/${name}` }));

export default defineConfig({
  title: "Porchlight",
  description: "A chat server that you run yourself, for applications written against Tencent Cloud Chat",
  srcDir: "made",
  outDir: "dist",
  cacheDir: ".vitepress/cache",
  vite: { publicDir: "../public" },
  lastUpdated: false,
  cleanUrls: false,
  head: [["link", { rel: "icon", href: "data:," }]],
  themeConfig: {
    search: { provider: "local" },
    nav: [
      { text: "Start", link: "/start" },
      { text: "User status", link: "/status" },
      { text: "API of the SDK", link: "/api/index.html", target: "_self" },
    ],
    sidebar: [
      {
        text: "Begin",
        items: [
          { text: "Quick start", link: "/start" },
          { text: "Move an application", link: "/move" },
          { text: "Compatibility", link: "/compatibility" },
        ],
      },
      {
        text: "In the client",
        items: [
          { text: "User status", link: "/status" },
          { text: "Our SDK", link: "/sdk" },
          { text: "Errors", link: "/errors" },
        ],
      },
      {
        text: "In the back end",
        items: [
          { text: "UserSigs", link: "/usersig" },
          { text: "REST API", link: "/rest" },
          { text: "Webhooks", link: "/webhooks" },
        ],
      },
      {
        text: "Operations",
        items: [
          { text: "Run a server", link: "/operations" },
          { text: "Applications", link: "/applications" },
          { text: "Configuration", link: "/configuration" },
          { text: "PostgreSQL", link: "/postgres" },
          { text: "Limits", link: "/limits" },
          { text: "Performance", link: "/performance" },
        ],
      },
      { text: "The rules, by number", items: clauses },
    ],
    footer: { message: "Apache-2.0. Not made, endorsed or supported by Tencent." },
  },
});
