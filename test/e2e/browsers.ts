// Debian's own browsers, driven by Playwright with a fresh profile each.

import { type Browser, chromium, firefox } from "playwright-core";

export interface BrowserKind {
  readonly name: "chromium" | "firefox";
  launch(): Promise<Browser>;
}

/** Flags without which Chromium looks for Google's hosts at every start. */
export const CHROMIUM_FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export const BROWSERS: readonly BrowserKind[] = [
  {
    name: "chromium",
    launch: () => chromium.launch({ executablePath: "/usr/bin/chromium", args: CHROMIUM_FLAGS }),
  },
  {
    name: "firefox",
    launch: () => firefox.launch({ executablePath: "/usr/bin/firefox-esr", channel: "moz-firefox" }),
  },
];
