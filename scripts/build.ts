// `npm run build`: leaves every package in its published form (dist/ with types and source maps).

import { spawnSync } from "node:child_process";

const PACKAGES = ["packages/core", "packages/web", "packages/bridge"];

/** Compiles the packages; throws with the compiler's output when one has errors. */
export function build(): void {
  const result = spawnSync("tsc", ["--build", ...PACKAGES], { encoding: "utf8" });
  if (result.status !== 0) throw new Error(`the build failed:\n${result.stdout ?? ""}${result.stderr ?? ""}`);
}

if (import.meta.main) {
  build();
  process.stdout.write(`built ${PACKAGES.join(", ")}\n`);
}
