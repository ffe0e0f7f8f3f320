// Helpers of the repository's tests: which files there are and what they import.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Paths relative to the root of all files that git tracks or would track, below `folder`. */
export function listFiles(folder: string, extension: string): string[] {
  const args = ["ls-files", "--cached", "--others", "--exclude-standard", "--", folder];
  return execFileSync("git", args, { cwd: ROOT, encoding: "utf8", maxBuffer: 1 << 26 })
    .split("\n")
    .filter((file) => file.endsWith(extension) && existsSync(join(ROOT, file)));
}

export function readText(file: string): string {
  return readFileSync(join(ROOT, file), "utf8");
}

const IMPORT = /(?:^|\n)\s*(?:import|export)\s(?:[^"';]*?\sfrom\s)?\s*"([^"]+)"|import\(\s*"([^"]+)"\s*\)/g;

/** Module specifiers that a file imports or re-exports. */
export function importsOf(file: string): string[] {
  return [...readText(file).matchAll(IMPORT)].map((match) => (match[1] ?? match[2]) as string);
}

/** The imported file, relative to the root, for a relative specifier. */
export function resolveImport(file: string, specifier: string): string {
  return relative(ROOT, join(ROOT, dirname(file), specifier));
}
