// Whether a certificate's names cover a host (RFC 9525 6, RFC 6125 7.2). Only subjectAltName counts, never a common name;
// a wildcard is the whole first label and stands for one. Not here: internationalised names, which URLs give as A-labels.

import { parseIp } from "../../base/address.ts";
import { equalBytes } from "../../base/bytes.ts";
import { fromLatin1 } from "../../base/encoding.ts";
import { type GeneralName, NAME } from "./general-name.ts";

/** Letters, digits, hyphens inside, and the underscore that some hosts have. */
const HOST_NAME = /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.|$))+$/;

/** Lower-case; undefined where it is no host name. A trailing dot is not allowed (RFC 5280 4.2.1.6, RFC 1034 3.5). */
export function readHostName(contents: Uint8Array): string | undefined {
  const text = fromLatin1(contents.subarray(0, 254)).toLowerCase();
  return text.length <= 253 && HOST_NAME.test(text) && !text.endsWith(".") ? text : undefined;
}

/** @param host lower-case ASCII or an IP literal, as in a URL: IPv6 in brackets or not, a trailing dot is passed over */
export function coversHost(names: readonly GeneralName[], host: string): boolean {
  const address = parseIp(host.replace(/^\[(.*)\]$/, "$1"));
  if (address !== undefined) return names.some((n) => n.tag === NAME.ip && equalBytes(n.contents, address));
  const wanted = host.replace(/\.$/, "");
  if (!HOST_NAME.test(wanted)) return false;
  const parent = wanted.slice(wanted.indexOf(".") + 1);
  return names.some(({ tag, contents }) => {
    if (tag !== NAME.dns) return false;
    if (contents[0] !== 0x2a /* an asterisk */) return readHostName(contents) === wanted;
    const base = contents[1] === 0x2e ? readHostName(contents.subarray(2)) : undefined;
    // Nobody may have all of a top-level domain.
    return base?.includes(".") === true && base === parent;
  });
}
