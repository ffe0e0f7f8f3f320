// Which destinations may be asked of an exit at all, said before anything is built or waited for (RFC 7686, tor-spec 6.2).
// Nothing here is ever resolved or sent anywhere.

import { parseIp } from "../base/address.ts";
import { badApiUsage } from "../base/errors.ts";
import { beginMessage } from "../circuit/destination.ts";
import type { ExitTarget } from "../path/select.ts";

/**
 * What an exit must allow to reach this host.
 * @param hostname a name or an IP literal without brackets, lower-case
 * @throws TorError `bad-api-usage` for what must never reach an exit
 */
export function exitTarget(hostname: string, port: number, allowPrivateAddresses: boolean): ExitTarget {
  if (/(?:^|\.)onion\.?$/.test(hostname))
    throw badApiUsage("ALLIUM_E_ONION_UNSUPPORTED", "onion services are not supported yet");
  // The circuit refuses the same in the end; a caller should not wait for a circuit to hear it.
  beginMessage(hostname, port, { allowPrivateAddresses });
  return { port, family: parseIp(hostname)?.length === 16 ? 6 : 4 };
}
