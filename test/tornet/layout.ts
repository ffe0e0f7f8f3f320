// Which nodes there are and which addresses they have. All of 127/8 is local on Linux: instance i owns the sixteen
// networks 127.16(i+1).0.0/16 and following, one per node, so that several networks run side by side and subnet
// rules can be tested. An instance is claimed by a listening socket, which the kernel releases with its process.

import { once } from "node:events";
import net from "node:net";
import type { NodeRole, NodeSpec } from "./types.ts";

export const OR_PORT = 9001;
/** Where a relay listens whose OR_PORT the slow path's proxy has. */
export const BEHIND_PORT = 9002;
export const DIR_PORT = 9030;
export const SOCKS_PORT = 9050;
export const CONTROL_PORT = 9051;
const LOCK_PORT = 9099;
const SLOTS = 16;
const INSTANCES = 14;
const SERVICE_SLOT = 14;
const LOCK_SLOT = 15;

export interface NodePlan extends Omit<NodeSpec, "subnet"> {
  readonly address: string;
}

export interface Layout {
  readonly instance: number;
  readonly nodes: readonly NodePlan[];
  /** Where the destination's servers and the resolver listen. */
  readonly serviceAddress: string;
}

const topology: readonly (readonly [string, NodeRole])[] = [
  ["auth1", "authority"],
  ["auth2", "authority"],
  ["auth3", "authority"],
  ["guard1", "guard"],
  ["guard2", "guard"],
  ["guard3", "guard"],
  ["guard4", "guard"],
  ["exit1", "exit"],
  ["exit2", "exit"],
  ["exit3", "exit"],
  ["client", "client"],
  // Started only where it is asked for.
  ["conflux", "client"],
];

const usual: readonly NodeSpec[] = topology.map(([nickname, role], subnet) => ({ nickname, role, subnet }));

export function layoutOf(instance: number, specs = usual): Layout {
  const address = (slot: number, host = 1): string => `127.${SLOTS * (instance + 1) + slot}.0.${host}`;
  const hosts = new Map<number, number>();
  const nodes = specs.map(({ subnet, ...node }): NodePlan => {
    const host = (hosts.get(subnet) ?? 0) + 1;
    hosts.set(subnet, host);
    return { ...node, address: address(subnet, host) };
  });
  return { instance, nodes, serviceAddress: address(SERVICE_SLOT) };
}

/** Listens, or answers undefined where the address is taken. */
async function tryListen(host: string, port: number): Promise<net.Server | undefined> {
  const server = net.createServer((socket) => socket.destroy());
  server.listen({ host, port, exclusive: true });
  try {
    await once(server, "listening");
    return server;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "EADDRINUSE") return undefined;
    throw error;
  }
}

async function close(server: net.Server): Promise<void> {
  server.close();
  await once(server, "close");
}

async function portsAreFree(layout: Layout): Promise<boolean> {
  for (const node of layout.nodes) {
    for (const port of [OR_PORT, BEHIND_PORT, DIR_PORT, SOCKS_PORT, CONTROL_PORT]) {
      const server = await tryListen(node.address, port);
      if (server === undefined) return false;
      await close(server);
    }
  }
  return true;
}

export interface Claim {
  readonly layout: Layout;
  release(): Promise<void>;
}

/** Claims the first free instance. `prepare` clears what a crashed run of that instance has left. */
export async function claimInstance(
  prepare: (instance: number) => Promise<void>,
  specs?: readonly NodeSpec[],
): Promise<Claim> {
  for (let instance = 0; instance < INSTANCES; instance++) {
    const lock = await tryListen(`127.${SLOTS * (instance + 1) + LOCK_SLOT}.0.1`, LOCK_PORT);
    if (lock === undefined) continue;
    lock.unref();
    try {
      await prepare(instance);
      const layout = layoutOf(instance, specs);
      if (await portsAreFree(layout)) return { layout, release: () => close(lock) };
    } catch (error) {
      await close(lock);
      throw error;
    }
    await close(lock);
  }
  throw new Error(
    `no room for another private network: all ${INSTANCES} address ranges of 127.0.0.0/8 are in use`,
  );
}
