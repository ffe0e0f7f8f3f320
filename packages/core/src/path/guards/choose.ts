// Which guard a new circuit gets (guard-spec 4.6).

import { TorError } from "../../base/errors.ts";
import { randomInt } from "../../base/random.ts";
import type { GuardUse } from "./circuit.ts";
import type { Guard, Restriction } from "./guard.ts";
import type { GuardParams } from "./params.ts";

export interface GuardRequest {
  readonly use: GuardUse;
  readonly restriction: Restriction | undefined;
}

/** One of the first primary guards that can be used; circuits are spread between them. */
export function choosePrimary(
  primary: readonly Guard[],
  { use, restriction }: GuardRequest,
  params: GuardParams,
): Guard | undefined {
  const wanted = use === "directory" ? params.primaryDirToUse : params.primaryToUse;
  const usable: Guard[] = [];
  let considered = 0;
  for (const guard of primary) {
    if (considered >= wanted && usable.length > 0) break;
    if (guard.relay === undefined) continue;
    if (!guard.fits(restriction)) {
      // An exit must not be able to choose a further guard for us; a cache that lacks a document should.
      if (use === "data") considered++;
    } else if (guard.reachable !== "no") {
      usable.push(guard);
      considered++;
    }
  }
  return usable.length === 0 ? undefined : usable[randomInt(usable.length)];
}

/** When no primary guard will do: a confirmed one, otherwise the next of the sample; those not under way first. */
export function chooseOther(
  sampled: readonly Guard[],
  restriction: Restriction | undefined,
): Guard | undefined {
  const usable = sampled.filter((guard) => !guard.isPrimary && guard.isUsable && guard.fits(restriction));
  const inOrder = [...usable.filter((one) => one.isConfirmed), ...usable.filter((one) => !one.isConfirmed)];
  return inOrder.find((guard) => !guard.isPending) ?? inOrder[0];
}

/** The first primary guards that may be reached, one more than are used, as in C tor: these must be described (4.12). */
export function firstPrimary(primary: readonly Guard[], { primaryToUse }: GuardParams): readonly Guard[] {
  return primary.filter((guard) => guard.reachable !== "no").slice(0, primaryToUse + 1);
}

/** Says why there is no guard. */
export function noGuard(sampled: readonly Guard[], restriction: Restriction | undefined): TorError {
  const filtered = sampled.filter((guard) => guard.isFiltered);
  const disabled = sampled.filter(({ record }) => record.disabled).length;
  if (filtered.length === 0)
    return noGuardError(
      `none of the ${sampled.length} sampled guards may be used (${disabled} are disabled)`,
    );
  if (restriction !== undefined && filtered.some((guard) => guard.relay !== undefined))
    return noGuardError(`none of the ${filtered.length} guards fits the rest of the path`);
  return noGuardError(`none of the ${filtered.length} guards has its microdescriptor at hand`);
}

export function noGuardError(message: string): TorError {
  return new TorError("no-path", "ALLIUM_E_NO_GUARD", message);
}
