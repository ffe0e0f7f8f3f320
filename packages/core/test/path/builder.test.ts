import { describe, expect, it } from "vitest";
import { type Deferred, deferred } from "../../src/base/abort.ts";
import { TorError } from "../../src/base/errors.ts";
import { RelayCommand } from "../../src/circuit/relaycell/command.ts";
import type { Relay } from "../../src/directory/api.ts";
import type { Channel, CircuitSlot } from "../../src/link/api.ts";
import { type BuildRequest, CircuitBuilder } from "../../src/path/builder.ts";
import { ChannelPool } from "../../src/path/channels.ts";
import type { GuardTicket } from "../../src/path/guard-ticket.ts";
import { type CircuitInfo, CircuitRegistry } from "../../src/path/registry.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { ScriptedRelays } from "../../src/testing/relay/channel.ts";
import type { ExitStream } from "../../src/testing/relay/exit-stream.ts";
import { scriptedRelay } from "../../src/testing/relay/keys.ts";
import { fakeChannel, settle } from "./fakes.ts";
import { exitRelay, guardRelay, relay } from "./synthetic.ts";

const GUARD = guardRelay(1);
const OTHERS = [relay({ id: 2 }), exitRelay(3)];

function bench() {
  const clock = new ManualClock();
  const seen: CircuitInfo[] = [];
  const told: string[] = [];
  const opening: Deferred<Channel> = deferred<Channel>();
  const registry = new CircuitRegistry((info) => seen.push(info));
  const guard: { -readonly [K in keyof GuardTicket]: GuardTicket[K] } = {
    relay: GUARD,
    built: async () => void told.push("built"),
    failed: ({ code }, reached) => void told.push(`failed ${code} ${reached ? "once reached" : "unreached"}`),
    failedLater: () => void told.push("failed later"),
    gaveUp: () => void told.push("gave up"),
    closed: () => void told.push("closed"),
  };
  const builder = new CircuitBuilder({
    channels: new ChannelPool({ clock, open: () => opening.promise }),
    registry,
    clock,
    padding: "off",
    circuits: { cgo: true },
    times: {
      limits: () => ({ timeout: 10_000, abandon: 60_000 }),
      built: () => {},
      timedOut: () => {},
    },
  });
  const build = (change: Partial<BuildRequest> = {}) =>
    builder.build({
      ...{ purpose: "general", first: { relay: GUARD, guard }, others: OTHERS, netdir: undefined },
      ...change,
    });
  return { clock, seen, told, opening, registry, guard, build };
}

describe("a circuit that cannot be begun", () => {
  it("because there is no channel is told to the guard with the reason", async () => {
    const { build, opening, told } = bench();
    opening.reject(new TorError("offline", "ALLIUM_E_LINK_TIMEOUT", "no answer"));
    await expect(build()).rejects.toMatchObject({ kind: "offline" });
    expect(told).toEqual(["failed ALLIUM_E_LINK_TIMEOUT unreached"]);
  });

  /** A link on which nothing is answered. */
  function silentLink(): Channel {
    const slot: CircuitSlot = { circuitId: 1, congested: false, send: () => {}, destroy: () => {} };
    return { ...fakeChannel(GUARD, undefined), attach: () => slot };
  }

  it("because the first hop is silent is told at its timeout, where another circuit works", async () => {
    const { build, opening, told, clock, registry } = bench();
    registry.opened(registry.begin("general", [GUARD]), []);
    opening.resolve(silentLink());
    const building = build();
    building.catch(() => {});
    await settle();
    clock.advance(10_000);
    await expect(building).rejects.toMatchObject({ code: "ALLIUM_E_CIRCUIT_TIMEOUT" });
    expect(told).toEqual(["failed ALLIUM_E_CIRCUIT_TIMEOUT once reached"]);
  });

  it("because the first hop is silent is told at the end of its time, as nothing else works", async () => {
    const { build, opening, told, clock } = bench();
    opening.resolve(silentLink());
    const building = build();
    building.catch(() => {});
    await settle();
    clock.advance(10_000);
    await settle();
    expect(told).toEqual([]);
    clock.advance(50_000);
    await expect(building).rejects.toMatchObject({ code: "ALLIUM_E_CIRCUIT_TIMEOUT" });
    await settle();
    expect(told).toEqual(["failed ALLIUM_E_CIRCUIT_TIMEOUT once reached"]);
  });

  it("through a relay that is no guard is told nobody", async () => {
    const { build, opening, told } = bench();
    opening.reject(new TorError("offline", "ALLIUM_E_TEST", "offline"));
    await expect(build({ first: { relay: GUARD } })).rejects.toMatchObject({ kind: "offline" });
    expect(told).toEqual([]);
  });

  it("ends with the caller's signal, and nothing is learned of the guard", async () => {
    const { build, told } = bench();
    const controller = new AbortController();
    const building = build({ signal: controller.signal });
    controller.abort();
    await expect(building).rejects.toMatchObject({ kind: "aborted" });
    await settle();
    expect(told).toEqual(["gave up"]);
  });

  it("is listed while it is built, and counted as failed after", async () => {
    const { build, opening, registry, seen } = bench();
    const building = build();
    building.catch(() => {});
    expect(registry.list()).toMatchObject([
      { id: 1, purpose: "general", state: "building", hops: [{ nickname: "Relay1" }, {}, {}] },
    ]);
    opening.reject(new TorError("offline", "ALLIUM_E_TEST", "offline"));
    await expect(building).rejects.toMatchObject({ kind: "offline" });
    expect(registry.list()).toEqual([]);
    expect(registry.counts).toEqual({ built: 0, failed: 1 });
    expect(seen.map(({ state }) => state)).toEqual(["building", "closed"]);
  });
});

describe("a circuit of three hops", () => {
  async function threeHops(known = 3) {
    const rig = bench();
    const keys = [await scriptedRelay(), await scriptedRelay(), await scriptedRelay()];
    const relays = new ScriptedRelays(keys.slice(0, known), rig.clock);
    rig.opening.resolve(relays.channel);
    const [first, ...others] = keys.map((one, i) => ({ ...relay({ id: 1 + i }), ...one }));
    const { guard } = rig;
    const build = (signal?: AbortSignal) =>
      rig.build({ first: { relay: first as Relay, guard }, others, signal });
    return { ...rig, relays, build };
  }

  it("tells the guard when it is built, and when it is gone", async () => {
    const { build, told } = await threeHops();
    const circuit = await build();
    expect(circuit.hops.length).toBe(3);
    expect(told).toEqual(["built"]);
    circuit.close();
    await settle();
    expect(told).toEqual(["built", "closed"]);
  });

  it("is closed where a better guard turned out to work", async () => {
    const { build, guard, told } = await threeHops();
    guard.built = () => Promise.reject(new TorError("circuit-collapse", "ALLIUM_E_BETTER_GUARD", "better"));
    await expect(build()).rejects.toMatchObject({ code: "ALLIUM_E_BETTER_GUARD" });
    expect(told).toEqual(["closed"]);
  });

  it("is closed when the caller's signal ends the wait for a better guard", async () => {
    const { build, guard, told } = await threeHops();
    const waits = deferred();
    guard.built = () => {
      waits.resolve();
      return new Promise(() => {});
    };
    const controller = new AbortController();
    const building = build(controller.signal);
    building.catch(() => {});
    await waits.promise;
    controller.abort();
    await expect(building).rejects.toMatchObject({ kind: "aborted" });
    expect(told).toEqual(["closed"]);
  });

  it.each([
    ["", false],
    [", at once where another circuit works", true],
  ])("that fails behind the guard is another matter than one that fails at it%s", async (_, isAnyOpen) => {
    // The third relay cannot be extended to, and the second says nothing.
    const { build, told, relays, clock, registry } = await threeHops(2);
    if (isAnyOpen) registry.opened(registry.begin("general", [GUARD]), []);
    const building = build();
    building.catch(() => {});
    await expect.poll(() => relays.sentCells.length).toBe(3);
    clock.advance(isAnyOpen ? 10_000 : 60_000);
    await expect(building).rejects.toMatchObject({ code: "ALLIUM_E_CIRCUIT_TIMEOUT" });
    await settle();
    expect(told).toEqual(["failed later"]);
  });
});

describe("a directory circuit", () => {
  it("may bring 131,072 cells; one more is a violation, which closes it and is told", async () => {
    const { build, opening, seen, clock } = bench();
    const cache = await scriptedRelay();
    const relays = new ScriptedRelays([cache], clock);
    opening.resolve(relays.channel);
    const circuit = await build({ purpose: "directory", first: { fallback: cache }, others: [] });
    const stream = await circuit.openDirectoryStream();
    const { id } = relays.streams()[0] as ExitStream;
    // CREATED_FAST and CONNECTED were the first two.
    for (let cells = 2; cells < 131_072; cells++) {
      relays.send(0, RelayCommand.DATA, id, Uint8Array.of(1));
      if (cells % 200 === 0) await stream.read();
    }
    expect(circuit.isClosed).toBe(false);
    relays.send(0, RelayCommand.DATA, id, Uint8Array.of(1));
    expect(await circuit.closed).toMatchObject({ code: "ALLIUM_E_CIRCUIT_CELL_LIMIT" });
    await settle();
    expect(seen.at(-1)).toMatchObject({
      state: "closed",
      error: { kind: "protocol-violation", code: "ALLIUM_E_CIRCUIT_CELL_LIMIT" },
    });
  }, 120_000);
});

describe("the list of circuits", () => {
  it("describes hops for drawing", () => {
    const registry = new CircuitRegistry();
    const v6 = relay({ id: 5, addresses: ["192.0.2.1:9001", "[2001:db8::1]:443"] });
    const { rsaId, ed25519Id } = GUARD;
    const agreed = { congestionControl: { sendmeInc: 31 }, cgo: true };
    registry.opened(registry.begin("directory", [v6]), [{ target: v6, agreed }]);
    registry.begin("directory", [{ rsaId, ed25519Id, addresses: [] }]);
    expect(registry.list()).toEqual([
      {
        id: 1,
        purpose: "directory",
        state: "open",
        hops: [
          {
            nickname: "Relay5",
            rsaId: "1400000000000000000000000000000000000005",
            addresses: ["192.0.2.1:9001", "[2001:db8::1]:443"],
            flowControl: "congestion-control",
            relayCrypto: "cgo",
          },
        ],
      },
      {
        id: 2,
        purpose: "directory",
        state: "building",
        hops: [{ nickname: "", rsaId: "1400000000000000000000000000000000000001", addresses: [] }],
      },
    ]);
    expect(registry.counts).toEqual({ built: 1, failed: 0 });
  });
});
