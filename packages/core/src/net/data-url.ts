// data: URLs (Fetch 6, "data: URL processor"). Nobody is asked for them.
// Deviation: a media type that is one is handed on as it is written, not normalized.

import { fromLatin1, latin1, utf8 } from "../base/encoding.ts";
import { badApiUsage, type TorError } from "../base/errors.ts";
import type { HttpResponse } from "./http/exchange.ts";
import { bytesBody } from "./integrity.ts";

const MEDIA_TYPE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+\/[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[\t ]*;[\t\x20-\x7e]*)?$/;

/** What the URL holds, as an answer. @throws TorError `bad-api-usage` */
export function dataResponse(url: URL): HttpResponse {
  const text = url.href.slice("data:".length).split("#", 1)[0] as string;
  const comma = text.indexOf(",");
  if (comma < 0) throw malformed();
  const [, written = "", base64] = /^(.*?)(; *base64)?$/i.exec(text.slice(0, comma).trim()) ?? [];
  const bytes = percentDecoded(text.slice(comma + 1));
  const type = written.startsWith(";") ? `text/plain${written}` : written;
  return {
    ...{ minorVersion: 1, status: 200, statusText: "OK" },
    fields: [["content-type", MEDIA_TYPE.test(type) ? type : "text/plain;charset=US-ASCII"]],
    body: bytesBody(base64 === undefined ? bytes : forgivingBase64(bytes)),
  };
}

function percentDecoded(text: string): Uint8Array {
  const bytes = utf8(text);
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    const hex = bytes[at] === 0x25 ? String.fromCharCode(...bytes.subarray(at + 1, at + 3)) : "";
    const isEscape = /^[0-9A-Fa-f]{2}$/.test(hex);
    bytes[length++] = isEscape ? Number.parseInt(hex, 16) : (bytes[at] as number);
    if (isEscape) at += 2;
  }
  return bytes.subarray(0, length);
}

/** What `atob` takes is what the standard calls forgiving. */
function forgivingBase64(bytes: Uint8Array): Uint8Array {
  try {
    return latin1(atob(fromLatin1(bytes)));
  } catch {
    throw malformed();
  }
}

function malformed(): TorError {
  return badApiUsage("ALLIUM_E_FETCH_URL", "a malformed data: URL");
}
