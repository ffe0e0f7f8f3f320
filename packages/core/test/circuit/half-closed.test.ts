// After our END the relay may still send what was on its way, and not one cell more (tor-spec 6.3).

import { describe, expect, test } from "vitest";
import { RelayCommand } from "../../src/circuit/relaycell/command.ts";
import { MAX_HALF_CLOSED } from "../../src/circuit/stream-map.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import type { ExitStream } from "../../src/testing/relay/exit-stream.ts";
import { connected } from "../../src/testing/relay/messages.ts";
import { pattern, testCircuit } from "./relay.ts";

const { CONNECTED, DATA, END, SENDME, XOFF, XON } = RelayCommand;
const NOTHING = new Uint8Array(0);
const one = Uint8Array.of(1);

/** A circuit with a stream that we have closed, after `before` was done with it. */
async function halfClosed(before: (exit: ExitStream) => void = () => {}) {
  const clock = new ManualClock();
  const { circuit, relays } = await testCircuit(2, clock);
  const stream = await circuit.openStream("example.com", 80);
  const [exit] = relays.streams() as [ExitStream];
  before(exit);
  return {
    clock,
    circuit,
    relays,
    stream,
    exit,
    send: (command: number, data: Uint8Array = one) => relays.send(1, command, exit.id, data),
  };
}

describe("DATA", () => {
  test("as many cells as the window had left", async () => {
    const { circuit, relays, stream, exit, send } = await halfClosed();
    for (let i = 0; i < 120; i++) send(DATA);
    stream.close();
    for (let i = 0; i < 380; i++) send(DATA);
    expect(circuit.isClosed).toBe(false);
    await relays.idle();
    // They count for the circuit, whose SENDMEs go on, and for no stream.
    const sendmes = relays.received.filter(({ command }) => command === SENDME);
    expect(sendmes.map(({ streamId }) => streamId)).toEqual([0, 0, 0, 0, 0]);
    expect(exit.flow.canSend).toBe(true);
    send(DATA);
    expect(await circuit.closed).toMatchObject({ code: "ALLIUM_E_CIRCUIT_STREAM_WINDOW" });
  });

  test("what was read has widened it", async () => {
    const { circuit, stream, send } = await halfClosed();
    for (let i = 0; i < 120; i++) send(DATA);
    await stream.read();
    stream.close();
    for (let i = 0; i < 480; i++) send(DATA);
    expect(circuit.isClosed).toBe(false);
    send(DATA);
    expect(circuit.isClosed).toBe(true);
  });

  test("none that is empty", async () => {
    const { circuit, stream, send } = await halfClosed();
    stream.close();
    send(DATA, NOTHING);
    expect(await circuit.closed).toMatchObject({ code: "ALLIUM_E_CIRCUIT_EMPTY_DATA" });
  });

  test("none from another hop", async () => {
    const { circuit, relays, stream, exit } = await halfClosed();
    stream.close();
    relays.send(0, DATA, exit.id, one);
    expect(await circuit.closed).toMatchObject({ code: "ALLIUM_E_CIRCUIT_WRONG_HOP" });
  });
});

describe("SENDME", () => {
  test("as many as our cells can still cause", async () => {
    const { circuit, relays, stream, send } = await halfClosed();
    relays.behaviour.acknowledgesStreams = false;
    await stream.write(pattern(149 * 478));
    stream.close();
    await relays.idle();
    send(SENDME, NOTHING);
    send(SENDME, NOTHING);
    expect(circuit.isClosed).toBe(false);
    send(SENDME, NOTHING);
    expect(await circuit.closed).toMatchObject({ code: "ALLIUM_E_CIRCUIT_SENDME" });
  });
});

describe("CONNECTED", () => {
  test("none when it has come already", async () => {
    const { circuit, stream, exit } = await halfClosed();
    stream.close();
    exit.message(connected("93.184.216.34"));
    expect(await circuit.closed).toMatchObject({ code: "ALLIUM_E_CIRCUIT_SECOND_CONNECTED" });
  });

  test("one when we did not wait for it, and DATA only after it", async () => {
    for (const first of [CONNECTED, DATA]) {
      const { circuit, relays } = await testCircuit(2);
      relays.behaviour.begin = () => {};
      const controller = new AbortController();
      const opening = circuit.openStream("example.com", 80, { signal: controller.signal });
      await relays.idle();
      const [{ id }] = relays.streams() as [ExitStream];
      controller.abort();
      await expect(opening).rejects.toMatchObject({ kind: "aborted" });
      relays.send(1, first, id, first === DATA ? one : NOTHING);
      if (first === DATA) {
        expect(await circuit.closed).toMatchObject({ code: "ALLIUM_E_CIRCUIT_WRONG_STATE" });
        continue;
      }
      relays.send(1, DATA, id, one);
      expect(circuit.isClosed).toBe(false);
      relays.send(1, CONNECTED, id, NOTHING);
      expect(await circuit.closed).toMatchObject({ code: "ALLIUM_E_CIRCUIT_SECOND_CONNECTED" });
    }
  });
});

describe("CONNECTED to an internal address, which we answer with END", () => {
  const internal = connected("10.0.0.1");

  async function refused() {
    const { circuit, relays } = await testCircuit(2);
    let exit: ExitStream | undefined;
    relays.behaviour.begin = (stream) => {
      exit = stream;
      stream.message(internal);
    };
    const opening = circuit.openStream("rebinding.example", 80);
    await expect(opening).rejects.toMatchObject({ code: "ALLIUM_E_STREAM_INTERNAL_ADDRESS" });
    const { id } = exit as unknown as ExitStream;
    return {
      circuit,
      relays,
      send: (command: number, data: Uint8Array) => relays.send(1, command, id, data),
    };
  }

  test("is no fault of the circuit: DATA that were on their way behind it may come, and END", async () => {
    const { circuit, relays, send } = await refused();
    for (let i = 0; i < 500; i++) send(DATA, one);
    send(END, one);
    await relays.idle();
    expect(await Promise.race([circuit.closed, "open"])).toBe("open");
  });

  test("was the CONNECTED that may come: no second one may", async () => {
    const { circuit, send } = await refused();
    send(CONNECTED, NOTHING);
    expect(circuit.isClosed).toBe(true);
    expect(await circuit.closed).toMatchObject({ code: "ALLIUM_E_CIRCUIT_SECOND_CONNECTED" });
  });
});

describe("XON and XOFF", () => {
  test.each([
    ["XON", XON, Uint8Array.of(0, 0, 0, 0, 0)],
    ["XOFF", XOFF, Uint8Array.of(0)],
  ] as const)("no %s where there are windows", async (rule, command, data) => {
    const { circuit, stream, send } = await halfClosed();
    stream.close();
    send(command, data);
    expect(await circuit.closed).toMatchObject({ code: `ALLIUM_E_CIRCUIT_${rule}` });
  });
});

describe("END", () => {
  test("one, and nothing after it", async () => {
    const { circuit, stream, send } = await halfClosed();
    stream.close();
    send(END);
    expect(circuit.isClosed).toBe(false);
    send(END);
    expect(await circuit.closed).toMatchObject({ code: "ALLIUM_E_CIRCUIT_UNKNOWN_STREAM" });
  });
});

describe("bounds", () => {
  test.each([
    ["DATA", DATA, one],
    ["SENDME", SENDME, NOTHING],
    ["CONNECTED", CONNECTED, NOTHING],
    ["END", END, one],
  ] as const)(
    "after ten minutes nothing is excused any more, though nothing else happened: %s",
    async (_, command, data) => {
      const { clock, circuit, stream, send } = await halfClosed();
      stream.close();
      clock.advance(10 * 60_000 - 1);
      send(DATA);
      expect(circuit.isClosed).toBe(false);
      clock.advance(1);
      send(command, data);
      expect(await circuit.closed).toMatchObject({ code: "ALLIUM_E_CIRCUIT_UNKNOWN_STREAM" });
    },
  );

  test("each half-closed stream has ten minutes of its own", async () => {
    const { clock, circuit, relays, stream, exit } = await halfClosed();
    const later = await circuit.openStream("later.example", 80);
    const [, other] = relays.streams() as [ExitStream, ExitStream];
    stream.close();
    clock.advance(5 * 60_000);
    later.close();
    clock.advance(5 * 60_000);
    relays.send(1, DATA, other.id, one);
    expect(circuit.isClosed).toBe(false);
    relays.send(1, DATA, exit.id, one);
    expect(await circuit.closed).toMatchObject({ code: "ALLIUM_E_CIRCUIT_UNKNOWN_STREAM" });
  });

  test("a circuit with too many half-closed streams takes no new ones until they expire", async () => {
    const { clock, circuit, stream } = await halfClosed();
    stream.close();
    for (let i = 1; i < MAX_HALF_CLOSED; i++) (await circuit.openStream("example.com", 80)).close();
    const limit = { kind: "limit", code: "ALLIUM_E_TOO_MANY_STREAMS" };
    await expect(circuit.openStream("example.com", 80)).rejects.toMatchObject(limit);
    expect(circuit.isClosed).toBe(false);
    clock.advance(10 * 60_000);
    await circuit.openStream("example.com", 80);
  });
});
