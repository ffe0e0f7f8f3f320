// The entry @allium/web/worker: the script of a dedicated or shared Worker that holds the one client of all its pages, made
// with the options of the first. It is a program, not a module to import names from.

import { createTorClient, type WebClientOptions } from "./client.ts";
import type { PortLike } from "./remote/link.ts";
import { WorkerHost } from "./remote/serve.ts";

const create = (options: object) => createTorClient(options as WebClientOptions);

if ("SharedWorkerGlobalScope" in globalThis) {
  const host = new WorkerHost(create, () => {});
  globalThis.addEventListener("connect", (event) => {
    const [port] = (event as MessageEvent).ports;
    if (port !== undefined) host.serve(port);
  });
} else {
  const scope = globalThis as unknown as PortLike & { close(): void };
  new WorkerHost(create, () => scope.close()).serve(scope);
}
