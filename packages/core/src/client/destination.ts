// Which destinations may be asked of an exit at all. Nothing here is ever resolved or sent anywhere.
// Specified in RFC 6761 6.3 (localhost), RFC 7686 (.onion), WHATWG URL "ends in a number".

import { isInternalIp, parseIp } from "../base/address.ts";
import { badApiUsage } from "../base/errors.ts";
import type { ExitTarget } from "../path/select.ts";

/** A trailing number makes resolvers read a name as an odd form of an IPv4 address ("127.1", "0x7f000001"). */
const ENDS_IN_NUMBER = /(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)\.?$/;

/**
 * What an exit must allow to reach this host.
 * @param hostname a name or an IP literal without brackets, lower-case
 * @throws TorError `bad-api-usage` for what must never reach an exit
 */
export function exitTarget(hostname: string, port: number, allowPrivate: boolean): ExitTarget {
  const name = hostname.endsWith(".") ? hostname.slice(0, -1) : hostname;
  if (name === "onion" || name.endsWith(".onion"))
    throw badApiUsage("ALLIUM_E_ONION_UNSUPPORTED", "onion services are not supported yet");
  const ip = parseIp(hostname);
  const family = ip?.length === 16 ? 6 : 4;
  if (allowPrivate) return { port, family };
  if (name === "localhost" || name.endsWith(".localhost") || (ip !== undefined && isInternalIp(ip))) {
    throw badApiUsage("ALLIUM_E_INTERNAL_ADDRESS", "the destination is not on the public internet");
  }
  if (ip === undefined && ENDS_IN_NUMBER.test(name))
    throw badApiUsage("ALLIUM_E_BAD_HOSTNAME", "the destination is neither a host name nor an IP address");
  return { port, family };
}
