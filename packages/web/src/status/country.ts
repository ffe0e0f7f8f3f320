// The country of a relay, in the words of the page's language.

import { type HopInfo, parseSocketAddress } from "@allium/core";
import type { CountryTable } from "@allium/core/geo";

/**
 * @param language BCP 47; the browser's own when it is empty or not one
 * @returns undefined where none of the relay's addresses is in a known country
 */
export function countryName(hop: HopInfo, table: CountryTable, language: string): string | undefined {
  for (const address of hop.addresses) {
    const code = table.countryOf(parseSocketAddress(address));
    if (code !== undefined) return displayName(code, language);
  }
  return undefined;
}

function displayName(code: string, language: string): string {
  return new Intl.DisplayNames(languages(language), { type: "region" }).of(code) ?? code;
}

/** A `lang` attribute may hold anything; Intl throws at what is no language. */
export function languages(language: string): string[] {
  try {
    return Intl.getCanonicalLocales(language);
  } catch {
    return [];
  }
}
