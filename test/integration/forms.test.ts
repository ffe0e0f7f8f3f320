// Each form that a circuit to an exit can have with C tor's relays: windows, congestion control, and that with Counter
// Galois Onion; down, up, both ways at once and many streams, with relays that find nothing to complain of.

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { nodeCiphers, nodeDialer } from "@allium/bridge";
import { type HopInfo, memoryStore, TorClient, type TorClientOptions } from "@allium/core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { startTornet } from "../tornet/tornet.ts";
import type { ConsensusParams, Tornet } from "../tornet/types.ts";
import { digestOf, echoed, sha256 } from "./helpers.ts";

const MIB = 1024 * 1024;
const TOR1 = { flowControl: "windows", relayCrypto: "tor1" } as const;

interface Form {
  readonly name: string;
  readonly options: Partial<TorClientOptions>;
  readonly exit: Pick<HopInfo, "flowControl" | "relayCrypto">;
}

const NETWORKS: readonly { readonly params: ConsensusParams; readonly forms: readonly Form[] }[] = [
  {
    params: { cc_alg: 0 },
    forms: [
      { name: "windows", options: {}, exit: TOR1 },
      { name: "windows, with Node's ciphers", options: { ciphers: nodeCiphers() }, exit: TOR1 },
    ],
  },
  {
    params: { cc_alg: 2 },
    forms: [
      {
        name: "congestion control",
        options: { circuits: { cgo: false } },
        exit: { flowControl: "congestion-control", relayCrypto: "tor1" },
      },
      {
        name: "congestion control and Counter Galois Onion",
        options: {},
        exit: { flowControl: "congestion-control", relayCrypto: "cgo" },
      },
      {
        name: "the same without optimistic data, with reduced padding",
        options: { streams: { optimisticData: false }, channelPadding: "reduced" },
        exit: { flowControl: "congestion-control", relayCrypto: "cgo" },
      },
    ],
  },
];

/** What relays warn of that is not about clients: a young network's downloads and guards. */
const OF_THE_NETWORK = /Received http status code|marked ourself as down|current guards excluded/;
/** Relays test themselves by circuits that may turn back; whoever is asked to warns of it in these two lines. */
const TURNS_BACK = /extend back to the previous hop/;
const FOLLOWS = /process_relay_cell \(away from origin\) failed/;

/** The warnings and errors of all relays. */
function complaints(tornet: Tornet): string[] {
  return tornet.info.nodes
    .filter(({ role }) => role !== "client")
    .flatMap(({ logFile, nickname }) =>
      readFileSync(logFile, "utf8")
        .split("\n")
        .filter((line, i, lines) => {
          const before = lines[i - 1] ?? "";
          const turnsBack = TURNS_BACK.test(line) || (FOLLOWS.test(line) && TURNS_BACK.test(before));
          return /\[(warn|err)\]/.test(line) && !turnsBack && !OF_THE_NETWORK.test(line);
        })
        .map((line) => `${nickname}: ${line}`),
    );
}

describe.each(NETWORKS)("relays with $params", ({ params, forms }) => {
  let tornet: Tornet;
  let before: string[];
  beforeAll(async () => {
    tornet = await startTornet({ scheduler: "Vanilla", consensusParams: params });
    before = complaints(tornet);
  });
  afterAll(() => tornet.stop());

  function client(options: Partial<TorClientOptions>): TorClient {
    const tor = new TorClient({
      ...{ dialer: nodeDialer(), store: memoryStore(), network: tornet.network },
      ...{ path: { preemptive: false }, ...options },
    });
    onTestFinished(() => tor.close());
    return tor;
  }

  /** The form of the hops of the one circuit that streams use. */
  function formOf(tor: TorClient): unknown[] {
    const general = tor.circuits().filter(({ purpose, state }) => purpose === "general" && state === "open");
    expect(general).toHaveLength(1);
    return (general[0]?.hops ?? []).map(({ flowControl, relayCrypto }) => ({ flowControl, relayCrypto }));
  }

  describe.each(forms)("$name", ({ options, exit }) => {
    it("is what the exit agrees to, and carries 16 MiB down and 16 MiB up", async () => {
      const { http } = tornet.info;
      const tor = client(options);
      const length = 16 * MIB;
      const { sha256: wanted } = (await (await tor.fetch(`${http.url}digest/${length}`)).json()) as {
        sha256: string;
      };
      expect(await digestOf(await tor.fetch(`${http.url}bytes/${length}`))).toEqual({
        bytes: length,
        sha256: wanted,
      });
      const body = new Uint8Array(length).map((_, i) => i >>> 7);
      const answer = await (await tor.fetch(`${http.url}sink`, { method: "POST", body })).json();
      expect(answer).toMatchObject({ sha256: sha256(body) });
      expect(formOf(tor)).toEqual([TOR1, TOR1, exit]);
    });

    it("carries both directions at once, beside streams that come and go, one that nobody reads and one that is cut off", async () => {
      const { http, echo: service } = tornet.info;
      const tor = client(options);
      const unread = await tor.fetch(`${http.url}bytes/${8 * MIB}`);
      const cut = await tor.fetch(`${http.url}bytes/${8 * MIB}`);
      const socket = tor.connect({ hostname: service.address, port: service.port });
      const sent = new Uint8Array(4 * MIB).map((_, i) => i >>> 5);
      const echo = echoed(socket, sent);
      const pages = Promise.all(
        Array.from(
          { length: 12 },
          async () => (await digestOf(await tor.fetch(`${http.url}bytes/${MIB}`))).bytes,
        ),
      );
      await cut.body?.cancel();
      expect(await echo).toBe(sha256(sent));
      expect(await pages).toEqual(Array.from({ length: 12 }, () => MIB));
      expect((await digestOf(unread)).bytes).toBe(8 * MIB);
      await socket.close();
      expect(formOf(tor)).toEqual([TOR1, TOR1, exit]);
    });
  });

  it("feed streams that nobody reads until the client's memory is used up: the oldest go, the others are whole", async () => {
    const { http } = tornet.info;
    const tor = client({ memoryLimit: 2 * MIB });
    const responses: Response[] = [];
    // Two keys, since a key has six connections to an origin.
    for (let i = 0; i < 12; i++) {
      responses.push(await tor.fetch(`${http.url}bytes/${MIB}?${i}`, { isolation: String(i % 2) }));
    }
    await expect.poll(() => tor.stats().memory.used, { timeout: 20_000 }).toBeGreaterThan(MIB);
    // Twelve streams have 240 KiB or more each on the way before their exit holds them back.
    await sleep(1000);
    expect(tor.stats().memory.used).toBeLessThanOrEqual(2 * MIB);
    const outcomes = await Promise.allSettled(responses.map(digestOf));
    const whole = outcomes.filter(({ status }) => status === "fulfilled");
    const gone = outcomes.filter(({ status }) => status === "rejected");
    expect(whole.length).toBeGreaterThan(0);
    expect(gone.length).toBeGreaterThan(0);
    for (const outcome of gone) expect(outcome).toMatchObject({ reason: { code: "ALLIUM_E_MEMORY_LIMIT" } });
    for (const outcome of whole) expect(outcome).toMatchObject({ value: { bytes: MIB } });
  });

  it("complain of nothing that the clients did", () => {
    expect(complaints(tornet).filter((line) => !before.includes(line))).toEqual([]);
  });
});
