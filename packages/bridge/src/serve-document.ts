// Answers to requests for a document that stays the same until the next one: content codings, entity tags, caching
// (RFC 9110 8.8.3, 12.5.3, 13.1.2, 15.4.5; RFC 9111 5.2.2).

import type { IncomingMessage, ServerResponse } from "node:http";

/** In the order in which they are preferred. */
const CODINGS = ["br", "gzip", "identity"] as const;
type Coding = (typeof CODINGS)[number];

/** A document in all forms in which it is served; the bytes are shared by all answers. */
export interface PackedDocument {
  /** SHA-256 of its bytes, base64url. */
  readonly digest: string;
  readonly codings: Readonly<Record<Coding, Uint8Array>>;
}

interface ServeOptions {
  /** Milliseconds that caches may keep it. */
  readonly maxAge: number;
  /** Milliseconds until whoever has not taken the answer loses the connection. */
  readonly timeout: number;
}

/** Answers GET or HEAD. */
export function serveDocument(
  request: IncomingMessage,
  response: ServerResponse,
  { digest, codings }: PackedDocument,
  { maxAge, timeout }: ServeOptions,
): void {
  const coding = chooseCoding(request.headers["accept-encoding"]);
  const body = codings[coding];
  const etag = `"${digest}-${coding}"`;
  const headers = {
    etag,
    vary: "Accept-Encoding",
    "cache-control": `public, max-age=${Math.max(0, Math.floor(maxAge / 1000))}`,
    "access-control-allow-origin": "*",
    "x-content-type-options": "nosniff",
  };
  if (isListed(request.headers["if-none-match"], etag)) {
    response.writeHead(304, headers).end();
    return;
  }
  response.writeHead(200, {
    ...headers,
    ...(coding !== "identity" && { "content-encoding": coding }),
    "content-type": "text/plain; charset=us-ascii",
    "content-length": body.length,
  });
  // Who reads slowly would keep the bytes in memory after the next snapshot has taken their place.
  const { socket } = request;
  const timer = setTimeout(() => socket.destroy(), timeout).unref();
  response.once("close", () => clearTimeout(timer));
  response.end(request.method === "HEAD" ? undefined : body);
}

/** The preferred one of those that the client accepts; none at all where it accepts none. */
function chooseCoding(accepted: string | undefined): Coding {
  const weights = new Map((accepted ?? "").toLowerCase().split(",").map(readWeight));
  return CODINGS.find((coding) => (weights.get(coding) ?? weights.get("*") ?? 0) > 0) ?? "identity";
}

/** `gzip;q=0.5`, one of Accept-Encoding. */
function readWeight(text: string): [name: string, weight: number] {
  const [name = "", ...parameters] = text.split(";").map((part) => part.trim());
  const weight = parameters.find((parameter) => parameter.startsWith("q="));
  return [name === "x-gzip" ? "gzip" : name, weight === undefined ? 1 : Number(weight.slice(2))];
}

/** Whether If-None-Match names this entity tag, compared weakly as 13.1.2 wants it. */
function isListed(tags: string | undefined, etag: string): boolean {
  const list = (tags ?? "").split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return list.includes("*") || list.includes(etag);
}
