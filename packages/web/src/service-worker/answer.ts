// What the page gets: the target's answer as a stream, or a Response that says what went wrong (RFC 9457, "problem
// details"), with `kind` and `code` of the TorError. Never the network's answer.

import type { TorErrorCode, TorErrorKind } from "@allium/core";
import { toTorError } from "@allium/core/internal";
import { responseHeaders } from "./headers.ts";

/** The body of an answer that says why there is none: `application/problem+json`, status 502, `x-allium-error` with the code. */
export interface RouteProblem {
  readonly title: string;
  readonly status: number;
  /** The error's message. */
  readonly detail: string;
  readonly kind: TorErrorKind;
  readonly code: TorErrorCode;
}

/** For what is data: opened as a document, it can do nothing and load nothing. */
const INERT = "sandbox; default-src 'none'";

/** @param isData whether the answer comes from the own origin, where it must never be a document */
export function answerOf(response: Response, isData: boolean): Response {
  const headers = responseHeaders(response.headers, !isData);
  headers.set("cache-control", "no-store");
  headers.set("x-allium-url", response.url);
  if (isData) inert(headers);
  const { status, statusText } = response;
  return new Response(response.body, { status, statusText, headers });
}

export function problemOf(thrown: unknown, { signal, mode }: Request): Response {
  if (signal.aborted) return Response.error();
  const { kind, code, message } = toTorError(thrown);
  const problem: RouteProblem = {
    title: "not fetched through Tor",
    status: 502,
    detail: message,
    kind,
    code,
  };
  const headers = new Headers({
    // A browser would save a document of the other type, not show it.
    "content-type": mode === "navigate" ? "text/plain" : "application/problem+json",
    "cache-control": "no-store",
    "x-allium-error": code,
  });
  inert(headers);
  return new Response(JSON.stringify(problem), { status: 502, statusText: "Bad Gateway", headers });
}

function inert(headers: Headers): void {
  headers.set("content-security-policy", INERT);
  headers.set("x-content-type-options", "nosniff");
}
