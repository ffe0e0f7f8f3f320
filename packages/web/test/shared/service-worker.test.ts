// A service worker as host and as guest, and the SharedWorker beside it, with the globals of each put in place for a while.
// The real ones are in test/e2e.

import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { SharingHost } from "../../src/shared/host.ts";
import { createSharedClient, inThread } from "../../src/shared/index.ts";
import { FakeClient, settled, until } from "../remote/rig.ts";
import { freshName, openTab } from "./rig.ts";

const bridges = ["wss://bridge.example/"];

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** Calls `createSharedClient` as the script of a service worker does. */
function inServiceWorker(name: string, options: object = {}) {
  const made: FakeClient[] = [];
  const thread = inThread(() => {
    made.push(new FakeClient());
    return made.at(-1) as FakeClient;
  });
  const listeners: ((event: object) => void)[] = [];
  vi.stubGlobal("ServiceWorkerGlobalScope", class {});
  vi.stubGlobal("addEventListener", (_: string, listener: (event: object) => void) =>
    listeners.push(listener),
  );
  const tor = createSharedClient({ bridges, storeName: name, thread, ...options });
  /** A page's message. */
  const hear = (data: unknown) => {
    const waits: Promise<unknown>[] = [];
    for (const listener of listeners)
      listener({ data, waitUntil: (until: Promise<unknown>) => waits.push(until) });
    return waits;
  };
  onTestFinished(() => tor.close());
  return { tor, made, hear, leave: () => vi.unstubAllGlobals() };
}

/** What a page posts to its service worker. */
function inPageWithServiceWorker() {
  const posted: unknown[] = [];
  const active = { postMessage: (message: unknown) => posted.push(message) };
  const serviceWorker = { ready: Promise.resolve({ active }) };
  vi.stubGlobal("document", { addEventListener: () => {}, removeEventListener: () => {} });
  vi.stubGlobal("navigator", { locks: navigator.locks, serviceWorker });
  return posted;
}

describe("a service worker", () => {
  it("runs no client before it needs one, and then its own, which a page takes as it is", async () => {
    const name = freshName();
    const { tor, made, leave } = inServiceWorker(name);
    await settled();
    expect(made.length).toBe(0);
    await tor.ready();
    leave();
    const { tor: page, workers } = openTab(name);
    await page.ready();
    expect([made.length, workers.length]).toEqual([1, 0]);
  });

  it("uses the client of a tab where there is one", async () => {
    const name = freshName();
    const { tor: page, workers } = openTab(name);
    await page.ready();
    const { tor, made } = inServiceWorker(name);
    expect(await (await tor.isolate("sw").fetch("http://a.example/")).text()).toBe("hello");
    expect(made.length).toBe(0);
    expect(workers[0]?.client.calls[0]?.keys).toEqual(["sw"]);
  });

  it("begins, and stays awake for 90 s, when a page wakes it by the right name", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const name = freshName();
    const { made, hear } = inServiceWorker(name);
    for (const other of [null, "allium/wake", { type: "allium/wake", name: "other" }, { type: "x", name }])
      expect(hear(other)).toEqual([]);
    expect(made.length).toBe(0);
    const [awake] = hear({ type: "allium/wake", name });
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    let isAwake = true;
    void awake?.then(() => {
      isAwake = false;
    });
    await vi.advanceTimersByTimeAsync(89_000);
    expect([isAwake, made.length]).toEqual([true, 1]);
    await vi.advanceTimersByTimeAsync(2000);
    expect(isAwake).toBe(false);
  });

  it("may be told to be a guest only", async () => {
    const name = freshName();
    const { tor, made, hear } = inServiceWorker(name, { host: "tab" });
    const ready = tor.ready();
    await settled();
    expect(made.length).toBe(0);
    expect(hear({ type: "allium/wake", name: "other" })).toEqual([]);
    vi.unstubAllGlobals();
    await openTab(name).tor.ready();
    await ready;
  });
});

describe("a page", () => {
  it("that can run no client itself wakes the service worker, every 20 s while it waits for it", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const posted = inPageWithServiceWorker();
    const name = freshName();
    const { tor } = openTab(name, { host: "service-worker" });
    await vi.advanceTimersByTimeAsync(25_000);
    expect(posted).toEqual([1, 2].map(() => ({ type: "allium/wake", name })));
    void tor.close();
    await vi.advanceTimersByTimeAsync(50_000);
    expect(posted.length).toBe(2);
  });

  it("that found the client in a service worker keeps it awake, one that found it in a tab does not", async () => {
    for (const sleeps of [true, false]) {
      const name = freshName();
      const host = new SharingHost(
        () => new FakeClient(),
        () => {},
        sleeps,
      );
      onTestFinished(() => host.stop());
      const { port1, port2 } = new MessageChannel();
      onTestFinished(() => port2.close());
      const { promise, resolve } = Promise.withResolvers<void>();
      onTestFinished(() => resolve());
      void navigator.locks.request(`allium/host/${name}`, () => promise);
      host.serve(port1);
      const options = JSON.stringify({ bridges, storeName: name });
      port2.postMessage({ type: "hello", protocol: 1, options, share: name });
      await settled();
      const posted = inPageWithServiceWorker();
      await openTab(name).tor.ready();
      await settled();
      expect(posted.length).toBe(sleeps ? 1 : 0);
      vi.unstubAllGlobals();
    }
  });
});

it("where there are no Web Locks there is no client for all tabs", () => {
  vi.stubGlobal("navigator", {});
  const refused = expect.objectContaining({ code: "ALLIUM_E_REMOTE_START" });
  expect(() => openTab(freshName())).toThrow(refused);
});

describe("a SharedWorker", () => {
  /** A browser's SharedWorkers of one address: `dying` of them still answer for the one before. */
  function browserWith(dying: number) {
    const client = new FakeClient();
    const host = new SharingHost(
      () => client,
      () => {},
    );
    onTestFinished(() => host.stop());
    let made = 0;
    vi.stubGlobal("SharedWorker", class {});
    const sharedWorker = () => {
      const { port1, port2 } = new MessageChannel();
      onTestFinished(() => port1.close());
      if (made++ >= dying) host.serve(port1);
      return { port: port2, addEventListener: () => {} } as unknown as SharedWorker;
    };
    return { client, sharedWorker, made: () => made };
  }

  it("is preferred, and shared by all pages", async () => {
    const name = freshName();
    const { client, sharedWorker, made } = browserWith(0);
    const tabs = [1, 2, 3].map(() => openTab(name, { host: undefined, sharedWorker } as object));
    await Promise.all(tabs.map(({ tor }) => tor.fetch("http://a.example/")));
    expect([client.calls.length, made(), tabs.flatMap(({ workers }) => workers).length]).toEqual([3, 3, 0]);
  });

  it("that is silent is made again, and what was asked meanwhile is asked once", async () => {
    const { client, sharedWorker, made } = browserWith(2);
    const { tor } = openTab(freshName(), { host: "shared-worker", sharedWorker });
    const body = new Uint8Array(1000).fill(7);
    await tor.fetch("http://a.example/", { method: "POST", body });
    expect([client.calls.length, made()]).toEqual([1, 3]);
  });

  it("waits while a service worker runs the client, and takes over when that is gone", async () => {
    const name = freshName();
    const service = inServiceWorker(name);
    await service.tor.ready();
    service.leave();
    const { client, sharedWorker, made } = browserWith(0);
    const { tor } = openTab(name, { host: "shared-worker", sharedWorker });
    await tor.ready();
    expect([service.made.length, made()]).toEqual([1, 0]);
    await navigator.locks.request(`allium/host/${name}`, { steal: true }, async () => {});
    await until(() => made() === 1);
    await tor.fetch("http://a.example/");
    expect(client.calls.length).toBe(1);
  });

  it("answers a service worker that needs the client", async () => {
    const name = freshName();
    const { client, sharedWorker } = browserWith(0);
    await openTab(name, { host: "shared-worker", sharedWorker }).tor.ready();
    const { tor, made } = inServiceWorker(name);
    await tor.fetch("http://a.example/");
    expect([client.calls.length, made.length]).toEqual([1, 0]);
  });
});
