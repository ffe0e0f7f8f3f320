// Streams over a whole circuit: data both ways through the windows, back-pressure, fairness, ends.

import { describe, expect, test, vi } from "vitest";
import { nodeCiphers } from "../../../bridge/src/node-ciphers.ts";
import { concat } from "../../src/base/bytes.ts";
import { systemClock } from "../../src/base/clock.ts";
import { abortedError } from "../../src/base/errors.ts";
import { RelayCommand } from "../../src/circuit/relaycell/command.ts";
import type { ScriptedRelays } from "../../src/testing/relay/channel.ts";
import type { ExitStream } from "../../src/testing/relay/exit-stream.ts";
import { connected } from "../../src/testing/relay/messages.ts";
import { hostOf, pattern, readAll, testCircuit } from "./relay.ts";

const CELL = 498;
const MIB = 1024 * 1024;

const exitOf = (relays: ScriptedRelays, hostname: string) =>
  relays.streams().find((stream) => hostOf(stream) === hostname) as ExitStream;

/** Every stream is connected and sends back what it gets. */
function echo(relays: ScriptedRelays): void {
  relays.behaviour.begin = (stream) => {
    stream.message(connected("93.184.216.34"));
    stream.onData = (data) => void stream.send(data.slice());
  };
}

describe("data", () => {
  test.each([
    ["WebCrypto", undefined],
    ["the platform's synchronous ciphers", nodeCiphers()],
  ])("2 MiB both ways at once, by %s", async (_, ciphers) => {
    const ctr = ciphers && vi.spyOn(ciphers, "ctr");
    const { circuit, relays } = await testCircuit(3, systemClock, { ciphers });
    expect(ctr?.mock.calls.length).toBe(ciphers && 6);
    const stream = await circuit.openStream("example.com", 80);
    const [exit] = relays.streams() as [ExitStream];
    const [up, down] = [pattern(2 * MIB, 1), pattern(2 * MIB, 2)];
    const sending = exit.send(down).then(() => exit.end());
    const [received] = await Promise.all([readAll(stream), stream.write(up), sending]);
    await relays.idle();
    expect(Buffer.compare(received, down)).toBe(0);
    expect(Buffer.compare(exit.receivedBytes, up)).toBe(0);
    expect(relays.complaints).toEqual([]);
    expect(await stream.closed).toBeUndefined();
  });

  test("goes on after rests of the circuit, whenever they come", async () => {
    const { circuit, relays } = await testCircuit(3);
    echo(relays);
    const stream = await circuit.openStream("example.com", 80);
    const data = pattern(MIB, 7);
    const writing = (async () => {
      for (let at = 0; at < data.length; at += 64 * 1024) {
        await stream.write(data.subarray(at, at + 64 * 1024));
        circuit.rest();
      }
    })();
    const parts: Uint8Array[] = [];
    for (let length = 0; length < data.length; length += (parts.at(-1) as Uint8Array).length) {
      parts.push((await stream.read()) as Uint8Array);
      if (parts.length % 3 === 0) circuit.rest();
    }
    await writing;
    expect(Buffer.compare(concat(...parts), data)).toBe(0);
    expect(relays.complaints).toEqual([]);
  });

  test("16 MiB up in one write", async () => {
    const { circuit, relays } = await testCircuit(1);
    const stream = await circuit.openStream("example.com", 80);
    const [exit] = relays.streams() as [ExitStream];
    let sum = 0;
    exit.onData = (data) => {
      sum += data.length;
    };
    await stream.write(pattern(16 * MIB));
    await relays.idle();
    expect(sum).toBe(16 * MIB);
    expect(relays.complaints).toEqual([]);
  });

  test("64 streams at once on one circuit", async () => {
    const { circuit, relays } = await testCircuit(3);
    echo(relays);
    const check = async (_: unknown, i: number) => {
      const stream = await circuit.openStream(`host${i}.example`, 80);
      const data = pattern(20_000 + i, i + 1);
      const writing = stream.write(data);
      const parts: Uint8Array[] = [];
      for (let length = 0; length < data.length; ) {
        const part = (await stream.read()) as Uint8Array;
        parts.push(part);
        length += part.length;
      }
      await writing;
      stream.close();
      return Buffer.compare(concat(...parts), data);
    };
    const results = await Promise.all(Array.from({ length: 64 }, check));
    expect(results).toEqual(new Array(64).fill(0));
    expect(relays.complaints).toEqual([]);
    expect(circuit.streamCount).toBe(0);
  });

  test("one read gives one piece, and pieces grow up to 64 KiB while they are filled faster than read", async () => {
    const { circuit, relays } = await testCircuit(1);
    const stream = await circuit.openStream("example.com", 80);
    const [exit] = relays.streams() as [ExitStream];
    const data = pattern(400 * CELL);
    const waiting = stream.read();
    exit.send(data);
    const parts = [(await waiting) as Uint8Array];
    while (concat(...parts).length < data.length) parts.push((await stream.read()) as Uint8Array);
    // Whole cells, as many as fit 2, 4, 8, … KiB.
    expect(parts.map(({ length }) => length / CELL)).toEqual([4, 8, 16, 32, 65, 131, 131, 13]);
    expect(Buffer.compare(concat(...parts), data)).toBe(0);
  });

  test("what was read stays as it was, whatever comes after it", async () => {
    const { circuit, relays } = await testCircuit(1);
    const stream = await circuit.openStream("example.com", 80);
    const [exit] = relays.streams() as [ExitStream];
    const parts: Uint8Array[] = [];
    const data = pattern(300 * CELL);
    for (let at = 0; at < data.length; at += 3 * CELL) {
      exit.send(data.subarray(at, at + 3 * CELL));
      parts.push((await stream.read()) as Uint8Array);
      await relays.idle();
    }
    expect(Buffer.compare(concat(...parts), data)).toBe(0);
  });

  test("data and END in one flight are delivered whole, then a clean end, as often as asked", async () => {
    const { circuit, relays } = await testCircuit(3);
    const stream = await circuit.openStream("example.com", 80);
    const [exit] = relays.streams() as [ExitStream];
    const data = pattern(400 * CELL);
    exit.send(data);
    exit.end();
    expect(await stream.closed).toBeUndefined();
    expect(await readAll(stream)).toEqual(data);
    expect(await stream.read()).toBeUndefined();
    await expect(stream.write(Uint8Array.of(1))).rejects.toMatchObject({ code: "ALLIUM_E_STREAM_CLOSED" });
    await relays.idle();
    // No SENDME for a stream that is over, and no END in answer to an END.
    const after = relays.received
      .filter(({ streamId }) => streamId === exit.id)
      .map(({ command }) => command);
    expect(after).toEqual([RelayCommand.BEGIN]);
  });

  test("data before an END with an error are delivered, then the error, as often as asked", async () => {
    const { circuit, relays } = await testCircuit(1);
    const stream = await circuit.openStream("example.com", 80);
    const [exit] = relays.streams() as [ExitStream];
    exit.send(Uint8Array.of(1, 2, 3));
    exit.end(12);
    const error = { kind: "remote-refused", code: "ALLIUM_E_STREAM_CONNRESET" };
    expect(await stream.closed).toMatchObject(error);
    expect(await stream.read()).toEqual(Uint8Array.of(1, 2, 3));
    await expect(stream.read()).rejects.toMatchObject(error);
    await expect(stream.read()).rejects.toMatchObject(error);
    await expect(stream.write(Uint8Array.of(1))).rejects.toMatchObject(error);
    stream.close();
    await expect(stream.read()).rejects.toMatchObject(error);
  });

  test("an END while a read and a write wait settles both", async () => {
    const { circuit, relays } = await testCircuit(1);
    const stream = await circuit.openStream("example.com", 80);
    const [exit] = relays.streams() as [ExitStream];
    relays.behaviour.intercept = ({ command }) => command === RelayCommand.DATA;
    const reading = stream.read();
    const writing = stream.write(pattern(600 * CELL));
    exit.end();
    expect(await reading).toBeUndefined();
    await expect(writing).rejects.toMatchObject({ code: "ALLIUM_E_STREAM_CLOSED" });
  });

  test("one reader and one writer at a time; writing nothing sends nothing", async () => {
    const { circuit, relays } = await testCircuit(1);
    const stream = await circuit.openStream("example.com", 80);
    relays.congested = true;
    void stream.read();
    void stream.write(Uint8Array.of(1));
    await expect(stream.read()).rejects.toMatchObject({ code: "ALLIUM_E_CONCURRENT_READ" });
    await expect(stream.write(Uint8Array.of(1))).rejects.toMatchObject({ code: "ALLIUM_E_CONCURRENT_WRITE" });
    const other = await circuit.openStream("example.com", 80);
    await other.write(new Uint8Array(0));
    await relays.idle();
    expect(relays.received.map(({ command }) => command)).toEqual([RelayCommand.BEGIN, RelayCommand.BEGIN]);
    stream.close();
  });
});

describe("back-pressure", () => {
  test("an unread stream stops its sender after 500 cells, and holds up no other", async () => {
    const { circuit, relays } = await testCircuit(3);
    const stalled = await circuit.openStream("stalled.example", 80);
    const busy = await circuit.openStream("busy.example", 80);
    const [slow, fast] = [exitOf(relays, "stalled.example"), exitOf(relays, "busy.example")];
    const data = pattern(700 * CELL);
    void slow.send(data);
    expect(slow.unsent).toBe(200 * CELL);
    void fast.send(pattern(MIB, 3)).then(() => fast.end());
    expect(Buffer.compare(await readAll(busy), pattern(MIB, 3))).toBe(0);
    expect(slow.unsent).toBe(200 * CELL);
    // Reading lets it go on.
    const parts: Uint8Array[] = [];
    for (let length = 0; length < data.length; length += (parts.at(-1) as Uint8Array).length) {
      parts.push((await stalled.read()) as Uint8Array);
    }
    expect(Buffer.compare(concat(...parts), data)).toBe(0);
    expect(circuit.isClosed).toBe(false);
  });

  test("stream SENDMEs go out as the application reads, one for 50 cells, and circuit SENDMEs at once", async () => {
    const { circuit, relays } = await testCircuit(1);
    const stream = await circuit.openStream("example.com", 80);
    const [exit] = relays.streams() as [ExitStream];
    const sendmes = () =>
      relays.received
        .filter(({ command }) => command === RelayCommand.SENDME)
        .map(({ streamId }) => (streamId === 0 ? "circuit" : "stream"));
    void exit.send(pattern(250 * CELL));
    await relays.idle();
    expect(sendmes()).toEqual(["circuit", "circuit"]);
    for (let cells = 0; cells < 250; ) {
      cells += ((await stream.read()) as Uint8Array).length / CELL;
      await relays.idle();
      expect(sendmes().slice(2)).toEqual(new Array(Math.floor(cells / 50)).fill("stream"));
    }
    expect(sendmes()).toHaveLength(7);
  });

  test("a write waits for the stream's window", async () => {
    const { circuit, relays } = await testCircuit(1);
    const stream = await circuit.openStream("example.com", 80);
    const [exit] = relays.streams() as [ExitStream];
    relays.behaviour.acknowledgesStreams = false;
    let done = false;
    const writing = stream.write(new Uint8Array(620 * CELL)).then(() => {
      done = true;
    });
    await relays.idle();
    expect(exit.cellsReceived).toBe(500);
    expect(done).toBe(false);
    for (let i = 0; i < 2; i++) relays.send(0, RelayCommand.SENDME, exit.id, new Uint8Array(0));
    await relays.idle();
    expect(exit.cellsReceived).toBe(600);
    expect(done).toBe(false);
    relays.send(0, RelayCommand.SENDME, exit.id, new Uint8Array(0));
    await writing;
    await relays.idle();
    expect(exit.receivedBytes.length).toBe(620 * CELL);
  });

  test("writes wait for the circuit's window, which all streams share", async () => {
    const { circuit, relays } = await testCircuit(1);
    const streams = await Promise.all([1, 2, 3].map((i) => circuit.openStream(`host${i}.example`, 80)));
    const tags: Uint8Array[] = [];
    relays.behaviour.intercept = ({ command, tag }) => command === RelayCommand.DATA && tags.push(tag) > 0;
    const writing = Promise.all(streams.map((stream) => stream.write(new Uint8Array(350 * (CELL - 20)))));
    await relays.idle();
    expect(tags).toHaveLength(1000);
    const acknowledge = (tag: Uint8Array) =>
      relays.sendMessage(0, 0, { command: RelayCommand.SENDME, version: 1, tag });
    acknowledge(tags[99] as Uint8Array);
    await writing;
    expect(circuit.isClosed).toBe(false);
  });

  test("writes wait while the channel is congested; what is not data does not", async () => {
    const { circuit, relays } = await testCircuit(2);
    const stream = await circuit.openStream("example.com", 80);
    const [exit] = relays.streams() as [ExitStream];
    relays.congested = true;
    let done = false;
    const writing = stream.write(new Uint8Array(10 * CELL)).then(() => {
      done = true;
    });
    const other = await circuit.openStream("other.example", 80);
    await relays.idle();
    expect(exit.cellsReceived).toBe(0);
    expect(done).toBe(false);
    relays.writable();
    await writing;
    await relays.idle();
    expect(exit.receivedBytes.length).toBe(10 * CELL);
    other.close();
  });

  test("streams with data take turns, cell by cell", async () => {
    const { circuit, relays } = await testCircuit(1);
    const streams = await Promise.all([1, 2, 3, 4].map((i) => circuit.openStream(`host${i}.example`, 80)));
    relays.congested = true;
    const writing = Promise.all(
      streams.map((stream, i) => stream.write(new Uint8Array((i + 2) * 10 * (CELL - 20)))),
    );
    relays.writable();
    await writing;
    await relays.idle();
    const order = relays.received
      .filter(({ command }) => command === RelayCommand.DATA)
      .map((cell) => cell.streamId);
    for (let turn = 0; turn < 18; turn++) {
      expect(new Set(order.slice(4 * turn, 4 * turn + 4)).size).toBe(4);
    }
  });
});

describe("closing", () => {
  test("END with reason MISC, whatever our reason; the others go on", async () => {
    const { circuit, relays } = await testCircuit(3);
    const [aborted, kept] = [
      await circuit.openStream("aborted.example", 80),
      await circuit.openStream("kept.example", 80),
    ];
    const [gone, alive] = [exitOf(relays, "aborted.example"), exitOf(relays, "kept.example")];
    void gone.send(pattern(2 * MIB));
    const data = pattern(MIB, 5);
    void alive.send(data).then(() => alive.end());
    await aborted.read();
    aborted.close(new Error("the user went away"));
    await relays.idle();
    expect(relays.received.filter(({ command }) => command === RelayCommand.END)).toMatchObject([
      { streamId: gone.id, data: Uint8Array.of(1) },
    ]);
    expect(await aborted.closed).toBeUndefined();
    expect(await aborted.read()).toBeUndefined();
    expect(Buffer.compare(await readAll(kept), data)).toBe(0);
    expect(circuit.isClosed).toBe(false);
    aborted.close();
  });

  test("a reason that is a TorError is what pending and later calls reject with", async () => {
    const { circuit, relays } = await testCircuit(1);
    const stream = await circuit.openStream("example.com", 80);
    relays.congested = true;
    const reading = stream.read();
    const writing = stream.write(new Uint8Array(10));
    const reason = abortedError();
    stream.close(reason);
    await expect(reading).rejects.toBe(reason);
    await expect(writing).rejects.toBe(reason);
    await expect(stream.read()).rejects.toBe(reason);
  });

  test("what was written before is sent before END", async () => {
    const { circuit, relays } = await testCircuit(1);
    const stream = await circuit.openStream("example.com", 80);
    await stream.write(Uint8Array.of(1, 2, 3));
    stream.close();
    await relays.idle();
    const commands = relays.received.map(({ command }) => command);
    expect(commands).toEqual([RelayCommand.BEGIN, RelayCommand.DATA, RelayCommand.END]);
  });

  test("what waits for the window when we close is not sent", async () => {
    const { circuit, relays } = await testCircuit(1);
    const stream = await circuit.openStream("example.com", 80);
    relays.congested = true;
    const writing = stream.write(Uint8Array.of(1));
    stream.close();
    await expect(writing).rejects.toMatchObject({ code: "ALLIUM_E_STREAM_CLOSED" });
    relays.writable();
    await relays.idle();
    expect(relays.received.map(({ command }) => command)).toEqual([RelayCommand.BEGIN, RelayCommand.END]);
  });
});
