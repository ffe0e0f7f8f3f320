// The test projects, from the fastest to the slowest; `npm test` runs them all.
import { defineConfig } from "vitest/config";

const conditions = ["@allium/source", "module", "node", "import", "default"];
const shared = {
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
};

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      {
        ...shared,
        test: {
          name: "unit",
          sequence: { groupOrder: 0 },
          include: ["packages/*/test/**/*.test.ts"],
          testTimeout: 30_000,
        },
      },
      {
        ...shared,
        test: {
          name: "repo",
          sequence: { groupOrder: 1 },
          include: ["test/repo/**/*.test.ts"],
          fileParallelism: false,
        },
      },
      {
        ...shared,
        test: {
          name: "interop",
          sequence: { groupOrder: 2 },
          include: ["test/interop/**/*.test.ts"],
          testTimeout: 60_000,
        },
      },
      {
        ...shared,
        test: {
          name: "network",
          sequence: { groupOrder: 3 },
          include: ["test/integration/**/*.test.ts", "test/hostile/**/*.test.ts"],
          globalSetup: ["test/tornet/vitest-setup.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        ...shared,
        test: {
          name: "browser",
          sequence: { groupOrder: 4 },
          include: ["test/e2e/**/*.test.ts"],
          globalSetup: ["test/tornet/vitest-setup.ts"],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
