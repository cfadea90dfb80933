// npm run latency [-- -json]: see latency.ts, which Node 20 cannot read by itself.

import { fileURLToPath } from "node:url";
import { runnerImport } from "vite";

const path = fileURLToPath(new URL("./latency.ts", import.meta.url));
const { module } = await runnerImport(path, { logLevel: "error", configFile: false });
await module.main(process.argv.slice(2));
