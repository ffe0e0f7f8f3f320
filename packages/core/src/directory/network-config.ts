// Strict reading of a network.json: a NetworkConfig from outside is checked whole, and refused with the place that is wrong.

import { parseSocketAddress } from "../base/address.ts";
import { fromBase64, fromHex } from "../base/encoding.ts";
import { badApiUsage, type TorError } from "../base/errors.ts";
import type { ChannelTarget } from "../link/api.ts";
import type { NetworkConfig } from "./api.ts";

function bad(where: string, what: string): TorError {
  return badApiUsage("ALLIUM_E_BAD_NETWORK_CONFIG", `network configuration: ${where} ${what}`);
}

/** @throws TorError `bad-api-usage` that names the first thing wrong */
export function parseNetworkConfig(value: unknown): NetworkConfig {
  const top = fields(value, "the whole", TOP);
  const authorities = list(top.authorities, "authorities", 64).map(parseAuthority);
  if (new Set(authorities.map(({ v3ident }) => v3ident)).size !== authorities.length) {
    throw bad("authorities", "name one v3ident twice");
  }
  const fallbacks = list(top.fallbacks, "fallbacks", 4096).map(parseFallback);
  const { params, onionTimePeriod, allowPrivateAddresses } = top;
  if (allowPrivateAddresses !== undefined && typeof allowPrivateAddresses !== "boolean") {
    throw bad("allowPrivateAddresses", "is neither true nor false");
  }
  return {
    authorities,
    fallbacks,
    ...(params === undefined ? {} : { params: parseParams(params) }),
    ...(onionTimePeriod === undefined ? {} : { onionTimePeriod: parseTimePeriod(onionTimePeriod) }),
    ...(allowPrivateAddresses === undefined ? {} : { allowPrivateAddresses }),
  };
}

/** The fallback directories as relays to connect to. */
export function fallbackTargets(config: NetworkConfig): ChannelTarget[] {
  return config.fallbacks.map(({ rsaId, ed25519Id, orPorts }) => ({
    rsaId: fromHex(rsaId),
    ed25519Id: fromBase64(ed25519Id),
    addresses: orPorts.map(parseSocketAddress),
  }));
}

const TOP = ["authorities", "fallbacks", "params", "onionTimePeriod", "allowPrivateAddresses"] as const;

/** The named fields of an object that has no others: a misspelt "params" must not be overlooked. */
function fields<K extends string>(
  value: unknown,
  where: string,
  names: readonly K[],
): Partial<Record<K, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw bad(where, "is not an object");
  const unknown = Object.keys(value).find((key) => !(names as readonly string[]).includes(key));
  if (unknown !== undefined) throw bad(where, `has an unknown field ${JSON.stringify(unknown.slice(0, 40))}`);
  return value as Partial<Record<K, unknown>>;
}

function list(value: unknown, where: string, most: number): unknown[] {
  if (!Array.isArray(value) || value.length === 0) throw bad(where, "is not a list with entries");
  if (value.length > most) throw bad(where, `has more than ${most} entries`);
  return value;
}

function matching(value: unknown, pattern: RegExp, where: string, what: string): string {
  if (typeof value !== "string" || !pattern.test(value)) throw bad(where, `is not ${what}`);
  return value;
}

const HEX_ID = /^[0-9A-Fa-f]{40}$/;

function parseAuthority(value: unknown, i: number): NetworkConfig["authorities"][number] {
  const where = `authorities[${i}]`;
  const { nickname, v3ident } = fields(value, where, ["nickname", "v3ident"] as const);
  return {
    nickname: matching(nickname, /^[A-Za-z0-9]{1,19}$/, `${where}.nickname`, "1 to 19 letters and digits"),
    v3ident: matching(v3ident, HEX_ID, `${where}.v3ident`, "40 hexadecimal digits").toUpperCase(),
  };
}

function parseFallback(value: unknown, i: number): NetworkConfig["fallbacks"][number] {
  const where = `fallbacks[${i}]`;
  const { rsaId, ed25519Id, orPorts } = fields(value, where, ["rsaId", "ed25519Id", "orPorts"] as const);
  const ed = matching(
    ed25519Id,
    /^[A-Za-z0-9+/]{43}$/,
    `${where}.ed25519Id`,
    "unpadded base64 of 43 characters",
  );
  attempt(() => fromBase64(ed), `${where}.ed25519Id`, "is not canonical base64");
  return {
    rsaId: matching(rsaId, HEX_ID, `${where}.rsaId`, "40 hexadecimal digits").toUpperCase(),
    ed25519Id: ed,
    orPorts: list(orPorts, `${where}.orPorts`, 8).map((port, j) =>
      parseOrPort(port, `${where}.orPorts[${j}]`),
    ),
  };
}

function parseOrPort(value: unknown, where: string): string {
  const text = matching(value, /^.{1,64}$/, where, "a socket address");
  attempt(() => parseSocketAddress(text), where, 'is not of the form "127.0.0.1:9001" or "[::1]:9001"');
  return text;
}

function attempt(check: () => unknown, where: string, what: string): void {
  try {
    check();
  } catch {
    throw bad(where, what);
  }
}

function parseParams(value: unknown): Record<string, number> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw bad("params", "is not an object");
  // No prototype: a parameter may be called "constructor".
  const params: Record<string, number> = Object.create(null);
  for (const [name, number] of Object.entries(value)) {
    if (!Number.isInteger(number) || number < -(2 ** 31) || number >= 2 ** 31) {
      throw bad("params", `has a value that is not a 32-bit integer: ${JSON.stringify(name.slice(0, 40))}`);
    }
    params[name] = number;
  }
  return params;
}

function parseTimePeriod(value: unknown): { minutes: number; offsetMinutes: number } {
  const where = "onionTimePeriod";
  const { minutes, offsetMinutes } = fields(value, where, ["minutes", "offsetMinutes"] as const);
  // rend-spec 2.2.1: hsdir_interval is 5 to 14400 minutes, the offset less than a period.
  if (!isBetween(minutes, 1, 14_400)) throw bad(`${where}.minutes`, "is not from 1 to 14400");
  if (!isBetween(offsetMinutes, 0, 14_400)) throw bad(`${where}.offsetMinutes`, "is not from 0 to 14400");
  return { minutes, offsetMinutes };
}

function isBetween(value: unknown, min: number, max: number): value is number {
  return typeof value === "number" && value >= min && value <= max;
}
