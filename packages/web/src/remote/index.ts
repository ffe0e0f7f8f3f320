// The entry @allium/web/remote: a client that runs in a worker, both sides of it. None of Tor's own code is in here.

import { badApiUsage } from "@allium/core/internal";
import type { WebClientOptions } from "../client.ts";
import { askPersistence, watchPage } from "../platform.ts";
import { urlOf, type WebTrustOptions } from "../trust.ts";
import type { PortLike } from "./link.ts";
import { OPTION_NAMES } from "./protocol.ts";
import { RemoteTorClient } from "./remote-client.ts";

export type { PortLike } from "./link.ts";
export type { RemoteTorClient } from "./remote-client.ts";
export { type ServedPort, serveTorClient } from "./serve.ts";

/** What leads to a worker: a Worker, a SharedWorker, or a MessagePort that somebody handed over. */
export type WorkerTarget = PortLike | SharedWorker;

/** A client's options, as far as they can go to a worker: events take the place of `log`. */
export interface WorkerClientOptions extends Pick<WebClientOptions, (typeof OPTION_NAMES)[number]> {
  /** One that runs the script `@allium/web/worker`. */
  readonly worker: WorkerTarget;
  /** Whether this page asks the browser to keep what the worker stores, which workers cannot; true unless told otherwise. */
  readonly persist?: boolean;
}

/**
 * The client that the other side serves. Returns at once; what is wrong with the worker shows in the calls and in the
 * status.
 */
export function connectTorClient(target: WorkerTarget): RemoteTorClient {
  return connect(target);
}

/**
 * A client in a worker, made there with these options unless it is there already: one worker has one client, and a page
 * with other options is refused (`ALLIUM_E_REMOTE_OPTIONS`).
 * @throws TorError `bad-api-usage` for an option that cannot go to a worker
 */
export function createWorkerClient(all: WorkerClientOptions): RemoteTorClient {
  const { worker, persist = true, tls, ...options } = all;
  for (const name of Object.keys(options)) {
    if (!(OPTION_NAMES as readonly string[]).includes(name))
      throw badApiUsage("ALLIUM_E_BAD_OPTIONS", `the option "${name.slice(0, 40)}" cannot go to a worker`);
  }
  const client = connect(worker, JSON.stringify({ ...options, ...(tls && { tls: sendable(tls) }) }));
  if (persist) askPersistence(client);
  return client;
}

/** @throws TorError `bad-api-usage` for what cannot go to a worker */
function sendable(tls: WebTrustOptions): object {
  const { roots, extraAnchors = [] } = tls;
  if (typeof roots === "function" || !extraAnchors.every((anchor) => typeof anchor === "string"))
    throw badApiUsage(
      "ALLIUM_E_BAD_OPTIONS",
      "tls goes to a worker with an address for roots, and anchors in PEM",
    );
  return roots === undefined ? tls : { ...tls, roots: urlOf(roots).href };
}

function connect(target: WorkerTarget, options?: string): RemoteTorClient {
  const client =
    "port" in target
      ? new RemoteTorClient(target.port, target, options)
      : new RemoteTorClient(target, target, options);
  watchPage(client);
  return client;
}
