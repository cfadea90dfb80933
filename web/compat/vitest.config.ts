import { defineConfig } from "vitest/config";

// Both SDKs run the same files, save for what is about one of them alone.
const isOurs = process.env["PORCHLIGHT_SDK"] === "ours";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: isOurs ? ["test/traffic.test.ts"] : ["test/ours.test.ts"],
    globalSetup: ["harness/setup.ts"],
    // Several at once: most of the time a file waits for a grace to pass or for a client to come back.
    maxWorkers: isOurs ? 4 : 3,
    testTimeout: 90_000,
    hookTimeout: 60_000,
    reporters: ["verbose"],
  },
});
