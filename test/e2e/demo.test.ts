// The main job, in real browsers: the demo page bootstraps against the private network through the bridge, and each of its
// panels does what it is for; it starts from its own storage the second time.

import { mkdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { GuardState } from "@allium/core";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { BROWSERS } from "./browsers.ts";
import { type Demo, SCREENSHOTS, startDemo } from "./demo-rig.ts";

const info = inject("info");
const LARGE = new URL(info.http.large.path, info.http.url).href;

let demo: Demo;

beforeAll(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  demo = await startDemo();
});
afterAll(() => demo?.close());

describe.each(BROWSERS)("the demo page in $name", ({ name, launch }) => {
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  const complaints: string[] = [];
  let coldGuard: string | undefined;

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

  const isReady = (on = page) =>
    on.locator("tor-status").getByText("Connected", { exact: true }).waitFor({ timeout: 60_000 });
  const fetched = async (address: string) => {
    await page.fill("#address", address);
    await page.click("#go");
    await page.waitForSelector("#result:not([hidden]), #fetch-problem:not([hidden])", { timeout: 90_000 });
  };
  const text = (selector: string) => page.locator(selector).textContent();
  const fact = (title: string) => text(`#facts dt:text-is("${title}") + dd`);
  /** Nicknames of the circuit that the status shows. */
  const relays = async () =>
    (await page.locator("tor-status").getByRole("listitem").locator("bdi").allTextContents()).slice(1, -1);
  const addressOf = (nickname: string | undefined) =>
    info.nodes.find((node) => node.nickname === nickname)?.address;

  it("bootstraps and says each phase on the way", async () => {
    await page.goto(demo.url);
    await isReady();
    expect(await page.evaluate(() => document.body.dataset.phases)).toContain("consensus");
    expect(await page.locator("#networks input").count()).toBe(2);
    expect(await page.evaluate(() => document.body.dataset.client)).toBe("worker");
  });

  it("fetches a page and shows the three relays that it came through", async () => {
    await page.click(`#suggestions button:text-is("${info.http.url}")`);
    await page.waitForSelector("#result:not([hidden])", { timeout: 90_000 });
    expect(await fact("Status")).toBe("200 OK");
    expect(await page.locator("#view iframe").getAttribute("srcdoc")).toContain("<h1>");
    expect(await text("#headers")).toContain("content-type: text/html");
    const names = await relays();
    expect(new Set(names).size).toBe(3);
    expect(info.nodes.map(({ nickname }) => nickname)).toEqual(expect.arrayContaining(names));
    [coldGuard] = names;
  });

  it("fetches over TLS", async () => {
    await fetched(info.https.namedUrl);
    expect(await fact("Status")).toMatch(/^200/);
    expect(await fact("Address")).toBe(info.https.namedUrl);
  });

  it("fetches a large file whole, and plots what its relays carry", async () => {
    await fetched(LARGE);
    expect(await fact("SHA-256")).toBe(info.http.large.sha256);
    await expect.poll(() => text("#total-received")).toMatch(/^(6[4-9]|[7-9]\d)\.\d MiB$/);
    // The guard carries what the others carry.
    const row = page.locator("#relay-rows tr", { hasText: coldGuard ?? "" });
    expect(await row.locator("small").textContent()).toContain(`${addressOf(coldGuard)}:`);
    const heights = async () => {
      const points = (await row.locator("polyline").getAttribute("points")) ?? "";
      return points.split(" ").map((point) => Number(point.split(",")[1]));
    };
    // The top of the box is 1.
    expect(Math.min(...(await heights()))).toBe(1);
    expect(await page.locator("#throughput canvas").boundingBox()).toMatchObject({ height: 180 });
  });

  it("draws the circuits from the page to the exits, and lists them", async () => {
    const names = await page.locator("#circuit-map text.name").allTextContents();
    expect(names).toEqual(expect.arrayContaining(["You", "Bridge", coldGuard]));
    expect(await page.locator("#circuit-map path.general.open").count()).toBeGreaterThan(0);
    await page.click("#circuit-details summary");
    const row = page.locator("#circuit-rows tr", { hasText: "general, open" }).first();
    expect(await row.textContent()).toContain(`${coldGuard} → `);
  });

  it("says what is wrong when a site refuses", async () => {
    await fetched("http://127.0.0.1:2/");
    expect(await text("#fetch-problem strong")).toMatch(/^No exit relay is willing/);
    expect(await text("#fetch-problem p")).toMatch(/ALLIUM_E_/);
  });

  it("stops a request, and takes the next one", async () => {
    await page.fill("#address", `${info.http.url}stall`);
    await page.click("#go");
    await page.click("#stop");
    await page.waitForSelector('#fetch-problem strong:text-is("Stopped.")');
    await fetched(`${info.http.url}headers`);
    expect(JSON.parse((await text("#view pre")) ?? "").method).toBe("GET");
    expect(await page.locator("#fetch-problem").isVisible()).toBe(false);
  });

  it("asks as two identities, each over a circuit of its own", async () => {
    await page.click("#isolation-go");
    await page.waitForSelector("#isolation-verdict:not(:empty)", { timeout: 60_000 });
    expect(await text("#isolation-verdict")).toMatch(/^Two circuits/);
    for (const identity of ["a", "b"]) {
      const hops = await page.locator(`#isolation-${identity}-path li`).allTextContents();
      expect(hops).toHaveLength(3);
      expect(hops[0]).toBe(coldGuard);
      expect(info.exits).toContain(hops[2]);
      expect(await text(`#isolation-${identity}-answer`)).toMatch(/^The site saw 127\.0\.0\.1, /);
    }
  });

  it("compares what a request takes directly and through Tor", async () => {
    await page.click("#latency-go");
    await page.waitForSelector("#latency-rows tr.sum", { timeout: 60_000 });
    const rows = await page.locator("#latency-rows tr").allInnerTexts();
    expect(rows).toHaveLength(6);
    for (const row of rows) expect(row).toMatch(/^(Try \d|Median)\s+\d+ ms\s+\d+ ms$/);
    expect(await text("#latency-note")).toMatch(/^Through Tor it takes (\d+ ms more|no longer)\.$/);
  });

  it("takes new circuits for a new identity", async () => {
    const ids = () =>
      page
        .locator("#circuit-map path.general")
        .evaluateAll((lines) => lines.map((line) => Number(line.getAttribute("data-circuit"))));
    const last = Math.max(...(await ids()));
    await page.locator("tor-status").getByRole("button", { name: "New identity" }).click();
    await fetched(info.http.url);
    expect(await fact("Status")).toBe("200 OK");
    await expect.poll(async () => Math.min(...(await ids())), { timeout: 10_000 }).toBeGreaterThan(last);
  });

  it("shows and saves the guards, and forgets them only after a question", async () => {
    const names = () => page.locator("#guards-rows bdi").allTextContents();
    expect(await names()).toContain(coldGuard);
    // Of what stock Firefox saves, Playwright hears nothing.
    if (name === "chromium") {
      const [download] = await Promise.all([page.waitForEvent("download"), page.click("#guards-save")]);
      const saved = JSON.parse(await readFile(await download.path(), "utf8")) as GuardState;
      expect(saved.guards.map(({ nickname }) => nickname)).toEqual(await names());
    }

    const built = async () => {
      const cells = await page.locator("#guards-rows td:last-child").allTextContents();
      return cells.reduce((sum, cell) => sum + (Number.parseInt(cell, 10) || 0), 0);
    };
    await page.click("#guards-reset");
    await page.getByRole("button", { name: "Keep them" }).click();
    expect(await page.locator("#guards-dialog").isVisible()).toBe(false);
    const before = await built();
    expect(before).toBeGreaterThan(2);
    await page.click("#guards-reset");
    await page.getByRole("button", { name: "Forget them" }).click();
    await expect.poll(built).toBeLessThan(before);
    await fetched(info.http.url);
    expect(await fact("Status")).toBe("200 OK");
    await expect.poll(async () => (await names()).length).toBeGreaterThan(0);
    [coldGuard] = await relays();
  });

  it.each(["http", "https"] as const)(
    "opens a WebSocket to the site at %s, sends and receives",
    async (scheme) => {
      const echo = `${info[scheme].namedUrl.replace("http", "ws")}echo`;
      await page.click(`#socket-suggestions button:text-is("${echo}")`);
      await page.click("#socket-open");
      await page.waitForSelector("#socket-send:not([hidden])", { timeout: 30_000 });
      await page.fill("#socket-message", `over ${scheme}`);
      await page.keyboard.press("Enter");
      await page.waitForSelector(`#socket-log .received bdi:text-is("over ${scheme}")`);
      expect(await text("#socket-log .sent bdi")).toBe(`over ${scheme}`);
      await page.click("#socket-close");
      await page.waitForSelector('#socket-log .state:has-text("Closed (")', { timeout: 45_000 });
      expect(await page.locator("#socket-log .state").last().textContent()).toBe("Closed (1005).");
      expect(await page.locator("#socket-send").isVisible()).toBe(false);
    },
  );

  it("says why a WebSocket fails", async () => {
    for (const [address, why] of [
      ["no address", ""],
      ["ws://127.0.0.1:2/", "ALLIUM_E_"],
    ] as const) {
      await page.fill("#socket-address", address);
      await page.click("#socket-open");
      await page.waitForSelector("#socket-problem:not([hidden])", { timeout: 30_000 });
      expect(await text("#socket-problem")).toContain(why);
    }
  });

  it("finds the layer that fails, and none where all works", async () => {
    const rows = async () => {
      const all = await page.locator("#diagnosis-rows tr").all();
      return Promise.all(all.map((row) => row.getAttribute("data-outcome")));
    };
    const diagnosed = async (address: string, verdict: RegExp) => {
      await page.fill("#diagnosis-address", address);
      await page.click("#diagnosis-go");
      await expect.poll(() => text("#diagnosis-verdict"), { timeout: 60_000 }).toMatch(verdict);
    };
    await diagnosed(info.https.namedUrl, /^All that was tried works\.$/);
    expect(await rows()).toEqual(new Array(8).fill("good"));
    await diagnosed(`http://${info.names.missing}/`, /^The exit relay cannot find .* ALLIUM_E_/);
    expect(await rows()).toEqual([...new Array(7).fill("good"), "failed"]);
  });

  it("asks a site whether it is seen as Tor", async () => {
    await page.click("#check-go");
    await expect.poll(() => text("#check-verdict"), { timeout: 60_000 }).toMatch(/^Yes: the site saw/);
    const exit = /The exit was (\w+)\./.exec((await text("#check-verdict")) ?? "")?.[1];
    expect(info.exits).toContain(exit);
  });

  it("keeps guard and consensus over a reload", async () => {
    await page.reload();
    await isReady();
    const phases = await page.evaluate(() => document.body.dataset.phases);
    expect(phases).toContain("circuit");
    expect(phases).not.toContain("microdescriptors");
    await fetched(info.http.url);
    expect((await relays())[0]).toBe(coldGuard);
  });

  // Before the screenshots: taking one, Playwright adds an inline style in Firefox, which the policy refuses.
  it("leaves the console free of errors", () => {
    expect(complaints).toEqual([]);
  });

  it("says what is wrong when the bridge does not answer, and goes on when another network is picked", async () => {
    await page.check('#networks input[value="public"]');
    const status = page.locator("tor-status");
    await status.getByText("Blocked", { exact: true }).waitFor({ timeout: 60_000 });
    expect(await status.getByRole("status").textContent()).toMatch(/^The bridge does not answer/);
    expect(await page.locator("#retry").isVisible()).toBe(true);
    await page.screenshot({ path: join(SCREENSHOTS, `demo-${name}-blocked.png`), fullPage: true });
    await page.check('#networks input[value="private"]');
    await isReady();
    expect(await page.locator("#retry").isVisible()).toBe(false);
    await fetched(info.http.url);
    expect(await fact("Status")).toBe("200 OK");
  });

  it("runs in the page itself where that is asked for, or no worker starts", async () => {
    const other = await context.newPage();
    for (const address of [`${demo.url}?page`, demo.url]) {
      await other.route("**/worker-*.js", (route) => route.abort());
      await other.goto(address);
      await isReady(other);
      expect(await other.evaluate(() => document.body.dataset.client)).toBe("page");
    }
    await other.close();
  });

  it("looks right in light and dark, narrow and wide", async () => {
    await page.click("#isolation-go");
    await page.click("#latency-go");
    await page.click("#diagnosis-go");
    await page.click("#socket-open");
    await page.waitForSelector("#latency-rows tr.sum", { timeout: 60_000 });
    await page.fill("#socket-message", "Hello through three relays");
    await page.press("#socket-message", "Enter");
    await page.fill("#address", LARGE);
    await page.click("#go");
    // Stock Firefox takes no colour scheme from outside; the style sheet is the same.
    const schemes = name === "firefox" ? (["light"] as const) : (["light", "dark"] as const);
    for (const colorScheme of schemes) {
      for (const [label, width] of [
        ["narrow", 390],
        ["wide", 1280],
      ] as const) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: 900 });
        // The drawings follow once a second.
        await page.waitForTimeout(1500);
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
