// `npm test [-- PROJECT…] [vitest's arguments]`: every suite, from the fastest to the slowest (vitest.config.ts), closed by
// one line over all of them. Fails where a test failed, a suite broke, or nothing ran.

import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { summarize, type TestReport } from "./summary.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const REPORT = join(ROOT, ".cache/test-report.json");
const PROJECTS = ["unit", "repo", "interop", "network", "browser"];

function runVitest(args: readonly string[]): Promise<number> {
  const chosen = args.map((arg) => (PROJECTS.includes(arg) ? `--project=${arg}` : arg));
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${REPORT}`];
  const child = spawn(
    process.execPath,
    [join(ROOT, "node_modules/vitest/vitest.mjs"), "run", ...reporters, ...chosen],
    {
      cwd: ROOT,
      stdio: "inherit",
    },
  );
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => resolve(code ?? 1));
  });
}

function readReport(): TestReport | undefined {
  try {
    return JSON.parse(readFileSync(REPORT, "utf8"));
  } catch {
    return undefined;
  }
}

rmSync(REPORT, { force: true });
mkdirSync(dirname(REPORT), { recursive: true });
const exitCode = await runVitest(process.argv.slice(2));
const { line, isGood } = summarize(readReport(), exitCode);
console.log(`\n${line}`);
process.exit(isGood ? 0 : 1);
