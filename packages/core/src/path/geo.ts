// Exits by country, as the user wants them (tor(1) "ExitNodes" with country codes, "StrictNodes").
// Not here: where addresses are; a table of that is an entry of its own (geo/).

import type { RelayAddress } from "../base/address.ts";
import { badApiUsage, type TorError } from "../base/errors.ts";
import type { Relay } from "../directory/api.ts";

/** Knows in which countries addresses are; `loadGeoData` of `@allium/core/geo` makes one. */
export interface GeoData {
  /** Two upper-case letters of ISO 3166-1; undefined when the address is in no known country. */
  countryOf(address: RelayAddress): string | undefined;
}

/** Options of a client that concern exits. */
export interface ExitCountryOptions {
  /** Countries to leave the network in: two letters of ISO 3166-1 each, of either case. */
  readonly exitCountries?: readonly string[];
  /** Whether no path is better than one that ends elsewhere; false unless told otherwise. */
  readonly strict?: boolean;
  /** Where addresses are; needed with `exitCountries`. */
  readonly geo?: GeoData;
}

/** The same, checked. */
export interface ExitCountries {
  /** Two upper-case letters each. */
  readonly countries: ReadonlySet<string>;
  readonly strict: boolean;
  countryOf(address: RelayAddress): string | undefined;
}

/** More countries than there are would say nothing. */
const MAX_COUNTRIES = 300;

function wrong(message: string): TorError {
  return badApiUsage("ALLIUM_E_BAD_OPTIONS", `TorClient: ${message}`);
}

/** @returns undefined when any country will do @throws TorError `bad-api-usage` */
export function checkExitCountries(options: ExitCountryOptions): ExitCountries | undefined {
  const { exitCountries, strict = false, geo } = options;
  if (typeof strict !== "boolean") throw wrong("path.strict must be true or false");
  if (geo !== undefined && typeof geo?.countryOf !== "function") throw wrong("path.geo must be GeoData");
  if (exitCountries === undefined) return undefined;
  if (!Array.isArray(exitCountries) || exitCountries.length === 0 || exitCountries.length > MAX_COUNTRIES)
    throw wrong("path.exitCountries must be a list of countries");
  if (!exitCountries.every((one) => typeof one === "string" && /^[A-Za-z]{2}$/.test(one)))
    throw wrong("path.exitCountries must have two letters for each country");
  if (geo === undefined) throw wrong("path.exitCountries needs path.geo to know where relays are");
  const countries = new Set(exitCountries.map((one) => one.toUpperCase()));
  return { countries, strict, countryOf: (address) => geo.countryOf(address) };
}

/**
 * Whether streams over IPv4 or IPv6 leave this exit in one of the countries. The address of its ORPort of that family
 * stands for the one they leave from; where there is none, its first. What is in no known country is in none of them.
 */
export function exitsIn(relay: Relay, family: 4 | 6, { countries, countryOf }: ExitCountries): boolean {
  const address = relay.addresses.find((one) => one.family === family) ?? relay.addresses[0];
  const country = address && countryOf(address);
  return country !== undefined && countries.has(country);
}
