import { defineConfig } from "tsdown";

const shared = {
  target: "es2022",
  platform: "neutral",
  minify: true,
  sourcemap: true,
  clean: false,
  inputOptions: { checks: { pluginTimings: false } },
} as const;

export default defineConfig([
  {
    ...shared,
    entry: { index: "src/index.ts" },
    format: ["esm", "cjs"],
    dts: { sourcemap: false },
    outExtensions: ({ format }) => ({
      js: format === "cjs" ? ".cjs" : ".js",
      dts: format === "cjs" ? ".d.cts" : ".d.ts",
    }),
    outputOptions: { exports: "named" },
  },
  {
    ...shared,
    entry: { "porchlight-chat": "src/index.ts" },
    format: ["iife"],
    globalName: "PorchlightChat",
    dts: false,
    outputOptions: { exports: "named", entryFileNames: "porchlight-chat.iife.js" },
  },
]);
