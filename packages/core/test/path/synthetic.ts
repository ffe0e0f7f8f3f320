// Relays and views of the network made for tests of the path room.

import { parseSocketAddress } from "../../src/base/address.ts";
import { toHex } from "../../src/base/encoding.ts";
import type { ListedRelay, NetDir, PortPolicy, Relay, RelayFlag } from "../../src/directory/api.ts";

/** What a test says of a relay; the rest is filled in. */
export interface RelaySketch {
  readonly id: number;
  readonly flags?: readonly RelayFlag[];
  readonly bandwidth?: number;
  readonly unmeasured?: boolean;
  readonly addresses?: readonly string[];
  readonly ports?: readonly number[];
  readonly ports6?: readonly number[];
  readonly family?: readonly string[];
  readonly familyIds?: readonly string[];
}

const BASIC: readonly RelayFlag[] = ["Fast", "Running", "Stable", "Valid", "V2Dir"];

function policy(ports: readonly number[]): PortPolicy {
  return { allows: (port) => ports.includes(port), rejectsAll: ports.length === 0 };
}

function idBytes(id: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  new DataView(bytes.buffer).setUint32(length - 4, id);
  bytes[0] = length;
  return bytes;
}

/** The name a family list uses for the relay with this id. */
export function familyName(id: number): string {
  return `$${toHex(idBytes(id, 20)).toUpperCase()}`;
}

export function relay(sketch: RelaySketch): Relay {
  const { id } = sketch;
  return {
    rsaId: idBytes(id, 20),
    ed25519Id: idBytes(id, 32),
    ntorOnionKey: idBytes(id, 32),
    nickname: `Relay${id}`,
    addresses: (sketch.addresses ?? [`10.${id % 256}.0.${1 + (id >> 8)}:9001`]).map(parseSocketAddress),
    flags: new Set(sketch.flags ?? BASIC),
    bandwidth: sketch.bandwidth ?? 1000,
    unmeasured: sketch.unmeasured ?? false,
    exitPolicy: policy(sketch.ports ?? []),
    exitPolicyIpv6: policy(sketch.ports6 ?? []),
    family: new Set(sketch.family ?? []),
    familyIds: new Set(sketch.familyIds ?? []),
    supports: () => true,
  };
}

export function guardRelay(id: number, sketch: Partial<RelaySketch> = {}): Relay {
  return relay({ id, flags: [...BASIC, "Guard"], ...sketch });
}

export function exitRelay(id: number, sketch: Partial<RelaySketch> = {}): Relay {
  return relay({ id, flags: [...BASIC, "Exit"], ports: [80, 443], ...sketch });
}

/** The weights of the public network on 2026-07-27. */
export const LIVE_WEIGHTS: Readonly<Record<string, number>> = {
  ...{ Wgg: 5960, Wgm: 5960, Wgd: 817, Wmg: 4040, Wmm: 10000, Wme: 0, Wmd: 817, Weg: 8366, Wem: 10000 },
  ...{ Wee: 10000, Wed: 8366, Wbd: 817, Wbe: 0, Wbg: 4040, Wbm: 10000 },
  ...{ Wgb: 10000, Wmb: 10000, Web: 10000, Wdb: 10000 },
};

export function netdir(
  relays: readonly Relay[],
  options: {
    weights?: Readonly<Record<string, number>>;
    params?: Readonly<Record<string, number>>;
    validUntil?: number;
    /** Listed, but without their microdescriptors. */
    undescribed?: readonly ListedRelay[];
  } = {},
): NetDir {
  const find = (key: "rsaId" | "ed25519Id", id: Uint8Array) =>
    relays.find((one) => toHex(one[key]) === toHex(id));
  return {
    validAfter: 0,
    freshUntil: 3_600_000,
    validUntil: options.validUntil ?? 3 * 3_600_000,
    relays,
    listed: relays.length + (options.undescribed?.length ?? 0),
    undescribed: options.undescribed ?? [],
    bandwidthWeights: new Map(Object.entries(options.weights ?? LIVE_WEIGHTS)),
    param: (name, fallback) => options.params?.[name] ?? fallback,
    byRsaId: (id) => find("rsaId", id),
    byEd25519Id: (id) => find("ed25519Id", id),
    orPorts: () => new Set(),
  };
}
