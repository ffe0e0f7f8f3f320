// The demo page's viewer, in real browsers: a site with its image, a link and a form, through Tor on loopback hosts that the
// browser resolves by itself. Third-party storage is blocked in Chromium's private windows, which is what Playwright's
// contexts are: there the page says so, and where it works.

import { mkdirSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { BROWSERS, CHROMIUM_FLAGS } from "./browsers.ts";
import { type Demo, SCREENSHOTS, startDemo } from "./demo-rig.ts";

const { http, https, names } = inject("info");
/** The viewer's policies name the features of all browsers. */
const UNKNOWN =
  /Permissions-Policy header: Unrecognized feature|Unrecognized .* directive 'webrtc'|Feature Policy/;
const SITE = `${http.namedUrl}site`;

let demo: Demo;

beforeAll(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  demo = await startDemo();
});
afterAll(() => demo?.close());

interface Window {
  readonly name: string;
  /** Whether hosts of another site may have a worker in a frame. */
  readonly thirdParty: boolean;
  open(): Promise<{ context: BrowserContext; close(): Promise<void> }>;
}

const WINDOWS: readonly Window[] = [
  ...BROWSERS.map(({ name, launch }) => ({
    ...{ name: name === "chromium" ? "chromium-private" : name, thirdParty: name !== "chromium" },
    open: async () => {
      const browser = await launch();
      return { context: await browser.newContext(), close: () => browser.close() };
    },
  })),
  {
    ...{ name: "chromium", thirdParty: true },
    open: async () => {
      const profile = await mkdtemp(join(tmpdir(), "allium-profile-"));
      await mkdir(join(profile, "Default"));
      await writeFile(
        join(profile, "Default/Preferences"),
        JSON.stringify({ profile: { cookie_controls_mode: 0 } }),
      );
      const options = { executablePath: "/usr/bin/chromium", args: CHROMIUM_FLAGS };
      const context = await chromium.launchPersistentContext(profile, options);
      const close = async () => {
        await context.close();
        await rm(profile, { recursive: true, force: true });
      };
      return { context, close };
    },
  },
];

describe.each(WINDOWS)("the demo page's viewer in $name", ({ name, thirdParty, open }) => {
  let opened: Awaited<ReturnType<Window["open"]>>;
  let page: Page;
  const complaints: string[] = [];

  beforeAll(async () => {
    opened = await open();
    page = await opened.context.newPage();
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(demo.url);
    await isReady();
  });
  afterAll(() => opened?.close());

  const isReady = () =>
    page.locator("tor-status").getByText("Connected", { exact: true }).waitFor({ timeout: 60_000 });
  const view = async (address: string) => {
    await page.fill("#site-address", address);
    await page.click("#site-go");
  };
  const problem = () => page.locator("#site-problem").textContent();
  const isShown = (url: string | RegExp) =>
    expect
      .poll(
        async () => `${await page.inputValue("#site-address")} ${await page.textContent("#site-progress")}`,
        {
          timeout: 30_000,
        },
      )
      .toMatch(typeof url === "string" ? `${url} Shown` : url);
  /** In the shown document, where its link or button is. */
  const clickIn = async () => {
    const frame = page.locator("#site-frames iframe").first();
    await frame.scrollIntoViewIfNeeded();
    // Until it is laid out, which it is not while it is out of sight.
    await page.waitForTimeout(1000);
    await frame.click({ position: { x: 60, y: 107 } });
  };

  const refused = async () => {
    await view(SITE);
    await page.waitForSelector("#site-problem:not([hidden])", { timeout: 30_000 });
    expect(await problem()).toMatch(/third-party storage.*ALLIUM_E_VIEWER_START/);
    await page.screenshot({ path: join(SCREENSHOTS, `demo-viewer-${name}-refused.png`), fullPage: true });
    await page.click("#site-problem a");
    await isReady();
    expect(new URL(page.url()).hostname).toBe("allium.localhost");
  };
  if (!thirdParty) it("says why it cannot, and where it can", refused);

  it("shows a site", async () => {
    await view(SITE);
    await isShown(SITE);
  });

  it("follows a link and sends a form", async () => {
    // A click by Playwright does not arrive in Firefox's frames of another site, which are in another process.
    if (name === "firefox") await page.goto(demo.url.replace("127.0.0.1", "allium.localhost"));
    await isReady();
    await view(SITE);
    await isShown(SITE);
    await clickIn();
    await isShown(`${SITE}/form`);
    await clickIn();
    await isShown(`${SITE}/said?text=a+%3Cb%3E`);
  });

  it("goes to another site, over TLS", async () => {
    await view(https.namedUrl);
    await isShown(https.namedUrl);
  });

  // Before what fails: of that, Chromium says the status.
  it("leaves the console free of errors", () => {
    expect(complaints.filter((complaint) => !UNKNOWN.test(complaint))).toEqual([]);
  });

  it("says what is wrong", async () => {
    await view(`http://${names.missing}/`);
    await expect.poll(problem, { timeout: 60_000 }).toMatch(/is not shown \(ALLIUM_E_/);
    await view("ftp://host/");
    await expect.poll(problem).toContain("ALLIUM_E_VIEWER_URL");
    await view(SITE);
    await isShown(SITE);
    expect(await page.isVisible("#site-problem")).toBe(false);
  });

  it("looks right", async () => {
    await page.waitForTimeout(500);
    await page.screenshot({ path: join(SCREENSHOTS, `demo-viewer-${name}.png`), fullPage: true });
  });
});
