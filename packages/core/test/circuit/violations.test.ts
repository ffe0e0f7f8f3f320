// A relay that sends what does not belong loses the circuit: each rule has its own code (proposal 349, DropMark).

import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import type { LogEvent } from "../../src/base/ports.ts";
import { createCircuit } from "../../src/circuit/create.ts";
import { RelayCommand } from "../../src/circuit/relaycell/command.ts";
import { relayCellV0 } from "../../src/circuit/relaycell/format.ts";
import { CellBody } from "../../src/circuit/relaycrypto/cell-body.ts";
import { COMMAND } from "../../src/link/commands.ts";
import { ScriptedRelays } from "../../src/testing/relay/channel.ts";
import type { ExitStream } from "../../src/testing/relay/exit-stream.ts";
import { scriptedRelay } from "../../src/testing/relay/keys.ts";
import { pattern, testCircuit } from "./relay.ts";

const {
  BEGIN,
  BEGIN_DIR,
  CONNECTED,
  DATA,
  DROP,
  END,
  EXTEND2,
  EXTENDED2,
  RESOLVE,
  RESOLVED,
  SENDME,
  TRUNCATED,
  XOFF,
  XON,
} = RelayCommand;
const NOTHING = new Uint8Array(0);
const LAST = 2;

type Misdeed = (relays: ScriptedRelays, stream: ExitStream) => void;

const raw =
  (hop: number, command: number, streamId: (stream: ExitStream) => number, data: Uint8Array): Misdeed =>
  (relays, stream) =>
    void relays.send(hop, command, streamId(stream), data);
const own = (stream: ExitStream) => stream.id;
const other = (stream: ExitStream) => (stream.id % 65535) + 1;
const none = () => 0;
const one = Uint8Array.of(1);
const sendme = (fill: number, version = 1) => Uint8Array.of(version, 0, 20, ...new Uint8Array(20).fill(fill));

const MISDEEDS: readonly (readonly [what: string, rule: string, misdeed: Misdeed])[] = [
  ["DATA on an unknown stream", "UNKNOWN_STREAM", raw(LAST, DATA, other, one)],
  ["END on an unknown stream", "UNKNOWN_STREAM", raw(LAST, END, other, one)],
  ["CONNECTED on an unknown stream", "UNKNOWN_STREAM", raw(LAST, CONNECTED, other, NOTHING)],
  ["SENDME on an unknown stream", "UNKNOWN_STREAM", raw(LAST, SENDME, other, NOTHING)],
  ["DATA from another hop than the stream's", "WRONG_HOP", raw(1, DATA, own, one)],
  ["END from another hop than the stream's", "WRONG_HOP", raw(0, END, own, one)],
  ["DATA without a stream id", "STREAM_ID", raw(LAST, DATA, none, one)],
  ["END without a stream id", "STREAM_ID", raw(LAST, END, none, one)],
  ["CONNECTED without a stream id", "STREAM_ID", raw(LAST, CONNECTED, none, NOTHING)],
  ["EXTENDED2 with a stream id", "STREAM_ID", raw(LAST, EXTENDED2, own, one)],
  ["TRUNCATED with a stream id", "STREAM_ID", raw(LAST, TRUNCATED, own, one)],
  ["an empty DATA", "EMPTY_DATA", raw(LAST, DATA, own, NOTHING)],
  ["a second CONNECTED", "SECOND_CONNECTED", raw(LAST, CONNECTED, own, NOTHING)],
  ["EXTENDED2 that was not asked for", "EXTENDED2", raw(LAST, EXTENDED2, none, new Uint8Array(66))],
  ["EXTENDED2 from a hop that is not the last", "WRONG_HOP", raw(1, EXTENDED2, none, new Uint8Array(66))],
  ["DROP from the last hop", "DROP", raw(LAST, DROP, none, NOTHING)],
  ["DROP from the first hop", "DROP", raw(0, DROP, none, NOTHING)],
  ["BEGIN from a relay", "UNEXPECTED_COMMAND", raw(LAST, BEGIN, own, one)],
  ["RESOLVED on a stream that was begun", "RESOLVED", raw(LAST, RESOLVED, own, NOTHING)],
  ["RESOLVED on an unknown stream", "UNKNOWN_STREAM", raw(LAST, RESOLVED, other, NOTHING)],
  ["RESOLVED from another hop than the stream's", "WRONG_HOP", raw(1, RESOLVED, own, NOTHING)],
  ["RESOLVED without a stream id", "STREAM_ID", raw(LAST, RESOLVED, none, NOTHING)],
  ["RESOLVE from a relay", "UNEXPECTED_COMMAND", raw(LAST, RESOLVE, own, one)],
  ["BEGIN_DIR from a relay", "UNEXPECTED_COMMAND", raw(LAST, BEGIN_DIR, own, NOTHING)],
  ["EXTEND2 from a relay", "UNEXPECTED_COMMAND", raw(LAST, EXTEND2, none, one)],
  ["EXTENDED, which only old relays know", "UNEXPECTED_COMMAND", raw(LAST, 7, none, one)],
  ["XOFF on a hop with windows", "XOFF", raw(LAST, XOFF, own, Uint8Array.of(0))],
  ["XON on a hop with windows", "XON", raw(LAST, XON, own, Uint8Array.of(0, 0, 0, 0, 9))],
  ["XOFF without a stream id", "STREAM_ID", raw(LAST, XOFF, none, Uint8Array.of(0))],
  ["XON without a stream id", "STREAM_ID", raw(LAST, XON, none, Uint8Array.of(0, 0, 0, 0, 9))],
  ["XOFF on an unknown stream", "UNKNOWN_STREAM", raw(LAST, XOFF, other, Uint8Array.of(0))],
  ["XON from another hop than the stream's", "WRONG_HOP", raw(1, XON, own, Uint8Array.of(0, 0, 0, 0, 9))],
  ["a DROP on a stream", "STREAM_ID", raw(LAST, DROP, own, NOTHING)],
  ["relay command 0", "UNKNOWN_COMMAND", raw(LAST, 0, own, one)],
  ["an unknown relay command", "UNKNOWN_COMMAND", raw(LAST, 99, own, one)],
  ["a conflux command", "UNKNOWN_COMMAND", raw(LAST, 20, none, one)],
  ["a circuit SENDME that is not owed", "SENDME", raw(LAST, SENDME, none, sendme(0))],
  ["a circuit SENDME from a hop without streams", "SENDME", raw(1, SENDME, none, sendme(0))],
  ["a circuit SENDME of version 0", "SENDME_VERSION", raw(LAST, SENDME, none, NOTHING)],
  ["a stream SENDME that is not owed", "SENDME", raw(LAST, SENDME, own, NOTHING)],
  [
    "a relay cell that claims too much data",
    "MALFORMED",
    (relays) => {
      const cell = new CellBody();
      relayCellV0.encode(cell, DATA, 1, one);
      cell.bytes[9] = 2;
      relays.sendCell(LAST, cell);
    },
  ],
  ["a RELAY_EARLY cell", "RELAY_EARLY", (relays) => relays.deliver(COMMAND.relayEarly, new Uint8Array(509))],
  ["a cell that no hop recognises", "UNRECOGNIZED", (relays) => relays.deliver(COMMAND.relay, pattern(509))],
  ["a second CREATED2", "CELL_COMMAND", (relays) => relays.deliver(COMMAND.created2, new Uint8Array(509))],
  [
    "501 DATA cells that nobody read",
    "STREAM_WINDOW",
    (relays, stream) => {
      for (let i = 0; i < 501; i++) relays.send(LAST, DATA, stream.id, one);
    },
  ],
];

describe("each closes the circuit", () => {
  test.each(MISDEEDS)("%s: %s", async (_, rule, misdeed) => {
    const { circuit, relays } = await testCircuit(3);
    const stream = await circuit.openStream("example.com", 80);
    const pending = stream.read().then(() => stream.read());
    misdeed(relays, relays.streams()[0] as ExitStream);
    const error = { kind: "protocol-violation", code: `ALLIUM_E_CIRCUIT_${rule}` };
    expect(await circuit.closed).toMatchObject(error);
    expect(relays.destroyedByClient).toBe(true);
    expect(await stream.closed).toMatchObject(error);
    await expect(pending).rejects.toMatchObject(error);
  });
});

describe("on a stream that is not connected", () => {
  test.each([
    ["DATA", DATA, one, "WRONG_STATE"],
    ["SENDME", SENDME, NOTHING, "SENDME"],
    ["XOFF", XOFF, Uint8Array.of(0), "XOFF"],
    ["XON", XON, Uint8Array.of(0, 0, 0, 0, 9), "XON"],
    ["a CONNECTED that does not parse", CONNECTED, one, "MALFORMED"],
  ] as const)("%s", async (_, command, data, rule) => {
    const { circuit, relays } = await testCircuit(2);
    relays.behaviour.begin = (stream) => void relays.send(1, command, stream.id, data);
    const code = `ALLIUM_E_CIRCUIT_${rule}`;
    await expect(circuit.openStream("example.com", 80)).rejects.toMatchObject({ code });
    expect(await circuit.closed).toMatchObject({ code });
  });
});

describe("after END", () => {
  test.each([
    ["DATA", DATA, one],
    ["END", END, one],
    ["SENDME", SENDME, NOTHING],
    ["CONNECTED", CONNECTED, NOTHING],
    ["RESOLVED", RESOLVED, NOTHING],
    ["XOFF", XOFF, Uint8Array.of(0)],
    ["XON", XON, Uint8Array.of(0, 0, 0, 0, 9)],
  ] as const)("%s on a stream that the relay ended", async (_, command, data) => {
    const { circuit, relays } = await testCircuit(2);
    const stream = await circuit.openStream("example.com", 80);
    const [exit] = relays.streams() as [ExitStream];
    exit.end();
    expect(await stream.read()).toBeUndefined();
    relays.send(1, command, exit.id, data);
    expect(await circuit.closed).toMatchObject({ code: "ALLIUM_E_CIRCUIT_UNKNOWN_STREAM" });
  });
});

describe("SENDMEs that authenticate nothing", () => {
  test("the right version with a wrong tag", async () => {
    const { circuit, relays } = await testCircuit(2);
    const stream = await circuit.openStream("example.com", 80);
    relays.behaviour.intercept = ({ command }) => command === DATA;
    await stream.write(pattern(101 * 498));
    await relays.idle();
    relays.send(1, SENDME, 0, sendme(9));
    expect(await circuit.closed).toMatchObject({ code: "ALLIUM_E_CIRCUIT_SENDME_TAG" });
  });

  test("a longer tag that begins with the right one", async () => {
    const { circuit, relays } = await testCircuit(2);
    const stream = await circuit.openStream("example.com", 80);
    const tags: Uint8Array[] = [];
    relays.behaviour.intercept = ({ command, tag }) => command === DATA && tags.push(tag) > 0;
    await stream.write(pattern(101 * 498));
    await relays.idle();
    const tag = Uint8Array.of(...(tags[99] as Uint8Array), 0);
    relays.sendMessage(1, 0, { command: SENDME, version: 1, tag });
    expect(await circuit.closed).toMatchObject({ code: "ALLIUM_E_CIRCUIT_SENDME_TAG" });
  });

  test("the right tag from another hop", async () => {
    const { circuit, relays } = await testCircuit(2);
    const stream = await circuit.openStream("example.com", 80);
    const tags: Uint8Array[] = [];
    relays.behaviour.intercept = ({ command, tag }) => command === DATA && tags.push(tag) > 0;
    await stream.write(pattern(101 * 498));
    await relays.idle();
    relays.sendMessage(0, 0, { command: SENDME, version: 1, tag: tags[99] as Uint8Array });
    expect(await circuit.closed).toMatchObject({ code: "ALLIUM_E_CIRCUIT_SENDME" });
  });
});

test("a violation is logged with its code and nothing of the destination", async () => {
  const relay = await scriptedRelay();
  const relays = new ScriptedRelays([relay]);
  const events: LogEvent[] = [];
  const circuit = await createCircuit({
    id: 4,
    channel: relays.channel,
    firstHop: relay,
    clock: systemClock,
    log: (event) => events.push(event),
  });
  await circuit.openStream("secret.example", 80);
  relays.send(0, DROP, 0, NOTHING);
  await circuit.closed;
  expect(events).toMatchObject([{ level: "warn", data: { circuit: 4, error: "ALLIUM_E_CIRCUIT_DROP" } }]);
  expect(JSON.stringify(events)).not.toMatch(/secret|198\.51/);
});
