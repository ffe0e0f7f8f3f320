// The container of a table of countries: a magic, the length of what is packed, and that as a zlib stream, whose checksum
// tells damage (format: packages/core/data/README.md).

import { Reader } from "../base/bytes.ts";
import { fromLatin1 } from "../base/encoding.ts";
import { isTorError } from "../base/errors.ts";
import { badGeoData } from "./errors.ts";

const MAGIC = "ALLIUMGEO1";

/** The table of 2026 has a quarter of it. */
const MAX_LENGTH = 8 * 1024 * 1024;

/** @throws TorError `bad-api-usage` */
export async function unpack(bytes: Uint8Array): Promise<Uint8Array> {
  if (!(bytes instanceof Uint8Array)) throw badGeoData("not bytes");
  const reader = new Reader(bytes, badGeoData);
  if (fromLatin1(reader.take(MAGIC.length)) !== MAGIC) throw badGeoData("it begins otherwise");
  const length = reader.u32();
  if (length > MAX_LENGTH) throw badGeoData("it is too long");
  try {
    return await inflateTo(new Uint8Array(length), reader.rest());
  } catch (error) {
    throw isTorError(error) ? error : badGeoData("it is damaged");
  }
}

/** Fills `target` with what `packed` unpacks to, which must be as long. */
async function inflateTo(target: Uint8Array, packed: Uint8Array): Promise<Uint8Array> {
  const source = new Blob([packed.slice()]).stream();
  const inflated = source.pipeThrough(new DecompressionStream("deflate"));
  let at = 0;
  for (const reader = inflated.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    if (at + value.length > target.length) {
      reader.cancel().catch(() => {});
      throw badGeoData("it is longer than it says");
    }
    target.set(value, at);
    at += value.length;
  }
  if (at !== target.length) throw badGeoData("it is shorter than it says");
  return target;
}
