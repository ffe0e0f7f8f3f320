// A directory in a store, as a client left it, and the next start from it until a path is chosen. Runs in Node and in pages.

import { type Store, systemClock, TorError } from "@allium/core";
import type { NetDir, Relay } from "../../../packages/core/src/directory/api.ts";
import { DirectoryCache } from "../../../packages/core/src/directory/cache.ts";
import { DirectoryManager } from "../../../packages/core/src/directory/manager.ts";
import { configuredAuthorities } from "../../../packages/core/src/directory/signatures.ts";
import { shortageOf } from "../../../packages/core/src/path/coverage.ts";
import { type GuardSource, type Path, PathSelector } from "../../../packages/core/src/path/select.ts";
import type { DirectoryStart, DocumentName } from "./protocol.ts";

/** guard-spec: as many primary guards as a client has. */
const GUARDS = 3;
const WEB = { port: 443, family: 4 } as const;
const NOBODY: ReadonlySet<string> = new Set();
const FIRST_LINE = "onion-key\n";

/** Cuts microdescriptors apart without the client's code, which is to be cold when it starts. */
function cut(bytes: Uint8Array): Uint8Array[] {
  const text = new TextDecoder("latin1").decode(bytes);
  const parts: Uint8Array[] = [];
  for (let at = 0, next = 0; at < bytes.length; at = next) {
    const found = text.indexOf(`\n${FIRST_LINE}`, at);
    next = found < 0 ? bytes.length : found + 1;
    parts.push(bytes.subarray(at, next));
  }
  return parts;
}

/** Stores what a client would have fetched, piece by piece, so that little garbage is left of it. */
export async function storeDirectory(
  store: Store,
  { network, now, relays, pieces }: DirectoryStart,
  document: (name: DocumentName) => Promise<Uint8Array>,
): Promise<void> {
  const cache = new DirectoryCache(store, configuredAuthorities(network), systemClock);
  await cache.saveConsensus(now, await document("signed"), [await document("certificates")]);
  // Packs are written anew when most of what is in them is of no use any more, which is told by number.
  const live = new Set(Array.from({ length: relays }, (_, i) => String(i)));
  for (let i = 0; i < pieces; i++)
    await cache.addMicrodescriptors(cut(await document(`microdescriptors/${i}`)), live);
}

/** Guards as a client has them: few, the same for all paths. */
export function fewGuards(selector: PathSelector): GuardSource {
  const guards = new Set<Relay>();
  while (guards.size < GUARDS) {
    const { rsaId } = selector.sampleGuard(() => true) ?? {};
    const guard = rsaId && selector.netdir.byRsaId(rsaId);
    if (guard === undefined) throw new Error("the network has too few guards");
    guards.add(guard);
  }
  return {
    async next(_, allowed) {
      const guard = [...guards].find(allowed);
      // The selector tries another exit then.
      if (guard === undefined) throw new TorError("no-path", "ALLIUM_E_NO_GUARD", "no guard fits");
      return guard;
    },
  };
}

export function choosePath(selector: PathSelector, guards: GuardSource): Promise<Path> {
  return selector.path(WEB, guards, NOBODY);
}

export interface Started {
  readonly netdir: NetDir;
  readonly path: Path;
}

/** A start from the store alone. */
export async function startFromStore(store: Store, { network, now }: DirectoryStart): Promise<Started> {
  const manager = new DirectoryManager({
    ...{ network, store },
    clock: { ...systemClock, now: () => now },
    connector: { open: () => Promise.reject(new Error("a start with everything stored asks nobody")) },
    shortage: (netdir) => shortageOf(netdir, NOBODY),
  });
  const isEnough = await manager.load();
  const { netdir } = manager;
  if (!isEnough || netdir === undefined) throw new Error("what is stored does not suffice for a start");
  const selector = new PathSelector(netdir, true);
  return { netdir, path: await choosePath(selector, fewGuards(selector)) };
}
