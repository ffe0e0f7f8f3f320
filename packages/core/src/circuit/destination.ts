// What may stand in BEGIN, and which addresses CONNECTED and RESOLVED may name (tor-spec 6.2, 6.4).
// Internal addresses are refused both ways, as C tor's ClientRejectInternalAddresses does.

import { formatIp, isInternalIp, parseIp } from "../base/address.ts";
import { badApiUsage, TorError } from "../base/errors.ts";
import type { ResolvedAddress } from "./api.ts";
import { RelayCommand } from "./relaycell/command.ts";
import { AnswerType, type Begin, BeginFlag, type ResolvedAnswer } from "./relaycell/messages.ts";

/** The longest host name in DNS (RFC 1035 2.3.4). */
const MAX_HOSTNAME = 255;
/**
 * Letters, digits and what else occurs in host names; no control character, blank, colon or bracket. And no empty label:
 * "x.onion.." is no name, yet would pass the rules for names below and elsewhere.
 */
const HOSTNAME = /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?$/;
/** Resolvers take such names for an IPv4 address in an odd form ("127.1", "0x7f000001"). */
const ENDS_IN_NUMBER = /(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)\.?$/;
const LOCAL_NAME = /(?:^|\.)local(?:host)?\.?$/;

export interface DestinationOptions {
  readonly allowPrivateAddresses?: boolean;
  readonly ipv6?: boolean;
}

/** The BEGIN for a destination. @throws TorError `bad-api-usage` for what must not be sent to an exit */
export function beginMessage(hostname: string, port: number, options: DestinationOptions): Begin {
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw badApiUsage("ALLIUM_E_BAD_PORT", "the port is not an integer from 1 to 65535");
  }
  // Lower case, so that how a user writes a name is no fingerprint (tor-spec 6.2).
  const name = hostname.toLowerCase();
  const ip = parseIp(name);
  if (ip === undefined && (name.length > MAX_HOSTNAME || !HOSTNAME.test(name) || ENDS_IN_NUMBER.test(name))) {
    throw badApiUsage("ALLIUM_E_BAD_HOSTNAME", "the destination is neither a host name nor an IP address");
  }
  const internal = ip === undefined ? LOCAL_NAME.test(name) : isInternalIp(ip);
  if (internal && options.allowPrivateAddresses !== true) {
    throw badApiUsage("ALLIUM_E_INTERNAL_ADDRESS", "the destination is not on the public internet");
  }
  // C tor prefers IPv6 only where its user says so, and sends no flags to exits without it.
  const flags = options.ipv6 === true || ip?.length === 16 ? BeginFlag.IPV6_OKAY : 0;
  return { command: RelayCommand.BEGIN, hostname: name, port, flags };
}

/** Refuses a CONNECTED that names an internal address: the exit, or who lied to it, points us at its own network. */
export function checkConnectedAddress(address: Uint8Array | undefined, allowPrivate: boolean): void {
  if (address === undefined || allowPrivate || !isInternalIp(address)) return;
  throw new TorError(
    "exit-policy",
    "ALLIUM_E_STREAM_INTERNAL_ADDRESS",
    "the exit says that it connected to an internal address",
  );
}

/**
 * The addresses in RESOLVED, in its order; errors beside them count for nothing, as in C tor. Internal ones are left
 * out: a name that leads to the asker's own network is how DNS rebinding begins.
 * @throws TorError when none is left
 */
export function resolvedAddresses(
  answers: readonly ResolvedAnswer[],
  allowPrivate: boolean,
): ResolvedAddress[] {
  const ips = answers.filter(({ type }) => type === AnswerType.IPV4 || type === AnswerType.IPV6);
  const allowed = ips.filter(({ value }) => allowPrivate || !isInternalIp(value));
  if (allowed.length > 0) return allowed.map(({ value, ttl }) => ({ address: formatIp(value), ttl }));
  if (ips.length > 0) {
    throw new TorError(
      "exit-policy",
      "ALLIUM_E_RESOLVE_INTERNAL_ADDRESS",
      "the exit says that the name has internal addresses only",
    );
  }
  if (answers.some(({ type }) => type === AnswerType.TRANSIENT_ERROR)) {
    throw new TorError("exit-timeout", "ALLIUM_E_RESOLVE_TRANSIENT", "the exit cannot resolve the name now");
  }
  throw new TorError("remote-host-not-found", "ALLIUM_E_RESOLVE_NOT_FOUND", "the exit finds no address");
}
