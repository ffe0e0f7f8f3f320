// Who is compared: C tor's client over SOCKS, Allium in Node, Allium in a page over a bridge. Each is an agent that does what it is
// asked, with the processes whose CPU time is its own.

import { fileURLToPath } from "node:url";
import type { Tornet } from "../../tornet/types.ts";
import { type CpuParts, residentBytes } from "../machine.ts";
import { BrowserLink } from "./browser.ts";
import { CTorCircuits } from "./c-tor-circuits.ts";
import { measureCTorStarts } from "./c-tor-start.ts";
import { ChildLink } from "./child.ts";
import type { AlliumStart, Destination, Link, SocksStart, Starts } from "./protocol.ts";
import { USUAL, type Variant } from "./variants.ts";

export const C_TOR = "C tor";
export const C_TOR_CONFLUX = "C tor, conflux";
export const NODE = "Allium, Node";
export const CHROMIUM = "Allium, Chromium";
export const CHROMIUM_WORKER = "Allium, Chromium, in a Worker";

export type Kind = "c-tor" | "c-tor-conflux" | "node" | "chromium" | "chromium-worker";

export interface Contender {
  readonly name: string;
  readonly link: Link;
  /**
   * `client` is C tor's process, Allium's Node process or the browser; `application` what reads from C tor's SOCKS port, which
   * in Allium's case is the client's own process; `bridge` is the page's.
   */
  cpu(): CpuParts;
  /** Bytes that the client's process, or the page's, has in memory. */
  memory(): number;
  /** Builds circuits one after the other; milliseconds each. @param round a name of its own for each call */
  build(count: number, round: string): Promise<readonly number[]>;
  starts(): Promise<Starts>;
  /** How many circuits its streams were on since the last call, where the agent cannot see that itself. */
  takeUsedCircuits?(): number;
  close(): Promise<void>;
}

const WORKER_SCRIPT = fileURLToPath(new URL("../../../packages/web/src/worker.ts", import.meta.url));

function destinationOf({ info }: Tornet): Destination {
  const { url, root } = info.https;
  return { url: info.http.url, echo: info.echo, https: { url, root } };
}

function keys(count: number, round: string): string[] {
  return Array.from({ length: count }, (_, i) => `build-${round}-${i}`);
}

async function startCTor(tornet: Tornet, conflux: boolean): Promise<Contender> {
  const [usual, other] = tornet.info.nodes.filter(({ role }) => role === "client");
  const client = conflux ? other : usual;
  const socks = conflux ? tornet.info.confluxSocks : tornet.info.socks;
  if (client === undefined || socks === undefined) throw new Error("the network has no such C tor client");
  const start: SocksStart = { socks, destination: destinationOf(tornet) };
  const link = await ChildLink.start("socks-agent.ts", start);
  const circuits = await CTorCircuits.open(client);
  return {
    name: conflux ? C_TOR_CONFLUX : C_TOR,
    link,
    cpu: () => ({ client: [client.pid], application: link.pids() }),
    memory: () => residentBytes([client.pid]),
    build: (count) => circuits.build(count),
    starts: () => measureCTorStarts(tornet.info, client),
    // A stream with conflux is on whichever circuit of its set.
    ...(conflux ? {} : { takeUsedCircuits: () => circuits.takeUsed() }),
    async close() {
      circuits.close();
      await link.close();
    },
  };
}

async function startNode(tornet: Tornet, { name, options }: Variant): Promise<Contender> {
  const start: AlliumStart = { network: tornet.network, destination: destinationOf(tornet), options };
  const link = await ChildLink.start("node-agent.ts", start);
  return {
    name: `${NODE}${name}`,
    link,
    cpu: () => ({ client: link.pids() }),
    memory: () => residentBytes(link.pids()),
    build: async (count, round) => (await link.ask({ ask: "build", circuits: keys(count, round) })).ms,
    starts: () => link.ask({ ask: "start" }),
    close: () => link.close(),
  };
}

async function startChromium(
  tornet: Tornet,
  { name, options }: Variant,
  inWorker: boolean,
): Promise<Contender> {
  const bridge = await ChildLink.start("bridge-process.ts", tornet.network);
  const bridges = [bridge.started as string];
  const start: AlliumStart = {
    network: tornet.network,
    destination: destinationOf(tornet),
    bridges,
    inWorker,
    options,
  };
  const link = await BrowserLink.start("page-agent.ts", start, { "/worker.js": WORKER_SCRIPT });
  return {
    name: `${inWorker ? CHROMIUM_WORKER : CHROMIUM}${name}`,
    link,
    cpu: () => ({ client: link.pids(), bridge: bridge.pids() }),
    // The browser keeps a spare process for the next page, which is smaller.
    memory: () => Math.max(0, ...link.pagePids().map((pid) => residentBytes([pid]))),
    build: async (count, round) => (await link.ask({ ask: "build", circuits: keys(count, round) })).ms,
    starts: () => link.ask({ ask: "start" }),
    async close() {
      await link.close();
      await bridge.close();
    },
  };
}

export function startContender(kind: Kind, tornet: Tornet, variant: Variant = USUAL): Promise<Contender> {
  if (kind === "node") return startNode(tornet, variant);
  if (kind === "chromium" || kind === "chromium-worker")
    return startChromium(tornet, variant, kind === "chromium-worker");
  return startCTor(tornet, kind === "c-tor-conflux");
}

/** Starts these, lets them be used, and closes them. C tor comes first, as the baseline. */
export async function withContenders<T>(
  kinds: readonly Kind[],
  tornet: Tornet,
  use: (contenders: readonly Contender[]) => Promise<T>,
): Promise<T> {
  const started: Contender[] = [];
  try {
    for (const kind of kinds) started.push(await startContender(kind, tornet));
    return await use(started);
  } finally {
    for (const contender of started) await contender.close();
  }
}
