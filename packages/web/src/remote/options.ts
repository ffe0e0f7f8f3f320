// A client's options on their way to another thread, as JSON.

import { badApiUsage } from "@allium/core/internal";
import type { WebClientOptions } from "../client.ts";
import { urlOf, type WebTrustOptions } from "../trust.ts";
import { OPTION_NAMES } from "./protocol.ts";

/** The options that can go. */
export type SendableOptions = Pick<WebClientOptions, (typeof OPTION_NAMES)[number]>;

function unsendable(message: string) {
  return badApiUsage("ALLIUM_E_BAD_OPTIONS", message);
}

/** @throws TorError `bad-api-usage` for an option that cannot go to a worker */
export function optionsJson({ tls, ...options }: SendableOptions): string {
  for (const name of Object.keys(options)) {
    if (!(OPTION_NAMES as readonly string[]).includes(name))
      throw unsendable(`the option "${name.slice(0, 40)}" cannot go to a worker`);
  }
  return JSON.stringify({ ...options, ...(tls && { tls: sendable(tls) }) });
}

function sendable(tls: WebTrustOptions): object {
  const { roots, extraAnchors = [] } = tls;
  if (typeof roots === "function" || !extraAnchors.every((anchor) => typeof anchor === "string"))
    throw unsendable("tls goes to a worker with an address for roots, and anchors in PEM");
  return roots === undefined ? tls : { ...tls, roots: urlOf(roots).href };
}
