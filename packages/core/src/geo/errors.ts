// The one error of this room.

import { badApiUsage, type TorError } from "../base/errors.ts";

export function badGeoData(message: string): TorError {
  return badApiUsage("ALLIUM_E_BAD_GEO_DATA", `not a table of countries: ${message}`);
}
