// The public network of a real consensus as a view to choose paths from. Its entries are real; what microdescriptors would
// add is made up: identities, keys, an exit policy for web ports on Exit relays, and no families.

import { existsSync, readFileSync } from "node:fs";
import { brotliDecompressSync } from "node:zlib";
import type { NetDir, PortPolicy, Relay } from "../../src/directory/api.ts";
import { parseConsensus } from "../../src/directory/documents/consensus.ts";
import type { RouterStatus } from "../../src/directory/documents/router-status.ts";

const FILE = new URL("../../../../../shared/data/consensus-microdesc-2026-02-22.br", import.meta.url);

export const hasRealConsensus = existsSync(FILE);

function policy(ports: readonly number[]): PortPolicy {
  return { allows: (port) => ports.includes(port), rejectsAll: ports.length === 0 };
}

const WEB = policy([80, 443]);
const NOTHING = policy([]);
const NO_NAMES: ReadonlySet<string> = new Set();

function madeUpId(index: number): Uint8Array {
  const bytes = new Uint8Array(32);
  new DataView(bytes.buffer).setUint32(0, index + 1);
  return bytes;
}

function described(status: RouterStatus, index: number): Relay {
  const { rsaId, nickname, addresses, flags, bandwidth, unmeasured, protocols } = status;
  const isExit = flags.has("Exit");
  return {
    ...{ rsaId, nickname, addresses, flags, bandwidth, unmeasured },
    ed25519Id: madeUpId(index),
    ntorOnionKey: madeUpId(index),
    exitPolicy: isExit ? WEB : NOTHING,
    exitPolicyIpv6: isExit && addresses.length > 1 ? WEB : NOTHING,
    family: NO_NAMES,
    familyIds: NO_NAMES,
    supports: (protocol, version) => protocols.supports(protocol, version),
  };
}

/** The view; `change` may give relays other properties. */
export async function realNetdir(change: (relay: Relay) => Relay = (relay) => relay): Promise<NetDir> {
  const consensus = await parseConsensus(brotliDecompressSync(readFileSync(FILE)));
  const { validAfter, freshUntil, validUntil, bandwidthWeights, params, routers } = consensus;
  return {
    ...{ validAfter, freshUntil, validUntil, bandwidthWeights },
    relays: routers.map((status, index) => change(described(status, index))),
    listed: routers.length,
    undescribed: [],
    param: (name, fallback) => params.get(name) ?? fallback,
    byRsaId: () => undefined,
    byEd25519Id: () => undefined,
    orPorts: () => new Set(),
  };
}
