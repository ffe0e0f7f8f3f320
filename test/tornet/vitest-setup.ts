// Starts one private network for a whole test run. vitest runs a global set-up once for each project that names it,
// in one process: the projects share the network through a symbol on globalThis, and the last to leave stops it.
// Tests get it by `inject("network")` and `inject("info")`.

import type { NetworkConfig } from "@allium/core";
import type { TestProject } from "vitest/node";
import { startTornet } from "./tornet.ts";
import type { Tornet, TornetInfo } from "./types.ts";

declare module "vitest" {
  interface ProvidedContext {
    network: NetworkConfig;
    info: TornetInfo;
  }
}

interface Shared {
  readonly tornet: Promise<Tornet>;
  users: number;
}

const key = Symbol.for("allium.test.tornet");
const holder = globalThis as { [key]?: Shared };

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // Without 2 ms scheduler ticks: tests of behaviour need not wait for what benches measure.
  holder[key] ??= {
    tornet: startTornet({ scheduler: "Vanilla", log: (line) => console.error(line) }),
    users: 0,
  };
  const shared = holder[key];
  shared.users++;
  const { network, info } = await shared.tornet;
  project.provide("network", network);
  project.provide("info", info);
  return async () => {
    shared.users--;
    if (shared.users > 0) return;
    delete holder[key];
    await (await shared.tornet).stop();
  };
}
