// What is measured of an Allium client, the same in Node and in a page: starts, circuit builds, transfers.
// Not here: where the client comes from, and C tor.

import type { TorClient } from "@allium/core";

export interface BenchTarget {
  /** Base URL of the destination server, ends in "/". */
  readonly url: string;
  readonly downloadBytes: number;
  readonly uploadBytes: number;
  readonly builds: number;
}

/** Times in milliseconds, rates in MB/s (1e6 bytes). */
export interface BenchResult {
  readonly coldStart: number;
  readonly warmStart: number;
  readonly circuitBuilds: readonly number[];
  readonly firstByte: number;
  readonly download: number;
  readonly upload: number;
}

async function timed(operation: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await operation();
  return performance.now() - began;
}

function rate(bytes: number, ms: number): number {
  return bytes / 1000 / ms;
}

async function drain(response: Response): Promise<number> {
  let bytes = 0;
  for await (const chunk of response.body ?? []) bytes += chunk.length;
  return bytes;
}

async function download(client: TorClient, target: BenchTarget): Promise<number> {
  const ms = await timed(async () => {
    const bytes = await drain(await client.fetch(`${target.url}bytes/${target.downloadBytes}`));
    if (bytes !== target.downloadBytes) throw new Error(`${bytes} bytes came of ${target.downloadBytes}`);
  });
  return rate(target.downloadBytes, ms);
}

async function upload(client: TorClient, target: BenchTarget): Promise<number> {
  const body = new Uint8Array(target.uploadBytes);
  const ms = await timed(async () => {
    const response = await client.fetch(`${target.url}sink`, { method: "POST", body });
    const answer = (await response.json()) as { bytes: number };
    if (answer.bytes !== target.uploadBytes) throw new Error(`${answer.bytes} bytes arrived`);
  });
  return rate(target.uploadBytes, ms);
}

/** A fresh isolation key wants a fresh circuit: build, BEGIN and the first bytes of a small page. */
async function circuitBuilds(client: TorClient, target: BenchTarget): Promise<number[]> {
  const builds: number[] = [];
  for (let i = 0; i < target.builds; i++) {
    builds.push(await timed(async () => drain(await client.fetch(target.url, { isolation: `bench-${i}` }))));
  }
  return builds;
}

/** Runs everything once. `create` gives a client on the same store each time. */
export async function measure(create: () => TorClient, target: BenchTarget): Promise<BenchResult> {
  const cold = create();
  const coldStart = await timed(() => cold.ready());
  await cold.close();
  const client = create();
  const warmStart = await timed(() => client.ready());
  const builds = await circuitBuilds(client, target);
  await drain(await client.fetch(target.url));
  const firstByte = await timed(async () => drain(await client.fetch(target.url)));
  const result = {
    coldStart,
    warmStart,
    circuitBuilds: builds,
    firstByte,
    download: await download(client, target),
    upload: await upload(client, target),
  };
  await client.close();
  return result;
}
