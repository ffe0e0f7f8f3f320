// The owner's side of the slow path: starts the proxy's process and tells it its path (servers/slow-path.ts).

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { BEHIND_PORT, type NodePlan, OR_PORT } from "./layout.ts";
import { record } from "./processes.ts";
import type { SlowPathPlan } from "./servers/slow-path.ts";
import type { SlowLinks, SlowPath } from "./types.ts";

const TIMEOUT_MS = 20_000;

/** Whether this node's ORPort is the proxy's. */
export function isBehindProxy({ role }: NodePlan, links: SlowLinks | undefined): boolean {
  if (links === undefined || role === "client") return false;
  return links === "every" || role === "guard";
}

export class SlowPathProxy {
  readonly #process: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#process = child;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Starts a proxy that delays nothing yet. `onExit` is called when it ends, for whatever reason. */
  static async start(
    dir: string,
    nodes: readonly NodePlan[],
    links: SlowLinks,
    onExit: (code: number | null) => void,
  ): Promise<SlowPathProxy> {
    const relays = nodes.filter(({ role }) => role !== "client");
    const plan: SlowPathPlan = {
      from: OR_PORT,
      to: BEHIND_PORT,
      relays: relays.filter((node) => isBehindProxy(node, links)).map(({ address }) => address),
      direct: links === "every" ? [] : relays.map(({ nickname }) => join(dir, "nodes", nickname, "pid")),
    };
    const file = join(import.meta.dirname, "servers/slow-path.ts");
    const child = fork(file, [dir, JSON.stringify(plan)], {
      detached: true,
      execArgv: [],
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    await once(child, "spawn");
    if (child.pid !== undefined) record(dir, child.pid);
    child.on("exit", onExit);
    const proxy = new SlowPathProxy(child);
    await proxy.#answered();
    child.unref();
    child.channel?.unref();
    return proxy;
  }

  async set(path: SlowPath): Promise<void> {
    this.#process.channel?.ref();
    this.#process.send(path);
    await this.#answered();
    this.#process.channel?.unref();
  }

  /** Nobody is told of its end any more. */
  release(): void {
    this.#process.removeAllListeners();
    if (this.#process.connected) this.#process.disconnect();
  }

  async #answered(): Promise<void> {
    await once(this.#process, "message", { signal: AbortSignal.timeout(TIMEOUT_MS) });
  }
}
