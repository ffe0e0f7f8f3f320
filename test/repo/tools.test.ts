// The checkers of others, run over the whole repository: types, format and lint, unused code, published form.

import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";
import { build } from "../../scripts/build.ts";
import { ROOT } from "./files.ts";

const PACKAGES = ["core", "web", "bridge"];

/** Runs a tool of node_modules/.bin and returns its output when it fails, "" when it is content. */
function complaintsOf(command: string, ...args: string[]): string {
  const result = spawnSync(command, args, { cwd: ROOT, encoding: "utf8", maxBuffer: 1 << 26 });
  return result.status === 0
    ? ""
    : `${result.stdout ?? ""}${result.stderr ?? ""}${result.error?.message ?? ""}`;
}

it("type-checks everything", { timeout: 180_000 }, () => {
  expect(complaintsOf("tsc", "--build", "test")).toBe("");
});

it("is formatted and free of lint", { timeout: 60_000 }, () => {
  expect(complaintsOf("biome", "ci", "--colors=off")).toBe("");
});

it("has no unused file, export or dependency", { timeout: 120_000 }, () => {
  expect(complaintsOf("knip", "--no-progress")).toBe("");
});

it.each(PACKAGES)("publishes @allium/%s in a form that publint accepts", { timeout: 60_000 }, (name) => {
  build();
  expect(complaintsOf("publint", "--strict", `packages/${name}`)).toBe("");
});

it.each(PACKAGES)("publishes types of @allium/%s that resolve everywhere", { timeout: 120_000 }, (name) => {
  build();
  // Data has no types.
  const options = ["--profile", "esm-only", "--exclude-entrypoints", "roots.bin"];
  expect(complaintsOf("attw", "--pack", `packages/${name}`, ...options)).toBe("");
});
