// Whom TLS to web servers trusts, as a page says it: `roots.bin` by its address, fetched when it is first needed.

import type { TrustOptions } from "@allium/core";
import { badApiUsage } from "@allium/core/internal";
import { rootsUrl } from "@allium/core/roots";

/** As core's, but for `roots`. */
export interface WebTrustOptions extends Omit<TrustOptions, "roots"> {
  /**
   * Address of `roots.bin` (`@allium/core/roots.bin`), or what brings its contents. Unless told otherwise the file's place in
   * the package, which Vite and webpack turn into one among the page's own files.
   */
  readonly roots?: string | URL | (() => Promise<Uint8Array>);
}

/** What core takes. @throws TorError `bad-api-usage` for an address that is none */
export function trustOf({ roots = rootsUrl, ...rest }: WebTrustOptions): TrustOptions {
  return { ...rest, roots: typeof roots === "function" ? roots : fetched(roots) };
}

/** An address as the page, or the worker's script, means it. @throws TorError `bad-api-usage` */
export function urlOf(address: string | URL): URL {
  const base = (globalThis as { readonly location?: { readonly href: string } }).location?.href;
  if (!URL.canParse(address, base))
    throw badApiUsage("ALLIUM_E_BAD_OPTIONS", "TorClient: tls.roots is no URL");
  return new URL(address, base);
}

function fetched(address: string | URL): () => Promise<Uint8Array> {
  const url = urlOf(address);
  return async () => {
    const response = await fetch(url, { credentials: "omit", referrerPolicy: "no-referrer" });
    if (!response.ok) throw new Error(`roots.bin: ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  };
}
