// How long C tor's client takes from its process's start to "Bootstrapped 100%": with an empty data directory, then again
// with what it kept. The client is a second one beside the network's own, with the same torrc but for its places.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { NodeInfo, TornetInfo } from "../../tornet/types.ts";
import type { Starts } from "./protocol.ts";

const TIMEOUT = 60_000;
const POLL = 5;

function secondClientTorrc(client: NodeInfo, dir: string): string {
  const replaced: Record<string, string> = {
    DataDirectory: dir,
    PidFile: join(dir, "pid"),
    Log: `notice file ${join(dir, "notice.log")}`,
    ControlPort: `${client.address}:9061`,
    SocksPort: `${client.address}:9060`,
    __OwningControllerProcess: String(process.pid),
  };
  return readFileSync(join(client.dataDirectory, "torrc"), "utf8")
    .split("\n")
    .map((line) => {
      const [name = ""] = line.split(" ");
      return name in replaced ? `${name} ${replaced[name]}` : line;
    })
    .join("\n");
}

function bootstraps(log: string): number {
  try {
    return readFileSync(log, "utf8").split("Bootstrapped 100%").length - 1;
  } catch {
    return 0;
  }
}

/** Milliseconds from the process's start to its readiness; the process is ended again. */
async function timeStart(dir: string): Promise<number> {
  const log = join(dir, "notice.log");
  const before = bootstraps(log);
  const began = performance.now();
  const args = ["--hush", "--defaults-torrc", join(dir, "empty"), "-f", join(dir, "torrc")];
  const tor = spawn("tor", args, { stdio: "ignore" });
  try {
    while (bootstraps(log) === before) {
      if (performance.now() - began > TIMEOUT) throw new Error("C tor's second client does not bootstrap");
      await sleep(POLL);
    }
    return performance.now() - began;
  } finally {
    const exited = once(tor, "exit");
    tor.kill("SIGINT");
    await exited;
  }
}

/** Cold and warm start of a fresh C tor client. */
export async function measureCTorStarts(info: TornetInfo, client: NodeInfo): Promise<Starts> {
  const dir = mkdtempSync(join(info.dir, "start-"));
  writeFileSync(join(dir, "empty"), "");
  writeFileSync(join(dir, "torrc"), secondClientTorrc(client, dir));
  return { coldStart: await timeStart(dir), warmStart: await timeStart(dir) };
}
