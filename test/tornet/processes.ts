// Starts and ends processes so that none is left behind: each is written into `DIR/pids` as it starts, and is ended by
// its number, and only where /proc/PID/cmdline names the directory (a number may have been given to another since).

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, closeSync, openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const TERM_PATIENCE_MS = 5000;
const KILL_PATIENCE_MS = 2000;
const POLL_MS = 20;

const pidFile = (dir: string): string => join(dir, "pids");

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** Whether `pid` lives and one of its arguments names `dir` or a path in it. A zombie has no arguments. */
export function belongsTo(pid: number, dir: string): boolean {
  const args = readText(`/proc/${pid}/cmdline`).split("\0");
  return args.some((arg) => arg === dir || arg.startsWith(`${dir}/`));
}

export function record(dir: string, pid: number): void {
  appendFileSync(pidFile(dir), `${pid}\n`);
}

function recorded(dir: string): number[] {
  return readText(pidFile(dir))
    .split("\n")
    .map(Number)
    .filter((pid) => Number.isSafeInteger(pid) && pid > 1);
}

/** Starts a program whose arguments name `dir`; its output goes to `outputFile`. */
export async function start(
  dir: string,
  file: string,
  args: readonly string[],
  outputFile: string,
): Promise<ChildProcess & { readonly pid: number }> {
  const output = openSync(outputFile, "a");
  // A group of its own: Ctrl-C at a terminal reaches the owner alone, which then ends all in order.
  const child = spawn(file, args, { stdio: ["ignore", output, output], detached: true });
  closeSync(output);
  await once(child, "spawn");
  const pid = child.pid;
  if (pid === undefined) throw new Error(`${file} has no process number`);
  record(dir, pid);
  return Object.assign(child, { pid });
}

function signalAll(dir: string, pids: readonly number[], signal: "SIGINT" | "SIGKILL"): void {
  for (const pid of pids) {
    if (!belongsTo(pid, dir)) continue;
    try {
      process.kill(pid, signal);
    } catch {
      // It ended between the look and the signal.
    }
  }
}

async function gone(dir: string, pids: readonly number[], patience: number): Promise<boolean> {
  const deadline = performance.now() + patience;
  while (pids.some((pid) => belongsTo(pid, dir))) {
    if (performance.now() > deadline) return false;
    await sleep(POLL_MS);
  }
  return true;
}

/**
 * Ends every recorded process of `dir`, this one excepted: SIGINT, and SIGKILL to those left after `patience` milliseconds.
 * @throws where one outlives even that
 */
export async function stopRecorded(dir: string, patience = TERM_PATIENCE_MS): Promise<void> {
  const pids = recorded(dir).filter((pid) => pid !== process.pid);
  signalAll(dir, pids, "SIGINT");
  if (!(await gone(dir, pids, patience))) {
    signalAll(dir, pids, "SIGKILL");
    if (!(await gone(dir, pids, KILL_PATIENCE_MS))) throw new Error(`a process of ${dir} cannot be ended`);
  }
  rmSync(pidFile(dir), { force: true });
}
