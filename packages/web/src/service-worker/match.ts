// Which requests go through Tor, and where to. A rule that fails is taken as one that matches: what was perhaps meant for
// Tor never goes elsewhere.

import { badApiUsage } from "@allium/core/internal";
import { targetOfPath } from "./mapping.ts";

/**
 * - `"/tor/"`: everything below this path of the own origin; the target is in the path (`/tor/http/example.com/index.html`);
 * - `".onion"`: every host of this ending;
 * - `"http://api.example/v1/"`: this origin, from this path on;
 * - a function, which must answer at once.
 */
export type RouteMatch = string | ((url: URL, request: Request) => boolean);

export interface Target {
  readonly url: URL;
  /** Whether the target was written as a path of the own origin. */
  readonly isMapped: boolean;
}

type Rule = (url: URL, request: Request) => Target | boolean;

/** @throws TorError `bad-api-usage` for a rule that is none */
export function compileRules(matches: readonly RouteMatch[], ownOrigin: string): Rule[] {
  if (!Array.isArray(matches) || matches.length === 0) throw badRule("match needs at least one rule");
  return matches.map((match) => compile(match, ownOrigin));
}

/** Undefined when no rule matches. @throws TorError when the request is for Tor, but cannot be */
export function findTarget(rules: readonly Rule[], url: URL, request: Request): Target | undefined {
  for (const rule of rules) {
    const found = rule(url, request);
    if (typeof found === "object") return found;
    if (found) return { url, isMapped: false };
  }
  return undefined;
}

function compile(match: RouteMatch, ownOrigin: string): Rule {
  if (typeof match === "function") return (url, request) => verdict(match(url, request));
  if (typeof match !== "string") throw badRule("a rule is a text or a function");
  if (/^\/(?!\/).*\/$/s.test(match)) return (url) => mapped(match, ownOrigin, url);
  if (/^\.[a-z0-9.-]+$/.test(match))
    return ({ hostname }) => `.${hostname}`.replace(/\.$/, "").endsWith(match);
  if (!/^https?:\/\//.test(match) || !URL.canParse(match)) {
    throw badRule('a rule is "/path/", ".host-ending", "http://origin/path" or a function');
  }
  const { origin, pathname } = new URL(match);
  return (url) => url.origin === origin && url.pathname.startsWith(pathname);
}

function mapped(prefix: string, ownOrigin: string, url: URL): Target | false {
  if (url.origin !== ownOrigin || !url.pathname.startsWith(prefix)) return false;
  const target = targetOfPath(prefix, url);
  if (target === undefined) throw badApiUsage("ALLIUM_E_ROUTE_TARGET", `no target: ${prefix}http/host/path`);
  return { url: target, isMapped: true };
}

/** A promise would be true whatever it comes to. */
function verdict(answer: unknown): boolean {
  if (typeof answer === "boolean") return answer;
  throw badRule("a rule's function answers true or false, at once");
}

function badRule(message: string) {
  return badApiUsage("ALLIUM_E_ROUTE_MATCH", message);
}
