// One client for all tabs, in real browsers through the private network, under a strict policy: in a SharedWorker, in a tab
// that the others elect, in the service worker; and what follows when its host is gone.

import { type Bridge, createBridge } from "@allium/bridge";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import type { Failover, SharedPage } from "../../packages/web/test/browser/shared-page.ts";
import { BROWSERS } from "./browsers.ts";
import { callsOf } from "./page-calls.ts";
import { type ScriptSite, startScriptSite, strictPolicy } from "./script-site.ts";

const network = inject("network");
const info = inject("info");
const large = new URL(info.http.large.path, info.http.url).href;
/** Milliseconds from a host's death to the next client's answer; the machine of the tests may be busy. */
const FAILOVER = 5000;

let bridge: Bridge;
let site: ScriptSite;

beforeAll(async () => {
  bridge = createBridge({ network, listen: { host: "127.0.0.1", port: 0 } });
  const url = await bridge.listen();
  await bridge.ready;
  const config = { bridges: [url], network, storeName: "shared" };
  const given = `globalThis.sharedConfig=${JSON.stringify(config)};`;
  const script = (name: string) => `packages/web/test/browser/${name}.ts`;
  site = await startScriptSite({
    scripts: {
      "/page.js": script("shared-page"),
      "/worker.js": script("shared-worker"),
      "/sw.js": script("shared-sw"),
    },
    build: { banner: { js: given } },
    policy: strictPolicy(url),
  });
});

afterAll(async () => {
  site.close();
  await bridge.close();
});

const call = callsOf<SharedPage>("sharedPage");

describe.each(BROWSERS)("in $name", ({ name: browserName, launch }) => {
  let browser: Browser;
  let context: BrowserContext;
  let complaints: string[];

  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser?.close());
  beforeEach(async () => {
    complaints = [];
    context = await browser.newContext();
  });
  afterEach(async () => {
    await context.close();
    expect(complaints).toEqual([]);
  });

  async function goto(page: Page): Promise<void> {
    await page.goto(site.url);
    await page.waitForFunction("globalThis.sharedPage !== undefined");
  }

  async function openPage(): Promise<Page> {
    const page = await context.newPage();
    page.on("console", (message) => complaints.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => complaints.push(error.message));
    await goto(page);
    return page;
  }

  /** Tabs that share a client; the first runs it, where a tab does. */
  async function openTabs(count: number, host: "shared-worker" | "tab" | "service-worker"): Promise<Page[]> {
    const pages: Page[] = [];
    for (let i = 0; i < count; i++) {
      const page = await openPage();
      pages.push(page);
      if (i === 0 && host === "service-worker") await call(page, "register");
      await call(page, "open", host);
    }
    return pages;
  }

  /** Has all of them download, kills the host, and says how long each took to go on. */
  async function failover(
    what: string,
    followers: readonly Page[],
    kill: () => Promise<unknown>,
  ): Promise<Failover[]> {
    // A page that goes elsewhere has its WebSockets cut before it is gone, in Firefox, and may answer once more.
    const isCutFirst = what === "tab reloaded" && browserName === "firefox";
    for (const page of followers) await call(page, "follow", large, info.http.url, isCutFirst ? 3 : 1);
    const died = Date.now();
    await kill();
    const followed = await Promise.all(followers.map((page) => call(page, "followed")));
    for (const { code, lost, ready, fetched } of followed) {
      console.log(
        `${browserName}, ${what}: lost ${lost - died}, ready ${ready - died}, fetched ${fetched - died} ms`,
      );
      expect(["ALLIUM_E_REMOTE_LOST", ...(isCutFirst ? ["ALLIUM_E_BRIDGE_LOST"] : [])]).toContain(code);
      expect(ready - died).toBeLessThan(FAILOVER);
      expect(fetched - died).toBeLessThan(2 * FAILOVER);
    }
    return followed;
  }

  describe.each(["shared-worker", "tab"] as const)("a client in a %s", (host) => {
    it("is one for ten tabs: one sample of guards, one link", async () => {
      const pages = await Promise.all(Array.from({ length: 10 }, openPage));
      await Promise.all(pages.map((page) => call(page, "open", host)));
      const all = await Promise.all(pages.map((page) => call(page, "about")));
      expect(new Set(all.map(({ guards }) => guards)).size).toBe(1);
      expect(all.map(({ channels }) => channels)).toEqual(all.map(() => 1));
      expect(all.reduce((sum, { workers }) => sum + workers, 0)).toBe(host === "tab" ? 1 : 0);
    });

    it("gives each tab its bytes unharmed, and frees what a closed one held", async () => {
      const pages = await openTabs(3, host);
      const [first, second, third] = pages as [Page, Page, Page];
      for (let i = 0; i < 3; i++) expect(await call(third, "hold", large)).toBe(200);
      expect((await call(first, "about")).openStreams).toBe(3);
      expect((await call(second, "download", large)).sha256).toBe(info.http.large.sha256);
      await third.close();
      const open = async () => (await call(second, "about")).openStreams;
      await expect.poll(open, { timeout: 10_000 }).toBe(0);
    });

    it("survives a tab that is reloaded while it downloads", async () => {
      const [first, second] = (await openTabs(2, host)) as [Page, Page];
      await call(second, "follow", large, info.http.url, 1);
      await goto(second);
      await call(second, "open", host);
      await expect.poll(async () => (await call(first, "about")).openStreams, { timeout: 10_000 }).toBe(0);
      expect((await call(second, "download", info.http.url)).bytes).toBeGreaterThan(0);
      expect((await call(first, "statuses")).filter(({ blocked }) => blocked)).toEqual([]);
    });

    it("comes back with its guards when its worker is killed", async () => {
      const pages = await openTabs(3, host);
      const [first, second] = pages as [Page, Page];
      const before = JSON.parse((await call(first, "about")).guards);
      await failover(`${host} killed`, pages, () => call(first, "kill"));
      const after = JSON.parse((await call(second, "about")).guards);
      expect(names(after)).toEqual(names(before));
      expect((await call(second, "about")).channels).toBe(1);
    });

    it("serves the service worker too", async () => {
      const [page] = (await openTabs(1, host)) as [Page];
      await call(page, "register");
      const { bytes, channels, guards } = await call(page, "inService", info.http.url);
      expect(bytes).toBeGreaterThan(0);
      expect([channels, guards]).toEqual([1, (await call(page, "about")).guards]);
    });
  });

  it("tabs go on when the one that runs the client is closed, again and again", async () => {
    const pages = await openTabs(4, "tab");
    while (pages.length > 1) {
      const held = await Promise.all(pages.map(async (page) => (await call(page, "about")).workers));
      const [leader] = pages.splice(held.lastIndexOf(1), 1) as [Page];
      await failover("tab closed", pages, () => leader.close());
      const now = await Promise.all(pages.map((page) => call(page, "about")));
      expect(new Set(now.map(({ guards }) => guards)).size).toBe(1);
      expect(now.reduce((sum, { workers }) => sum + workers, 0)).toBe(1);
    }
  });

  it("tabs go on when the one that runs the client is reloaded", async () => {
    const [leader, follower] = (await openTabs(2, "tab")) as [Page, Page];
    await failover("tab reloaded", [follower], () => goto(leader));
    await call(leader, "open", "tab");
    expect((await call(leader, "about")).workers).toBe(0);
  });

  it("a service worker runs the client for all tabs", async () => {
    const pages = await openTabs(2, "service-worker");
    const all = await Promise.all(pages.map((page) => call(page, "about")));
    expect(all.map(({ channels, workers }) => [channels, workers])).toEqual([
      [1, 0],
      [1, 0],
    ]);
    expect((await call(pages[1] as Page, "download", info.http.url)).bytes).toBeGreaterThan(0);
  });

  it("a service worker that was first keeps the client, and a tab takes over when it is gone", async () => {
    const page = await openPage();
    await call(page, "register");
    const { bytes, guards } = await call(page, "inService", info.http.url);
    expect(bytes).toBeGreaterThan(0);
    expect((await call(page, "open", "tab")).ready).toBe(true);
    const about = await call(page, "about");
    expect([about.workers, about.guards]).toEqual([0, guards]);
    // Only Chromium can be told to end one; others do it when they like.
    if (browserName !== "chromium") return;
    const devtools = await context.newCDPSession(page);
    await devtools.send("ServiceWorker.enable");
    await failover("service worker ended", [page], () => devtools.send("ServiceWorker.stopAllWorkers"));
    expect((await call(page, "about")).workers).toBe(1);
  });
});

/** Which relays are in a guard state. */
function names(state: { guards: { fingerprint: string }[] }): string[] {
  return state.guards.map(({ fingerprint }) => fingerprint);
}
