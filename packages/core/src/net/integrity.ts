// Subresource Integrity (W3C SRI 3.3): a body is given out only once its digest is the one that was asked for, so that it
// is held in memory as a whole. Deviation: metadata without any digest that could be checked are refused, where browsers
// let everything through.

import { Writer } from "../base/bytes.ts";
import { toBase64Unpadded } from "../base/encoding.ts";
import { badApiUsage, TorError } from "../base/errors.ts";
import type { HttpBody } from "./http/exchange.ts";

const DIGEST = /^(sha256|sha384|sha512)-([A-Za-z0-9+/]+)={0,2}(?:\?[\x21-\x7e]*)?$/;
/** The largest body that is held to be checked. */
const MAX_CHECKED = 33_554_432;

export interface Integrity {
  /** As it was given. */
  readonly metadata: string;
  /** As WebCrypto calls it. */
  readonly algorithm: string;
  /** Base64 without padding; any of them will do. */
  readonly digests: readonly string[];
}

/** The digests of the strongest algorithm. @throws TorError `bad-api-usage` where there is none to check */
export function parseIntegrity(metadata: string): Integrity | undefined {
  const tokens = metadata.split(/[\t\n\f\r ]+/).filter((token) => token !== "");
  if (tokens.length === 0) return undefined;
  const known = tokens.map((token) => DIGEST.exec(token)).filter((match) => match !== null);
  const strongest = known
    .map((match) => match[1] as string)
    .sort()
    .at(-1);
  if (strongest === undefined) {
    throw badApiUsage("ALLIUM_E_FETCH_INIT", "integrity has no sha256, sha384 or sha512 digest");
  }
  const digests = known.filter((match) => match[1] === strongest).map((match) => match[2] as string);
  return { metadata, algorithm: strongest.replace("sha", "SHA-"), digests };
}

/** The same body once all of it has come and is the right one. @throws TorError where it is not */
export async function checkedBody(body: HttpBody | undefined, integrity: Integrity): Promise<HttpBody> {
  const whole = new Writer();
  for (let bytes = await body?.next(); bytes !== undefined; bytes = await body?.next()) {
    whole.bytes(bytes);
    if (whole.length > MAX_CHECKED) {
      throw new TorError("limit", "ALLIUM_E_FETCH_INTEGRITY", `more than ${MAX_CHECKED} bytes to be checked`);
    }
  }
  const all = whole.finish();
  const digest = new Uint8Array(await crypto.subtle.digest(integrity.algorithm, all));
  if (!integrity.digests.includes(toBase64Unpadded(digest))) {
    throw new TorError(
      "remote-refused",
      "ALLIUM_E_FETCH_INTEGRITY",
      "the body is not the one of its integrity",
    );
  }
  return bytesBody(all);
}

/** These bytes as a body. */
export function bytesBody(bytes: Uint8Array): HttpBody {
  const pieces = bytes.length === 0 ? [] : [bytes];
  return { next: async () => pieces.shift(), cancel: () => void pieces.splice(0) };
}
