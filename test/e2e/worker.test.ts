// A client in a dedicated and in a shared Worker, in real browsers through the private network: the same bytes as in the
// page, in pieces that a page can take, under a strict policy; and what a page that is gone had is free.

import { type Bridge, createBridge } from "@allium/bridge";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import type { PageOptions, WorkerPage } from "../../packages/web/test/browser/worker-page.ts";
import { BROWSERS } from "./browsers.ts";
import { callsOf } from "./page-calls.ts";
import type { ScriptSite } from "./script-site.ts";
import { startWorkerSite } from "./worker-site.ts";

const MIB = 1 << 20;
const network = inject("network");
const info = inject("info");
const large = new URL(info.http.large.path, info.http.url).href;

let bridge: Bridge;
let site: ScriptSite;
let bridges: string[];

beforeAll(async () => {
  bridge = createBridge({ network, listen: { host: "127.0.0.1", port: 0 } });
  bridges = [await bridge.listen()];
  await bridge.ready;
  site = await startWorkerSite(bridges[0] as string);
});

afterAll(async () => {
  site.close();
  await bridge.close();
});

const call = callsOf<WorkerPage>("workerPage");

describe.each(BROWSERS)("in $name", ({ launch }) => {
  let browser: Browser;
  let context: BrowserContext;
  const complaints: string[] = [];

  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser?.close());

  async function openPage(): Promise<Page> {
    const page = await context.newPage();
    page.on("console", (message) => complaints.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(site.url);
    await page.waitForFunction("globalThis.workerPage !== undefined");
    return page;
  }

  describe.each(["dedicated", "shared"] as const)("a client in a %s Worker", (kind) => {
    let page: Page;
    const start = (change: object = {}): PageOptions => ({
      kind,
      options: { bridges, network, storeName: `worker-${kind}`, ...change },
    });

    beforeAll(async () => {
      context = await browser.newContext();
      page = await openPage();
    });
    afterAll(() => context.close());

    it("bootstraps, and tells each phase on the way", async () => {
      const { status, phases } = await call(page, "start", start());
      expect(status).toEqual({ fraction: 1, phase: "ready", ready: true });
      expect(phases).toEqual(expect.arrayContaining(["consensus", "microdescriptors", "circuit", "ready"]));
    });

    it("downloads 64 MiB unharmed, in pieces neither large nor many", async () => {
      const { bytes, sha256, traffic, ms, url } = await call(page, "download", large);
      expect({ bytes, sha256, url }).toEqual({ bytes: 64 * MIB, sha256: info.http.large.sha256, url: large });
      expect(traffic.bytes).toBe(64 * MIB);
      // No message, and so no handler of one, has more; and short ones come 4 ms apart.
      expect(traffic.largest).toBeLessThanOrEqual(131_072);
      expect(traffic.messages).toBeLessThan((64 * MIB) / 32_768 + ms / 4 + 100);
    });

    it("uploads 8 MiB unharmed, as bytes and as a stream", async () => {
      const { sent, answers } = await call(page, "upload", `${info.http.url}sink`, 8 * MIB);
      expect(answers).toEqual([1, 2].map(() => ({ bytes: 8 * MIB, sha256: sent })));
    });

    it("echoes 1 MiB through a socket", async () => {
      const { hostname, port, address } = info.echo;
      expect(await call(page, "echo", { hostname, port }, MIB)).toEqual({
        info: { remoteAddress: `${address}:${port}` },
        isEqual: true,
      });
    });

    it("says what is wrong as fetch says it, and stops at once when it is aborted", async () => {
      const { isTypeError, code } = await call(page, "refused", "http://127.0.0.1:2/");
      expect([isTypeError, code.startsWith("ALLIUM_E_STREAM_")]).toEqual([true, true]);
      expect(await call(page, "abort", large)).toBe("enough");
    });

    it("knows circuits, counts and guards", async () => {
      const { circuits, stats, guards } = await call(page, "about");
      expect(circuits.length).toBeGreaterThan(0);
      expect(circuits.every(({ hops }) => hops.length === 3)).toBe(true);
      // The requests share a connection; the socket has one of its own.
      expect(stats.streams.opened).toBeGreaterThanOrEqual(2);
      expect(guards.guards.length).toBeGreaterThan(0);
    });

    it("ends with close(), and can be made anew", async () => {
      await call(page, "close");
      expect((await call(page, "refused", large)).code).toBe("ALLIUM_E_CLOSED");
      const { phases } = await call(page, "start", start());
      expect(phases).not.toContain("microdescriptors");
      expect((await call(page, "download", info.http.url)).bytes).toBeGreaterThan(0);
    });

    it("leaves the console empty", () => {
      expect(complaints).toEqual([]);
    });
  });

  it("says that a worker was ended, and that one cannot be started", async () => {
    const page = await browser.newPage();
    await page.goto(site.url);
    await page.waitForFunction("globalThis.workerPage !== undefined");
    const { code, status } = await call(
      page,
      "terminated",
      { bridges, network, storeName: "worker-ended" },
      large,
    );
    expect([code, status.blocked?.code]).toEqual(["ALLIUM_E_REMOTE_LOST", "ALLIUM_E_REMOTE_LOST"]);
    expect(await call(page, "missing")).toBe("ALLIUM_E_REMOTE_START");
    await page.close();
  });

  it("shares one client among tabs, refuses other options, and frees what a closed tab held", async () => {
    context = await browser.newContext();
    const options = { bridges, network, storeName: "worker-tabs" };
    const first = await openPage();
    const second = await openPage();
    await call(first, "start", { kind: "shared", options });
    const began = await call(second, "start", { kind: "shared", options });
    expect(began.phases.filter((phase) => phase !== "ready")).toEqual([]);
    const other = { kind: "shared", options: { ...options, storeName: "other" } } as const;
    expect(await call(second, "failure", other)).toBe("ALLIUM_E_REMOTE_OPTIONS");
    for (let i = 0; i < 3; i++) expect(await call(first, "hold", large)).toBe(200);
    expect((await call(second, "about")).stats.streams.open).toBe(3);
    await first.close();
    await expect
      .poll(async () => (await call(second, "about")).stats.streams.open, { timeout: 10_000 })
      .toBe(0);
    expect((await call(second, "download", info.http.url)).bytes).toBeGreaterThan(0);
    await context.close();
    expect(complaints).toEqual([]);
  });
});
