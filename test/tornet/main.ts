// `npm run tornet -- --dir D [--scheduler KIST|Vanilla]`: starts a private Tor network, writes D/network.json and
// D/info.json, says READY, and runs until SIGINT or SIGTERM.

import { parseArgs } from "node:util";
import { interruption, untilAborted } from "../../scripts/interrupt.ts";
import { progressPrinter } from "./progress.ts";
import { startTornet } from "./tornet.ts";
import type { Scheduler } from "./types.ts";

function readScheduler(text: string | undefined): Scheduler {
  if (text === undefined || text === "KIST") return "KIST";
  if (text === "Vanilla") return text;
  throw new Error(`--scheduler takes KIST or Vanilla, not ${text}`);
}

async function main(signal: AbortSignal): Promise<void> {
  const { values } = parseArgs({ options: { dir: { type: "string" }, scheduler: { type: "string" } } });
  const began = performance.now();
  const tornet = await startTornet({
    ...(values.dir === undefined ? {} : { dir: values.dir }),
    scheduler: readScheduler(values.scheduler),
    log: (line) => console.error(line),
    onProgress: progressPrinter(),
    signal,
  });
  const { dir, http, socks } = tornet.info;
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  console.log(`page ${http.namedUrl}  SOCKS ${socks.host}:${socks.port}  files ${dir}/{network,info}.json`);
  console.log(`READY after ${seconds} s`);
  await untilAborted(signal);
  await tornet.stop();
}

const interrupted = interruption();
main(interrupted).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
