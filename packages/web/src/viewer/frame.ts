// The entry @allium/web/viewer/frame: the script of the hidden document that a viewer keeps in each site's origin. It installs
// the worker and carries ports from the embedding page to it, at first and whenever the worker was started anew. It reads
// nothing of what goes through them. A program, not a module to import names from.

import { routeReady } from "../service-worker/page.ts";
import { FAILED, LEAVE, type PortsMessage, WANT, WORKER_SCRIPT } from "./space.ts";

const ask = (message: string) => window.parent.postMessage(message, "*");

/** Only the page that embeds this frame may say anything here. */
function hear({ source, data, ports }: MessageEvent, registration: ServiceWorkerRegistration): void {
  if (source !== window.parent) return;
  if (data === LEAVE) void registration.unregister();
  else if ((data as PortsMessage)?.type === "allium-ports")
    (navigator.serviceWorker.controller ?? registration.active)?.postMessage(data, [...ports]);
}

async function run(): Promise<void> {
  const workers = navigator.serviceWorker;
  const registration = await workers.register(WORKER_SCRIPT, { updateViaCache: "none" });
  window.addEventListener("message", (event) => hear(event, registration));
  workers.addEventListener("message", ({ data }) => data === WANT && ask(WANT));
  await routeReady();
  ask(WANT);
}

run().catch(() => ask(FAILED));
