// Circuits are made hop by hop with real handshakes; what may go wrong on the way ends them with an error of its own.

import { describe, expect, test, vi } from "vitest";
import { TorError } from "../../src/base/errors.ts";
import { createCircuit } from "../../src/circuit/create.ts";
import { RelayCommand } from "../../src/circuit/relaycell/command.ts";
import { Tor1Crypto } from "../../src/circuit/relaycrypto/tor1.ts";
import { COMMAND } from "../../src/link/commands.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { ScriptedRelays } from "../../src/testing/relay/channel.ts";
import type { ExitStream } from "../../src/testing/relay/exit-stream.ts";
import { type ScriptedRelay, scriptedRelay } from "../../src/testing/relay/keys.ts";
import { pattern, readAll, testCircuit } from "./relay.ts";

const flip = (reply: Uint8Array) => {
  const changed = reply.slice();
  changed[40] = (changed[40] as number) ^ 1;
  return changed.subarray(0, reply.length);
};

async function oneRelay(): Promise<{ relays: ScriptedRelays; relay: ScriptedRelay }> {
  const relay = await scriptedRelay();
  return { relays: new ScriptedRelays([relay]), relay };
}

/** Lets handshakes that run in WebCrypto go on. */
const turn = () => new Promise<void>((resolve) => setTimeout(resolve, 5));

describe("the first hop", () => {
  test("by CREATE_FAST, with the channel's relay as its hop", async () => {
    const { relays, relay } = await oneRelay();
    const clock = new ManualClock();
    const circuit = await createCircuit({
      id: 7,
      channel: relays.channel,
      firstHop: { fast: true },
      clock,
    });
    expect(circuit).toMatchObject({ id: 7, isClosed: false, streamCount: 0, unusedSince: clock.monotonic() });
    expect(circuit.hops.map(({ target }) => target)).toEqual([relay]);
    expect(relays.sentCells.map(({ command }) => command)).toEqual([COMMAND.createFast]);
    const stream = await circuit.openDirectoryStream();
    expect(stream.remoteAddress).toBeUndefined();
  });

  test("by CREATE2 with ntor", async () => {
    const { circuit, relays, targets } = await testCircuit(1);
    expect(circuit.hops.map(({ target }) => target)).toEqual([targets[0]]);
    expect(relays.sentCells.map(({ command }) => command)).toEqual([COMMAND.create2]);
  });

  test("a fast answer that does not prove the keys is refused", async () => {
    const { relays } = await oneRelay();
    relays.behaviour.reply = (reply) => {
      const changed = reply.slice();
      changed[39] = (changed[39] as number) ^ 1;
      return changed;
    };
    const creating = createCircuit({
      id: 1,
      channel: relays.channel,
      firstHop: { fast: true },
      clock: new ManualClock(),
    });
    await expect(creating).rejects.toMatchObject({ code: "ALLIUM_E_CIRCUIT_HANDSHAKE" });
    expect(relays.destroyedByClient).toBe(true);
  });

  test("an ntor answer that does not prove the keys is refused", async () => {
    const { relays, relay } = await oneRelay();
    relays.behaviour.reply = flip;
    const creating = createCircuit({
      id: 1,
      channel: relays.channel,
      firstHop: relay,
      clock: new ManualClock(),
    });
    await expect(creating).rejects.toMatchObject({
      kind: "protocol-violation",
      code: "ALLIUM_E_CIRCUIT_HANDSHAKE",
    });
    expect(relays.destroyedByClient).toBe(true);
  });

  test.each([
    ["CREATED_FAST in answer to CREATE2", COMMAND.createdFast, "CELL_COMMAND"],
    ["a RELAY cell before the first hop", COMMAND.relay, "WRONG_STATE"],
    ["a RELAY_EARLY cell", COMMAND.relayEarly, "RELAY_EARLY"],
    ["CREATE2 from a relay", COMMAND.create2, "CELL_COMMAND"],
  ])("%s is refused", async (_, command, rule) => {
    const { relays, relay } = await oneRelay();
    relays.behaviour.answers = false;
    const creating = createCircuit({
      id: 1,
      channel: relays.channel,
      firstHop: relay,
      clock: new ManualClock(),
    });
    await turn();
    relays.deliver(command, new Uint8Array(509));
    await expect(creating).rejects.toMatchObject({ code: `ALLIUM_E_CIRCUIT_${rule}` });
    expect(relays.destroyedByClient).toBe(true);
  });
});

describe("extending", () => {
  test("each hop by EXTEND2 in a RELAY_EARLY cell to the hop before it", async () => {
    const { circuit, relays, targets } = await testCircuit(3);
    expect(circuit.hops.map(({ target }) => target)).toEqual(targets.slice(0, 3));
    expect(relays.received.map(({ hop, command, early }) => [hop, command, early])).toEqual([
      [0, RelayCommand.EXTEND2, true],
      [1, RelayCommand.EXTEND2, true],
    ]);
  });

  test("a wrong answer closes the whole circuit", async () => {
    const { circuit, relays, targets } = await testCircuit(2);
    relays.behaviour.reply = flip;
    const error = { kind: "protocol-violation", code: "ALLIUM_E_CIRCUIT_HANDSHAKE" };
    await expect(circuit.extend(targets[2] as ScriptedRelay)).rejects.toMatchObject(error);
    expect(await circuit.closed).toMatchObject(error);
    expect(circuit.isClosed).toBe(true);
    expect(relays.destroyedByClient).toBe(true);
  });

  test("a second EXTENDED2 is refused, though the first is still being looked at", async () => {
    const { circuit, relays, targets } = await testCircuit(1);
    relays.behaviour.reply = (reply) => {
      queueMicrotask(() => relays.sendMessage(0, 0, { command: RelayCommand.EXTENDED2, handshake: reply }));
      return reply;
    };
    const error = { code: "ALLIUM_E_CIRCUIT_EXTENDED2" };
    await expect(circuit.extend(targets[1] as ScriptedRelay)).rejects.toMatchObject(error);
    expect(await circuit.closed).toMatchObject(error);
  });

  test("an answer is what it was, whatever cell came right behind it", async () => {
    const { circuit, relays, targets } = await testCircuit(1);
    const stream = await circuit.openStream("example.com", 80);
    const [exit] = relays.streams() as [ExitStream];
    relays.behaviour.reply = (reply) => {
      queueMicrotask(() => relays.send(0, RelayCommand.DATA, exit.id, new Uint8Array(498).fill(0xee)));
      return reply;
    };
    await circuit.extend(targets[1] as ScriptedRelay);
    expect(circuit.hops).toHaveLength(2);
    expect(await stream.read()).toEqual(new Uint8Array(498).fill(0xee));
  });

  test("nothing of a cell is kept: the channel uses its memory again at once", async () => {
    const known = await Promise.all([scriptedRelay(), scriptedRelay(), scriptedRelay()]);
    for (const firstHop of [known[0] as ScriptedRelay, { fast: true } as const]) {
      const relays = new ScriptedRelays(known);
      const deliver = relays.deliver.bind(relays);
      relays.deliver = (command, body) => {
        deliver(command, body);
        body.fill(0xee);
      };
      const circuit = await createCircuit({
        id: 1,
        channel: relays.channel,
        firstHop,
        clock: new ManualClock(),
      });
      for (const target of known.slice(1)) await circuit.extend(target);
      const stream = await circuit.openStream("example.com", 80);
      expect(stream.remoteAddress).toEqual(Uint8Array.of(93, 184, 216, 34));
      const [exit] = relays.streams() as [ExitStream];
      const data = pattern(50_000);
      void exit.send(data).then(() => exit.end());
      expect(Buffer.compare(await readAll(stream), data)).toBe(0);
      const resolving = circuit.resolve("example.com");
      await relays.idle();
      expect(await resolving).toEqual([{ address: "93.184.216.34", ttl: 300 }]);
    }
  });

  test("one extension at a time", async () => {
    const { circuit, targets } = await testCircuit(1);
    const first = circuit.extend(targets[1] as ScriptedRelay);
    await expect(circuit.extend(targets[1] as ScriptedRelay)).rejects.toMatchObject({
      code: "ALLIUM_E_CIRCUIT_BUSY",
    });
    await first;
    expect(circuit.hops).toHaveLength(2);
  });

  test("as many RELAY_EARLY cells as relays accept, and then the circuit grows no more but lives", async () => {
    const relays = await Promise.all(Array.from({ length: 10 }, scriptedRelay));
    const network = new ScriptedRelays(relays);
    const circuit = await createCircuit({
      id: 1,
      channel: network.channel,
      firstHop: relays[0] as ScriptedRelay,
      clock: new ManualClock(),
    });
    let failure: unknown;
    for (const relay of relays.slice(1)) {
      try {
        await circuit.extend(relay);
      } catch (error) {
        failure = error;
        break;
      }
    }
    expect(failure).toMatchObject({ kind: "limit", code: "ALLIUM_E_CIRCUIT_TOO_LONG" });
    expect(circuit.isClosed).toBe(false);
    const early = network.sentCells.filter(({ command }) => command === COMMAND.relayEarly).length;
    expect([7, 8]).toContain(early);
  });

  test("the first 7 or 8 cells beyond the first hop are RELAY_EARLY, later ones and those to the first hop are not", async () => {
    const counts = new Set<number>();
    for (let i = 0; i < 24; i++) {
      const { circuit, relays } = await testCircuit(2);
      const stream = await circuit.openStream("example.com", 80);
      for (let write = 0; write < 12; write++) await stream.write(Uint8Array.of(write));
      await relays.idle();
      const early = relays.received.map((cell) => cell.early);
      const count = early.filter(Boolean).length;
      expect(early.lastIndexOf(true)).toBe(count - 1);
      counts.add(count);
    }
    expect(counts).toEqual(new Set([7, 8]));

    const { circuit, relays } = await testCircuit(1);
    await circuit.openStream("example.com", 80);
    await relays.idle();
    expect(relays.received.map((cell) => cell.early)).toEqual([false]);
  });
});

describe("waiting for a relay", () => {
  test("a silent first hop times out and its place is given back", async () => {
    const { relays, relay } = await oneRelay();
    relays.behaviour.answers = false;
    const clock = new ManualClock();
    const creating = createCircuit({
      id: 1,
      channel: relays.channel,
      firstHop: relay,
      clock,
      timeout: 5000,
    });
    clock.advance(5000);
    await expect(creating).rejects.toMatchObject({
      kind: "circuit-collapse",
      code: "ALLIUM_E_CIRCUIT_TIMEOUT",
    });
    expect(relays.destroyedByClient).toBe(true);
  });

  test("a silent next hop times out after 60 s", async () => {
    const clock = new ManualClock();
    const { circuit, relays, targets } = await testCircuit(1, clock);
    relays.behaviour.answers = false;
    const extending = circuit.extend(targets[1] as ScriptedRelay);
    clock.advance(59_999);
    await turn();
    expect(circuit.isClosed).toBe(false);
    clock.advance(1);
    await expect(extending).rejects.toMatchObject({ code: "ALLIUM_E_CIRCUIT_TIMEOUT" });
    expect(circuit.isClosed).toBe(true);
    expect(relays.destroyedByClient).toBe(true);
  });

  test("an abort destroys the circuit under way", async () => {
    const { relays, relay } = await oneRelay();
    relays.behaviour.answers = false;
    const controller = new AbortController();
    const options = { id: 1, channel: relays.channel, firstHop: relay, clock: new ManualClock() };
    const creating = createCircuit({ ...options, signal: controller.signal });
    controller.abort();
    await expect(creating).rejects.toMatchObject({ kind: "aborted" });
    expect(relays.destroyedByClient).toBe(true);

    const next = new ScriptedRelays([relay]);
    const tooLate = createCircuit({ ...options, channel: next.channel, signal: controller.signal });
    await expect(tooLate).rejects.toMatchObject({ kind: "aborted" });
    expect(next.sentCells).toEqual([]);
  });

  test("an abort of extend destroys the circuit", async () => {
    const { circuit, relays, targets } = await testCircuit(1);
    relays.behaviour.answers = false;
    const controller = new AbortController();
    const extending = circuit.extend(targets[1] as ScriptedRelay, { signal: controller.signal });
    await turn();
    controller.abort();
    await expect(extending).rejects.toMatchObject({ kind: "aborted" });
    expect(relays.destroyedByClient).toBe(true);
  });
});

describe("the end of a circuit", () => {
  test("DESTROY while extending carries the reason's name", async () => {
    const { circuit, relays, targets } = await testCircuit(1);
    relays.behaviour.answers = false;
    const extending = circuit.extend(targets[1] as ScriptedRelay);
    await turn();
    relays.destroy(8);
    const error = { kind: "circuit-collapse", code: "ALLIUM_E_DESTROY_CHANNEL_CLOSED" };
    await expect(extending).rejects.toMatchObject(error);
    expect(await circuit.closed).toMatchObject(error);
  });

  test("TRUNCATED carries the reason's name and closes the whole circuit", async () => {
    const { circuit, relays, targets } = await testCircuit(2);
    relays.behaviour.answers = false;
    const extending = circuit.extend(targets[2] as ScriptedRelay);
    await turn();
    relays.sendMessage(1, 0, { command: RelayCommand.TRUNCATED, reason: 6 });
    await expect(extending).rejects.toMatchObject({
      kind: "circuit-collapse",
      code: "ALLIUM_E_TRUNCATED_CONNECTFAILED",
    });
    expect(relays.destroyedByClient).toBe(true);
  });

  test("the channel's error is the circuit's, and its streams'", async () => {
    const { circuit, relays } = await testCircuit(1);
    const stream = await circuit.openStream("example.com", 80);
    const error = new TorError("bridge-unreachable", "ALLIUM_E_TEST", "gone");
    relays.closeChannel(error);
    expect(await circuit.closed).toBe(error);
    expect(await stream.closed).toBe(error);
    await expect(stream.read()).rejects.toBe(error);
    await expect(stream.write(Uint8Array.of(1))).rejects.toBe(error);
  });

  test("our own close is no error of the circuit, but its streams have one", async () => {
    const { circuit, relays, targets } = await testCircuit(1);
    const stream = await circuit.openStream("example.com", 80);
    circuit.close();
    circuit.close();
    expect(await circuit.closed).toBeUndefined();
    expect(relays.destroyedByClient).toBe(true);
    expect(await stream.closed).toMatchObject({ code: "ALLIUM_E_CIRCUIT_CLOSED" });
    await expect(circuit.openStream("example.com", 80)).rejects.toMatchObject({
      code: "ALLIUM_E_CIRCUIT_CLOSED",
    });
    await expect(circuit.extend(targets[1] as ScriptedRelay)).rejects.toMatchObject({
      code: "ALLIUM_E_CIRCUIT_CLOSED",
    });
    expect(circuit.streamCount).toBe(0);
  });

  test("every hop's keys are overwritten", async () => {
    const { circuit } = await testCircuit(3);
    const destroy = vi.spyOn(Tor1Crypto.prototype, "destroy");
    circuit.close();
    expect(new Set(destroy.mock.contexts).size).toBe(3);
    destroy.mockRestore();
  });

  test("a circuit closed while keys are derived stays closed, without the new hop", async () => {
    const { circuit, relays, targets } = await testCircuit(1);
    relays.behaviour.reply = (reply) => {
      queueMicrotask(() => circuit.close());
      return reply;
    };
    await expect(circuit.extend(targets[1] as ScriptedRelay)).rejects.toMatchObject({
      code: "ALLIUM_E_CIRCUIT_CLOSED",
    });
    expect(circuit.isClosed).toBe(true);
    expect(circuit.hops).toHaveLength(1);
  });
});
