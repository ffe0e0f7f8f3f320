// The service worker of the shared client's tests: does for a page, over the port that it is given, what it is asked.

import { createTorClient } from "@allium/web";
import { createSharedClient, inThread } from "@allium/web/shared";
import { config } from "./shared-config.ts";

const tor = createSharedClient({ ...config, thread: inThread(createTorClient) });

export interface ServiceAnswer {
  readonly bytes: number;
  readonly channels: number;
  readonly guards: string;
}

async function answer(url: string): Promise<ServiceAnswer> {
  const { byteLength: bytes } = await (await tor.fetch(url)).arrayBuffer();
  const { channels } = await tor.stats();
  return { bytes, channels, guards: JSON.stringify(await tor.guards.export()) };
}

globalThis.addEventListener("message", (event: MessageEvent) => {
  const { data, ports } = event;
  if (data?.type !== "test/fetch") return;
  const done = answer(data.url).then(
    (value) => ports[0]?.postMessage({ value }),
    (error) => ports[0]?.postMessage({ error: String(error) }),
  );
  (event as MessageEvent & { waitUntil(until: Promise<unknown>): void }).waitUntil(done);
});
