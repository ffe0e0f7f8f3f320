import { describe, expect, it } from "vitest";
import { toHex } from "../../src/base/encoding.ts";
import { TorError, type TorErrorCode, type TorErrorKind } from "../../src/base/errors.ts";
import type { Circuit } from "../../src/circuit/api.ts";
import { ExitStreamOpener, type StreamInfo } from "../../src/client/stream-opener.ts";
import type { CircuitRequest } from "../../src/path/circuits.ts";
import { type FakeCircuit, fakeCircuit, settle } from "../path/fakes.ts";
import { exitRelay } from "../path/synthetic.ts";

/** As the opener names exits to be avoided. */
function exitId(id: number): string {
  return toHex(exitRelay(id).rsaId);
}

const NO_PATH = new TorError("no-path", "ALLIUM_E_NO_RELAY", "no exit is left");

/** @param refusals what the first circuits' exits answer; later ones connect. @param exits how many there are */
function bench(refusals: readonly (TorErrorKind | [TorErrorKind, TorErrorCode])[] = [], exits = 9) {
  const requests: CircuitRequest[] = [];
  const circuits: FakeCircuit[] = [];
  const retired: Circuit[] = [];
  const infos: StreamInfo[] = [];
  let isReady: Promise<void> = Promise.resolve();
  const opener = new ExitStreamOpener({
    allowPrivateAddresses: false,
    ready: () => isReady,
    onStream: (info) => infos.push(info),
    pool: {
      async acquire(request) {
        requests.push({ ...request, avoidExits: new Set(request.avoidExits) });
        if ((request.avoidExits?.size ?? 0) >= exits) throw NO_PATH;
        const circuit = fakeCircuit([]);
        const [refusal, code = "ALLIUM_E_TEST"] = [refusals[circuits.length]].flat();
        if (refusal !== undefined)
          circuit.refuse = new TorError(refusal as TorErrorKind, code as TorErrorCode, refusal);
        circuit.breaks = refusal === "circuit-collapse";
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
  return { open, resolve, requests, circuits, retired, infos, notReady };
}

describe("opening a stream", () => {
  it("asks for a circuit to the port under the isolation key, and begins at its exit", async () => {
    const { open, requests, circuits } = bench();
    await open();
    expect(requests).toMatchObject([{ target: { port: 443, family: 4 }, isolation: "shop" }]);
    expect(circuits[0]?.asked).toEqual(["example.com:443"]);
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

  it.each<TorErrorKind>(["exit-policy", "exit-timeout"])("tries two more exits after %s", async (kind) => {
    const { open, requests, circuits } = bench([kind, kind]);
    await open();
    expect(requests.map(({ avoidExits }) => [...(avoidExits ?? [])])).toEqual([
      [],
      [exitId(1)],
      [exitId(1), exitId(2)],
    ]);
    expect(circuits[2]?.asked).toHaveLength(1);
  });

  it.each<[TorErrorKind, number]>([
    ["exit-policy", 3],
    ["exit-timeout", 3],
    ["circuit-collapse", 3],
    ["protocol-violation", 3],
    ["remote-host-not-found", 2],
    ["remote-refused", 1],
    ["aborted", 1],
    ["bad-api-usage", 1],
  ])("after %s is tried %i times in all", async (kind, tries) => {
    const { open, circuits, infos } = bench([kind, kind, kind, kind, kind]);
    await expect(open()).rejects.toMatchObject({ kind });
    expect(circuits).toHaveLength(tries);
    expect(infos.at(-1)).toMatchObject({ state: "failed" });
  });

  it("retires a circuit that is in doubt, but not one whose exit merely refused", async () => {
    const doubted = bench(["circuit-collapse"]);
    await doubted.open();
    expect(doubted.retired).toEqual([doubted.circuits[0]]);
    const refused = bench(["exit-policy"]);
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
    await answered.open();
    expect(answered.retired).toEqual([]);
  });

  it("does not hold a collapse against the exit, which may be the only one", async () => {
    const { open } = bench(["circuit-collapse", "circuit-collapse"], 1);
    await open();
  });

  it("answers with what the last exit said when there is no other", async () => {
    const { open } = bench(["exit-policy"], 1);
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

  it.each<[TorErrorKind, number]>([
    ["exit-timeout", 3],
    ["exit-policy", 3],
    ["circuit-collapse", 3],
    ["remote-host-not-found", 2],
    ["aborted", 1],
  ])("after %s asks %i exits in all", async (kind, tries) => {
    const failing = bench([kind, kind, kind, kind]);
    await expect(failing.resolve("example.com")).rejects.toMatchObject({ kind });
    expect(failing.circuits).toHaveLength(tries);
    const mended = bench([kind]);
    if (tries > 1) expect(await mended.resolve("example.com")).toEqual(ANSWER);
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
