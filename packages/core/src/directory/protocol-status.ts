// What the network requires and recommends of its clients (tor-spec 9.2; proposal 297), against what this one implements.

import { TorError } from "../base/errors.ts";
import type { Consensus } from "./documents/consensus.ts";
import { parseProtocols } from "./documents/protocols.ts";

/**
 * The date of this release, milliseconds since the epoch: moved forward with each one. An older consensus may require what
 * nobody needs any more, and has no say (proposal 297).
 */
const RELEASED = Date.UTC(2026, 7, 1);

/** The subprotocol versions that this client implements (tor-spec 9.1). Taking one away can stop it, see RELEASED. */
const IMPLEMENTED = "Cons=1-2 Desc=1-4 DirCache=1-2 FlowCtrl=1-2 Link=4-5 Microdesc=1-3 Relay=2-6";
/** What is known to be missing, and no reason to tell a user to update: onion services. */
const NOT_YET = "HSDir=1-2 HSIntro=3-5 HSRend=1-2";

const implemented = parseProtocols(IMPLEMENTED);
const accountedFor = parseProtocols(`${IMPLEMENTED} ${NOT_YET}`);

/** What a consensus says of clients, and since when. */
type ClientProtocols = Pick<
  Consensus,
  "validAfter" | "requiredClientProtocols" | "recommendedClientProtocols"
>;

/** @throws TorError `limit` when the network requires a subprotocol of its clients that this one lacks: it must not run. */
export function requireImplemented(consensus: ClientProtocols): void {
  if (consensus.validAfter < RELEASED) return;
  const missing = consensus.requiredClientProtocols.missingFrom(implemented);
  if (missing.length === 0) return;
  throw new TorError(
    "limit",
    "ALLIUM_E_OBSOLETE",
    `the network requires what this version of Allium lacks (${missing.slice(0, 8).join(" ")}): update it`,
  );
}

/**
 * The subprotocols ("Relay=5") that the network recommends to its clients and this one lacks, at most eight. Where there are
 * some, a later version will be required before long: the caller warns.
 */
export function missingRecommended(consensus: ClientProtocols): readonly string[] {
  if (consensus.validAfter < RELEASED) return [];
  return consensus.recommendedClientProtocols.missingFrom(accountedFor).slice(0, 8);
}

/** Whether an error is that of `requireImplemented`: no other directory cache and no later try can mend it. */
export function isObsolete({ code }: TorError): boolean {
  return code === "ALLIUM_E_OBSOLETE";
}
