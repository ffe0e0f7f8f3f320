// Whether two relays have one operator: mutual family lists (tor-spec "family", path-spec 2.2) and happy families
// (proposal 321), each as the consensus parameters switch them.

import { toHex } from "../base/encoding.ts";
import type { NetDir, Relay } from "../directory/api.ts";

/** Which declarations count (param-spec "use-family-lists", "use-family-ids"; both 1 unless the consensus says otherwise). */
export interface FamilyRules {
  readonly lists: boolean;
  readonly ids: boolean;
}

export function familyRules(netdir: NetDir): FamilyRules {
  return {
    lists: netdir.param("use-family-lists", 1, 0, 1) === 1,
    ids: netdir.param("use-family-ids", 1, 0, 1) === 1,
  };
}

/** A test for relays of `relay`'s family. What it needs of `relay` is worked out once. */
export function familyOf(relay: Relay, rules: FamilyRules): (other: Relay) => boolean {
  const names = familyNames(relay);
  const listsMe = (other: Relay) => names.some((name) => other.family.has(name));
  // The list of the other is asked first: most relays do not name us, and then its fingerprint is never needed.
  const inLists = (other: Relay) =>
    listsMe(other) && familyNames(other).some((name) => relay.family.has(name));
  const inIds = (other: Relay) => {
    for (const id of relay.familyIds) if (other.familyIds.has(id)) return true;
    return false;
  };
  return (other) => (rules.ids && inIds(other)) || (rules.lists && inLists(other));
}

/** The two ways a family list may name a relay. */
function familyNames(relay: Relay): string[] {
  return [`$${toHex(relay.rsaId).toUpperCase()}`, relay.nickname.toLowerCase()];
}
