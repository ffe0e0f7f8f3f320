import { describe, expect, it } from "vitest";
import { toHex } from "../../src/base/encoding.ts";
import { TorError, type TorErrorCode, type TorErrorKind } from "../../src/base/errors.ts";
import type { Circuit } from "../../src/circuit/api.ts";
import { ExitStreamOpener, type StreamInfo } from "../../src/client/stream-opener.ts";
import type { CircuitRequest } from "../../src/path/circuits.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { type FakeCircuit, fakeCircuit, settle } from "../path/fakes.ts";
import { exitRelay } from "../path/synthetic.ts";

/** As the opener names exits to be avoided. */
function exitId(id: number): string {
  return toHex(exitRelay(id).rsaId);
}

/** Failures that are the exit's own: C tor's edge_reason_is_retriable, and an exit that lies or falls silent. */
const RETRIED: readonly [TorErrorKind, TorErrorCode][] = [
  ["exit-policy", "ALLIUM_E_STREAM_EXITPOLICY"],
  ["exit-policy", "ALLIUM_E_STREAM_HIBERNATING"],
  ["exit-policy", "ALLIUM_E_STREAM_MISC"],
  ["exit-policy", "ALLIUM_E_STREAM_RESOURCELIMIT"],
  ["remote-refused", "ALLIUM_E_STREAM_NOROUTE"],
  ["remote-host-not-found", "ALLIUM_E_STREAM_RESOLVEFAILED"],
  ["exit-timeout", "ALLIUM_E_STREAM_CONNECT_TIMEOUT"],
  ["exit-policy", "ALLIUM_E_STREAM_INTERNAL_ADDRESS"],
];
const COLLAPSE: [TorErrorKind, TorErrorCode] = ["circuit-collapse", "ALLIUM_E_DESTROY_FINISHED"];
/** Failures of the circuit, which may not be the exit's. */
const RETRIED_ELSEWHERE: readonly [TorErrorKind, TorErrorCode][] = [
  COLLAPSE,
  ["protocol-violation", "ALLIUM_E_CIRCUIT_UNKNOWN_STREAM"],
  ["limit", "ALLIUM_E_TOO_MANY_STREAMS"],
];
/** Answers that another exit would give too. */
const FINAL: readonly [TorErrorKind, TorErrorCode][] = [
  ["remote-refused", "ALLIUM_E_STREAM_CONNECTREFUSED"],
  ["remote-refused", "ALLIUM_E_STREAM_CONNRESET"],
  ["remote-refused", "ALLIUM_E_STREAM_DONE"],
  ["exit-timeout", "ALLIUM_E_STREAM_TIMEOUT"],
  ["exit-policy", "ALLIUM_E_STREAM_INTERNAL"],
  ["exit-policy", "ALLIUM_E_STREAM_NOTDIRECTORY"],
  ["exit-policy", "ALLIUM_E_STREAM_UNKNOWN_REASON"],
  ["internal", "ALLIUM_E_STREAM_TORPROTOCOL"],
  ["aborted", "ALLIUM_E_ABORTED"],
  ["bad-api-usage", "ALLIUM_E_BAD_HOSTNAME"],
];

const NO_PATH = new TorError("no-path", "ALLIUM_E_NO_RELAY", "no exit is left");

/** @param refusals what the first circuits' exits answer; later ones connect. @param exits how many there are */
function bench(refusals: readonly [TorErrorKind, TorErrorCode][] = [], exits = 9) {
  const clock = new ManualClock();
  const requests: CircuitRequest[] = [];
  const circuits: FakeCircuit[] = [];
  const retired: Circuit[] = [];
  const infos: StreamInfo[] = [];
  let isReady: Promise<void> = Promise.resolve();
  const opener = new ExitStreamOpener({
    clock,
    optimisticData: false,
    connectTimeout: 15_000,
    allowPrivateAddresses: false,
    ready: () => isReady,
    onStream: (info) => infos.push(info),
    pool: {
      get era() {
        return circuits.length;
      },
      async acquire(request) {
        requests.push({ ...request, avoidExits: new Set(request.avoidExits) });
        if ((request.avoidExits?.size ?? 0) >= exits) throw NO_PATH;
        const circuit = fakeCircuit([]);
        const [kind, code] = refusals[circuits.length] ?? [];
        if (kind !== undefined && code !== undefined) circuit.refuse = new TorError(kind, code, kind);
        circuit.breaks = kind === "circuit-collapse";
        circuits.push(circuit);
        return { circuit, exit: exitRelay(circuits.length) };
      },
      retire: (circuit) => retired.push(circuit),
    },
  });
  const notReady = (error: TorError) => {
    isReady = Promise.reject(error);
    isReady.catch(() => {});
  };
  const open = (hostname = "example.com") => opener.openStream({ hostname, port: 443, isolation: "shop" });
  const resolve = (hostname: string) => opener.resolve({ hostname, isolation: "shop" });
  return { clock, open, resolve, requests, circuits, retired, infos, notReady };
}

describe("opening a stream", () => {
  it("asks for a circuit to the port under the isolation key, and begins at its exit", async () => {
    const { open, requests, circuits } = bench();
    await open();
    expect(requests).toMatchObject([{ target: { port: 443, family: 4 }, isolation: "shop" }]);
    expect(circuits[0]?.asked).toEqual(["example.com:443"]);
  });

  it("says when it began at every try, so that none goes where later streams go", async () => {
    const { open, requests } = bench([COLLAPSE, COLLAPSE]);
    await open();
    expect(requests.map(({ era }) => era)).toEqual([0, 0, 0]);
  });

  it("tells its life without its destination", async () => {
    const { open, circuits, infos } = bench();
    (await open()).close();
    await settle();
    const circuitId = circuits[0]?.id;
    expect(infos).toEqual([
      { id: 1, state: "opening" },
      { id: 1, circuitId, state: "open" },
      { id: 1, circuitId, state: "closed" },
    ]);
    expect(JSON.stringify(infos)).not.toContain("example");
  });

  it.each(RETRIED)("tries two more exits after %s", async (kind, code) => {
    const { open, requests, circuits } = bench([
      [kind, code],
      [kind, code],
    ]);
    await open();
    expect(requests.map(({ avoidExits }) => [...(avoidExits ?? [])])).toEqual([
      [],
      [exitId(1)],
      [exitId(1), exitId(2)],
    ]);
    expect(circuits[2]?.asked).toHaveLength(1);
  });

  it.each([...RETRIED, ...RETRIED_ELSEWHERE])("gives up after three tries of %s %s", async (kind, code) => {
    const { open, circuits, infos } = bench(Array.from({ length: 5 }, () => [kind, code]));
    await expect(open()).rejects.toMatchObject({ kind, code });
    expect(circuits).toHaveLength(3);
    expect(infos.at(-1)).toEqual({ id: 1, state: "failed", error: { kind, code } });
  });

  it.each(FINAL)("is not tried again after %s %s", async (kind, code) => {
    const { open, circuits } = bench([[kind, code]]);
    await expect(open()).rejects.toMatchObject({ kind, code });
    expect(circuits).toHaveLength(1);
  });

  it.each(["HIBERNATING", "RESOURCELIMIT"])(
    "leaves an exit that is %s alone for ten minutes",
    async (reason) => {
      const { clock, open, requests } = bench([["exit-policy", `ALLIUM_E_STREAM_${reason}`]]);
      await open();
      await open();
      expect([...(requests.at(-1)?.avoidExits ?? [])]).toEqual([exitId(1)]);
      clock.advance(10 * 60_000);
      await open();
      expect(requests.at(-1)?.avoidExits?.size).toBe(0);
    },
  );

  it("takes an exit without room where there is no other", async () => {
    const { open, requests } = bench([["exit-policy", "ALLIUM_E_STREAM_HIBERNATING"]], 2);
    await open();
    await open();
    expect(requests.map(({ avoidExits }) => avoidExits?.size)).toEqual([0, 1, 1]);
    const alone = bench([["circuit-collapse", "ALLIUM_E_STREAM_RESOURCELIMIT"]], 1);
    await alone.open();
    expect(alone.requests.map(({ avoidExits }) => avoidExits?.size)).toEqual([0, 1, 0]);
  });

  it("retires a circuit that is in doubt, but not one whose exit merely refused", async () => {
    const doubted = bench([COLLAPSE]);
    await doubted.open();
    expect(doubted.retired).toEqual([doubted.circuits[0]]);
    const refused = bench([["exit-policy", "ALLIUM_E_STREAM_EXITPOLICY"]]);
    await refused.open();
    expect(refused.retired).toEqual([]);
  });

  it("leaves a circuit that has had too many streams for another one, whose exit may be the same", async () => {
    const { open, requests, circuits, retired } = bench([["limit", "ALLIUM_E_TOO_MANY_STREAMS"]]);
    await open();
    expect(retired).toEqual([circuits[0]]);
    expect(circuits).toHaveLength(2);
    expect(requests[1]?.avoidExits?.size).toBe(0);
  });

  it("retires a circuit that fell silent, but not one whose exit says that the host did", async () => {
    const silent = bench([["exit-timeout", "ALLIUM_E_STREAM_CONNECT_TIMEOUT"]]);
    await silent.open();
    expect(silent.retired).toEqual([silent.circuits[0]]);
    const answered = bench([["exit-timeout", "ALLIUM_E_STREAM_TIMEOUT"]]);
    await expect(answered.open()).rejects.toMatchObject({ code: "ALLIUM_E_STREAM_TIMEOUT" });
    expect(answered.retired).toEqual([]);
  });

  it("does not hold a collapse against the exit, which may be the only one", async () => {
    const { open } = bench([COLLAPSE, COLLAPSE], 1);
    await open();
  });

  it("answers with what the last exit said when there is no other", async () => {
    const { open } = bench([["exit-policy", "ALLIUM_E_STREAM_EXITPOLICY"]], 1);
    await expect(open()).rejects.toMatchObject({ kind: "exit-policy" });
  });

  it("answers with no-path when there is no exit at all", async () => {
    await expect(bench([], 0).open()).rejects.toBe(NO_PATH);
  });

  it("waits for the client, and fails as it does", async () => {
    const { open, requests, notReady } = bench();
    const error = new TorError("bridge-unreachable", "ALLIUM_E_TEST", "no bridge");
    notReady(error);
    await expect(open()).rejects.toBe(error);
    expect(requests).toEqual([]);
  });

  it.each(["127.0.0.1", "localhost", `${"a".repeat(56)}.onion`])(
    "to %s is refused before anything is asked of the network",
    async (hostname) => {
      const { open, requests, infos } = bench();
      await expect(open(hostname)).rejects.toMatchObject({ kind: "bad-api-usage" });
      expect(requests).toEqual([]);
      expect(infos).toEqual([]);
    },
  );
});

describe("resolving a name", () => {
  const ANSWER = [{ address: "93.184.216.34", ttl: 60 }];

  it("asks an exit on a circuit of the isolation key, and is no stream of the user's", async () => {
    const { resolve, requests, circuits, infos } = bench();
    expect(await resolve("example.com")).toEqual(ANSWER);
    expect(requests).toMatchObject([{ target: { port: 443, family: 4 }, isolation: "shop" }]);
    expect(circuits[0]?.asked).toEqual(["resolve example.com"]);
    expect(circuits[0]?.streamCount).toBe(0);
    expect(infos).toEqual([]);
  });

  it.each<[TorErrorKind, TorErrorCode]>([
    COLLAPSE,
    ["exit-timeout", "ALLIUM_E_STREAM_CONNECT_TIMEOUT"],
    ["exit-timeout", "ALLIUM_E_RESOLVE_TRANSIENT"],
    ["exit-policy", "ALLIUM_E_RESOLVE_INTERNAL_ADDRESS"],
    ["remote-host-not-found", "ALLIUM_E_RESOLVE_NOT_FOUND"],
  ])("after %s %s asks two more exits", async (kind, code) => {
    const failing = bench(Array.from({ length: 5 }, () => [kind, code]));
    await expect(failing.resolve("example.com")).rejects.toMatchObject({ kind, code });
    expect(failing.circuits).toHaveLength(3);
    expect(await bench([[kind, code]]).resolve("example.com")).toEqual(ANSWER);
  });

  it.each(["93.184.216.34", "2606:2800:220:1::1"])("%s is its own answer", async (address) => {
    const { resolve, requests } = bench();
    expect(await resolve(address)).toEqual([{ address, ttl: 0 }]);
    expect(requests).toEqual([]);
  });

  it.each([
    ["127.0.0.1", "ALLIUM_E_INTERNAL_ADDRESS"],
    ["::1", "ALLIUM_E_INTERNAL_ADDRESS"],
    ["localhost", "ALLIUM_E_INTERNAL_ADDRESS"],
    ["printer.local", "ALLIUM_E_INTERNAL_ADDRESS"],
    [`${"a".repeat(56)}.onion`, "ALLIUM_E_ONION_UNSUPPORTED"],
    ["34.216.184.93.in-addr.arpa", "ALLIUM_E_REVERSE_UNSUPPORTED"],
    ["a b", "ALLIUM_E_BAD_HOSTNAME"],
  ])("%s is refused before anything is asked of the network", async (hostname, code) => {
    const { resolve, requests } = bench();
    await expect(resolve(hostname)).rejects.toMatchObject({ kind: "bad-api-usage", code });
    expect(requests).toEqual([]);
  });

  it("waits for the client, and fails as it does", async () => {
    const { resolve, requests, notReady } = bench();
    const error = new TorError("bridge-unreachable", "ALLIUM_E_TEST", "no bridge");
    notReady(error);
    await expect(resolve("example.com")).rejects.toBe(error);
    expect(requests).toEqual([]);
  });
});
