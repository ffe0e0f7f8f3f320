// Data that nobody reads are bounded over all streams of a circuit and of a client (tor-spec 8.1): when there is too much of
// it, the stream whose data have waited longest loses them and is ended, and all others live on.

import { describe, expect, test } from "vitest";
import { MemoryQuota } from "../../src/base/memory-quota.ts";
import type { Circuit, TorStream } from "../../src/circuit/api.ts";
import { RelayCommand } from "../../src/circuit/relaycell/command.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import type { ScriptedRelays } from "../../src/testing/relay/channel.ts";
import type { ExitStream } from "../../src/testing/relay/exit-stream.ts";
import { hostOf, pattern, readAll, testCircuit } from "./relay.ts";

const { DATA, END } = RelayCommand;
const KIB = 1024;
const CELL = 498;
// Memory is charged by the piece: 2, 4, 8, 16, 32 KiB for the first 125 full cells, then 64 KiB for every 131.
const LIMIT = { kind: "limit", code: "ALLIUM_E_MEMORY_LIMIT" };

interface Opened {
  readonly stream: TorStream;
  readonly exit: ExitStream;
}

/** A client with so many KiB for data that wait, and a way to make circuits of it. */
function client(kib: number) {
  const memory = new MemoryQuota(kib * KIB, "the client");
  const clock = new ManualClock();
  return {
    memory,
    clock,
    async circuit() {
      const { circuit, relays } = await testCircuit(1, clock, { memory });
      return {
        circuit,
        relays,
        open: (name: string) => open(circuit, relays, name),
        /** The streams on which END came, with its reason. */
        ends: () =>
          relays.received
            .filter(({ command }) => command === END)
            .map(({ streamId, data }) => [streamId, data[0]]),
      };
    },
    /** Lets time pass, sends so many cells on a stream, and gives their bytes. */
    send(relays: ScriptedRelays, { exit }: Opened, cells: number): Uint8Array {
      clock.advance(1000);
      const data = pattern(cells * CELL, cells);
      for (let at = 0; at < data.length; at += CELL)
        relays.send(0, DATA, exit.id, data.subarray(at, at + CELL));
      return data;
    },
  };
}

async function open(circuit: Circuit, relays: ScriptedRelays, name: string): Promise<Opened> {
  const stream = await circuit.openStream(name, 80);
  const exit = relays.streams().find((each) => hostOf(each) === name) as ExitStream;
  return { stream, exit };
}

async function readBytes(stream: TorStream, length: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < length; at += (parts.at(-1) as Uint8Array).length) {
    parts.push((await stream.read()) as Uint8Array);
  }
  return new Uint8Array(Buffer.concat(parts));
}

describe("a client over its limit", () => {
  test("ends the stream whose data have waited longest; the others live on", async () => {
    const { memory, circuit: make, send } = client(160);
    const { circuit, relays, open, ends } = await make();
    const [oldest, middle, newest] = [await open("oldest"), await open("middle"), await open("newest")];
    send(relays, oldest, 60);
    const first = send(relays, middle, 60);
    const second = send(relays, newest, 30);
    expect(memory.used).toBeLessThanOrEqual(160 * KIB);
    const third = send(relays, newest, 100);

    expect(await oldest.stream.closed).toMatchObject(LIMIT);
    await expect(oldest.stream.read()).rejects.toMatchObject(LIMIT);
    await expect(oldest.stream.read()).rejects.toMatchObject(LIMIT);
    await expect(oldest.stream.write(Uint8Array.of(1))).rejects.toMatchObject(LIMIT);
    await relays.idle();
    expect(ends()).toEqual([[oldest.exit.id, 1]]);

    expect([circuit.isClosed, circuit.streamCount]).toEqual([false, 2]);
    expect(Buffer.compare(await readBytes(middle.stream, first.length), first)).toBe(0);
    const both = Buffer.concat([second, third]);
    expect(Buffer.compare(await readBytes(newest.stream, both.length), both)).toBe(0);
    await middle.stream.write(Uint8Array.of(1, 2, 3));
    await relays.idle();
    expect(middle.exit.receivedBytes).toEqual(Uint8Array.of(1, 2, 3));
    expect(memory.used).toBe(0);
  });

  test("looks at all of its circuits", async () => {
    const { memory, circuit: make, send } = client(140);
    const [here, there] = [await make(), await make()];
    const old = await there.open("old");
    send(there.relays, old, 60);
    const young = await here.open("young");
    const data = send(here.relays, young, 200);
    expect(await old.stream.closed).toMatchObject(LIMIT);
    await there.relays.idle();
    expect(there.ends()).toHaveLength(1);
    expect([here.circuit.isClosed, there.circuit.isClosed]).toEqual([false, false]);
    expect(Buffer.compare(await readBytes(young.stream, data.length), data)).toBe(0);
    expect(memory.used).toBe(0);
  });

  test("spares a stream that was read: what waits on it is younger", async () => {
    const { circuit: make, send } = client(120);
    const { relays, open } = await make();
    const [read, unread] = [await open("read"), await open("unread")];
    const before = send(relays, read, 60);
    send(relays, unread, 60);
    await readBytes(read.stream, before.length);
    const after = send(relays, read, 150);
    expect(await unread.stream.closed).toMatchObject(LIMIT);
    expect(Buffer.compare(await readBytes(read.stream, after.length), after)).toBe(0);
  });

  test("ends the very stream that has too much, where its data are the oldest", async () => {
    const { memory, circuit: make, send } = client(100);
    const { circuit, relays, open, ends } = await make();
    const [large, other] = [await open("large"), await open("other")];
    send(relays, large, 100);
    const data = send(relays, other, 10);
    // Over the limit in the middle of these; the rest comes on a stream that we have ended, as it may.
    send(relays, large, 300);
    expect(await large.stream.closed).toMatchObject(LIMIT);
    await expect(large.stream.read()).rejects.toMatchObject(LIMIT);
    await relays.idle();
    expect(ends()).toHaveLength(1);
    expect([circuit.isClosed, circuit.streamCount]).toEqual([false, 1]);
    expect(await readBytes(other.stream, data.length)).toEqual(data);
    expect(memory.used).toBe(0);
  });

  test("counts what comes on the ended stream as any other: circuit SENDMEs go out, and its window holds", async () => {
    const { circuit: make, send } = client(30);
    const { circuit, relays, open } = await make();
    const large = await open("large");
    send(relays, large, 500);
    expect(await large.stream.closed).toMatchObject(LIMIT);
    await relays.idle();
    const sendmes = relays.received.filter(({ command }) => command === RelayCommand.SENDME);
    expect(sendmes.map(({ streamId }) => streamId)).toEqual([0, 0, 0, 0, 0]);
    expect(circuit.isClosed).toBe(false);
    // All 500 were of the window, the cell that was too much among them.
    send(relays, large, 1);
    expect(circuit.isClosed).toBe(true);
    expect(await circuit.closed).toMatchObject({ code: "ALLIUM_E_CIRCUIT_STREAM_WINDOW" });
  });

  test("fails a read that waits, when one flush of the link brings too much", async () => {
    const { circuit: make, send } = client(20);
    const { relays, open } = await make();
    const large = await open("large");
    const reading = large.stream.read();
    send(relays, large, 100);
    await expect(reading).rejects.toMatchObject(LIMIT);
  });

  test("fails a write that waits on the stream that is ended, and lets the others' go on", async () => {
    const { circuit: make, send } = client(80);
    const { relays, open } = await make();
    const [old, young] = [await open("old"), await open("young")];
    relays.congested = true;
    const lost = expect(old.stream.write(pattern(10 * CELL))).rejects.toMatchObject(LIMIT);
    const kept = young.stream.write(pattern(10 * CELL));
    send(relays, old, 60);
    send(relays, young, 100);
    await lost;
    relays.writable();
    await kept;
    await relays.idle();
    expect(young.exit.receivedBytes.length).toBe(10 * CELL);
    expect(old.exit.receivedBytes.length).toBe(0);
  });
});

describe("data of a stream that is over", () => {
  test("are reclaimed too when they wait longest, and whoever reads then is told", async () => {
    const { memory, circuit: make, send } = client(140);
    const { circuit, relays, open, ends } = await make();
    const [ended, young] = [await open("ended"), await open("young")];
    send(relays, ended, 60);
    ended.exit.end();
    expect(await ended.stream.closed).toBeUndefined();
    const data = send(relays, young, 200);
    await expect(ended.stream.read()).rejects.toMatchObject(LIMIT);
    await relays.idle();
    // Both sides know already that it is over.
    expect(ends()).toEqual([]);
    expect([circuit.isClosed, circuit.streamCount]).toEqual([false, 1]);
    expect(Buffer.compare(await readBytes(young.stream, data.length), data)).toBe(0);
    expect(memory.used).toBe(0);
  });

  test("are whole, and charged until they are read, where there is room", async () => {
    const { memory, circuit: make, send } = client(100);
    const { relays, open } = await make();
    const ended = await open("ended");
    const data = send(relays, ended, 60);
    ended.exit.end();
    expect(memory.used).toBeGreaterThanOrEqual(data.length);
    expect(Buffer.compare(await readAll(ended.stream), data)).toBe(0);
    expect(memory.used).toBe(0);
  });

  test("are charged and reclaimed though their circuit is gone", async () => {
    const { memory, circuit: make, send } = client(150);
    const [gone, alive] = [await make(), await make()];
    const [lost, kept] = [await gone.open("lost"), await gone.open("kept")];
    send(gone.relays, lost, 60);
    const data = send(gone.relays, kept, 20);
    gone.relays.destroy(8);
    await gone.circuit.closed;
    const young = await alive.open("young");
    send(alive.relays, young, 130);
    await expect(lost.stream.read()).rejects.toMatchObject(LIMIT);
    expect(await readBytes(kept.stream, data.length)).toEqual(data);
    await expect(kept.stream.read()).rejects.toMatchObject({ code: "ALLIUM_E_DESTROY_CHANNEL_CLOSED" });
    young.stream.close();
    expect(memory.used).toBe(0);
  });

  test("are given back when the stream is closed by us, whichever way it ended before", async () => {
    const { memory, circuit: make, send } = client(100);
    const { circuit, relays, open } = await make();
    const [one, two, three] = [await open("one"), await open("two"), await open("three")];
    for (const each of [one, two, three]) send(relays, each, 20);
    one.stream.close();
    two.exit.end();
    two.stream.close();
    const before = memory.used;
    expect(before).toBeGreaterThan(0);
    circuit.close();
    expect(memory.used).toBe(before);
    three.stream.close();
    expect(memory.used).toBe(0);
  });
});

test("a circuit has 32 MiB of its own, whatever the client has", async () => {
  const clock = new ManualClock();
  const memory = new MemoryQuota(1024 * 1024 * KIB, "the client");
  const { circuit, relays } = await testCircuit(1, clock, { memory });
  const streams: Opened[] = [];
  const cell = new Uint8Array(CELL).fill(1);
  // Each may have 500 cells that nobody reads, in pieces of 254 KiB: 129 of them fit.
  const most = Math.floor((32 * 1024) / 254);
  for (let i = 0; i <= most; i++) {
    const opened = await open(circuit, relays, `host${i}.example`);
    streams.push(opened);
    clock.advance(1);
    for (let sent = 0; sent < 500; sent++) relays.send(0, DATA, opened.exit.id, cell);
    expect(memory.used).toBeLessThanOrEqual(32 * 1024 * KIB);
    expect(circuit.streamCount).toBe(i < most ? i + 1 : most);
  }
  const [first, second] = streams as [Opened, Opened];
  await expect(first.stream.read()).rejects.toMatchObject(LIMIT);
  await expect(first.stream.read()).rejects.toThrow("a circuit holds more than 33554432 bytes");
  expect((await readBytes(second.stream, 500 * CELL)).length).toBe(500 * CELL);
  expect(circuit.isClosed).toBe(false);
});
