// Whom TLS to web servers trusts, as a page says it: `roots.bin` by its address, fetched when it is first needed.

import type { TrustOptions } from "@allium/core";
import { badApiUsage } from "@allium/core/internal";

/** As core's, but for `roots`. */
export interface WebTrustOptions extends Omit<TrustOptions, "roots"> {
  /**
   * Address of `roots.bin` (`@allium/core/roots.bin`), or what brings its contents; `/roots.bin` of the own origin unless told
   * otherwise. Modules can say `rootsUrl()` of `@allium/core/roots`, which Vite and webpack turn into one of their files.
   */
  readonly roots?: string | URL | (() => Promise<Uint8Array>);
}

const DEFAULT = "/roots.bin";

/** What core takes. @throws TorError `bad-api-usage` for an address that is none */
export function trustOf({ roots, ...rest }: WebTrustOptions): TrustOptions {
  if (typeof roots === "function") return { ...rest, roots };
  // A script from a blob, or of Node, has no origin to ask: it has no roots unless it is given some.
  if (roots === undefined && !URL.canParse(DEFAULT, base())) return rest;
  const address = urlOf(roots ?? DEFAULT);
  return { ...rest, roots: () => fetchRoots(address) };
}

/** An address as the page, or the worker's script, means it. @throws TorError `bad-api-usage` */
export function urlOf(address: string | URL): URL {
  if (!URL.canParse(address, base()))
    throw badApiUsage("ALLIUM_E_BAD_OPTIONS", "TorClient: tls.roots is no URL");
  return new URL(address, base());
}

function base(): string | undefined {
  return (globalThis as { readonly location?: { readonly href: string } }).location?.href;
}

async function fetchRoots(url: URL): Promise<Uint8Array> {
  const response = await fetch(url, { credentials: "omit", referrerPolicy: "no-referrer" });
  if (!response.ok) throw new Error(`roots.bin: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}
