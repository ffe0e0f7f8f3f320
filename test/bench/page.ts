// One run of Allium in a page: fetches its job from the page's server, posts its result back.

import { createTorClient } from "@allium/web";
import { measure } from "./measure.ts";

try {
  const job = await (await fetch("job.json")).json();
  const create = () => createTorClient({ bridges: job.bridges, network: job.network, storeName: "bench" });
  const result = await measure(create, job.target);
  const { memory } = performance as Performance & { memory?: { usedJSHeapSize: number } };
  await fetch("result", {
    method: "POST",
    body: JSON.stringify({ ...result, memory: memory?.usedJSHeapSize }),
  });
} catch (error) {
  await fetch("result", { method: "POST", body: JSON.stringify({ error: String(error) }) });
}
