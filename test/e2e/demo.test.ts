// The main job, in real browsers: the demo page bootstraps against the private network through the bridge, fetches, draws
// its circuit, and starts from its own storage the second time.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Bridge, createBridge } from "@allium/bridge";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { build as buildPage } from "vite";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type DemoServer, startDemoServer } from "../../scripts/demo-server.ts";
import { ROOT } from "../repo/files.ts";
import { BROWSERS } from "./browsers.ts";

const network = inject("network");
const info = inject("info");
const SCREENSHOTS = join(ROOT, "test-results");

let bridge: Bridge;
let server: DemoServer;

beforeAll(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  await buildPage({ configFile: join(ROOT, "packages/web/demo/vite.config.ts") });
  bridge = createBridge({ network, listen: { host: "127.0.0.1", port: 0 } });
  const url = await bridge.listen();
  await bridge.ready;
  const suggestions = [info.http.url];
  const chosen = { id: "private", label: "Private network", bridges: [url], network, suggestions } as const;
  const publicNetwork = {
    id: "public",
    label: "Public Tor network",
    bridges: ["ws://127.0.0.1:1/"],
    suggestions: [],
  } as const;
  server = await startDemoServer({ port: 0, config: { networks: [chosen, publicNetwork] } });
});

afterAll(async () => {
  await server.close();
  await bridge.close();
});

describe.each(BROWSERS)("the demo page in $name", ({ name, launch }) => {
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  const complaints: string[] = [];
  let coldGuard: string | null;

  beforeAll(async () => {
    browser = await launch();
    context = await browser.newContext();
    page = await context.newPage();
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(error.message));
  });

  afterAll(async () => {
    await browser?.close();
  });

  const isReady = () => page.waitForSelector('#state[data-state="ready"]', { timeout: 60_000 });
  const fetched = async (address: string) => {
    await page.fill("#address", address);
    await page.click("#go");
    await page.waitForSelector("#result:not([hidden]), #problem:not([hidden])", { timeout: 90_000 });
  };
  const fact = (title: string) => page.locator(`#facts dt:text-is("${title}") + dd`).textContent();
  const guard = () => page.locator("#circuit li.relay b").first().textContent();

  it("bootstraps and says each phase on the way", async () => {
    await page.goto(server.url);
    await isReady();
    expect(await page.evaluate(() => document.body.dataset.phases)).toContain("consensus");
    expect(await page.locator("#networks input").count()).toBe(2);
    expect(await page.evaluate(() => document.body.dataset.client)).toBe("worker");
  });

  it("fetches a page and draws three relays", async () => {
    await fetched(info.http.url);
    expect(await fact("Status")).toBe("200 OK");
    expect(await page.locator("#view iframe").getAttribute("srcdoc")).toContain("<h1>");
    const relays = page.locator("#circuit li.relay");
    expect(await relays.count()).toBe(3);
    const names = await relays.locator("b").allTextContents();
    expect(new Set(names).size).toBe(3);
    expect(info.nodes.map(({ nickname }) => nickname)).toEqual(expect.arrayContaining(names));
    for (const detail of await relays.locator("span").allTextContents())
      expect(detail).toMatch(/127\.\d+\.\d+\.\d+:\d+/);
    coldGuard = await guard();
  });

  it("fetches a large file whole", async () => {
    await fetched(new URL(info.http.large.path, info.http.url).href);
    expect(await fact("SHA-256")).toBe(info.http.large.sha256);
  });

  it("says what is wrong when a site refuses", async () => {
    await fetched("http://127.0.0.1:2/");
    expect(await page.locator("#problem").isVisible()).toBe(true);
    expect(await page.locator("#problem-text").textContent()).toMatch(/ALLIUM_E_/);
  });

  it("keeps guard and consensus over a reload", async () => {
    await page.reload();
    await isReady();
    const phases = await page.evaluate(() => document.body.dataset.phases);
    expect(phases).toContain("circuit");
    expect(phases).not.toContain("microdescriptors");
    await fetched(info.http.url);
    expect(await guard()).toBe(coldGuard);
  });

  // Before the screenshots: taking one, Playwright adds an inline style in Firefox, which the policy refuses.
  it("leaves the console free of errors", () => {
    expect(complaints).toEqual([]);
  });

  it("says what is wrong when the bridge does not answer, and goes on when another network is picked", async () => {
    await page.check('#networks input[value="public"]');
    await page.waitForSelector("#blocked:not([hidden])", { timeout: 60_000 });
    expect(await page.locator("#blocked-title").textContent()).toContain("bridge");
    await page.screenshot({ path: join(SCREENSHOTS, `demo-${name}-blocked.png`), fullPage: true });
    await page.check('#networks input[value="private"]');
    await isReady();
    expect(await page.locator("#blocked").isVisible()).toBe(false);
    await fetched(info.http.url);
    expect(await fact("Status")).toBe("200 OK");
  });

  it("runs in the page itself where that is asked for, or no worker starts", async () => {
    const other = await context.newPage();
    for (const address of [`${server.url}?page`, server.url]) {
      await other.route("**/worker-*.js", (route) => route.abort());
      await other.goto(address);
      await other.waitForSelector('#state[data-state="ready"]', { timeout: 60_000 });
      expect(await other.evaluate(() => document.body.dataset.client)).toBe("page");
    }
    await other.close();
  });

  it("looks right in light and dark, narrow and wide", async () => {
    // Stock Firefox takes no colour scheme from outside; the style sheet is the same.
    const schemes = name === "firefox" ? (["light"] as const) : (["light", "dark"] as const);
    for (const colorScheme of schemes) {
      for (const [label, width] of [
        ["narrow", 390],
        ["wide", 1280],
      ] as const) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: 900 });
        await page.screenshot({
          path: join(SCREENSHOTS, `demo-${name}-${colorScheme}-${label}.png`),
          fullPage: true,
        });
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        expect(overflow, `${colorScheme} ${label} scrolls sideways`).toBeLessThanOrEqual(0);
      }
    }
  });
});
