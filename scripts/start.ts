// `npm start [-- --network private|public] [--port N]`: brings up the private Tor network, the bridges and the demo page,
// says where the page is, and runs until it is interrupted. The public network is not touched unless it is asked for,
// here or on the page.

import { once } from "node:events";
import { createServer } from "node:net";
import { parseArgs } from "node:util";
import { type Bridge, createBridge } from "@allium/bridge";
import type { NetworkConfig } from "@allium/core";
import { build as buildPage } from "vite";
import type { DemoNetwork } from "../packages/web/demo/config.ts";
import { progressPrinter } from "../test/tornet/progress.ts";
import { startTornet } from "../test/tornet/tornet.ts";
import type { Tornet } from "../test/tornet/types.ts";
import { startDemoServer } from "./demo-server.ts";
import { interruption, untilAborted } from "./interrupt.ts";

const PAGE_PORT = 5173;
const VIEWER_PORT = 5174;
const PRIVATE_BRIDGE_PORT = 8080;
const PUBLIC_BRIDGE_PORT = 8081;
const HOST = "127.0.0.1";
const CONSENSUS_TIMEOUT_MS = 60_000;

interface Options {
  readonly network: "private" | "public";
  readonly port: number;
}

/** What is to be undone at the end, the last first. */
type Cleanup = (() => Promise<void>)[];

function readOptions(): Options {
  const { values } = parseArgs({ options: { network: { type: "string" }, port: { type: "string" } } });
  const network = values.network ?? "private";
  if (network !== "private" && network !== "public") {
    throw new Error(`--network takes private or public, not ${network}`);
  }
  const port = Number(values.port ?? PAGE_PORT);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new Error(`--port ${values.port} is no port`);
  return { network, port };
}

/** `preferred` where it is free, else a port that was free just now. */
async function freePort(preferred: number): Promise<number> {
  for (const port of [preferred, 0]) {
    const server = createServer().listen({ host: HOST, port });
    try {
      await once(server, "listening");
    } catch {
      continue;
    }
    const address = server.address();
    server.close();
    await once(server, "close");
    if (address !== null && typeof address === "object") return address.port;
  }
  throw new Error("no free port on loopback");
}

/** A bridge that is made when first wanted; its address is known before, as the page's policy names it. */
function lazyBridge(
  port: number,
  network: NetworkConfig | undefined,
  cleanup: Cleanup,
): () => Promise<Bridge> {
  let started: Promise<Bridge> | undefined;
  return () => {
    started ??= startBridge(port, network, cleanup);
    return started;
  };
}

async function startBridge(
  port: number,
  network: NetworkConfig | undefined,
  cleanup: Cleanup,
): Promise<Bridge> {
  const bridge = createBridge({ ...(network && { network }), listen: { host: HOST, port } });
  await bridge.listen();
  cleanup.push(() => bridge.close());
  return bridge;
}

async function consensusOf(bridge: Bridge, signal: AbortSignal): Promise<void> {
  const timeout = AbortSignal.timeout(CONSENSUS_TIMEOUT_MS);
  const given = AbortSignal.any([signal, timeout]);
  const late = new Promise<never>((_, reject) => {
    given.addEventListener("abort", () => reject(signal.aborted ? signal.reason : new Error("too late")));
  });
  await Promise.race([bridge.ready, late]).catch((error: unknown) => {
    throw signal.aborted ? error : new Error("the bridge has found no consensus to verify");
  });
}

function privateNetwork(tornet: Tornet, port: number): DemoNetwork {
  const { http, https } = tornet.info;
  const pages = ["", "site", "headers", "drip?chunks=20&ms=200", "redirect", "large"];
  return {
    id: "private",
    label: "Private network on this machine",
    bridges: [`ws://${HOST}:${port}/`],
    network: tornet.network,
    suggestions: [...pages.map((page) => `${http.namedUrl}${page}`), https.namedUrl],
    echoes: [http, https].map(({ namedUrl }) => `${namedUrl.replace("http", "ws")}echo`),
    whoami: `${http.namedUrl}whoami`,
    anchors: [https.root],
  };
}

function publicNetwork(port: number): DemoNetwork {
  return {
    id: "public",
    label: "Public Tor network",
    bridges: [`ws://${HOST}:${port}/`],
    suggestions: ["https://check.torproject.org/", "https://example.com/", "http://neverssl.com/"],
    echoes: [],
    whoami: "https://check.torproject.org/api/ip",
  };
}

async function buildDemo(): Promise<void> {
  const configFile = new URL("../packages/web/demo/vite.config.ts", import.meta.url).pathname;
  await buildPage({ configFile });
}

/** The private network and its bridge, which has verified the consensus. */
async function startPrivate(cleanup: Cleanup, signal: AbortSignal): Promise<DemoNetwork> {
  const tornet = await startTornet({
    log: (line) => console.error(line),
    onProgress: progressPrinter(),
    signal,
  });
  cleanup.push(() => tornet.stop());
  const port = await freePort(PRIVATE_BRIDGE_PORT);
  const bridge = await startBridge(port, tornet.network, cleanup);
  console.log("       the bridge fetches and verifies the consensus");
  await consensusOf(bridge, signal);
  return privateNetwork(tornet, port);
}

async function run(options: Options, cleanup: Cleanup, signal: AbortSignal): Promise<void> {
  console.log("       building the demo page");
  await buildDemo();
  const publicPort = await freePort(PUBLIC_BRIDGE_PORT);
  const publicBridge = lazyBridge(publicPort, undefined, cleanup);
  const networks: DemoNetwork[] = [publicNetwork(publicPort)];
  if (options.network === "private") networks.unshift(await startPrivate(cleanup, signal));
  else await publicBridge();
  const startPublicBridge = async (): Promise<void> => {
    await publicBridge();
  };
  const page = await startDemoServer({
    ...{ port: options.port, viewerPort: VIEWER_PORT },
    ...{ config: { networks }, startPublicBridge },
  });
  cleanup.push(() => page.close());
  console.log(`\nThe demo page is at ${page.url}\nCtrl-C stops everything.`);
  await untilAborted(signal);
}

async function main(): Promise<void> {
  const signal = interruption();
  const cleanup: Cleanup = [];
  try {
    await run(readOptions(), cleanup, signal);
  } catch (error) {
    if (!signal.aborted) {
      console.error(error instanceof Error ? error.message : error);
      process.exitCode = 1;
    }
  }
  for (const undo of cleanup.reverse()) await undo();
  process.exit();
}

await main();
