import { defineConfig } from "tsdown";

const shared = {
  target: "es2022",
  platform: "neutral",
  minify: true,
  sourcemap: true,
  clean: false,
  inputOptions: { checks: { pluginTimings: false } },
} as const;

// Each entry stands alone: a page takes one of them, and the small one is not to bring anything of the other.
const modules = (["index", "status-only"] as const).map(
  (name) =>
    ({
      ...shared,
      entry: { [name]: `src/${name}.ts` },
      format: ["esm", "cjs"] as ["esm", "cjs"],
      dts: { sourcemap: false },
      outExtensions: ({ format }: { format: string }) => ({
        js: format === "cjs" ? ".cjs" : ".js",
        dts: format === "cjs" ? ".d.cts" : ".d.ts",
      }),
      outputOptions: { exports: "named" },
    }) as const,
);

export default defineConfig([
  ...modules,
  {
    ...shared,
    entry: { "porchlight-chat": "src/index.ts" },
    format: ["iife"],
    globalName: "PorchlightChat",
    dts: false,
    outputOptions: { exports: "named", entryFileNames: "porchlight-chat.iife.js" },
  },
]);
