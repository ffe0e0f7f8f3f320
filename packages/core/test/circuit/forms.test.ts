// Streams over each form that a last hop can have: windows, congestion control, and that with Counter Galois Onion
// (proposals 324 and 359). What holds for one form alone, and each misdeed that only congestion control makes possible.

import { describe, expect, test } from "vitest";
import { equalBytes } from "../../src/base/bytes.ts";
import { systemClock } from "../../src/base/clock.ts";
import { MemoryQuota } from "../../src/base/memory-quota.ts";
import type { HopRequest } from "../../src/circuit/handshake/negotiation.ts";
import { RelayCommand } from "../../src/circuit/relaycell/command.ts";
import { encodeMessage } from "../../src/circuit/relaycell/messages.ts";
import { CellBody } from "../../src/circuit/relaycrypto/cell-body.ts";
import { COMMAND } from "../../src/link/commands.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { ScriptedRelays } from "../../src/testing/relay/channel.ts";
import type { ExitStream } from "../../src/testing/relay/exit-stream.ts";
import { connected } from "../../src/testing/relay/messages.ts";
import { hostOf, LAST_HOPS, pattern, readAll, testCircuit } from "./relay.ts";

const { DATA, DROP, SENDME, XOFF, XON } = RelayCommand;
const MIB = 1 << 20;
const LAST = 2;
const FORMS = Object.entries(LAST_HOPS);
const CONGESTED = FORMS.filter(([, { handshake }]) => handshake === "ntor-v3");
const one = Uint8Array.of(1);
const xoff = encodeMessage({ command: XOFF });
const xon = (kbpsEwma: number) => encodeMessage({ command: XON, kbpsEwma });

function sent(relays: ScriptedRelays, command: number): number {
  return relays.received.filter((cell) => cell.command === command).length;
}

/** DATA cells of 400 bytes, some milliseconds apart: congestion control takes the measure of its clock as they come. */
async function deliver(
  relays: ScriptedRelays,
  clock: ManualClock,
  cells: number,
  spacing = 1,
): Promise<void> {
  const [exit] = relays.streams() as [ExitStream];
  for (let i = 0; i < cells; i++) {
    clock.advance(spacing);
    relays.send(LAST, DATA, exit.id, pattern(400));
  }
  await relays.idle();
}

/** A circuit with a stream on which so many cells came that nobody reads. */
async function openUnread(clock: ManualClock, last: HopRequest, cells: number, spacing?: number) {
  const { circuit, relays } = await testCircuit(3, clock, { last });
  const stream = await circuit.openStream("example.com", 80);
  await deliver(relays, clock, cells, spacing);
  return { circuit, relays, stream };
}

/** What happens between relays and client: `meddle` may change a cell, and says how often it arrives. */
function onTheWay(relays: ScriptedRelays, meddle: (body: Uint8Array) => number): void {
  relays.deliver = (command, body) => {
    for (let times = meddle(body); times > 0; times--) {
      ScriptedRelays.prototype.deliver.call(relays, command, body.slice());
    }
  };
}

describe.each(FORMS)("%s at the last hop", (name, last) => {
  test("is what was agreed upon, and at no other hop", async () => {
    const { relays } = await testCircuit(3, systemClock, { last });
    const plain = { congestionControl: undefined, cgo: false };
    const wanted = {
      congestionControl: name === "windows" ? undefined : { sendmeInc: 31 },
      cgo: name === "Counter Galois Onion",
    };
    expect(relays.hops.map(({ agreed }) => agreed)).toEqual([plain, plain, wanted]);
  });

  test("2 MiB down and 2 MiB up at the same time, unharmed", async () => {
    const { circuit, relays } = await testCircuit(3, systemClock, { last });
    const stream = await circuit.openStream("example.com", 80);
    const [exit] = relays.streams() as [ExitStream];
    const [down, up] = [pattern(2 * MIB, 1), pattern(2 * MIB, 2)];
    const receiving = readAll(stream);
    await Promise.all([exit.send(down), stream.write(up)]);
    await relays.idle();
    exit.end();
    const received = await receiving;
    // Not toEqual, which takes seconds for as much.
    expect(equalBytes(received, down)).toBe(true);
    expect(equalBytes(exit.receivedBytes, up)).toBe(true);
    expect(relays.complaints).toEqual([]);
  });

  test("16 streams at once, each with bytes of its own", async () => {
    const { circuit, relays } = await testCircuit(3, systemClock, { last });
    const length = 100_000;
    relays.behaviour.begin = (exit) => {
      exit.message(connected("93.184.216.34"));
      void exit.send(pattern(length, Number(hostOf(exit).slice(1)))).then(() => exit.end());
    };
    const all = Array.from({ length: 16 }, async (_, i) => readAll(await circuit.openStream(`h${i}`, 80)));
    for (const [i, bytes] of (await Promise.all(all)).entries())
      expect(equalBytes(bytes, pattern(length, i))).toBe(true);
    expect(relays.complaints).toEqual([]);
  });

  test("a cell that was tampered with on its way closes the circuit, and nothing of it is read", async () => {
    const { circuit, relays } = await testCircuit(3, systemClock, { last });
    const stream = await circuit.openStream("example.com", 80);
    onTheWay(relays, (body) => {
      body[300] = (body[300] as number) ^ 1;
      return 1;
    });
    const reading = stream.read();
    relays.send(LAST, DATA, (relays.streams()[0] as ExitStream).id, pattern(400));
    const error = { kind: "protocol-violation", code: "ALLIUM_E_CIRCUIT_UNRECOGNIZED" };
    await expect(reading).rejects.toMatchObject(error);
    expect(await circuit.closed).toMatchObject(error);
    expect(relays.destroyedByClient).toBe(true);
  });

  test("a cell that is sent twice, and one that is left out", async () => {
    for (const times of [0, 2]) {
      const { circuit, relays } = await testCircuit(3, systemClock, { last });
      await circuit.openStream("example.com", 80);
      onTheWay(relays, () => times);
      relays.send(LAST, DATA, (relays.streams()[0] as ExitStream).id, pattern(100));
      onTheWay(relays, () => 1);
      if (times === 0) relays.send(LAST, DATA, (relays.streams()[0] as ExitStream).id, pattern(100));
      expect(await circuit.closed).toMatchObject({ code: "ALLIUM_E_CIRCUIT_UNRECOGNIZED" });
    }
  });
});

describe.each(CONGESTED)("%s", (_, last) => {
  test("an XOFF of the exit stops a write and its XON lets it go on; other streams go on all the while", async () => {
    const { circuit, relays } = await testCircuit(3, systemClock, { last });
    const stream = await circuit.openStream("slow.example", 80);
    const other = await circuit.openStream("other.example", 80);
    const [exit, otherExit] = relays.streams() as [ExitStream, ExitStream];
    await stream.write(pattern(300_000));
    relays.send(LAST, XOFF, exit.id, xoff);
    let isWritten = false;
    const writing = stream.write(pattern(MIB, 2)).then(() => {
      isWritten = true;
    });
    await other.write(pattern(300_000, 3));
    await relays.idle();
    expect(equalBytes(otherExit.receivedBytes, pattern(300_000, 3))).toBe(true);
    expect([isWritten, exit.receivedBytes.length]).toEqual([false, 300_000]);
    relays.send(LAST, XON, exit.id, xon(0));
    await writing;
    await relays.idle();
    expect(exit.receivedBytes.length).toBe(300_000 + MIB);
    expect(circuit.isClosed).toBe(false);
  });

  test("an unread stream has an XOFF sent, and an XON once it is read; circuit SENDMEs go out meanwhile", async () => {
    const clock = new ManualClock();
    const { circuit, relays, stream } = await openUnread(clock, last, 500);
    expect(sent(relays, XOFF)).toBe(0);
    await deliver(relays, clock, 200);
    expect([sent(relays, XOFF), sent(relays, XON)]).toEqual([1, 0]);
    expect(sent(relays, SENDME)).toBe(Math.floor(700 / 31));
    let left = 700 * 400;
    while (left > 0) left -= (await stream.read())?.length ?? 0;
    await relays.idle();
    expect([sent(relays, XOFF), sent(relays, XON)]).toEqual([1, 1]);
    expect(circuit.isClosed).toBe(false);
  });

  test("the congestion window holds a write, and a SENDME with the right tag opens it", async () => {
    const { circuit, relays } = await testCircuit(3, systemClock, { last });
    const stream = await circuit.openStream("example.com", 80);
    const tags: Uint8Array[] = [];
    relays.behaviour.intercept = ({ command, tag }) => command === DATA && tags.push(tag) > 0;
    void stream.write(pattern(MIB)).catch(() => {});
    await relays.idle();
    expect(tags).toHaveLength(124);
    relays.sendMessage(LAST, 0, { command: SENDME, version: 1, tag: tags[30] as Uint8Array });
    await relays.idle();
    expect(tags.length).toBeGreaterThanOrEqual(124 + 31);
    expect(circuit.isClosed).toBe(false);
  });

  test("the circuit's SENDME goes before an XOFF that the same cell leads to, as C tor has it", async () => {
    const clock = new ManualClock();
    const { relays } = await openUnread(clock, last, 619, 0);
    clock.advance(300);
    relays.send(LAST, DATA, (relays.streams()[0] as ExitStream).id, pattern(400));
    await relays.idle();
    expect(relays.received.slice(-2).map(({ command }) => command)).toEqual([SENDME, XOFF]);
  });

  test("an XOFF and an XON before CONNECTED are in order where as much was sent", async () => {
    const { circuit, relays } = await testCircuit(3, systemClock, { last });
    relays.behaviour.begin = () => {};
    const stream = await circuit.openStream("example.com", 80, { optimistic: true });
    await relays.idle();
    const [exit] = relays.streams() as [ExitStream];
    await stream.write(pattern(300_000));
    relays.send(LAST, XOFF, exit.id, xoff);
    relays.send(LAST, XON, exit.id, xon(0));
    exit.message(connected("93.184.216.34"));
    await stream.connected;
    await stream.write(pattern(300_000));
    await relays.idle();
    expect([circuit.isClosed, exit.receivedBytes.length]).toEqual([false, 600_000]);
  });

  test("late cells of an ended stream are counted, however small, and forgiven for ten minutes", async () => {
    const clock = new ManualClock();
    const { circuit, relays } = await testCircuit(3, clock, { last });
    const stream = await circuit.openStream("example.com", 80);
    const [exit] = relays.streams() as [ExitStream];
    stream.close();
    // A page that was frozen for long finds them in its socket.
    clock.advance(10 * 60_000 - 1);
    for (let i = 0; i < 16_384; i++) relays.send(LAST, DATA, exit.id, one);
    expect(circuit.isClosed).toBe(false);
    relays.send(LAST, DATA, exit.id, one);
    expect(await circuit.closed).toMatchObject({ code: "ALLIUM_E_CIRCUIT_STREAM_WINDOW" });
  });

  test("8 MiB of unread data are too much for one stream: no exit that heeds XOFF sends as much", async () => {
    const memory = new MemoryQuota(64 * MIB, "a test");
    const { circuit, relays } = await testCircuit(3, new ManualClock(), { last, memory });
    await circuit.openStream("example.com", 80);
    const [exit] = relays.streams() as [ExitStream];
    const cells = Math.floor((8 * MIB) / 400);
    const data = pattern(400);
    for (let i = 0; i < cells; i++) relays.send(LAST, DATA, exit.id, data);
    expect(circuit.isClosed).toBe(false);
    relays.send(LAST, DATA, exit.id, data);
    expect(await circuit.closed).toMatchObject({ code: "ALLIUM_E_CIRCUIT_STREAM_WINDOW" });
  });

  const misdeeds: readonly (readonly [
    what: string,
    rule: string,
    misdeed: (relays: ScriptedRelays, exit: ExitStream, tags: readonly Uint8Array[]) => void,
  ])[] = [
    [
      "an XOFF before there can be reason for one",
      "XOFF",
      (relays, { id }) => relays.send(LAST, XOFF, id, xoff),
    ],
    [
      "an XON before there can be reason for one",
      "XON",
      (relays, { id }) => relays.send(LAST, XON, id, xon(9)),
    ],
    ["an XOFF of a version to come", "MALFORMED", (relays, { id }) => relays.send(LAST, XOFF, id, one)],
    [
      "a SENDME with another cell's tag",
      "SENDME_TAG",
      (relays, _, tags) => relays.sendMessage(LAST, 0, sendme(tags[31] as Uint8Array)),
    ],
    [
      "a SENDME with a tag that is cut short",
      "SENDME_TAG",
      (relays, _, tags) => relays.sendMessage(LAST, 0, sendme((tags[30] as Uint8Array).subarray(0, 15))),
    ],
    [
      "a second SENDME for the same cells",
      "SENDME",
      (relays, _, tags) => {
        relays.sendMessage(LAST, 0, sendme(tags[30] as Uint8Array));
        relays.sendMessage(LAST, 0, sendme(tags[30] as Uint8Array));
      },
    ],
    ["a DROP, which nobody negotiated", "DROP", (relays) => relays.send(LAST, DROP, 0, new Uint8Array(0))],
    ["a cell of zeros", "UNRECOGNIZED", (relays) => relays.deliver(COMMAND.relay, new Uint8Array(509))],
    ["an early cell", "RELAY_EARLY", (relays) => relays.deliver(COMMAND.relayEarly, new Uint8Array(509))],
    [
      "a cell that claims more data than it has",
      "MALFORMED",
      (relays, { id }) => {
        const cell = new CellBody();
        relays.hop(LAST).format.encode(cell, DATA, id, one);
        // The length is at 9 after the recognized and digest fields, or at 17 after a tag (tor-spec 6.1, proposal 359 2).
        const at = relays.hop(LAST).agreed.cgo ? 17 : 9;
        cell.bytes[at] = 2;
        relays.sendCell(LAST, cell);
      },
    ],
  ];
  const sendme = (tag: Uint8Array) => ({ command: SENDME, version: 1, tag }) as const;

  test.each(misdeeds)("%s: %s", async (_, rule, misdeed) => {
    const { circuit, relays } = await testCircuit(3, systemClock, { last });
    const stream = await circuit.openStream("example.com", 80);
    const tags: Uint8Array[] = [];
    relays.behaviour.intercept = ({ command, tag }) => command === DATA && tags.push(tag) > 0;
    await stream.write(pattern(32 * 490));
    await relays.idle();
    const pending = stream.read();
    misdeed(relays, relays.streams()[0] as ExitStream, tags);
    const error = { kind: "protocol-violation", code: `ALLIUM_E_CIRCUIT_${rule}` };
    expect(await circuit.closed).toMatchObject(error);
    await expect(pending).rejects.toMatchObject(error);
    expect(relays.destroyedByClient).toBe(true);
  });
});
