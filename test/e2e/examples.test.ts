// The examples for React and Vue of docs/examples, in real browsers, under the strict policy, through the private network.

import { execFileSync } from "node:child_process";
import { type Bridge, createBridge } from "@allium/bridge";
import type { BuildOptions, Plugin } from "esbuild";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { BROWSERS } from "./browsers.ts";
import { callsOf } from "./page-calls.ts";
import { type ScriptSite, sourceFile, startScriptSite } from "./script-site.ts";

interface ExamplePage {
  mount(options: { url: string; bridges: string[]; network: object; storeName: string }): void;
  ready(): Promise<void>;
  unmount(): Promise<void>;
}

const FRAMEWORKS = { React: "test/e2e/pages/react.jsx", Vue: "test/e2e/pages/vue.js" };
const network = inject("network");
const info = inject("info");
const call = callsOf<ExamplePage>("examplePage");

const vue: Plugin = {
  name: "vue",
  setup(build) {
    build.onLoad({ filter: /\.vue$/ }, ({ path }) => {
      const compiler = sourceFile("test/e2e/pages/compile-vue.mjs");
      return {
        contents: execFileSync(process.execPath, [compiler, path], { encoding: "utf8" }),
        loader: "js",
      };
    });
  },
};

const BUILD: BuildOptions = {
  ...{ jsx: "automatic", plugins: [vue] },
  define: {
    "process.env.NODE_ENV": '"production"',
    __VUE_OPTIONS_API__: "false",
    __VUE_PROD_DEVTOOLS__: "false",
    __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: "false",
  },
};

let bridge: Bridge;
let url: string;

beforeAll(async () => {
  bridge = createBridge({ network, listen: { host: "127.0.0.1", port: 0 } });
  url = await bridge.listen();
  await bridge.ready;
});
afterAll(() => bridge.close());

describe.each(Object.entries(FRAMEWORKS))("the example for %s", (framework, entry) => {
  let site: ScriptSite;

  beforeAll(async () => {
    const { origin } = new URL(url);
    const connect = `connect-src ${origin} ${origin.replace(/^ws/, "http")}`;
    const policy = `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; ${connect}`;
    site = await startScriptSite({ scripts: { "/page.js": entry }, policy, build: BUILD });
  });
  afterAll(() => site.close());

  it.each(BROWSERS)("shows the client's status and fetches in $name", async ({ launch }) => {
    const browser: Browser = await launch();
    try {
      const page = await browser.newPage();
      const complaints: string[] = [];
      page.on("console", (message) => complaints.push(message.text()));
      page.on("pageerror", (error) => complaints.push(error.message));
      await page.goto(site.url);
      await page.waitForFunction("globalThis.examplePage !== undefined");
      const storeName = `example-${framework}`;
      await call(page, "mount", { bridges: [url], network, storeName, url: info.http.url });
      await call(page, "ready");
      const status = page.locator("tor-status");
      await status.getByText("Connected", { exact: true }).waitFor();
      await page.getByRole("button", { name: "Fetch" }).click();
      await page.locator("pre", { hasText: "A page behind three relays" }).waitFor();
      expect(await status.getByRole("listitem").count()).toBe(5);
      await call(page, "unmount");
      expect(await status.count()).toBe(0);
      expect(complaints).toEqual([]);
    } finally {
      await browser.close();
    }
  });
});
