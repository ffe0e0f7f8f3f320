// Reads a NetworkConfig from parsed JSON (`network.json`) and checks every field, so that a mistake is named where it is
// made and not in the middle of a bootstrap.

import { parseSocketAddress } from "../base/address.ts";
import { fromBase64 } from "../base/encoding.ts";
import { badApiUsage, type TorError } from "../base/errors.ts";
import type { NetworkConfig } from "../directory/api.ts";

/** Generous: the public network has 9 authorities and 200 fallbacks. */
const MAX_ENTRIES = 4096;

function malformed(where: string, what: string): TorError {
  return badApiUsage("ALLIUM_E_BAD_NETWORK", `network: ${where} ${what}`);
}

/** A NetworkConfig from a parsed JSON value; unknown fields are left out. @throws TorError `bad-api-usage` */
export function parseNetworkConfig(value: unknown): NetworkConfig {
  const { authorities, fallbacks, params, onionTimePeriod, allowPrivateAddresses } = object(value, "it");
  return {
    authorities: list(authorities, "authorities").map(parseAuthority),
    fallbacks: list(fallbacks, "fallbacks").map(parseFallback),
    ...(params === undefined ? {} : { params: parseParams(params) }),
    ...(onionTimePeriod === undefined ? {} : { onionTimePeriod: parsePeriod(onionTimePeriod) }),
    ...(allowPrivateAddresses === undefined
      ? {}
      : { allowPrivateAddresses: boolean(allowPrivateAddresses, "allowPrivateAddresses") }),
  };
}

function parseAuthority(value: unknown, index: number): NetworkConfig["authorities"][number] {
  const where = `authorities[${index}]`;
  const { nickname, v3ident } = object(value, where);
  return {
    nickname: text(nickname, `${where}.nickname`, /^[A-Za-z0-9]{1,19}$/, "must be a relay's nickname"),
    v3ident: fingerprint(v3ident, `${where}.v3ident`),
  };
}

function parseFallback(value: unknown, index: number): NetworkConfig["fallbacks"][number] {
  const where = `fallbacks[${index}]`;
  const { rsaId, ed25519Id, orPorts } = object(value, where);
  const id = text(
    ed25519Id,
    `${where}.ed25519Id`,
    /^[A-Za-z0-9+/]{43}$/,
    "must be 43 characters of unpadded base64",
  );
  try {
    fromBase64(id);
  } catch {
    throw malformed(`${where}.ed25519Id`, "is not canonical base64");
  }
  const ports = list(orPorts, `${where}.orPorts`).map((port, i) =>
    socketAddress(port, `${where}.orPorts[${i}]`),
  );
  return { rsaId: fingerprint(rsaId, `${where}.rsaId`), ed25519Id: id, orPorts: ports };
}

function parseParams(value: unknown): Record<string, number> {
  const params: Record<string, number> = {};
  for (const [name, param] of Object.entries(object(value, "params"))) {
    params[name] = integer(param, `params.${name}`);
  }
  return params;
}

function parsePeriod(value: unknown): { minutes: number; offsetMinutes: number } {
  const { minutes, offsetMinutes } = object(value, "onionTimePeriod");
  return {
    minutes: integer(minutes, "onionTimePeriod.minutes"),
    offsetMinutes: integer(offsetMinutes, "onionTimePeriod.offsetMinutes"),
  };
}

function object(value: unknown, where: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw malformed(where, "must be an object");
  return value as Record<string, unknown>;
}

function list(value: unknown, where: string): unknown[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_ENTRIES)
    throw malformed(where, "must be a list that is not empty");
  return value;
}

function text(value: unknown, where: string, form: RegExp, what: string): string {
  if (typeof value !== "string" || !form.test(value)) throw malformed(where, what);
  return value;
}

function fingerprint(value: unknown, where: string): string {
  return text(value, where, /^[0-9A-Fa-f]{40}$/, "must be 40 hex digits");
}

function socketAddress(value: unknown, where: string): string {
  if (typeof value !== "string") throw malformed(where, "must be a text");
  try {
    parseSocketAddress(value);
  } catch {
    throw malformed(where, 'must be an IP address with a port, as "192.0.2.1:9001" or "[2001:db8::1]:9001"');
  }
  return value;
}

function integer(value: unknown, where: string): number {
  // dir-spec 3.4.1: parameters are 32-bit signed integers.
  if (!Number.isInteger(value) || Math.abs(value as number) > 2 ** 31)
    throw malformed(where, "must be a whole number");
  return value as number;
}

function boolean(value: unknown, where: string): boolean {
  if (typeof value !== "boolean") throw malformed(where, "must be true or false");
  return value;
}
