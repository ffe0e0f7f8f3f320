// Streams over a whole circuit: opening, data both ways through the windows, back-pressure, fairness, ends.

import { describe, expect, test } from "vitest";
import { concat } from "../../src/base/bytes.ts";
import { abortedError } from "../../src/base/errors.ts";
import { RelayCommand } from "../../src/circuit/relaycell/command.ts";
import { BeginFlag } from "../../src/circuit/relaycell/messages.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import {
  connected,
  type ExitStream,
  hostOf,
  pattern,
  readAll,
  type TestRelays,
  testCircuit,
} from "./relay.ts";

const CELL = 498;
const MIB = 1024 * 1024;

const exitOf = (relays: TestRelays, hostname: string) =>
  relays.streams().find((stream) => hostOf(stream) === hostname) as ExitStream;

/** Every stream is connected and sends back what it gets. */
function echo(relays: TestRelays): void {
  relays.behaviour.begin = (stream) => {
    stream.message(connected("5db8d822"));
    stream.onData = (data) => void stream.send(data.slice());
  };
}

describe("opening", () => {
  test("BEGIN names host and port, in lower case and without flags; CONNECTED tells the address", async () => {
    const { circuit, relays } = await testCircuit(3);
    const stream = await circuit.openStream("WWW.Example.com", 443);
    expect(relays.received.at(-1)).toMatchObject({ hop: 2, command: RelayCommand.BEGIN });
    expect([...(relays.received.at(-1)?.data ?? [])]).toEqual([...Buffer.from("www.example.com:443\0")]);
    expect(stream.remoteAddress).toEqual(Uint8Array.of(93, 184, 216, 34));
    expect(circuit.streamCount).toBe(1);
    expect(circuit.unusedSince).toBeUndefined();
  });

  test("the IPv6 flag is set for exits that allow it and for IPv6 literals", async () => {
    const { circuit, relays } = await testCircuit(1);
    await circuit.openStream("example.com", 80, { ipv6: true });
    await circuit.openStream("2606:4700::1111", 80);
    await circuit.openStream("1.1.1.1", 80);
    const flags = relays.streams().map(({ begin }) => "flags" in begin && begin.flags);
    expect(flags).toEqual([BeginFlag.IPV6_OKAY, BeginFlag.IPV6_OKAY, 0]);
  });

  test("BEGIN_DIR has no body, and what its CONNECTED says is ignored", async () => {
    const { circuit, relays } = await testCircuit(1);
    relays.behaviour.begin = (stream) =>
      void relays.send(0, RelayCommand.CONNECTED, stream.id, Uint8Array.of(7));
    const stream = await circuit.openDirectoryStream();
    expect(relays.received.at(-1)).toMatchObject({
      command: RelayCommand.BEGIN_DIR,
      data: new Uint8Array(0),
    });
    expect(stream.remoteAddress).toBeUndefined();
  });

  test.each([
    ["127.0.0.1", "7f000001"],
    ["10.0.0.1", "0a000001"],
    ["169.254.169.254", "a9fea9fe"],
    ["::1", `${"00".repeat(15)}01`],
    ["::ffff:10.0.0.1", "00000000000000000000ffff0a000001"],
  ])("a CONNECTED to %s is refused, and the stream ended", async (_, hex) => {
    const { circuit, relays } = await testCircuit(1);
    relays.behaviour.begin = (stream) => stream.message(connected(hex));
    await expect(circuit.openStream("rebinding.example", 80)).rejects.toMatchObject({
      kind: "exit-policy",
      code: "ALLIUM_E_STREAM_INTERNAL_ADDRESS",
    });
    await relays.idle();
    expect(relays.received.at(-1)).toMatchObject({ command: RelayCommand.END, data: Uint8Array.of(1) });
    expect(circuit.streamCount).toBe(0);
    expect(circuit.isClosed).toBe(false);
    await circuit.openStream("rebinding.example", 80, { allowPrivateAddresses: true });
  });

  test.each([
    ["127.0.0.1", "ALLIUM_E_INTERNAL_ADDRESS"],
    ["192.168.1.1", "ALLIUM_E_INTERNAL_ADDRESS"],
    ["::1", "ALLIUM_E_INTERNAL_ADDRESS"],
    ["fd00::1", "ALLIUM_E_INTERNAL_ADDRESS"],
    ["::ffff:127.0.0.1", "ALLIUM_E_INTERNAL_ADDRESS"],
    ["localhost", "ALLIUM_E_INTERNAL_ADDRESS"],
    ["printer.local.", "ALLIUM_E_INTERNAL_ADDRESS"],
    ["127.1", "ALLIUM_E_BAD_HOSTNAME"],
    ["0x7f000001", "ALLIUM_E_BAD_HOSTNAME"],
    ["a.b\0c", "ALLIUM_E_BAD_HOSTNAME"],
    ["a\nb", "ALLIUM_E_BAD_HOSTNAME"],
    ["a b", "ALLIUM_E_BAD_HOSTNAME"],
    ["example.com:80", "ALLIUM_E_BAD_HOSTNAME"],
    ["[::1]", "ALLIUM_E_BAD_HOSTNAME"],
    ["münchen.example", "ALLIUM_E_BAD_HOSTNAME"],
    ["", "ALLIUM_E_BAD_HOSTNAME"],
    [`${"a".repeat(252)}.com`, "ALLIUM_E_BAD_HOSTNAME"],
  ])("%j is never sent to an exit", async (hostname, code) => {
    const { circuit, relays } = await testCircuit(1);
    await expect(circuit.openStream(hostname, 80)).rejects.toMatchObject({ kind: "bad-api-usage", code });
    expect(relays.received).toEqual([]);
  });

  test.each([0, 65536, 1.5, Number.NaN])("port %d is never sent to an exit", async (port) => {
    const { circuit } = await testCircuit(1);
    await expect(circuit.openStream("example.com", port)).rejects.toMatchObject({
      code: "ALLIUM_E_BAD_PORT",
    });
  });

  test("an END instead of CONNECTED is the error of its reason", async () => {
    const { circuit, relays } = await testCircuit(1);
    relays.behaviour.begin = (stream) => stream.end(hostOf(stream) === "closed.example" ? 3 : 2);
    await expect(circuit.openStream("closed.example", 80)).rejects.toMatchObject({
      kind: "remote-refused",
      code: "ALLIUM_E_STREAM_CONNECTREFUSED",
    });
    await expect(circuit.openStream("nowhere.example", 80)).rejects.toMatchObject({
      kind: "remote-host-not-found",
      code: "ALLIUM_E_STREAM_RESOLVEFAILED",
    });
    expect(circuit.streamCount).toBe(0);
    // Nothing is answered to an END.
    await relays.idle();
    expect(relays.received.every(({ command }) => command === RelayCommand.BEGIN)).toBe(true);
  });

  test("an exit that does not answer times out; a late CONNECTED and END are excused", async () => {
    const clock = new ManualClock();
    const { circuit, relays } = await testCircuit(1, clock);
    relays.behaviour.begin = () => {};
    const opening = circuit.openStream("example.com", 80, { timeout: 2000 });
    await relays.idle();
    const [exit] = relays.streams() as [ExitStream];
    clock.advance(2000);
    await expect(opening).rejects.toMatchObject({
      kind: "exit-timeout",
      code: "ALLIUM_E_STREAM_CONNECT_TIMEOUT",
    });
    exit.message(connected("5db8d822"));
    exit.end();
    await relays.idle();
    expect(relays.received.at(-1)).toMatchObject({ command: RelayCommand.END });
    expect(circuit.isClosed).toBe(false);
  });

  test("an abort while opening ends that stream alone", async () => {
    const { circuit, relays } = await testCircuit(1);
    const open = await circuit.openStream("example.com", 80);
    relays.behaviour.begin = () => {};
    const controller = new AbortController();
    const opening = circuit.openStream("slow.example", 80, { signal: controller.signal });
    await relays.idle();
    controller.abort();
    await expect(opening).rejects.toMatchObject({ kind: "aborted" });
    await relays.idle();
    expect(relays.received.at(-1)).toMatchObject({ command: RelayCommand.END, data: Uint8Array.of(1) });
    expect(circuit.streamCount).toBe(1);
    const already = circuit.openStream("slow.example", 80, { signal: controller.signal });
    await expect(already).rejects.toMatchObject({ kind: "aborted" });
    open.close();
    expect(circuit.streamCount).toBe(0);
    expect(circuit.unusedSince).toBeDefined();
  });

  test("stream ids are all different and never 0", async () => {
    const { circuit, relays } = await testCircuit(1);
    await Promise.all(Array.from({ length: 300 }, () => circuit.openStream("example.com", 80)));
    const ids = new Set(relays.received.map(({ streamId }) => streamId));
    expect(ids.size).toBe(300);
    expect(ids.has(0)).toBe(false);
  });
});

describe("data", () => {
  test("2 MiB both ways at once", async () => {
    const { circuit, relays } = await testCircuit(3);
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

  test("one read returns what one flush brought, up to 64 KiB", async () => {
    const { circuit, relays } = await testCircuit(1);
    const stream = await circuit.openStream("example.com", 80);
    const [exit] = relays.streams() as [ExitStream];
    const data = pattern(150 * CELL);
    const waiting = stream.read();
    exit.send(data);
    const first = (await waiting) as Uint8Array;
    expect(first.length).toBe(131 * CELL);
    expect(concat(first, (await stream.read()) as Uint8Array)).toEqual(data);
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
    await stream.read();
    await relays.idle();
    expect(sendmes().slice(2)).toEqual(["stream", "stream"]);
  });

  test("a write waits for the stream's window", async () => {
    const { circuit, relays } = await testCircuit(1);
    const stream = await circuit.openStream("example.com", 80);
    const [exit] = relays.streams() as [ExitStream];
    relays.behaviour.acknowledgesStreams = false;
    let done = false;
    const writing = stream.write(new Uint8Array(600 * CELL)).then(() => {
      done = true;
    });
    await relays.idle();
    expect(exit.cellsReceived).toBe(500);
    expect(done).toBe(false);
    for (let i = exit.flow.consumed(150); i > 0; i--) {
      relays.send(0, RelayCommand.SENDME, exit.id, new Uint8Array(0));
    }
    await writing;
    await relays.idle();
    expect(exit.receivedBytes.length).toBe(600 * CELL);
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
