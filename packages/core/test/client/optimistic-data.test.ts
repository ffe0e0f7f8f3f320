// Optimistic data: what is written before CONNECTED goes out at once, goes out again on the next exit where the first one
// could not connect, and is delivered once (proposal 181).

import { describe, expect, it } from "vitest";
import { deferred } from "../../src/base/abort.ts";
import { TorError, type TorErrorCode, type TorErrorKind } from "../../src/base/errors.ts";
import { ExitStreamOpener, type StreamInfo } from "../../src/client/stream-opener.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { type FakeCircuit, fakeCircuit, settle } from "../path/fakes.ts";
import { exitRelay } from "../path/synthetic.ts";

const NO_ROUTE: Refusal = ["remote-refused", "ALLIUM_E_STREAM_NOROUTE"];
const REFUSED: Refusal = ["remote-refused", "ALLIUM_E_STREAM_CONNECTREFUSED"];

type Refusal = [TorErrorKind, TorErrorCode];

/** Exits answer only when told to. @param refusals what the first ones answer; later ones connect */
function bench(refusals: readonly Refusal[] = []) {
  const circuits: FakeCircuit[] = [];
  const infos: StreamInfo[] = [];
  const opener = new ExitStreamOpener({
    ...{
      clock: new ManualClock(),
      optimisticData: true,
      connectTimeout: 15_000,
      allowPrivateAddresses: false,
    },
    ready: async () => {},
    onStream: (info) => infos.push(info),
    pool: {
      era: 0,
      async acquire() {
        const circuit = fakeCircuit([]);
        const [kind, code] = refusals[circuits.length] ?? [];
        if (kind !== undefined && code !== undefined) circuit.refuse = new TorError(kind, code, "refused");
        circuit.hold = deferred();
        circuits.push(circuit);
        return { circuit, exit: exitRelay(circuits.length) };
      },
      retire: () => {},
    },
  });
  const open = (signal?: AbortSignal) => opener.openStream({ hostname: "example.com", port: 80, signal });
  const answer = async (circuit: number) => {
    circuits[circuit]?.hold?.resolve();
    await settle();
  };
  return { open, answer, circuits, infos };
}

const bytes = (length: number, value = 1) => new Uint8Array(length).fill(value);
const sizes = (circuit: FakeCircuit | undefined) => circuit?.streams[0]?.written.map((data) => data.length);

describe("what is written before an exit is connected", () => {
  it("goes out at once, in order, and is not sent again when the exit connects", async () => {
    const { open, answer, circuits, infos } = bench();
    const stream = await open();
    await stream.write(bytes(3));
    await stream.write(bytes(5));
    await settle();
    expect(sizes(circuits[0])).toEqual([3, 5]);
    expect(infos.map(({ state }) => state)).toEqual(["opening"]);
    await answer(0);
    await stream.connected;
    await stream.write(bytes(7));
    expect(sizes(circuits[0])).toEqual([3, 5, 7]);
    expect(infos.map(({ state }) => state)).toEqual(["opening", "open"]);
  });

  it("goes out again, whole and in order, where another exit is tried", async () => {
    const { open, answer, circuits } = bench([NO_ROUTE]);
    const stream = await open();
    await stream.write(bytes(3));
    await stream.write(bytes(5));
    await answer(0);
    await stream.write(bytes(7));
    await settle();
    expect(sizes(circuits[0])).toEqual([3, 5]);
    expect(sizes(circuits[1])).toEqual([3, 5, 7]);
    await answer(1);
    await stream.connected;
    await stream.write(bytes(9));
    expect(sizes(circuits[1])).toEqual([3, 5, 7, 9]);
  });

  it("waits for the exit beyond 64 KiB, and follows then", async () => {
    const { open, answer, circuits } = bench();
    const stream = await open();
    await stream.write(bytes(65_536));
    let taken = false;
    const more = stream.write(bytes(1)).then(() => {
      taken = true;
    });
    await settle();
    expect(taken).toBe(false);
    await answer(0);
    await more;
    expect(sizes(circuits[0])).toEqual([65_536, 1]);
  });
});

describe("when no exit connects", () => {
  it("reads, writes and `connected` fail with what the last exit said", async () => {
    const { open, answer, infos } = bench([NO_ROUTE, REFUSED]);
    const stream = await open();
    await stream.write(bytes(3));
    const reading = stream.read();
    await answer(0);
    await answer(1);
    const refused = { code: "ALLIUM_E_STREAM_CONNECTREFUSED" };
    await expect(reading).rejects.toMatchObject(refused);
    await expect(stream.connected).rejects.toMatchObject(refused);
    await expect(stream.write(bytes(1))).rejects.toMatchObject(refused);
    expect(await stream.closed).toMatchObject(refused);
    expect(infos.at(-1)).toMatchObject({ state: "failed", error: refused });
  });

  it("a stream that was closed meanwhile tries no further exit", async () => {
    const { open, answer, circuits, infos } = bench([NO_ROUTE]);
    const stream = await open();
    await stream.write(bytes(3));
    stream.close();
    await answer(0);
    expect(circuits).toHaveLength(1);
    expect(circuits[0]?.streamCount).toBe(0);
    expect(await stream.closed).toBeUndefined();
    await expect(stream.read()).rejects.toMatchObject({ code: "ALLIUM_E_STREAM_CLOSED" });
    await expect(stream.write(bytes(1))).rejects.toMatchObject({ code: "ALLIUM_E_STREAM_CLOSED" });
    expect(infos.at(-1)).toMatchObject({ state: "failed" });
  });

  it("the caller's signal ends the tries", async () => {
    const { open, answer, circuits } = bench([NO_ROUTE]);
    const abort = new AbortController();
    const stream = await open(abort.signal);
    abort.abort();
    await expect(stream.read()).rejects.toMatchObject({ kind: "aborted" });
    await answer(0);
    expect(circuits).toHaveLength(1);
  });
});

it("a stream's end is told with its reason", async () => {
  const { open, answer, circuits, infos } = bench();
  const stream = await open();
  await answer(0);
  const error = new TorError("limit", "ALLIUM_E_MEMORY_LIMIT", "too much");
  circuits[0]?.streams[0]?.close(error);
  expect(await stream.closed).toBe(error);
  await settle();
  expect(infos.at(-1)).toMatchObject({
    state: "closed",
    error: { kind: "limit", code: "ALLIUM_E_MEMORY_LIMIT" },
  });
});
