// Optimistic data (proposal 181): what is written goes right behind BEGIN, and nothing is delivered before CONNECTED.

import { describe, expect, test } from "vitest";
import { MemoryQuota } from "../../src/base/memory-quota.ts";
import type { StreamOptions, TorStream } from "../../src/circuit/api.ts";
import type { StreamFlow } from "../../src/circuit/flow/api.ts";
import { SparePiece } from "../../src/circuit/inbox.ts";
import { RelayCommand } from "../../src/circuit/relaycell/command.ts";
import { CircuitStream } from "../../src/circuit/stream.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import type { ScriptedRelays } from "../../src/testing/relay/channel.ts";
import type { ExitStream } from "../../src/testing/relay/exit-stream.ts";
import { connected } from "../../src/testing/relay/messages.ts";
import { pattern, testCircuit } from "./relay.ts";

const { BEGIN, BEGIN_DIR, CONNECTED, DATA, END, SENDME } = RelayCommand;
const NOTHING = new Uint8Array(0);

const commands = (relays: ScriptedRelays) => relays.received.map(({ command }) => command);

/** What a promise has come to by now: its error, or a word. */
async function stateOf(promise: Promise<unknown>): Promise<unknown> {
  let state: unknown = "pending";
  promise.then(
    () => {
      state = "fulfilled";
    },
    (error: unknown) => {
      state = error;
    },
  );
  for (let i = 0; i < 20; i++) await Promise.resolve();
  return state;
}

/** An optimistic stream whose BEGIN the exit has, and has not answered. */
async function begun(options: StreamOptions = {}) {
  const clock = new ManualClock();
  const { circuit, relays } = await testCircuit(2, clock);
  relays.behaviour.begin = () => {};
  relays.received.length = 0;
  const stream = await circuit.openStream("example.com", 80, { ...options, optimistic: true });
  const exit = async () => {
    await relays.idle();
    return relays.streams()[0] as ExitStream;
  };
  return { clock, circuit, relays, stream, exit };
}

async function expectFailure(stream: TorStream, error: { kind?: string; code: string }): Promise<void> {
  await expect(stream.connected).rejects.toMatchObject(error);
  await expect(stream.read()).rejects.toMatchObject(error);
  await expect(stream.read()).rejects.toMatchObject(error);
  await expect(stream.write(Uint8Array.of(1))).rejects.toMatchObject(error);
}

describe("an optimistic stream", () => {
  test("is there as soon as BEGIN is sent, and connected when the exit says so", async () => {
    const { circuit, relays, stream, exit } = await begun();
    expect(circuit.streamCount).toBe(1);
    expect(await stateOf(stream.connected)).toBe("pending");
    expect(stream.remoteAddress).toBeUndefined();
    const there = await exit();
    expect(commands(relays)).toEqual([BEGIN]);
    there.message(connected("93.184.216.34"));
    expect(await stateOf(stream.connected)).toBe("fulfilled");
    expect(stream.remoteAddress).toEqual(Uint8Array.of(93, 184, 216, 34));
  });

  test("has what is written sent right behind BEGIN, and answered after CONNECTED", async () => {
    const { relays, stream, exit } = await begun();
    await stream.write(Buffer.from("GET / HTTP/1.1\r\n"));
    await stream.write(Buffer.from("\r\n"));
    const there = await exit();
    expect(commands(relays)).toEqual([BEGIN, DATA, DATA]);
    expect(relays.received.every(({ streamId, hop }) => streamId === there.id && hop === 1)).toBe(true);
    expect(Buffer.from(there.receivedBytes).toString()).toBe("GET / HTTP/1.1\r\n\r\n");
    there.message(connected("93.184.216.34"));
    there.send(Buffer.from("200 OK"));
    there.end();
    expect(Buffer.from((await stream.read()) as Uint8Array).toString()).toBe("200 OK");
    expect(await stream.read()).toBeUndefined();
    expect(await stream.closed).toBeUndefined();
    await stream.connected;
  });

  test("may be written to in the turn in which it is given", async () => {
    const { circuit, relays } = await testCircuit(1);
    relays.behaviour.begin = () => {};
    await Promise.all(
      [1, 2, 3].map(async (i) => {
        const stream = await circuit.openStream(`host${i}.example`, 80, { optimistic: true });
        await stream.write(Uint8Array.of(i));
      }),
    );
    await relays.idle();
    expect(relays.streams().map(({ receivedBytes }) => [...receivedBytes])).toEqual([[1], [2], [3]]);
  });

  test("holds data back beyond the stream's window until the exit takes them", async () => {
    const { circuit, relays, stream, exit } = await begun();
    relays.behaviour.acknowledgesStreams = false;
    const data = pattern(700 * 498);
    const writing = stream.write(data);
    const there = await exit();
    expect(there.cellsReceived).toBe(500);
    expect(await stateOf(writing)).toBe("pending");
    there.message(connected("93.184.216.34"));
    for (let i = 0; i < 6; i++) relays.send(1, SENDME, there.id, NOTHING);
    await writing;
    await relays.idle();
    expect(Buffer.compare(there.receivedBytes, data)).toBe(0);
    expect(circuit.isClosed).toBe(false);
  });

  test("has its reader wait for CONNECTED and data", async () => {
    const { stream, exit } = await begun();
    const reading = stream.read();
    const there = await exit();
    expect(await stateOf(reading)).toBe("pending");
    there.message(connected("93.184.216.34"));
    expect(await stateOf(reading)).toBe("pending");
    there.send(Uint8Array.of(1, 2, 3));
    expect(await reading).toEqual(Uint8Array.of(1, 2, 3));
  });

  test("to a directory has its data sent behind BEGIN_DIR", async () => {
    const { circuit, relays } = await testCircuit(1);
    relays.behaviour.begin = () => {};
    const stream = await circuit.openDirectoryStream({ optimistic: true });
    await stream.write(Buffer.from("GET /"));
    await relays.idle();
    expect(commands(relays)).toEqual([BEGIN_DIR, DATA]);
    const [there] = relays.streams() as [ExitStream];
    relays.send(0, CONNECTED, there.id, NOTHING);
    await stream.connected;
    there.send(Uint8Array.of(9));
    expect(await stream.read()).toEqual(Uint8Array.of(9));
  });

  test("is not what RESOLVE is: that waits for its answer whatever is asked", async () => {
    const { circuit, relays } = await testCircuit(1);
    relays.behaviour.resolve = () => undefined;
    const resolving = circuit.resolve("example.com", { optimistic: true });
    await relays.idle();
    expect(await stateOf(resolving)).toBe("pending");
    const { streamId } = relays.received[0] as (typeof relays.received)[0];
    relays.send(0, RelayCommand.RESOLVED, streamId, Uint8Array.of(4, 4, 93, 184, 216, 34, 0, 0, 0, 9));
    expect(await resolving).toEqual([{ address: "93.184.216.34", ttl: 9 }]);
  });
});

describe("an exit that does not connect", () => {
  test.each([
    [3, "remote-refused", "ALLIUM_E_STREAM_CONNECTREFUSED"],
    [4, "exit-policy", "ALLIUM_E_STREAM_EXITPOLICY"],
    // A clean end is none before CONNECTED.
    [6, "remote-refused", "ALLIUM_E_STREAM_DONE"],
  ])("says END %i, which fails connected, reads and writes", async (reason, kind, code) => {
    const { circuit, relays, stream, exit } = await begun();
    const reading = stream.read();
    await stream.write(Uint8Array.of(1, 2, 3));
    (await exit()).end(reason);
    await expect(reading).rejects.toMatchObject({ kind, code });
    await expectFailure(stream, { kind, code });
    expect(await stream.closed).toMatchObject({ kind, code });
    await relays.idle();
    // Nothing is answered to an END.
    expect(commands(relays)).toEqual([BEGIN, DATA]);
    expect([circuit.streamCount, circuit.isClosed]).toEqual([0, false]);
  });

  test("fails a write that waits too", async () => {
    const { relays, stream, exit } = await begun();
    relays.behaviour.acknowledgesStreams = false;
    const writing = stream.write(pattern(700 * 498));
    (await exit()).end(3);
    await expect(writing).rejects.toMatchObject({ code: "ALLIUM_E_STREAM_CONNECTREFUSED" });
  });

  test("says nothing: the time ends all, and what is late is excused", async () => {
    const { clock, circuit, relays, stream, exit } = await begun({ timeout: 2000 });
    const reading = stream.read();
    await stream.write(Uint8Array.of(1));
    const there = await exit();
    clock.advance(1999);
    expect(await stateOf(reading)).toBe("pending");
    clock.advance(1);
    const error = { kind: "exit-timeout", code: "ALLIUM_E_STREAM_CONNECT_TIMEOUT" };
    await expect(reading).rejects.toMatchObject(error);
    await expectFailure(stream, error);
    await relays.idle();
    expect(commands(relays)).toEqual([BEGIN, DATA, END]);
    there.message(connected("93.184.216.34"));
    relays.send(1, DATA, there.id, Uint8Array.of(1));
    there.end();
    expect([circuit.streamCount, circuit.isClosed]).toEqual([0, false]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("says it connected to an internal address: the stream ends, and no byte of it is delivered", async () => {
    const { circuit, relays, stream, exit } = await begun();
    const reading = stream.read();
    await stream.write(Uint8Array.of(1));
    const there = await exit();
    there.message(connected("10.0.0.1"));
    // They were on their way before our END can have reached the exit.
    relays.send(1, DATA, there.id, Buffer.from("router login"));
    const error = { kind: "exit-policy", code: "ALLIUM_E_STREAM_INTERNAL_ADDRESS" };
    await expect(reading).rejects.toMatchObject(error);
    await expectFailure(stream, error);
    expect(await stream.closed).toMatchObject(error);
    await relays.idle();
    expect(commands(relays)).toEqual([BEGIN, DATA, END]);
    expect([circuit.streamCount, circuit.isClosed]).toEqual([0, false]);
  });

  test("may connect to an internal address where the network is one", async () => {
    const { stream, exit } = await begun({ allowPrivateAddresses: true });
    const there = await exit();
    there.message(connected("10.0.0.1"));
    there.send(Uint8Array.of(7));
    expect(await stream.read()).toEqual(Uint8Array.of(7));
  });

  test("loses its circuit by DATA before CONNECTED", async () => {
    const { circuit, relays, stream, exit } = await begun();
    const { id } = await exit();
    relays.send(1, DATA, id, Uint8Array.of(1));
    const error = { code: "ALLIUM_E_CIRCUIT_WRONG_STATE" };
    expect(await circuit.closed).toMatchObject(error);
    await expectFailure(stream, error);
  });

  test("loses its circuit by a SENDME before CONNECTED, though it has our data", async () => {
    const { circuit, relays, stream, exit } = await begun();
    relays.behaviour.acknowledgesStreams = false;
    await stream.write(pattern(60 * 498));
    const { id } = await exit();
    relays.send(1, SENDME, id, NOTHING);
    expect(circuit.isClosed).toBe(true);
    await expectFailure(stream, { code: "ALLIUM_E_CIRCUIT_SENDME" });
  });

  test("loses the stream with its circuit", async () => {
    const { relays, stream } = await begun();
    relays.destroy(8);
    const error = { kind: "circuit-collapse", code: "ALLIUM_E_DESTROY_CHANNEL_CLOSED" };
    await expectFailure(stream, error);
    expect(await stream.closed).toMatchObject(error);
  });
});

describe("whoever gives up", () => {
  test("by the signal ends the stream", async () => {
    const controller = new AbortController();
    const { clock, circuit, relays, stream, exit } = await begun({ signal: controller.signal });
    await exit();
    controller.abort();
    await expectFailure(stream, { kind: "aborted", code: "ALLIUM_E_ABORTED" });
    await relays.idle();
    expect(commands(relays)).toEqual([BEGIN, END]);
    expect([circuit.streamCount, clock.pendingTimers]).toEqual([0, 0]);
  });

  test("by the signal has no say once the exit is connected", async () => {
    const controller = new AbortController();
    const { clock, stream, exit } = await begun({ signal: controller.signal });
    const there = await exit();
    there.message(connected("93.184.216.34"));
    await stream.connected;
    controller.abort();
    clock.advance(3_600_000);
    there.send(Uint8Array.of(5));
    expect(await stream.read()).toEqual(Uint8Array.of(5));
    expect(clock.pendingTimers).toBe(0);
  });

  test("by closing the stream ends it, and is told so by connected", async () => {
    const { clock, circuit, relays, stream, exit } = await begun();
    await exit();
    stream.close();
    expect(await stateOf(stream.connected)).toMatchObject({ code: "ALLIUM_E_STREAM_CLOSED" });
    expect(await stream.read()).toBeUndefined();
    expect(await stream.closed).toBeUndefined();
    await relays.idle();
    expect(commands(relays)).toEqual([BEGIN, END]);
    expect([circuit.streamCount, clock.pendingTimers]).toEqual([0, 0]);
  });
});

test("a failure that nobody waits for is no unhandled rejection", async () => {
  const unhandled: unknown[] = [];
  const note = (error: unknown) => unhandled.push(error);
  process.on("unhandledRejection", note);
  try {
    const { relays, exit } = await begun();
    (await exit()).end(3);
    await relays.idle();
    const { relays: others } = await begun();
    others.destroy(1);
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(unhandled).toEqual([]);
  } finally {
    process.off("unhandledRejection", note);
  }
});

test("a stream that is not optimistic takes no data before CONNECTED", async () => {
  const scheduled: CircuitStream[] = [];
  const flow = { canSend: true, stop() {} } as unknown as StreamFlow;
  const stream = new CircuitStream({
    id: 5,
    owner: { schedule: (each) => void scheduled.push(each), send() {}, end() {} },
    flow: { stream: () => flow } as never,
    memory: new MemoryQuota(1000, "a test"),
    spare: new SparePiece(),
    now: () => 0,
    start: BEGIN,
    optimistic: false,
    checkAddress: () => {},
  });
  await expect(stream.write(Uint8Array.of(1))).rejects.toMatchObject({ code: "ALLIUM_E_STREAM_CLOSED" });
  expect(scheduled).toEqual([]);
  stream.receiveConnected(NOTHING);
  void stream.write(Uint8Array.of(1));
  expect(scheduled).toEqual([stream]);

  // Nor is such a stream given out before.
  const { circuit, relays } = await testCircuit(1);
  relays.behaviour.begin = () => {};
  const opening = circuit.openStream("example.com", 80);
  await relays.idle();
  expect(await stateOf(opening)).toBe("pending");
  relays.streams()[0]?.message(connected("93.184.216.34"));
  await (await opening).connected;
});
