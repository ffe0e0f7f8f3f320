// webStore held against core's compliance cases in real browsers, where IndexedDB and Web Locks are.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BROWSERS } from "./browsers.ts";

const CASES = fileURLToPath(new URL("../../packages/web/test/browser/store-cases.ts", import.meta.url));

let url: string;
const server = createServer();

beforeAll(async () => {
  const { outputFiles } = await build({
    stdin: {
      contents: `import { runStoreCases } from ${JSON.stringify(CASES)}; globalThis.runStoreCases = runStoreCases;`,
      resolveDir: ".",
    },
    bundle: true,
    format: "esm",
    target: "es2022",
    conditions: ["@allium/source"],
    write: false,
  });
  server.on("request", (request, response) => {
    const script = request.url === "/cases.js";
    response.writeHead(200, { "content-type": script ? "text/javascript" : "text/html" });
    response.end(
      script ? outputFiles[0]?.text : '<!doctype html><script type="module" src="cases.js"></script>',
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

describe.each(BROWSERS)("webStore in $name", ({ launch }) => {
  it("keeps what every Store must keep", async () => {
    const browser = await launch();
    try {
      const page = await browser.newPage();
      await page.goto(url);
      await page.waitForFunction("globalThis.runStoreCases !== undefined");
      const results = (await page.evaluate("runStoreCases()")) as { name: string; failure?: string }[];
      expect(results.length).toBeGreaterThan(8);
      expect(results.filter(({ failure }) => failure !== undefined)).toEqual([]);
    } finally {
      await browser.close();
    }
  });
});
