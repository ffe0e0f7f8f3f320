// A site whose service worker fetches through Tor, in real browsers: docs/service-worker.md's example as it stands there, and
// a target that must not be reached otherwise.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Bridge, createBridge } from "@allium/bridge";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import type { RoutePage } from "../../packages/web/test/browser/route-page.ts";
import { ROOT } from "../repo/files.ts";
import { BROWSERS } from "./browsers.ts";
import { bundleFile, bundleText, callPage, type Site, startSite } from "./site.ts";
import { DIRECT, startTarget, type Target } from "./target.ts";

const network = inject("network");
const info = inject("info");
const IDLE_MS = 1500;

let bridge: Bridge;
let site: Site;
let target: Target;
let api: string;

/** A code block of the documentation, with the private network in place of the public one. */
function example(name: string, bridgeUrl: string): string {
  const text = readFileSync(join(ROOT, "docs/service-worker.md"), "utf8");
  const code = new RegExp(`\`\`\`ts ${name}\n(.*?)\`\`\``, "s").exec(text)?.[1] ?? "";
  const place = 'bridges: ["wss://bridge.example/"]';
  if (!code.includes(place)) throw new Error("the example names its bridge otherwise");
  return code
    .replace(place, `bridges: [${JSON.stringify(bridgeUrl)}], network: ${JSON.stringify(network)}`)
    .replace('".onion"', `".onion", "http://api.tornet.test:${target.port}/", () => isBroken()`);
}

/** What the tests ask of the worker beside the example. */
const EXTRA = `
  const number = Math.random();
  let broken = false;
  function isBroken() { if (broken) throw new Error("a mistake"); return false; }
  addEventListener("message", ({ data, ports }) => {
    broken = data === "break";
    ports[0]?.postMessage(number);
  });`;

beforeAll(async () => {
  target = await startTarget(info, ({ path, headers, body, method }, response) => {
    if (path === "/hang") return;
    if (path === "/script.js") {
      response.end("document.body.dataset.ran = 1");
      return;
    }
    if (path.startsWith("/image.svg")) {
      response
        .writeHead(200, { "content-type": "image/svg+xml" })
        .end('<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>');
      return;
    }
    response.writeHead(200, {
      "content-type": "application/json",
      "set-cookie": "a=1",
      link: "</image.svg>; rel=preload; as=image",
    });
    response.end(method === "HEAD" ? undefined : JSON.stringify({ method, headers, body: body.length }));
  });
  api = `http://api.tornet.test:${target.port}/`;
  bridge = createBridge({ network, listen: { host: "127.0.0.1", port: 0 } });
  const url = await bridge.listen();
  await bridge.ready;
  const { origin } = new URL(url);
  const worker = await bundleText(EXTRA + example("sw.ts", url));
  const script = await bundleFile("packages/web/test/browser/route-page.ts");
  // The page may ask the target: only the worker keeps it from going there directly.
  const open = `${api} http://abc.onion:${target.port}`;
  const policy = `default-src 'none'; script-src 'self' ${open}; worker-src 'self'; img-src 'self' ${open}; frame-src 'self' ${open}; connect-src 'self' ${open}`;
  const bridgePolicy = `default-src 'none'; script-src 'self'; connect-src ${origin} ${origin.replace(/^ws/, "http")}`;
  site = await startSite((_, path) => {
    const headers = { "content-security-policy": path === "/sw.js" ? bridgePolicy : policy };
    if (path === "/sw.js") return { body: worker, type: "text/javascript", headers };
    if (path === "/page.js") return { body: script, type: "text/javascript", headers };
    if (path === "/")
      return {
        body: '<!doctype html><title>route</title><body><script type="module" src="page.js"></script>',
        type: "text/html",
        headers,
      };
    return undefined;
  });
});

afterAll(async () => {
  site?.close();
  target?.close();
  await bridge?.close();
});

describe.each(BROWSERS)("a route in $name", ({ name, launch }) => {
  let browser: Browser;
  let page: Page;
  const call = <K extends keyof RoutePage>(method: K, ...args: Parameters<RoutePage[K]>) =>
    callPage<RoutePage, K>(page, method, ...(args as never)) as Promise<Awaited<ReturnType<RoutePage[K]>>>;
  const mapped = (url: string) => call("path", url);

  beforeAll(async () => {
    browser = await launch({
      resolveTo: DIRECT,
      preferences: {
        "dom.serviceWorkers.idle_timeout": IDLE_MS,
        "dom.serviceWorkers.idle_extended_timeout": IDLE_MS,
      },
    });
    page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${site.port}/`);
    await page.waitForFunction("globalThis.testPage !== undefined");
  });
  afterAll(() => browser?.close());
  beforeEach(() => {
    target.direct.length = target.visits.length = site.requests.length = 0;
  });
  afterEach(() => {
    expect(target.direct).toEqual([]);
    expect(site.requests.filter((request) => request.includes("/tor/"))).toEqual([]);
  });

  it("knows a page that no worker controls, and controls it then", async () => {
    expect(await call("control")).toBe("ALLIUM_E_ROUTE_UNCONTROLLED");
    await call("register");
    expect(await call("control")).toBe("controlled");
  });

  it("fetches by path and by origin, and sends nothing of the browser's", async () => {
    for (const url of [await mapped(`${api}a?b`), `${api}a?b`]) {
      const { status, headers, text } = await call("get", url, { headers: { "x-key": "1" } });
      expect(JSON.parse(text)).toEqual({
        method: "GET",
        body: 0,
        headers: {
          accept: "*/*",
          "accept-encoding": "gzip, deflate",
          connection: "keep-alive",
          host: `api.tornet.test:${target.port}`,
          "x-key": "1",
        },
      });
      expect([status, headers["x-allium-url"], headers["cache-control"]]).toEqual([
        200,
        `${api}a?b`,
        "no-store",
      ]);
      expect(headers).not.toHaveProperty("link");
    }
    expect(target.visits.length).toBe(2);
  });

  it("streams a large file unharmed, a part of one, and its head", async () => {
    const url = await mapped(new URL("bytes/4000000", info.http.url).href);
    const whole = await call("get", url);
    const digest = JSON.parse(
      (await call("get", await mapped(new URL("digest/4000000", info.http.url).href))).text,
    );
    expect([whole.bytes, whole.sha256]).toEqual([4_000_000, digest.sha256]);
    const range = JSON.parse(
      (await call("get", await mapped(api), { headers: { range: "bytes=1-2" } })).text,
    );
    expect(range.headers).toMatchObject({ range: "bytes=1-2", "accept-encoding": "identity" });
    expect(await call("get", await mapped(api), { method: "HEAD" })).toMatchObject({ status: 200, bytes: 0 });
  });

  it.each(["bytes", "form"] as const)("posts %s", async (kind) => {
    const sink = await mapped(new URL("sink", info.http.url).href);
    const { sha256, answer } = await call("post", sink, kind, 300_000);
    const { bytes, sha256: got } = JSON.parse(answer);
    if (kind === "bytes") expect([bytes, got]).toEqual([300_000, sha256]);
    else expect(bytes).toBeGreaterThan(300_000);
  });

  it("follows redirects inside Tor", async () => {
    const { headers, text } = await call("get", await mapped(new URL("redirect/3", info.http.url).href));
    expect([headers["x-allium-url"], text.includes("<h1>")]).toEqual([info.http.url, true]);
  });

  it("loads images, and neither scripts nor documents", async () => {
    expect(await call("image", await mapped(`${api}image.svg`))).toBe("load");
    expect(await call("image", `${api}image.svg?absolute`)).toBe("load");
    expect(target.visits.length).toBe(2);
    for (const url of [await mapped(`${api}script.js`), `${api}script.js`])
      expect(await call("script", url)).toBe("error");
    expect(await call("frame", await mapped(api))).not.toContain("headers");
    expect(await page.evaluate(() => document.body.dataset.ran)).toBeUndefined();
    expect(target.visits.length).toBe(2);
  });

  it("ends a stream that the page gives up, before and after its head", async () => {
    expect(await call("abort", await mapped(new URL(info.http.large.path, info.http.url).href))).toBe(
      "AbortError",
    );
    expect(await call("giveUp", await mapped(`${api}hang`), 1500)).toMatch(/TimeoutError|AbortError/);
    expect((await call("get", await mapped(api))).status).toBe(200);
  });

  it("says what Tor says, and never tries the network", async () => {
    const onion = await call("get", `http://abc.onion:${target.port}/`);
    expect([onion.status, onion.headers["x-allium-error"]]).toEqual([502, "ALLIUM_E_ONION_UNSUPPORTED"]);
    const refused = await call("get", await mapped("http://127.0.0.1:2/"));
    expect(refused.headers["x-allium-error"]).toMatch(/^ALLIUM_E_STREAM_/);
    expect((await call("get", "/tor/nonsense")).headers["x-allium-error"]).toBe("ALLIUM_E_ROUTE_TARGET");
  });

  it("works on after the worker was ended, and fails closed when it is ended on the way", async () => {
    const before = await call("workerNumber");
    if (name === "chromium") {
      const session = await page.context().newCDPSession(page);
      await session.send("ServiceWorker.enable");
      const hanging = call("giveUp", `${api}hang`, 6000);
      await expect.poll(() => target.visits.length, { timeout: 20_000 }).toBe(1);
      await session.send("ServiceWorker.stopAllWorkers");
      // Chromium asks the next worker the same, which asks Tor.
      expect(await hanging).toMatch(/^(?:TypeError|TimeoutError|AbortError)$/);
    } else {
      await new Promise((resolve) => setTimeout(resolve, IDLE_MS * 3));
    }
    expect((await call("get", `${api}again`)).status).toBe(200);
    expect(await call("workerNumber")).not.toBe(before);
  });

  it("sends nothing to the network when a rule fails", async () => {
    await page.evaluate(() => navigator.serviceWorker.controller?.postMessage("break"));
    const other = `http://127.0.0.1:${site.port}/missing`;
    expect((await call("get", other)).headers["x-allium-error"]).toBe("ALLIUM_E_INTERNAL");
    expect(site.requests).toEqual([]);
  });
});
