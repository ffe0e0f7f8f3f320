// The page's client: in a Worker of its own, so that the page never stutters; in the page itself where no Worker can be
// started, or where `?page` asks for it.

import { isTorError, type TorClientLike } from "@allium/core";
import { rootsUrl } from "@allium/core/roots";
import { createWorkerClient } from "@allium/web/remote";
import type { DemoNetwork } from "./config.ts";

export async function makeClient({ id, bridges, network, anchors }: DemoNetwork): Promise<TorClientLike> {
  const tls = { roots: rootsUrl(), ...(anchors && { extraAnchors: anchors }) };
  const options = { bridges, tls, storeName: `allium-demo-${id}`, ...(network && { network }) };
  const client = new URLSearchParams(location.search).has("page") ? undefined : await inWorker(options);
  // Left on the page for whoever looks.
  document.body.dataset.client = client === undefined ? "page" : "worker";
  if (client !== undefined) return client;
  const { createTorClient } = await import("@allium/web");
  return createTorClient(options);
}

/** Undefined when no worker starts; what else is wrong shows in the client's status. */
async function inWorker(
  options: Omit<Parameters<typeof createWorkerClient>[0], "worker">,
): Promise<TorClientLike | undefined> {
  if (!("Worker" in globalThis)) return undefined;
  const worker = new Worker(new URL("@allium/web/worker", import.meta.url), { type: "module" });
  const client = createWorkerClient({ worker, ...options });
  try {
    await client.stats();
  } catch (error) {
    if (isTorError(error) && error.code === "ALLIUM_E_REMOTE_START") {
      worker.terminate();
      return undefined;
    }
  }
  return client;
}
