// The most cells that a circuit may bring or send: the last one passes, one more closes the circuit.

import { describe, expect, test } from "vitest";
import type { LogEvent } from "../../src/base/ports.ts";
import type { CellLimits } from "../../src/circuit/api.ts";
import { createCircuit } from "../../src/circuit/create.ts";
import { RelayCommand } from "../../src/circuit/relaycell/command.ts";
import { COMMAND } from "../../src/link/commands.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { ScriptedRelays } from "../../src/testing/relay/channel.ts";
import type { ExitStream } from "../../src/testing/relay/exit-stream.ts";
import { scriptedRelay } from "../../src/testing/relay/keys.ts";
import { pattern, testCircuit } from "./relay.ts";

const { BEGIN, DATA, SENDME } = RelayCommand;
const CELL = 498;
const one = Uint8Array.of(1);
const TOO_MANY_IN = { kind: "protocol-violation", code: "ALLIUM_E_CIRCUIT_CELL_LIMIT" };
const TOO_MANY_OUT = { kind: "limit", code: "ALLIUM_E_CELL_LIMIT" };

const relayCells = (relays: ScriptedRelays) =>
  relays.sentCells.filter(({ command }) => command === COMMAND.relay || command === COMMAND.relayEarly)
    .length;

async function limited(cellLimits: CellLimits, hops = 1) {
  const events: LogEvent[] = [];
  const options = { cellLimits, log: (event: LogEvent) => void events.push(event) };
  return { events, ...(await testCircuit(hops, new ManualClock(), options)) };
}

describe("incoming cells", () => {
  test("are as many as allowed, and one more is a violation, after which nothing of it is delivered", async () => {
    // CREATED2, CONNECTED and ten of DATA.
    const { circuit, relays, events } = await limited({ incoming: 12 });
    const stream = await circuit.openStream("example.com", 80);
    const [exit] = relays.streams() as [ExitStream];
    for (let i = 1; i <= 10; i++) relays.send(0, DATA, exit.id, Uint8Array.of(i));
    expect(circuit.isClosed).toBe(false);
    relays.send(0, DATA, exit.id, Uint8Array.of(11));
    expect(circuit.isClosed).toBe(true);
    expect(await circuit.closed).toMatchObject(TOO_MANY_IN);
    expect(relays.destroyedByClient).toBe(true);
    expect(events).toMatchObject([{ level: "warn", data: { error: TOO_MANY_IN.code } }]);
    const received: number[] = [];
    const reading = (async () => {
      for (;;) received.push(...((await stream.read()) ?? []));
    })();
    await expect(reading).rejects.toMatchObject(TOO_MANY_IN);
    expect(received).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  test("count whoever sent them, each hop's and those that build the circuit", async () => {
    // CREATED2 and two EXTENDED2.
    const { circuit, relays } = await limited({ incoming: 3 }, 3);
    expect(circuit.isClosed).toBe(false);
    relays.send(0, SENDME, 0, one);
    expect(await circuit.closed).toMatchObject(TOO_MANY_IN);
    await expect(limited({ incoming: 2 }, 3)).rejects.toMatchObject(TOO_MANY_IN);
  });

  test("may be none: then even the first answer is too much", async () => {
    const relay = await scriptedRelay();
    const relays = new ScriptedRelays([relay]);
    const creating = createCircuit({
      id: 1,
      channel: relays.channel,
      firstHop: relay,
      clock: new ManualClock(),
      cellLimits: { incoming: 0 },
    });
    await expect(creating).rejects.toMatchObject(TOO_MANY_IN);
    expect(relays.destroyedByClient).toBe(true);
  });

  test("are not limited by a limit on those that are sent", async () => {
    const { circuit, relays } = await limited({ outgoing: 10 });
    await circuit.openStream("example.com", 80);
    const [exit] = relays.streams() as [ExitStream];
    for (let i = 0; i < 90; i++) relays.send(0, DATA, exit.id, one);
    expect(circuit.isClosed).toBe(false);
  });
});

describe("outgoing relay cells", () => {
  test("are as many as allowed; instead of one more the circuit is closed", async () => {
    const { circuit, relays, events } = await limited({ outgoing: 6 });
    const stream = await circuit.openStream("example.com", 80);
    for (let i = 1; i <= 5; i++) await stream.write(Uint8Array.of(i));
    await relays.idle();
    expect(circuit.isClosed).toBe(false);
    expect(relayCells(relays)).toBe(6);
    void stream.write(Uint8Array.of(6)).catch(() => {});
    expect(circuit.isClosed).toBe(true);
    expect(await circuit.closed).toMatchObject(TOO_MANY_OUT);
    expect(await stream.closed).toMatchObject(TOO_MANY_OUT);
    await relays.idle();
    expect(relayCells(relays)).toBe(6);
    expect(relays.received.map(({ command }) => command)).toEqual([BEGIN, DATA, DATA, DATA, DATA, DATA]);
    expect(relays.destroyedByClient).toBe(true);
    // It is no fault of the relays'.
    expect(events).toEqual([]);
  });

  test("are cut off within a write, which fails", async () => {
    const { circuit, relays } = await limited({ outgoing: 8 });
    const stream = await circuit.openStream("example.com", 80);
    await expect(stream.write(pattern(20 * CELL))).rejects.toMatchObject(TOO_MANY_OUT);
    await expect(stream.write(one)).rejects.toMatchObject(TOO_MANY_OUT);
    await expect(stream.read()).rejects.toMatchObject(TOO_MANY_OUT);
    expect(await circuit.closed).toMatchObject(TOO_MANY_OUT);
    expect(relayCells(relays)).toBe(8);
  });

  test("count EXTEND2", async () => {
    const { circuit, relays, targets } = await limited({ outgoing: 1 }, 2);
    const [, , third] = targets;
    await expect(circuit.extend(third as (typeof targets)[0])).rejects.toMatchObject(TOO_MANY_OUT);
    expect(await circuit.closed).toMatchObject(TOO_MANY_OUT);
    expect(relayCells(relays)).toBe(1);
  });

  test.each([false, true])("count BEGIN (optimistic: %s)", async (optimistic) => {
    const { circuit, relays } = await limited({ outgoing: 1 });
    await circuit.openStream("example.com", 80);
    const opening = circuit.openStream("more.example", 80, { optimistic }).then((stream) => stream.connected);
    await expect(opening).rejects.toMatchObject(TOO_MANY_OUT);
    expect(await circuit.closed).toMatchObject(TOO_MANY_OUT);
    await relays.idle();
    expect(relays.received.map(({ command }) => command)).toEqual([BEGIN]);
  });

  test("count END and SENDMEs", async () => {
    const ending = await limited({ outgoing: 1 });
    const stream = await ending.circuit.openStream("example.com", 80);
    stream.close();
    expect(await ending.circuit.closed).toMatchObject(TOO_MANY_OUT);
    expect(await stream.read()).toBeUndefined();

    const reading = await limited({ outgoing: 1 });
    await reading.circuit.openStream("example.com", 80);
    const [exit] = reading.relays.streams() as [ExitStream];
    for (let i = 0; i < 99; i++) reading.relays.send(0, DATA, exit.id, one);
    expect(reading.circuit.isClosed).toBe(false);
    reading.relays.send(0, DATA, exit.id, one);
    expect(await reading.circuit.closed).toMatchObject(TOO_MANY_OUT);
  });

  test("that run out while several streams have data to send harm nobody but the circuit", async () => {
    const { circuit, relays } = await limited({ outgoing: 6 });
    const streams = [
      await circuit.openStream("one.example", 80),
      await circuit.openStream("two.example", 80),
      await circuit.openStream("three.example", 80),
    ];
    relays.congested = true;
    const writes = streams.map((stream) => stream.write(pattern(10 * CELL)));
    const failures = writes.map((write) => expect(write).rejects.toMatchObject(TOO_MANY_OUT));
    // The channel calls this; what is thrown here would close it, and all its circuits.
    expect(() => relays.writable()).not.toThrow();
    await Promise.all(failures);
    for (const stream of streams) expect(await stream.closed).toMatchObject(TOO_MANY_OUT);
    expect(relayCells(relays)).toBe(6);
    expect(await circuit.closed).toMatchObject(TOO_MANY_OUT);
  });

  test("that run out in one stream's write harm no other stream's", async () => {
    const { circuit, relays } = await limited({ outgoing: 6 });
    const [one, other] = [
      await circuit.openStream("one.example", 80),
      await circuit.openStream("two.example", 80),
    ];
    relays.congested = true;
    const waiting = expect(one.write(pattern(10 * CELL))).rejects.toMatchObject(TOO_MANY_OUT);
    relays.congested = false;
    // Sends both streams' data; it must not throw, but reject.
    let writing: Promise<void> | undefined;
    expect(() => {
      writing = other.write(pattern(10 * CELL));
    }).not.toThrow();
    await expect(writing).rejects.toMatchObject(TOO_MANY_OUT);
    await waiting;
  });

  test("are not limited by a limit on those that come, nor by none", async () => {
    const { circuit, relays } = await limited({ incoming: 20 });
    const stream = await circuit.openStream("example.com", 80);
    await stream.write(pattern(90 * CELL));
    await relays.idle();
    expect(circuit.isClosed).toBe(false);
    const { circuit: free } = await limited({});
    await (await free.openStream("example.com", 80)).write(pattern(90 * CELL));
    expect(free.isClosed).toBe(false);
  });
});
