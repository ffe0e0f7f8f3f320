// Browsers whose name look-ups are seen. No name of the private network means anything to the machine's resolver, so whatever
// a browser wants to reach by itself shows here, were it only a preconnect, and nothing is reached.
// In Chromium a profile on disk is needed: private windows, which Playwright's contexts are, do without preconnects.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, firefox, type Page } from "playwright-core";
import { CHROMIUM_FLAGS } from "./browsers.ts";

export interface Watched {
  readonly page: Page;
  /** Ends the browser. @returns the ways (`leak-<way>`) whose hosts it looked up */
  close(): Promise<string[]>;
}

const NAME = /leak-([a-z-]+)\.tornet\.test/g;

export async function watchLookups(kind: "chromium" | "firefox"): Promise<Watched> {
  const folder = mkdtempSync(join(tmpdir(), "allium-lookups-"));
  const page = kind === "chromium" ? await openChromium(folder) : await openFirefox(folder);
  const close = async () => {
    await page.context().close();
    await page.context().browser()?.close();
    const names = new Set<string>();
    for (const file of readdirSync(folder).filter((each) => each.startsWith("log")))
      for (const line of lookups(readFileSync(join(folder, file), "utf8"))) names.add(line);
    rmSync(folder, { recursive: true, force: true });
    return [...names].sort();
  };
  return { page, close };
}

function lookups(log: string): string[] {
  // Chromium's log has URLs as well: only what its resolver was asked counts.
  const asked = log.startsWith("{") ? (log.match(/"(?:hostname|qname)":"[^"]*"/g) ?? []).join("\n") : log;
  return [...asked.matchAll(NAME)].map((match) => match[1] as string);
}

async function openChromium(folder: string): Promise<Page> {
  const context = await chromium.launchPersistentContext(join(folder, "profile"), {
    executablePath: "/usr/bin/chromium",
    ignoreDefaultArgs: ["--disable-background-networking"],
    args: [
      ...CHROMIUM_FLAGS.filter((flag) => flag !== "--disable-background-networking"),
      `--log-net-log=${join(folder, "log")}`,
      "--net-log-capture-mode=Everything",
    ],
  });
  return context.newPage();
}

async function openFirefox(folder: string): Promise<Page> {
  const present = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  const browser = await firefox.launch({
    ...{ executablePath: "/usr/bin/firefox-esr", channel: "moz-firefox" },
    env: { ...Object.fromEntries(present), MOZ_LOG: "nsHostResolver:5", MOZ_LOG_FILE: join(folder, "log") },
    // As users have them; automation turns them off.
    firefoxUserPrefs: {
      "network.http.speculative-parallel-limit": 6,
      "network.dns.disablePrefetch": false,
      "network.prefetch-next": true,
    },
  });
  return browser.newPage();
}
