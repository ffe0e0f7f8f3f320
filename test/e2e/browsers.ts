// Debian's own browsers, driven by Playwright with a fresh profile each.

import { type Browser, chromium, firefox } from "playwright-core";

export interface LaunchOptions {
  /** The address that every name has for the browser itself, so that a request past Tor arrives somewhere. */
  readonly resolveTo?: string;
  /** Firefox preferences. */
  readonly preferences?: Readonly<Record<string, string | number | boolean>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Chromium's further flags. */
  readonly flags?: readonly string[];
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

/** Playwright's Firefox takes the environment as a whole. */
function environment(env: LaunchOptions["env"] = {}): Record<string, string> {
  const present = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return { ...Object.fromEntries(present), ...env };
}

export const BROWSERS: readonly BrowserKind[] = [
  {
    name: "chromium",
    launch: ({ resolveTo, flags = [] } = {}) =>
      chromium.launch({
        executablePath: "/usr/bin/chromium",
        args: [
          ...CHROMIUM_FLAGS,
          ...flags,
          ...(resolveTo === undefined ? [] : [`--host-resolver-rules=MAP * ${resolveTo}, EXCLUDE 127.0.0.1`]),
        ],
      }),
  },
  {
    name: "firefox",
    launch: ({ resolveTo, preferences, env } = {}) =>
      firefox.launch({
        executablePath: "/usr/bin/firefox-esr",
        channel: "moz-firefox",
        env: environment(env),
        firefoxUserPrefs: {
          ...preferences,
          ...(resolveTo !== undefined && { "network.dns.forceResolve": resolveTo }),
        },
      }),
  },
];
