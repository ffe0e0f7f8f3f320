// Directory circuits of one hop: whom they go to, how long they are kept, what becomes of failures (guard-spec 4.6).

import { describe, expect, it } from "vitest";
import { formatSocketAddress } from "../../src/base/address.ts";
import { toBase64Unpadded, toHex } from "../../src/base/encoding.ts";
import { TorError, type TorErrorCode, type TorErrorKind } from "../../src/base/errors.ts";
import type { NetworkConfig, Relay } from "../../src/directory/api.ts";
import type { BuildRequest } from "../../src/path/builder.ts";
import { CircuitDirectoryConnector } from "../../src/path/connector.ts";
import type { GuardKeeper } from "../../src/path/guard-keeper.ts";
import { PathSelector } from "../../src/path/select.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { type FakeCircuit, fakeCircuit, fakeTicket, settle } from "./fakes.ts";
import { guardRelay, netdir, relay } from "./synthetic.ts";

const FALLBACKS = [relay({ id: 11 }), relay({ id: 12 }), relay({ id: 13 }), relay({ id: 14 })];
const GUARD = guardRelay(21);
const CACHE = relay({ id: 22 });
const VIEW = netdir([GUARD, CACHE]);
const REFUSED = new TorError("bridge-refused", "ALLIUM_E_BRIDGE_DENIED", "refused");

function networkOf(fallbacks: readonly Relay[]): NetworkConfig {
  return {
    authorities: [],
    fallbacks: fallbacks.map((one) => ({
      rsaId: toHex(one.rsaId),
      ed25519Id: toBase64Unpadded(one.ed25519Id),
      orPorts: one.addresses.map(formatSocketAddress),
    })),
  };
}

/** @param refuse RSA identities (hex) of relays that no circuit can be built to */
function bench(
  refuse: ReadonlySet<string> = new Set(),
  fallbacks: readonly Relay[] = FALLBACKS,
  refusal = REFUSED,
) {
  const clock = new ManualClock();
  const built: { request: BuildRequest; circuit: FakeCircuit; cache: string }[] = [];
  const tried: string[] = [];
  const troubles: TorError[] = [];
  const told: string[] = [];
  const guards: Pick<GuardKeeper, "choose"> = {
    async choose(_view, use, allowed) {
      if (use !== "directory" || !allowed(GUARD))
        throw new TorError("no-path", "ALLIUM_E_NO_GUARD", "no guard");
      return fakeTicket(GUARD, told);
    },
  };
  const connector = new CircuitDirectoryConnector({
    network: networkOf(fallbacks),
    clock,
    guards,
    onTrouble: (error) => troubles.push(error),
    selectorFor: (view) => new PathSelector(view, true),
    builder: {
      async build(request) {
        const target = "relay" in request.first ? request.first.relay : request.first.fallback;
        const cache = toHex(target.rsaId);
        tried.push(cache);
        if (refuse.has(cache)) throw refusal;
        const circuit = fakeCircuit([target]);
        built.push({ request, circuit, cache });
        return circuit;
      },
    },
  });
  return { clock, built, tried, told, troubles, connector };
}

describe("without a view of the network", () => {
  it("a fallback is asked over a one-hop circuit without its onion key", async () => {
    const { connector, built } = bench();
    const { cache } = await connector.open({});
    expect(FALLBACKS.map((one) => toHex(one.rsaId))).toContain(cache);
    expect(built[0]?.request).toMatchObject({ purpose: "directory", others: [] });
    expect(built[0]?.request.first).toHaveProperty("fallback");
    expect(built[0]?.circuit.asked).toEqual(["directory"]);
  });

  it("fallbacks are chosen at random", async () => {
    const seen = new Set<string>();
    // 60 draws from 4 leave one out with a chance below 2e-7.
    for (let i = 0; i < 60; i++) seen.add((await bench().connector.open({})).cache);
    expect(seen.size).toBe(FALLBACKS.length);
  });

  it("several requests share one circuit", async () => {
    const { connector, built } = bench();
    const connections = await Promise.all([connector.open({}), connector.open({}), connector.open({})]);
    expect(new Set(connections.map(({ cache }) => cache)).size).toBe(1);
    expect(built).toHaveLength(1);
    expect(built[0]?.circuit.streamCount).toBe(3);
  });

  it("a cache that is excluded is not asked", async () => {
    const { connector } = bench();
    const [only, ...others] = FALLBACKS.map((one) => toHex(one.rsaId));
    for (let i = 0; i < 5; i++) {
      expect((await connector.open({ exclude: new Set(others) })).cache).toBe(only);
    }
  });

  it("the next fallback is tried when one cannot be reached", async () => {
    const refuse = new Set(FALLBACKS.slice(0, 2).map((one) => toHex(one.rsaId)));
    for (let i = 0; i < 10; i++) {
      const { connector } = bench(refuse);
      expect(refuse.has((await connector.open({})).cache)).toBe(false);
    }
  });

  it("three are tried before the caller hears why the last one failed", async () => {
    const { connector, tried, troubles } = bench(new Set(FALLBACKS.map((one) => toHex(one.rsaId))));
    await expect(connector.open({})).rejects.toBe(REFUSED);
    expect(new Set(tried).size).toBe(3);
    expect(troubles).toEqual([REFUSED, REFUSED, REFUSED]);
  });

  it.each<[TorErrorKind, TorErrorCode]>([
    ["bridge-unreachable", "ALLIUM_E_BRIDGE_RELAY"],
    ["bridge-unreachable", "ALLIUM_E_BRIDGE_TIMEOUT"],
    ["bridge-refused", "ALLIUM_E_BRIDGE_DESTINATION"],
  ])("another is tried when the bridge says %s, %s, of this one", async (kind, code) => {
    const refusal = new TorError(kind, code, "of this relay");
    const { connector, tried } = bench(new Set(FALLBACKS.map((one) => toHex(one.rsaId))), FALLBACKS, refusal);
    await expect(connector.open({})).rejects.toBe(refusal);
    expect(new Set(tried).size).toBe(3);
  });

  it.each<[TorErrorKind, TorErrorCode]>([
    ["bridge-unreachable", "ALLIUM_E_BRIDGE_UNREACHABLE"],
    ["bridge-refused", "ALLIUM_E_BRIDGE_DRAINING"],
    ["bridge-refused", "ALLIUM_E_BRIDGE_TOKEN"],
    ["offline", "ALLIUM_E_OFFLINE"],
  ])("no other is tried when it is the bridge or the device: %s, %s", async (kind, code) => {
    const gone = new TorError(kind, code, "no bridge");
    const { connector, tried } = bench(new Set(FALLBACKS.map((one) => toHex(one.rsaId))), FALLBACKS, gone);
    await expect(connector.open({})).rejects.toBe(gone);
    expect(tried).toHaveLength(1);
  });

  it("those that failed are asked last", async () => {
    const [bad, ...good] = FALLBACKS.map((one) => toHex(one.rsaId));
    const { connector } = bench();
    const without = new Set(good);
    (await connector.open({ exclude: without })).failed(REFUSED);
    const seen = new Set<string>();
    for (let i = 0; i < 20; i++) {
      const connection = await connector.open({});
      seen.add(connection.cache);
      connection.failed(REFUSED);
      if (seen.size === good.length) break;
    }
    expect(seen.has(bad ?? "")).toBe(false);
  });

  it("no-path is the answer when all are excluded", async () => {
    const { connector } = bench();
    const exclude = new Set(FALLBACKS.map((one) => toHex(one.rsaId)));
    await expect(connector.open({ exclude })).rejects.toMatchObject({ code: "ALLIUM_E_NO_FALLBACK" });
  });
});

describe("with a view of the network", () => {
  it("the guard is asked, with its onion key", async () => {
    const { connector, built, told } = bench();
    expect((await connector.open({ netdir: VIEW })).cache).toBe(toHex(GUARD.rsaId));
    expect(built[0]?.request.first).toMatchObject({ relay: GUARD, guard: { relay: GUARD } });
    expect(told).toEqual([]);
    // Another request shares its circuit, and so its guard hears of one.
    await connector.open({ netdir: VIEW });
    expect(built.length).toBe(1);
    expect(told).toEqual(["gave up"]);
  });

  it("another cache is asked when no guard may be", async () => {
    const { connector, built } = bench();
    const connection = await connector.open({ netdir: VIEW, exclude: new Set([toHex(GUARD.rsaId)]) });
    expect(connection.cache).toBe(toHex(CACHE.rsaId));
    expect(built[0]?.request.first).toEqual({ relay: CACHE });
  });
});

describe("a directory circuit", () => {
  it("is closed ten seconds after its last request", async () => {
    const { connector, built, clock } = bench();
    const [one, two] = [await connector.open({}), await connector.open({})];
    one.done();
    clock.advance(20_000);
    await settle();
    expect(built[0]?.circuit.isClosed).toBe(false);
    two.done();
    clock.advance(9000);
    await settle();
    expect(built[0]?.circuit.isClosed).toBe(false);
    (await connector.open({})).done();
    clock.advance(9000);
    await settle();
    expect(built[0]?.circuit.isClosed).toBe(false);
    clock.advance(2000);
    await settle();
    expect(built[0]?.circuit.isClosed).toBe(true);
    expect(built).toHaveLength(1);
  });

  it("is not closed under a request that comes at the last moment", async () => {
    const { connector, built, clock } = bench(new Set(), FALLBACKS.slice(0, 1));
    (await connector.open({})).done();
    clock.advance(10_000);
    await connector.open({});
    await settle();
    expect(built[0]?.circuit.isClosed).toBe(false);
    expect(built).toHaveLength(1);
  });

  it("to a cache that failed is closed, but only when its other requests are over", async () => {
    const { connector, built, clock } = bench();
    const [one, two] = [await connector.open({}), await connector.open({})];
    one.failed(REFUSED);
    one.failed(REFUSED);
    await settle();
    expect(built[0]?.circuit.isClosed).toBe(false);
    expect((await connector.open({})).cache).not.toBe(one.cache);
    two.done();
    clock.advance(11_000);
    await settle();
    expect(built[0]?.circuit.isClosed).toBe(true);
  });

  it("is replaced when it is gone", async () => {
    const { connector, built } = bench(new Set(), FALLBACKS.slice(0, 1));
    (await connector.open({})).done();
    built[0]?.circuit.close();
    await settle();
    await connector.open({});
    expect(built).toHaveLength(2);
  });

  it("whose last request ends after the connector was closed leaves no timer behind", async () => {
    const { connector, built, clock } = bench();
    const connection = await connector.open({});
    connector.close();
    connection.done();
    await settle();
    expect(built[0]?.circuit.isClosed).toBe(true);
    expect(clock.pendingTimers).toBe(0);
  });

  it("is closed with the connector", async () => {
    const { connector, built } = bench();
    await connector.open({});
    connector.close();
    await settle();
    expect(built[0]?.circuit.isClosed).toBe(true);
  });
});

describe("on another network", () => {
  it("nothing new is asked over circuits of before, which close when they have answered", async () => {
    const { connector, built, clock } = bench();
    const [busy, idle] = [
      await connector.open({}),
      await connector.open({ exclude: new Set([toHex(GUARD.rsaId)]) }),
    ];
    expect(built).toHaveLength(1);
    idle.done();
    connector.startOver();
    expect(built[0]?.circuit.isClosed).toBe(false);
    await connector.open({});
    expect(built).toHaveLength(2);
    busy.done();
    clock.advance(10_000);
    await settle();
    expect(built[0]?.circuit.isClosed).toBe(true);
  });

  it("an idle circuit is closed at once, and no cache is asked last for what failed before", async () => {
    const one = FALLBACKS.slice(0, 2);
    const { connector, built } = bench(new Set(), one);
    const first = await connector.open({});
    first.failed(REFUSED);
    connector.startOver();
    const asked = new Set<string>();
    for (let i = 0; i < 40; i++) {
      const next = await connector.open({});
      asked.add(next.cache);
      next.done();
      connector.startOver();
    }
    expect(asked.size).toBe(2);
    await settle();
    expect(built.every(({ circuit }) => circuit.isClosed)).toBe(true);
  });
});
