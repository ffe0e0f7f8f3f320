// What the machine is and how busy it is, and how much CPU time processes have taken (proc(5)).

import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";

/** Ticks of /proc/PID/stat in a second: USER_HZ, which is 100 on every Linux of ours. */
const TICKS = 100;

/** The fields of /proc/PID/stat from the third on; undefined where the process is gone. */
function statOf(pid: number | string): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

/** Seconds of CPU, user and system, of all threads of these processes since they began. */
export function cpuSeconds(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const fields = statOf(pid);
    if (fields !== undefined) ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / TICKS;
}

/** The processes of a group, its leader among them. */
export function groupPids(group: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && statOf(name)?.[2] === String(group))
    .map(Number);
}

/** Bytes in memory of these processes together; pages that they share count in each. */
export function residentBytes(pids: readonly number[]): number {
  let kib = 0;
  for (const pid of pids) {
    try {
      kib += Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
    } catch {
      // It has ended.
    }
  }
  return kib * 1024;
}

/** How busy the machine was before the bench began, or while it ran. */
export function machine(): {
  readonly cpu: string;
  readonly cores: number;
  readonly load: readonly number[];
} {
  return { cpu: cpus()[0]?.model ?? "unknown", cores: availableParallelism(), load: loadavg() };
}

/** Who took CPU, by name. */
export type CpuParts = Readonly<Record<string, readonly number[]>>;

export class CpuMeter {
  readonly #parts: () => CpuParts;
  readonly #before: Readonly<Record<string, number>>;

  /** @param parts processes by name; asked at the start and at the end */
  constructor(parts: () => CpuParts) {
    this.#parts = parts;
    this.#before = secondsOf(parts());
  }

  /** Seconds since the start, by name. */
  read(): Record<string, number> {
    const now = secondsOf(this.#parts());
    return Object.fromEntries(
      Object.entries(now).map(([name, seconds]) => [name, seconds - (this.#before[name] ?? 0)]),
    );
  }
}

function secondsOf(parts: CpuParts): Record<string, number> {
  return Object.fromEntries(Object.entries(parts).map(([name, pids]) => [name, cpuSeconds(pids)]));
}
