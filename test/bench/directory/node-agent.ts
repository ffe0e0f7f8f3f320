// The suite `directory` in Node, in a process of its own that keeps its directory in memory.

import { memoryStore } from "@allium/core";
import { serve, startOf } from "../contenders/serve.ts";
import { DirectoryAgent } from "./agent.ts";
import type { DirectoryQuestion, DirectoryStart } from "./protocol.ts";
import { collected } from "./timing.ts";

const agent = new DirectoryAgent(startOf<DirectoryStart>(), {
  store: memoryStore(),
  later: (callback) => void setImmediate(callback),
  memory: () =>
    collected(() => {
      const { heapUsed, external } = process.memoryUsage();
      return heapUsed + external;
    }),
  restart: async () => {},
});
serve(({ ask }) => agent.answer(ask as string as DirectoryQuestion));
