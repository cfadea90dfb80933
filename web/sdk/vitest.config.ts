import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    typecheck: { enabled: false },
    dangerouslyIgnoreUnhandledErrors: false,
    reporters: ["dot"],
  },
});
