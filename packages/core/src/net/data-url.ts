// data: URLs (Fetch 6, "data: URL processor"). Nobody is asked for them.
import { fromLatin1, latin1, utf8 } from "../base/encoding.ts";
import { badApiUsage, type TorError } from "../base/errors.ts";
import type { HttpResponse } from "./http/exchange.ts";
import { isToken } from "./http/fields.ts";
import { bytesBody } from "./integrity.ts";

/** What the URL holds, as an answer. @throws TorError `bad-api-usage` */
export function dataResponse(url: URL): HttpResponse {
  const text = url.href.slice("data:".length).split("#", 1)[0] as string;
  const comma = text.indexOf(",");
  if (comma < 0) throw malformed();
  const [, type = "", base64] = /^(.*?)(; *base64)?$/i.exec(text.slice(0, comma).trim()) ?? [];
  const bytes = percentDecoded(text.slice(comma + 1));
  return {
    ...{ status: 200, statusText: "OK" },
    fields: [["content-type", mediaType(type.startsWith(";") ? `text/plain${type}` : type)]],
    body: bytesBody(base64 === undefined ? bytes : forgivingBase64(bytes)),
  };
}

/** A parameter: its name, and its value in quotes or without. */
const PARAMETER = /;[ \t]*([^;=]*)(?:=(?:"((?:[^"\\]|\\.)*)"?[^;]*|([^;]*)))?/g;

/** The media type as it is parsed and written again (MIME Sniffing 4.4, 4.5); what the standard takes for one that is none. */
function mediaType(text: string): string {
  const [, essence = "", rest = ""] = /^([^;]*)(.*)$/.exec(text) ?? [];
  const parts = essence.trim().split("/");
  if (parts.length !== 2 || !parts.every(isToken)) return "text/plain;charset=US-ASCII";
  const parameters = new Map<string, string>();
  for (const [, name = "", quoted, bare = ""] of rest.matchAll(PARAMETER)) {
    const value = quoted?.replace(/\\(.)/g, "$1") ?? bare.trimEnd();
    const key = name.toLowerCase();
    if (isToken(key) && (value !== "" || quoted !== undefined) && !parameters.has(key))
      parameters.set(key, value);
  }
  let written = essence.trim().toLowerCase();
  for (const [name, value] of parameters) {
    written += `;${name}=${isToken(value) ? value : `"${value.replace(/["\\]/g, "\\$&")}"`}`;
  }
  return written;
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
