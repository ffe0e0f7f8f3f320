// Sizes that the house keeps: source files, and the bundle that a page loads.

import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";
import { build } from "../../scripts/build.ts";
import { listFiles, ROOT, readText } from "./files.ts";

/** Lines; data and vectors apart. */
const LONGEST_FILE = 500;

function isData(file: string): boolean {
  return /vectors|fallbacks|\.d\.ts$/.test(file);
}

it(`has no source file of more than ${LONGEST_FILE} lines`, () => {
  const files = ["packages", "test", "scripts"].flatMap((folder) => [
    ...listFiles(folder, ".ts"),
    ...listFiles(folder, ".mjs"),
  ]);
  const long = files.filter((file) => !isData(file) && readText(file).split("\n").length > LONGEST_FILE + 1);
  expect(long).toEqual([]);
});

it("opens every source file with what it does", () => {
  const files = ["packages/core/src", "packages/web/src", "packages/bridge/src", "scripts"].flatMap(
    (folder) => listFiles(folder, ".ts"),
  );
  expect(files.filter((file) => !/^(#!.*\n)?\/[/*]/.test(readText(file)))).toEqual([]);
});

it("keeps core and web, minified and gzipped, within the size limit", () => {
  build();
  const output = execFileSync("size-limit", ["--json"], { cwd: ROOT, encoding: "utf8" });
  const results = JSON.parse(output) as { name: string; passed: boolean; size: number }[];
  expect(results.length).toBeGreaterThan(0);
  expect(results.filter((result) => !result.passed)).toEqual([]);
}, 120_000);
