import { describe, expect, it } from "vitest";
import { type Deferred, deferred } from "../../src/base/abort.ts";
import { TorError, type TorErrorCode, type TorErrorKind } from "../../src/base/errors.ts";
import { RelayCommand } from "../../src/circuit/relaycell/command.ts";
import type { Channel } from "../../src/link/api.ts";
import { type BuildRequest, CircuitBuilder } from "../../src/path/builder.ts";
import { ChannelPool } from "../../src/path/channels.ts";
import { type CircuitInfo, CircuitRegistry } from "../../src/path/registry.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { ScriptedRelays } from "../../src/testing/relay/channel.ts";
import type { ExitStream } from "../../src/testing/relay/exit-stream.ts";
import { scriptedRelay } from "../../src/testing/relay/keys.ts";
import { settle } from "./fakes.ts";
import { exitRelay, guardRelay, relay } from "./synthetic.ts";

const GUARD = guardRelay(1);
const OTHERS = [relay({ id: 2 }), exitRelay(3)];

function bench() {
  const clock = new ManualClock();
  const seen: CircuitInfo[] = [];
  const told: string[] = [];
  const opening: Deferred<Channel> = deferred<Channel>();
  const registry = new CircuitRegistry((info) => seen.push(info));
  const builder = new CircuitBuilder({
    channels: new ChannelPool({ clock, open: () => opening.promise }),
    registry,
    guards: {
      next: async () => GUARD,
      succeeded: (guard) => told.push(`succeeded ${guard.nickname}`),
      failed: (guard) => told.push(`failed ${guard.nickname}`),
    },
    clock,
    padding: "off",
    circuits: { cgo: true },
    timeout: 60_000,
  });
  const build = (change: Partial<BuildRequest> = {}) =>
    builder.build({
      ...{ purpose: "general", first: { relay: GUARD, isGuard: true }, others: OTHERS, netdir: undefined },
      ...change,
    });
  return { clock, seen, told, opening, registry, build };
}

describe("a circuit that cannot be begun", () => {
  it.each<[TorErrorKind, TorErrorCode, boolean]>([
    ["offline", "ALLIUM_E_LINK_TIMEOUT", true],
    ["relay-identity-mismatch", "ALLIUM_E_TEST", true],
    ["protocol-violation", "ALLIUM_E_TEST", true],
    ["bridge-unreachable", "ALLIUM_E_BRIDGE_RELAY", true],
    ["bridge-unreachable", "ALLIUM_E_BRIDGE_TIMEOUT", true],
    ["offline", "ALLIUM_E_OFFLINE", false],
    ["bridge-unreachable", "ALLIUM_E_BRIDGE_UNREACHABLE", false],
    ["bridge-unreachable", "ALLIUM_E_BRIDGE_LOST", false],
    ["bridge-refused", "ALLIUM_E_BRIDGE_DENIED", false],
    ["bridge-refused", "ALLIUM_E_BRIDGE_LIMIT", false],
    ["bridge-refused", "ALLIUM_E_BRIDGE_DRAINING", false],
    ["bridge-refused", "ALLIUM_E_TEST", false],
    ["protocol-violation", "ALLIUM_E_BRIDGE_TEXT", false],
    ["aborted", "ALLIUM_E_ABORTED", false],
  ])("because of %s, %s, is held against the guard: %s", async (kind, code, blamed) => {
    const { build, opening, told } = bench();
    opening.reject(new TorError(kind, code, kind));
    await expect(build()).rejects.toMatchObject({ kind });
    expect(told).toEqual(blamed ? ["failed Relay1"] : []);
  });

  it("is not held against a relay that is no guard", async () => {
    const { build, opening, told } = bench();
    opening.reject(new TorError("offline", "ALLIUM_E_TEST", "offline"));
    await expect(build({ first: { relay: GUARD, isGuard: false } })).rejects.toMatchObject({
      kind: "offline",
    });
    expect(told).toEqual([]);
  });

  it("is given up when the time for a circuit is over, and the guard is to blame", async () => {
    const { build, clock, told } = bench();
    const building = build();
    building.catch(() => {});
    clock.advance(59_999);
    await settle();
    expect(told).toEqual([]);
    clock.advance(1);
    await expect(building).rejects.toMatchObject({
      kind: "circuit-collapse",
      code: "ALLIUM_E_CIRCUIT_TIMEOUT",
    });
    await settle();
    expect(told).toEqual(["failed Relay1"]);
  });

  it("of one hop has a third of the time of three", async () => {
    const { build, clock } = bench();
    const building = build({ purpose: "directory", others: [] });
    building.catch(() => {});
    clock.advance(20_000);
    await expect(building).rejects.toMatchObject({ code: "ALLIUM_E_CIRCUIT_TIMEOUT" });
  });

  it("ends with the caller's signal, and the guard is not to blame", async () => {
    const { build, told } = bench();
    const controller = new AbortController();
    const building = build({ signal: controller.signal });
    controller.abort();
    await expect(building).rejects.toMatchObject({ kind: "aborted" });
    await settle();
    expect(told).toEqual([]);
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
  });
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
