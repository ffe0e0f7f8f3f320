// Attributes as the viewer writes them: those that are listed, URLs in the viewer's origin, everything else gone, event
// handlers, `ping`, `srcdoc`, `integrity` and `target` among them.

import { rewriteCss } from "./css.ts";
import { ATTRIBUTES } from "./html-names.ts";
import { PREFIXES, type Prefix, type UrlMapper } from "./space.ts";

/** By lower-case name, the values with their references. */
export type Attributes = Map<string, string>;

/** Of the names that are written `&name;` in URLs; others stay as they are written, also for the browser. */
const REFERENCES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

/** The value of an attribute (HTML 13.2.5.72). */
export function decodeReferences(value: string): string {
  return value.replace(
    /&(?:#(?:x([0-9a-f]+)|([0-9]+));?|(amp|lt|gt|quot|apos);)/gi,
    (whole, hex, decimal, name) => {
      if (name !== undefined) return REFERENCES[name.toLowerCase()] ?? whole;
      const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
      return code > 0 && code < 0x110000 ? String.fromCodePoint(code) : "\ufffd";
    },
  );
}

/** Text as the value of an attribute, so that the browser reads just this text. */
export function escapeText(text: string): string {
  return quoteValue(text.replaceAll("&", "&amp;"));
}

/** A value with its references, between double quotes. */
export function quoteValue(value: string): string {
  return value.replaceAll('"', "&quot;").replaceAll("<", "&lt;");
}

/** Each with its space before it. */
export function rewriteAttributes(element: string, attributes: Attributes, urls: UrlMapper): string {
  let output = "";
  for (const [name, value] of attributes) {
    const written = rewriteValue(element, name, value, urls);
    if (written !== undefined) output += ` ${name}="${written}"`;
  }
  return output;
}

/** The value between its quotes; undefined when the attribute is left out. */
function rewriteValue(element: string, name: string, value: string, urls: UrlMapper): string | undefined {
  const kind = urlKind(element, name, urls);
  if (kind === "srcset") return escapeText(rewriteSrcset(decodeReferences(value), urls));
  if (kind === "fragment") return value.startsWith("#") ? quoteValue(value) : undefined;
  if (kind !== undefined) {
    const mapped = urls.map(decodeReferences(value), kind);
    return mapped === undefined ? undefined : escapeText(mapped);
  }
  if (!ATTRIBUTES.has(name) && !/^(?:aria|data)-[a-z0-9-]+$/.test(name)) return undefined;
  // SVG has styles as attributes of their own.
  if (name === "style" || /url|\\/i.test(decodeReferences(value)))
    return escapeText(rewriteCss(decodeReferences(value), urls));
  return quoteValue(value);
}

type UrlKind = Prefix | "srcset" | "fragment";

function urlKind(element: string, name: string, urls: UrlMapper): UrlKind | undefined {
  if (name === "href" || name === "xlink:href") {
    if (element === "a" || element === "area") return urls.documents;
    return element === "image" ? PREFIXES.data : "fragment";
  }
  if (name === "action" || name === "formaction") return urls.documents;
  if (name === "src") return element === "iframe" || element === "frame" ? PREFIXES.frame : PREFIXES.data;
  if (name === "poster" || name === "background") return PREFIXES.data;
  return name === "srcset" ? "srcset" : undefined;
}

/** Candidates with their descriptors (HTML 4.8.4.3.10). */
function rewriteSrcset(srcset: string, urls: UrlMapper): string {
  const candidates = srcset.matchAll(/[\s,]*([^\s,]\S*?)(?:,+(?=\s|$)|\s+([^,]*)(?:,|$)|$)/g);
  return [...candidates]
    .map(([, url = "", descriptor = ""]) => [urls.map(url, PREFIXES.data), descriptor] as const)
    .filter(([url]) => url !== undefined)
    .map(([url, descriptor]) => `${url?.replaceAll(",", "%2C")} ${descriptor}`.trim())
    .join(", ");
}
