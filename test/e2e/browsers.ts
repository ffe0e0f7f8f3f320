// Debian's own browsers, driven by Playwright with a fresh profile each.

import { type Browser, chromium, firefox } from "playwright-core";

export interface LaunchOptions {
  /** The address that every name has for the browser itself, so that a request past Tor arrives somewhere. */
  readonly resolveTo?: string;
  /** Firefox preferences. */
  readonly preferences?: Readonly<Record<string, string | number | boolean>>;
}

export interface BrowserKind {
  readonly name: "chromium" | "firefox";
  launch(options?: LaunchOptions): Promise<Browser>;
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
    launch: ({ resolveTo } = {}) =>
      chromium.launch({
        executablePath: "/usr/bin/chromium",
        args: [
          ...CHROMIUM_FLAGS,
          ...(resolveTo === undefined ? [] : [`--host-resolver-rules=MAP * ${resolveTo}, EXCLUDE 127.0.0.1`]),
        ],
      }),
  },
  {
    name: "firefox",
    launch: ({ resolveTo, preferences } = {}) =>
      firefox.launch({
        executablePath: "/usr/bin/firefox-esr",
        channel: "moz-firefox",
        firefoxUserPrefs: {
          ...preferences,
          ...(resolveTo !== undefined && { "network.dns.forceResolve": resolveTo }),
        },
      }),
  },
];
