// The pipeline bench measures what it says: its relays are understood by the client, its other receivers check what they get.

import { describe, expect, it } from "vitest";
import { inProcess } from "../bench/pipeline/in-process.ts";
import { Pace } from "../bench/pipeline/pace.ts";
import type { Feed, PipelineStart, ReceiverVersion } from "../bench/pipeline/protocol.ts";
import { receiver } from "../bench/pipeline/receivers.ts";
import { RecordCutter } from "../bench/pipeline/record-cutter.ts";
import { CHUNK, synthesize } from "../bench/pipeline/synthetic.ts";

const RECEIVERS: readonly Exclude<ReceiverVersion, "bytes">[] = ["library", "per-cell", "decrypt"];
const BYTES = 300_000;
const CELLS = Math.ceil(BYTES / 498);

function feedOf(chunks: readonly Uint8Array[]): Feed {
  let next = 0;
  return { read: async () => chunks[next++] };
}

describe.each([4096, 16384])("records of %i bytes", (recordLength) => {
  it("are of that length, and come in messages of 64 KiB", () => {
    const { chunks } = synthesize(BYTES, recordLength);
    expect(chunks.slice(0, -1).every(({ length }) => length === CHUNK)).toBe(true);
    const cutter = new RecordCutter();
    const records = chunks.flatMap((chunk) => cutter.take(chunk));
    expect(records.length).toBe(Math.ceil((CELLS * 514) / recordLength));
    for (const { fragment } of records.slice(0, -1)) expect(fragment.length).toBe(recordLength + 17);
  });

  it.each(RECEIVERS)("reach the application through %s, whole", async (version) => {
    const { chunks, keys, applicationBytes } = synthesize(BYTES, recordLength);
    expect(applicationBytes).toBe(CELLS * 498);
    const pipeline = receiver(version, feedOf(chunks), keys);
    await pipeline.until(applicationBytes);
    expect(Math.round(pipeline.received)).toBe(applicationBytes);
  });

  it.each(RECEIVERS)("are refused by %s where a bit is flipped", async (version) => {
    const { chunks, keys, applicationBytes } = synthesize(BYTES, recordLength);
    const flipped = chunks.map((chunk) => Uint8Array.from(chunk));
    (flipped[1] as Uint8Array)[1000] = ((flipped[1] as Uint8Array)[1000] as number) ^ 1;
    await expect(receiver(version, feedOf(flipped), keys).until(applicationBytes)).rejects.toThrow();
  });

  it.each(["client", "client-webcrypto", "client-cgo"] as const)(
    "reach the application through the client's own rooms, at its own pace: %s",
    async (version) => {
      const start: PipelineStart = { version, recordLength, bytes: 2_000_000, warmUp: 500_000 };
      const pipeline = await inProcess(start);
      await pipeline.until(start.warmUp);
      expect(pipeline.received).toBeGreaterThanOrEqual(start.warmUp);
      expect(pipeline.received).toBeLessThan(start.bytes);
      await pipeline.until(start.bytes);
      expect(pipeline.received).toBeGreaterThanOrEqual(start.bytes);
    },
  );
});

it.each(["library", "per-cell"] as const)(
  "%s checks the cells' digests, not the records alone",
  async (version) => {
    const { chunks, keys, applicationBytes } = synthesize(BYTES, 4096);
    const [guard, middle, exit] = keys.hops;
    if (guard === undefined || middle === undefined || exit === undefined) throw new Error("three hops");
    const other = { ...keys, hops: [guard, middle, { ...exit, db: "00".repeat(20) }] };
    await expect(receiver(version, feedOf(chunks), other).until(applicationBytes)).rejects.toThrow("digest");
  },
);

it("says so where less comes than is waited for", async () => {
  const { chunks, keys, applicationBytes } = synthesize(BYTES, 4096);
  const short = receiver("library", feedOf(chunks.slice(0, -1)), keys);
  await expect(short.until(applicationBytes)).rejects.toThrow("only");
});

it("paces messages by what was delivered", async () => {
  const pace = new Pace(2, 100);
  expect(pace.allowed).toBe(2);
  await pace.until(1);
  let isAllowed = false;
  const waiting = pace.until(3).then(() => {
    isAllowed = true;
  });
  pace.delivered(199);
  await Promise.resolve();
  expect(isAllowed).toBe(false);
  pace.delivered(200);
  await waiting;
  expect(pace.allowed).toBe(4);
});
