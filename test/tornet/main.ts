// `npm run tornet -- --dir D [--scheduler KIST|Vanilla]`: starts a private Tor network, writes D/network.json and
// D/info.json, says READY, and runs until SIGINT or SIGTERM.

import { parseArgs } from "node:util";
import { startTornet } from "./tornet.ts";
import type { Scheduler, TornetProgress } from "./types.ts";

function readScheduler(text: string | undefined): Scheduler {
  if (text === undefined || text === "KIST") return "KIST";
  if (text === "Vanilla") return text;
  throw new Error(`--scheduler takes KIST or Vanilla, not ${text}`);
}

function progressPrinter(): (progress: TornetProgress) => void {
  let last = "";
  return ({ fraction, message }) => {
    if (message === last) return;
    last = message;
    console.log(`${String(Math.round(fraction * 100)).padStart(3)} %  ${message}`);
  };
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { dir: { type: "string" }, scheduler: { type: "string" } } });
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => interrupted.abort(new Error(signal)));
  }
  const began = performance.now();
  const tornet = await startTornet({
    ...(values.dir === undefined ? {} : { dir: values.dir }),
    scheduler: readScheduler(values.scheduler),
    log: (line) => console.error(line),
    onProgress: progressPrinter(),
    signal: interrupted.signal,
  });
  const { dir, http, socks } = tornet.info;
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  console.log(`page ${http.namedUrl}  SOCKS ${socks.host}:${socks.port}  files ${dir}/{network,info}.json`);
  console.log(`READY after ${seconds} s`);
  const heartbeat = setInterval(() => {}, 60_000);
  if (!interrupted.signal.aborted) {
    await new Promise((resolve) => interrupted.signal.addEventListener("abort", resolve, { once: true }));
  }
  clearInterval(heartbeat);
  await tornet.stop();
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
