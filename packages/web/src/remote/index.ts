// The entry @allium/web/remote: a client that runs in a worker, both sides of it. None of Tor's own code is in here.

import { askPersistence, watchPage } from "../platform.ts";
import type { PortLike } from "./link.ts";
import { optionsJson, type SendableOptions } from "./options.ts";
import { RemoteTorClient } from "./remote-client.ts";

export type { PortLike } from "./link.ts";
export type { RemoteTorClient } from "./remote-client.ts";
export { type ServedPort, serveTorClient } from "./serve.ts";

/** What leads to a worker: a Worker, a SharedWorker, or a MessagePort that somebody handed over. */
export type WorkerTarget = PortLike | SharedWorker;

/** A client's options, as far as they can go to a worker: events take the place of `log`. */
export interface WorkerClientOptions extends SendableOptions {
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
  const { worker, persist = true, ...options } = all;
  const client = connect(worker, optionsJson(options));
  if (persist) askPersistence(client);
  return client;
}

function connect(target: WorkerTarget, options?: string): RemoteTorClient {
  const port = "port" in target ? target.port : target;
  const client = new RemoteTorClient(port, target, { options, share: undefined });
  watchPage(client);
  return client;
}
