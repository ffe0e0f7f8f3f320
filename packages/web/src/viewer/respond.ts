// The answer to one request of a shown site: a document rewritten, a style sheet rewritten, bytes as they are, or a page that
// says why not. What a browser would act on (Link, Refresh, NEL, Set-Cookie …) is not in any of them.

import { TorError, type TorErrorCode, type TorViewLike } from "@allium/core";
import { badApiUsage, toTorError } from "@allium/core/internal";
import { bodyOf } from "../service-worker/body.ts";
import { pathOfTarget } from "../service-worker/mapping.ts";
import { rewriteCss } from "./css.ts";
import { HtmlRewriter } from "./html.ts";
import { policyHeaders } from "./policy.ts";
import { type ControlMessage, type Place, PREFIXES, UrlMapper } from "./space.ts";
import { decodedText, decoderFor } from "./text.ts";

/** What the embedding page gave: one site's way into Tor. */
export interface Access {
  readonly client: Pick<TorViewLike, "fetch">;
  /** Host and port of the site. */
  readonly site: string;
  readonly scripts: boolean;
  tell(message: ControlMessage): void;
}

const MAX_BODY = 67_108_864;
const MAX_STYLE = 4_194_304;
/** Request fields that are the document's to say. */
const SENT = ["accept", "content-type", "range"];
/** Response fields that say what the bytes are. */
const TAKEN = ["accept-ranges", "content-language", "content-range"];
/** Destinations (Fetch 2.2.5) of what a document without scripts may load. */
const PASSIVE: ReadonlySet<string> = new Set(["audio", "font", "image", "style", "track", "video"]);
const ACTIVE: ReadonlySet<string> = new Set([...PASSIVE, "script", ""]);

/** Never rejected. */
export async function respond(access: Access, request: Request, place: Place): Promise<Response> {
  try {
    checkKind(access, request, place);
    if (moves(access, place)) return elsewhere(access, request, place.target);
    const response = await fetchPlace(access, request, place);
    return (
      (await redirected(access, request, response, place)) ?? (await shown(access, request, response, place))
    );
  } catch (error) {
    return problem(access, request, place.target, error);
  }
}

/** A document is a navigation and nothing else is. @throws TorError */
function checkKind(
  { scripts, site }: Access,
  { mode, destination }: Request,
  { prefix, target }: Place,
): void {
  const isDocument = prefix !== PREFIXES.data;
  const allowed = scripts ? ACTIVE : PASSIVE;
  if (isDocument !== (mode === "navigate") || (!isDocument && !allowed.has(destination)))
    throw refused("ALLIUM_E_VIEWER_KIND", `a ${destination || "request"} is not loaded here`);
  // With scripts, two sites in one origin could read each other.
  if (scripts && prefix === PREFIXES.frame && target.host !== site)
    throw refused("ALLIUM_E_VIEWER_KIND", "with scripts on, frames show only the site itself");
}

function moves({ site }: Access, { prefix, target }: Place): boolean {
  return prefix === PREFIXES.view && target.host !== site;
}

/** Another site has another origin: the embedding page goes there, and this document stays until then. */
function elsewhere({ tell }: Access, { method }: Request, target: URL): Response {
  if (method !== "GET") throw refused("ALLIUM_E_VIEWER_FORM", "a form is not sent to another site");
  tell({ type: "open", url: target.href });
  return new Response(null, { status: 204 });
}

async function fetchPlace(
  { client }: Access,
  request: Request,
  { prefix, target }: Place,
): Promise<Response> {
  const { method, signal } = request;
  const sent = SENT.map((name) => [name, request.headers.get(name)] as const);
  const headers = sent.filter((field): field is [string, string] => field[1] !== null);
  const body = await bodyOf(request, MAX_BODY);
  const redirect = prefix === PREFIXES.data ? "follow" : "manual";
  return client.fetch(target.href, { method, headers, signal, redirect, ...(body && { body }) });
}

/** A document's redirect is the browser's to follow, within the viewer's origin. */
async function redirected(
  access: Access,
  request: Request,
  response: Response,
  { prefix, target }: Place,
): Promise<Response | undefined> {
  const { status } = response;
  const location = response.headers.get("location");
  if (prefix === PREFIXES.data || ![301, 302, 303, 307, 308].includes(status) || location === null)
    return undefined;
  response.body?.cancel().catch(() => {});
  const next = URL.canParse(location, target.href) ? new URL(location, target) : undefined;
  const path = next && pathOfTarget(prefix, next);
  if (next === undefined || path === undefined)
    throw refused("ALLIUM_E_VIEWER_REDIRECT", "the site redirects to where the viewer does not go");
  if (moves(access, { prefix, target: next }))
    return elsewhere(access, status < 304 ? ({ method: "GET" } as Request) : request, next);
  return new Response(null, { status, headers: { location: path, "cache-control": "no-store" } });
}

async function shown(access: Access, request: Request, response: Response, place: Place): Promise<Response> {
  const { scripts, tell } = access;
  const headers = policyHeaders(scripts);
  for (const name of TAKEN) {
    const value = response.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  const isDocument = place.prefix !== PREFIXES.data;
  const type = response.headers.get("content-type") ?? "";
  const kind = isDocument ? documentKind(response) : request.destination === "style" ? "style" : "bytes";
  const contentType = {
    html: "text/html; charset=utf-8",
    text: "text/plain; charset=utf-8",
    style: "text/css; charset=utf-8",
    bytes: type,
  };
  if (contentType[kind] !== "") headers.set("content-type", contentType[kind]);
  const base = { ...place, target: URL.canParse(response.url) ? new URL(response.url) : place.target };
  const { status, statusText } = response;
  const body = response.body && (await rewritten(kind, response.body, type, base, scripts));
  if (place.prefix === PREFIXES.view) tell({ type: "shown", url: place.target.href });
  return new Response(body, { status, statusText, headers });
}

type Kind = "html" | "text" | "style" | "bytes";

/** @throws TorError for what a frame cannot show safely: SVG and other XML, PDF, downloads */
function documentKind(response: Response): Kind {
  const type =
    (response.headers.get("content-type") ?? "text/plain").split(";")[0]?.trim().toLowerCase() ?? "";
  if (!/^\s*attachment/i.test(response.headers.get("content-disposition") ?? "")) {
    if (type === "text/html" || type === "application/xhtml+xml") return "html";
    if (/^text\/(?!xml)|json$|javascript$/.test(type)) return "text";
    if (/^(?:audio|image|video)\/(?!svg)/.test(type)) return "bytes";
  }
  response.body?.cancel().catch(() => {});
  throw refused("ALLIUM_E_VIEWER_TYPE", "files of this type are not shown");
}

async function rewritten(
  kind: Kind,
  body: ReadableStream<Uint8Array>,
  type: string,
  base: Place,
  scripts: boolean,
): Promise<BodyInit> {
  const urls = new UrlMapper(base);
  if (kind === "bytes") return body;
  if (kind === "style") return rewriteCss(await decodedText(body, type, MAX_STYLE), urls);
  const rewriter = new HtmlRewriter(urls, scripts);
  return body.pipeThrough(kind === "html" ? decoderFor(type, rewriter) : decoderFor(type));
}

/** A page in place of the document; for what a document loads, an error. */
function problem({ scripts, tell }: Access, request: Request, target: URL, thrown: unknown): Response {
  const { code, message } = toTorError(thrown);
  if (request.signal.aborted || request.mode !== "navigate") return Response.error();
  if (new URL(request.url).pathname.startsWith(PREFIXES.view))
    tell({ type: "shown", url: target.href, code });
  const headers = policyHeaders(scripts);
  headers.set("content-type", "text/plain; charset=utf-8");
  headers.set("x-allium-error", code);
  return new Response(`This page cannot be shown.\n\n${message}\n${code}\n`, { status: 502, headers });
}

function refused(code: TorErrorCode, message: string): TorError {
  return badApiUsage(code, message);
}

/** Why nothing can be answered at all. */
export function noAccess(): TorError {
  return new TorError(
    "bad-api-usage",
    "ALLIUM_E_VIEWER_LOST",
    "the page that holds the client does not answer",
  );
}
