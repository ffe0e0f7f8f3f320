// The `allium-bridge` command: reads its options, runs one bridge, stops it cleanly on SIGINT and SIGTERM.

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import {
  formatIp,
  type LogEvent,
  type NetworkConfig,
  parseNetworkConfig,
  parseSocketAddress,
  publicNetwork,
} from "@allium/core";
import { type Bridge, createBridge } from "./bridge.ts";

const USAGE = `allium-bridge: carries the bytes of Tor links from WebSockets to relays of the verified consensus

  --listen ADDRESS:PORT   where to listen (default 127.0.0.1:8080)
  --network FILE          a network.json; without it the public Tor network
  --no-snapshots          serves no directory documents, and fetches the consensus only
  --help                  this text

GET /health, /ready and /v1/check tell how it is.
`;

/** What the command line asks for. @throws Error with a message for the person who typed it */
export function readOptions(args: readonly string[]): {
  help: boolean;
  listen: { host: string; port: number };
  network: NetworkConfig;
  snapshots: boolean;
} {
  const { values } = parseArgs({
    args: [...args],
    options: {
      listen: { type: "string" },
      network: { type: "string" },
      "no-snapshots": { type: "boolean" },
      help: { type: "boolean" },
    },
  });
  return {
    help: values.help ?? false,
    listen: readListen(values.listen ?? "127.0.0.1:8080"),
    network: values.network === undefined ? publicNetwork : readNetwork(values.network),
    snapshots: !values["no-snapshots"],
  };
}

function readListen(text: string): { host: string; port: number } {
  if (text.endsWith(":0")) return { ...readListen(`${text.slice(0, -1)}1`), port: 0 };
  const address = parseSocketAddress(text);
  return { host: formatIp(address.address), port: address.port };
}

function readNetwork(file: string): NetworkConfig {
  return parseNetworkConfig(JSON.parse(readFileSync(file, "utf8")));
}

function isLoopback(host: string): boolean {
  return host.startsWith("127.") || host === "::1";
}

function logLine(event: LogEvent): void {
  if (event.level === "debug") return;
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), ...event })}\n`);
}

function stopOnSignals(bridge: Bridge): void {
  let stopping = false;
  const stop = () => {
    // A second signal does not wait for the drain.
    if (stopping) process.exit(1);
    stopping = true;
    bridge.close().then(() => process.exit(0));
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
}

/** Runs the command. @returns the exit code when it ends at once, undefined while the bridge runs */
export async function main(args: readonly string[]): Promise<number | undefined> {
  try {
    const options = readOptions(args);
    if (options.help) {
      process.stdout.write(USAGE);
      return 0;
    }
    const { listen, network, snapshots } = options;
    const bridge = createBridge({ listen, network, snapshots, log: logLine });
    stopOnSignals(bridge);
    const url = await bridge.listen();
    if (!isLoopback(options.listen.host)) {
      const message =
        "listening beyond loopback without access control: anyone who reaches this port may use the bridge";
      logLine({ level: "warn", code: "bridge.public-and-open", message });
    }
    logLine({ level: "info", code: "bridge.url", message: `clients use ${url}` });
    return undefined;
  } catch (error) {
    process.stderr.write(
      `allium-bridge: ${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`,
    );
    return 2;
  }
}
