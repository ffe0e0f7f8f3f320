// The suite `directory` in a page, which keeps its directory in IndexedDB and starts from it when it is loaded anew.

import { webStore } from "@allium/web";
import { servePage, startOfPage } from "../contenders/serve-page.ts";
import { DirectoryAgent } from "./agent.ts";
import type { DirectoryQuestion, DirectoryStart } from "./protocol.ts";
import { collected } from "./timing.ts";

const turns = new MessageChannel();
const waiting: (() => void)[] = [];
turns.port1.onmessage = () => waiting.shift()?.();

const agent = new DirectoryAgent(await startOfPage<DirectoryStart>(), {
  store: webStore("bench"),
  later(callback) {
    waiting.push(callback);
    turns.port2.postMessage(null);
  },
  memory: () =>
    collected(
      () =>
        (performance as Performance & { memory?: { usedJSHeapSize: number } }).memory?.usedJSHeapSize ?? 0,
    ),
  restart() {
    location.reload();
    // The page that is loaded then answers.
    return new Promise(() => {});
  },
});
await servePage(({ ask }) => agent.answer(ask as string as DirectoryQuestion));
