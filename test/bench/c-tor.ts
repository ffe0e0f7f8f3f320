// One run of C tor's own client on the same network: circuit builds over its control port, transfers over SOCKS.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import http from "node:http";
import { Control } from "../tornet/control.ts";
import { socksConnect, socksGet } from "../tornet/socks.ts";
import type { NodeInfo, TornetInfo } from "../tornet/types.ts";
import type { BenchTarget } from "./measure.ts";

const TIMEOUT = 120_000;

async function timed(operation: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await operation();
  return performance.now() - began;
}

async function download(info: TornetInfo, url: string): Promise<number> {
  const response = await socksGet(info.socks, url, TIMEOUT);
  let bytes = 0;
  for await (const chunk of response) bytes += (chunk as Buffer).length;
  return bytes;
}

async function upload(info: TornetInfo, target: BenchTarget): Promise<void> {
  const url = new URL("sink", target.url);
  const socket = await socksConnect(info.socks, { host: url.hostname, port: Number(url.port) }, TIMEOUT);
  const request = http.request(url, { method: "POST", createConnection: () => socket });
  request.end(Buffer.alloc(target.uploadBytes));
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  let text = "";
  for await (const chunk of response) text += chunk;
  if (JSON.parse(text).bytes !== target.uploadBytes) throw new Error(`C tor's upload arrived as ${text}`);
}

/** Milliseconds from EXTENDCIRCUIT to a circuit that is BUILT. */
async function circuitBuild(control: Control): Promise<number> {
  const began = performance.now();
  const id = /EXTENDED (\d+)/.exec(await control.send("EXTENDCIRCUIT 0"))?.[1];
  const built = new RegExp(`^250?[-+ ]?(?:circuit-status=)?\\r?\\n?[^]*^${id} BUILT`, "m");
  while (!built.test(await control.send("GETINFO circuit-status"))) {
    if (performance.now() - began > TIMEOUT) throw new Error("C tor built no circuit");
    await new Promise((resolve) => setImmediate(resolve));
  }
  const ms = performance.now() - began;
  await control.send(`CLOSECIRCUIT ${id}`);
  return ms;
}

function residentBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
}

function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Runs everything once. Rates in MB/s, times in milliseconds, memory in bytes. */
export async function measureCTor(info: TornetInfo, target: BenchTarget) {
  const client = info.nodes.find(({ role }) => role === "client") as NodeInfo;
  const cpuBefore = cpuSeconds(client.pid);
  const control = await Control.open(client.control);
  const circuitBuilds: number[] = [];
  for (let i = 0; i < target.builds; i++) circuitBuilds.push(await circuitBuild(control));
  control.close();
  await download(info, target.url);
  const firstByte = await timed(() => download(info, target.url));
  const downloadMs = await timed(async () => {
    const bytes = await download(info, `${target.url}bytes/${target.downloadBytes}`);
    if (bytes !== target.downloadBytes) throw new Error(`${bytes} bytes came to C tor`);
  });
  const uploadMs = await timed(() => upload(info, target));
  return {
    circuitBuilds,
    firstByte,
    download: target.downloadBytes / 1000 / downloadMs,
    upload: target.uploadBytes / 1000 / uploadMs,
    memory: residentBytes(client.pid),
    cpuSeconds: cpuSeconds(client.pid) - cpuBefore,
  };
}
