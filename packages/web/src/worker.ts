// The entry @allium/web/worker: the script of a dedicated or shared Worker that holds the one client of all its pages, made
// with the options of the first. It is a program, not a module to import names from.

import { createTorClient, type WebClientOptions } from "./client.ts";
import type { PortLike } from "./remote/link.ts";
import { SharingHost } from "./shared/host.ts";

const create = (options: object) => createTorClient(options as WebClientOptions);

if ("SharedWorkerGlobalScope" in globalThis) {
  const host = new SharingHost(create, () => {});
  globalThis.addEventListener("connect", (event) => {
    const [port] = (event as MessageEvent).ports;
    if (port !== undefined) host.serve(port);
  });
} else {
  const scope = globalThis as unknown as PortLike & { close(): void };
  const ended = () => {
    // The page may have said its farewell long ago, and keep the place for us.
    scope.postMessage({ type: "empty" }, []);
    scope.close();
  };
  new SharingHost(create, ended).serve(scope);
}
