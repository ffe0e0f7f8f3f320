// What a circuit says of its bytes: every cell in either direction, those that built it included, and no other.

import { describe, expect, test } from "vitest";
import { createCircuit } from "../../src/circuit/create.ts";
import { RelayCommand } from "../../src/circuit/relaycell/command.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { ScriptedRelays } from "../../src/testing/relay/channel.ts";
import type { ExitStream } from "../../src/testing/relay/exit-stream.ts";
import { scriptedRelay } from "../../src/testing/relay/keys.ts";
import { LAST_HOPS, pattern, readAll, testCircuit } from "./relay.ts";

const CELL = 514;
const { DATA, END } = RelayCommand;

describe("a circuit's bytes", () => {
  test.each([1, 2, 3])("are %i cells each way when it has as many hops", async (hops) => {
    const { circuit, relays } = await testCircuit(hops, new ManualClock());
    expect(circuit.traffic).toEqual({ received: hops * CELL, sent: hops * CELL });
    expect(relays.sentCells).toHaveLength(hops);
  });

  test("are two cells with CREATE_FAST", async () => {
    const relay = await scriptedRelay();
    const { channel } = new ScriptedRelays([relay]);
    const circuit = await createCircuit({
      id: 1,
      channel,
      firstHop: { fast: true },
      clock: new ManualClock(),
    });
    expect(circuit.traffic).toEqual({ received: CELL, sent: CELL });
  });

  test.each(Object.entries(LAST_HOPS))("are those that crossed the link, with %s", async (_, last) => {
    const { circuit, relays } = await testCircuit(3, new ManualClock(), { last });
    let delivered = 3;
    const deliver = relays.deliver.bind(relays);
    relays.deliver = (command, body) => {
      delivered++;
      deliver(command, body);
    };
    const stream = await circuit.openStream("example.com", 80);
    await stream.write(pattern(200 * 498));
    // Its SENDMEs come before its END.
    await relays.idle();
    const [exit] = relays.streams() as [ExitStream];
    for (let i = 0; i < 120; i++) relays.send(2, DATA, exit.id, pattern(100, i));
    relays.send(2, END, exit.id, Uint8Array.of(6));
    expect((await readAll(stream)).length).toBe(12_000);
    await relays.idle();
    expect(circuit.isClosed).toBe(false);
    expect(relays.sentCells.length).toBeGreaterThan(200);
    expect(delivered).toBeGreaterThan(120);
    expect(circuit.traffic).toEqual({ received: delivered * CELL, sent: relays.sentCells.length * CELL });
  });

  test("stay what they were when it is closed", async () => {
    const { circuit, relays } = await testCircuit(2, new ManualClock());
    const before = circuit.traffic;
    circuit.close();
    relays.deliver(3, new Uint8Array(509));
    expect(circuit.traffic).toEqual(before);
  });
});
