// The web over Tor from a page in real browsers, through bridge and relays: HTTPS, WebSockets, sockets with TLS, diagnosis.

import { readFileSync } from "node:fs";
import { type Bridge, createBridge } from "@allium/bridge";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import type { WebPage } from "../../packages/web/test/browser/web-page.ts";
import { BROWSERS } from "./browsers.ts";
import { callsOf } from "./page-calls.ts";
import { type ScriptSite, sourceFile, startScriptSite, strictPolicy } from "./script-site.ts";

const network = inject("network");
const { http, https } = inject("info");

let bridge: Bridge;
let site: ScriptSite;
let bridges: string[];

beforeAll(async () => {
  bridge = createBridge({ network, listen: { host: "127.0.0.1", port: 0 } });
  bridges = [await bridge.listen()];
  await bridge.ready;
  site = await startScriptSite({
    scripts: {
      "/page.js": "packages/web/test/browser/web-page.ts",
      "/worker.js": "packages/web/src/worker.ts",
    },
    files: { "/roots.bin": readFileSync(sourceFile("packages/core/data/roots.bin")) },
    policy: strictPolicy(bridges[0] as string),
  });
});

afterAll(async () => {
  site.close();
  await bridge.close();
});

const call = callsOf<WebPage>("webPage");

describe.each(BROWSERS)("in $name", ({ launch }) => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser?.close());

  describe.each(["page", "worker"] as const)("a client in the %s", (place) => {
    let page: Page;
    const complaints: string[] = [];

    beforeAll(async () => {
      page = await (await browser.newContext()).newPage();
      page.on("console", (message) => complaints.push(`${message.type()}: ${message.text()}`));
      page.on("pageerror", (error) => complaints.push(error.message));
      await page.goto(site.url);
      await page.waitForFunction("globalThis.webPage !== undefined");
      const tls = { roots: "roots.bin", extraAnchors: [https.root] };
      await call(page, "start", place, { bridges, network, storeName: `web-${place}`, tls });
    });
    afterAll(() => page?.context().close());

    it("fetches https: over HTTP/2, unharmed", async () => {
      const { status, url, text } = await call(page, "get", `${https.namedUrl}headers`);
      expect([status, url]).toEqual([200, `${https.namedUrl}headers`]);
      expect(JSON.parse(text).headers[":authority"]).toBe(`${https.hostname}:${https.port}`);
      const bytes = 5 << 20;
      const digest = await call(page, "digest", `${https.namedUrl}bytes/${bytes}`);
      expect(digest).toEqual(JSON.parse((await call(page, "get", `${https.namedUrl}digest/${bytes}`)).text));
    });

    it("refuses a server that is somebody else", async () => {
      const other = https.namedUrl.replace(https.hostname, "other.name.tornet.test");
      expect(await call(page, "failure", other)).toBe("ALLIUM_E_CERT_NAME");
    });

    it("echoes through WebSockets, with TLS and without", async () => {
      for (const { namedUrl } of [http, https]) {
        const url = `${namedUrl.replace(/^http/, "ws")}echo`;
        const outcome = { heard: ["hello", 300_000], protocol: "b", code: 4000, wasClean: true };
        expect(await call(page, "webSocket", url, "hello", 300_000)).toEqual(outcome);
      }
    });

    it("starts TLS on a socket", async () => {
      expect(await call(page, "secureSocket", https.hostname, https.port)).toEqual({
        ...{ alpn: "http/1.1", answer: "HTTP/1.1 200 OK" },
      });
    });

    it("says what works, and what is no answer about Tor", async () => {
      expect((await call(page, "diagnose", https.namedUrl)).good).toBe(true);
      expect(await call(page, "check", http.namedUrl)).toBe("ALLIUM_E_CHECK_ANSWER");
    });

    it("leaves the console empty", async () => {
      await call(page, "close");
      expect(complaints).toEqual([]);
    });
  });
});
