// The status element in real browsers, under the strict policy, with clients that do what the tests say.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { CircuitInfo, ClientStatus } from "@allium/core";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { circuit } from "../../packages/web/test/browser/fake-client.ts";
import type { StatusPage } from "../../packages/web/test/browser/status-page.ts";
import { ROOT } from "../repo/files.ts";
import { BROWSERS } from "./browsers.ts";
import { callsOf } from "./page-calls.ts";
import { type ScriptSite, startScriptSite } from "./script-site.ts";

const SCREENSHOTS = join(ROOT, "test-results");
const LONG = ["WWWWWWWWWWWWWWWWWWW", "m0123456789012345678", "ThisNameHas19Letter"];
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'";
const CSS = `
  :root { color-scheme: light dark; font: 1rem / 1.5 system-ui, sans-serif; }
  :root.large { font-size: 200%; }
  body { margin: 1rem; background: Canvas; }
  tor-status + tor-status { margin-top: 2rem; }
`;
const READY: ClientStatus = { fraction: 1, phase: "ready", ready: true };
const BLOCKED: ClientStatus = {
  ...{ fraction: 0.05, phase: "bridge", ready: false },
  blocked: {
    ...{ kind: "bridge-unreachable", code: "ALLIUM_E_BRIDGE_UNREACHABLE" },
    message: "the bridge wss://bridge.example/ does not answer",
  },
};

const call = callsOf<StatusPage>("statusPage");
let site: ScriptSite;

beforeAll(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  const scripts = { "/page.js": "packages/web/test/browser/status-page.ts" };
  site = await startScriptSite({ scripts, css: CSS, policy: POLICY });
});

afterAll(() => site.close());

describe.each(BROWSERS)("<tor-status> in $name", ({ name, launch }) => {
  let browser: Browser;
  let page: Page;
  let shown: Locator;
  const complaints: string[] = [];

  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser?.close());

  beforeEach(async () => {
    await page?.close();
    page = await browser.newPage();
    page.on("console", (message) => complaints.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(site.url);
    await page.waitForFunction("globalThis.statusPage !== undefined");
    expect(await call(page, "define", 2)).toEqual([true, true]);
    shown = page.locator("tor-status").first();
  });

  const button = () => shown.getByRole("button", { name: "New identity" });
  const names = () => shown.getByRole("listitem").locator("bdi").allTextContents();
  const has = async (...circuits: CircuitInfo[]) => {
    await call(page, "tell", READY);
    await call(page, "have", circuits);
  };

  it("is, to a screen reader, a named group with a status, a progress bar and a button", async () => {
    await call(page, "tell", { fraction: 0.42, phase: "microdescriptors", ready: false });
    expect(await shown.ariaSnapshot()).toBe(
      [
        '- group "Tor connection":',
        "  - text: Connecting",
        '  - button "New identity" [disabled]',
        '  - progressbar "Connecting to Tor"',
        "  - status: Learning about the relays…",
      ].join("\n"),
    );
    expect(await shown.getByRole("progressbar").evaluate((bar: HTMLProgressElement) => bar.value)).toBe(0.42);
    await has(circuit(1, ["alpha", "beta", "gamma"]));
    expect(await shown.ariaSnapshot()).toBe(
      [
        '- group "Tor connection":',
        "  - text: Connected",
        '  - button "New identity"',
        '  - status: "Connected: circuits leave through three relays."',
        '  - list "Circuit":',
        "    - listitem: This page",
        "    - listitem: alpha Guard",
        "    - listitem: beta Middle",
        "    - listitem: gamma Exit",
        "    - listitem: The site",
      ].join("\n"),
    );
  });

  it("announces phases and problems, and not each percent", async () => {
    for (let percent = 40; percent < 90; percent++)
      await call(page, "tell", { fraction: percent / 100, phase: "microdescriptors", ready: false });
    expect((await call(page, "seen")).mutations).toBe(1);
    await call(page, "tell", BLOCKED);
    await call(page, "tell", { ...BLOCKED, fraction: 0.04 });
    expect((await call(page, "seen")).mutations).toBe(2);
    await has(circuit(1, ["alpha", "beta", "gamma"]), circuit(2, ["delta", "epsilon", "zeta"]));
    expect((await call(page, "seen")).mutations).toBe(3);
  });

  it("says what is blocked, why and what helps, until it works", async () => {
    await call(page, "tell", BLOCKED);
    expect(await shown.getByRole("status").textContent()).toBe(
      "The bridge does not answer: check that it runs and that its address is right.",
    );
    expect(await shown.locator("code").textContent()).toBe("ALLIUM_E_BRIDGE_UNREACHABLE");
    expect(await shown.getByText("wss://bridge.example/").isVisible()).toBe(true);
    await call(page, "tell", READY);
    expect(await shown.locator("code").isVisible()).toBe(false);
  });

  it("shows the circuit that carried the last stream, else the newest that can carry one", async () => {
    await has(
      circuit(1, ["a1", "a2", "a3"]),
      circuit(2, ["b1", "b2", "b3"]),
      circuit(3, ["c1"], { purpose: "directory" }),
      circuit(4, ["d1", "d2", "d3"], { state: "building" }),
    );
    expect(await names()).toEqual(["This page", "b1", "b2", "b3", "The site"]);
    await call(page, "stream", { id: 1, state: "open", circuitId: 1 });
    expect((await names())[1]).toBe("a1");
    await call(page, "have", [circuit(2, ["b1", "b2", "b3"])]);
    expect((await names())[1]).toBe("b1");
    await call(page, "have", []);
    expect(await shown.getByRole("list").count()).toBe(0);
  });

  it("names countries in the page's language, where they are known", async () => {
    await has(circuit(1, ["alpha", "beta", "gamma"]));
    await call(page, "showCountries");
    const items = () => shown.getByRole("listitem").allTextContents();
    expect(await items()).toEqual([
      ...["This page", "alpha Guard Germany", "beta Middle Iceland", "gamma Exit", "The site"],
    ]);
    await page.evaluate(() => document.documentElement.setAttribute("lang", "de"));
    await call(page, "showCountries");
    expect((await items())[1]).toBe("alpha Guard Deutschland");
    await page.evaluate(() => document.documentElement.setAttribute("lang", "no language!"));
    await call(page, "showCountries");
    expect((await items())[1]).toMatch(/alpha Guard \w/);
  });

  it("changes the identity by keyboard, tells the page, and keeps the focus", async () => {
    await has(circuit(1, ["a1", "a2", "a3"]));
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    expect((await call(page, "seen")).renewals).toEqual([1, 0]);
    expect(await shown.getByRole("status").textContent()).toMatch(/^New identity: /);
    // The old circuit may live on for streams that are open.
    expect(await shown.getByRole("list").count()).toBe(0);
    await call(page, "have", [circuit(1, ["a1", "a2", "a3"]), circuit(2, ["b1", "b2", "b3"])]);
    expect((await names())[1]).toBe("b1");

    await call(page, "tell", BLOCKED);
    await page.keyboard.press("Enter");
    expect((await call(page, "seen")).renewals).toEqual([1, 0]);
    await call(page, "tell", READY);
    await page.keyboard.press("Space");
    expect((await call(page, "seen")).renewals).toEqual([2, 0]);
    await call(page, "refuse");
    await page.keyboard.press("Enter");
    expect((await call(page, "seen")).renewals).toEqual([2, 0]);
  });

  it("hears a client only while it is in the document, and only the client that it shows", async () => {
    const each = 3;
    expect((await call(page, "seen")).listeners).toEqual([2 * each, 0]);
    await call(page, "setClient", 1);
    await call(page, "tell", READY, 1);
    await call(page, "tell", BLOCKED, 0);
    expect(await shown.getByRole("status").textContent()).toMatch(/^Connected/);
    expect(await page.locator("tor-status").last().getByRole("status").textContent()).toMatch(/^The bridge/);
    expect((await call(page, "seen")).listeners).toEqual([each, each]);
    expect(await call(page, "detach", "back")).toEqual([each, 0]);
    expect((await call(page, "seen")).listeners).toEqual([each, each]);
    expect(await call(page, "detach", "gone")).toEqual([each, 0]);
  });

  it("says so when nothing is connected, or there is no client, and forgets the one that it had", async () => {
    expect(await shown.getByText("Not connected").isVisible()).toBe(true);
    await has(circuit(1, ["alpha", "beta", "gamma"]));
    await call(page, "setClient", null);
    expect(await shown.ariaSnapshot()).toBe(
      [
        '- group "Tor connection":',
        "  - text: No client",
        '  - button "New identity" [disabled]',
        "  - status",
      ].join("\n"),
    );
    await button().dispatchEvent("click");
    expect((await call(page, "seen")).renewals).toEqual([0, 0]);
  });

  it("takes all its texts from the page", async () => {
    await call(page, "setLabels", {
      title: "Tor-Verbindung",
      newIdentity: "Neue Identität",
      states: { blocked: "Blockiert" },
      problems: { "bridge-unreachable": "Die Brücke antwortet nicht." },
    });
    await call(page, "tell", BLOCKED);
    expect(await shown.ariaSnapshot()).toContain('group "Tor-Verbindung"');
    expect(await shown.getByRole("button").textContent()).toBe("Neue Identität");
    expect(await shown.getByRole("status").textContent()).toBe("Die Brücke antwortet nicht.");
    await call(page, "tell", READY);
    expect(await shown.getByText("Connected", { exact: true }).isVisible()).toBe(true);
  });

  it("never scrolls sideways: narrow, wide, in letters twice as large, from right to left", async () => {
    const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    for (const [dir, large] of [["ltr"], ["ltr", "large"], ["rtl", "large"]] as const) {
      await page.evaluate(
        ([direction, size]) => {
          document.documentElement.dir = direction;
          document.documentElement.className = size;
        },
        [dir, large ?? ""] as const,
      );
      for (const width of [320, 700, 1280]) {
        await page.setViewportSize({ width, height: 700 });
        await has(circuit(1, LONG));
        expect(await overflow(), `${dir} ${large} ${width} connected`).toBeLessThanOrEqual(0);
        await call(page, "tell", BLOCKED);
        expect(await overflow(), `${dir} ${large} ${width} blocked`).toBeLessThanOrEqual(0);
      }
    }
  });

  it("does all that without a word in the console", () => {
    expect(complaints).toEqual([]);
  });

  // After the console was read: taking a screenshot, Playwright adds an inline style in Firefox, which the policy refuses.
  it("looks right in light and dark, narrow and wide, and does not move where that is not wanted", async () => {
    await call(page, "setClient", 1, 1);
    await call(page, "tell", BLOCKED, 1);
    const schemes = name === "firefox" ? (["light"] as const) : (["light", "dark"] as const);
    for (const colorScheme of schemes) {
      await page.emulateMedia({ colorScheme });
      for (const [label, width] of [
        ["narrow", 360],
        ["wide", 900],
      ] as const) {
        await page.setViewportSize({ width, height: 600 });
        await has(circuit(1, ["amsterdam7", ...LONG.slice(1)]));
        await call(page, "showCountries");
        const path = join(SCREENSHOTS, `status-${name}-${colorScheme}-${label}.png`);
        await page.screenshot({ path, fullPage: true });
      }
      const colour = await shown.evaluate((one) => getComputedStyle(one).color);
      expect(colour).toBe(colorScheme === "dark" ? "rgb(236, 231, 243)" : "rgb(36, 29, 46)");
    }
    if (name === "firefox") return;
    await call(page, "tell", { fraction: 0.1, phase: "consensus", ready: false });
    const animation = () =>
      shown
        .getByText("Connecting", { exact: true })
        .evaluate((one) => getComputedStyle(one, "::before").animationName);
    expect(await animation()).toBe("pulse");
    await page.emulateMedia({ reducedMotion: "reduce" });
    expect(await animation()).toBe("none");
  });
});
