// Where addresses are: reads the table of countries that scripts/make-geo.mjs makes (format: packages/core/data/README.md).
// An entry of its own, so that only who chooses exits by country has it. Not here: choosing (path/geo.ts).

import { isInternalIp, type RelayAddress } from "../base/address.ts";
import { Reader } from "../base/bytes.ts";
import { fromLatin1 } from "../base/encoding.ts";
import { badGeoData } from "./errors.ts";
import { CountryRanges } from "./ranges.ts";
import { unpack } from "./unpack.ts";

/** Countries of addresses. To be given to a client as `path.geo`. */
export interface CountryTable {
  /** Source, date and licence of the table; whoever shows countries to people should show it too. */
  readonly notice: string;
  /** Two upper-case letters of ISO 3166-1; undefined when the address is internal or in no known country. */
  countryOf(address: RelayAddress): string | undefined;
}

/**
 * @param bytes contents of `geo.bin`
 * @throws TorError `bad-api-usage` (`ALLIUM_E_BAD_GEO_DATA`) when they are anything else
 */
export async function loadGeoData(bytes: Uint8Array): Promise<CountryTable> {
  const reader = new Reader(await unpack(bytes), badGeoData);
  const notice = fromLatin1(reader.vector(1));
  const codes = readCodes(reader);
  const tables = {
    4: new CountryRanges(reader, 1, codes.length),
    6: new CountryRanges(reader, 2, codes.length),
  };
  reader.end();
  return {
    notice,
    countryOf: ({ family, address }) =>
      // Index 0 is for no country.
      isInternalIp(address) ? undefined : codes[tables[family].indexOf(address) - 1],
  };
}

function readCodes(reader: Reader): string[] {
  const count = reader.u8();
  const letters = fromLatin1(reader.take(2 * count));
  if (!/^[A-Z]*$/.test(letters)) throw badGeoData("a country has other letters than A to Z");
  return Array.from({ length: count }, (_, i) => letters.slice(2 * i, 2 * i + 2));
}
