import { describe, expect, it } from "vitest";
import { memoryStore } from "../../src/base/memory-store.ts";
import type { Store } from "../../src/base/ports.ts";
import type { NetDir } from "../../src/directory/api.ts";
import { HOUR, NOW, testRelay } from "./builder.ts";
import {
  honest,
  networkDocuments,
  notFound,
  response,
  TestCaches,
  type TestNetwork,
} from "./cache-server.ts";
import { TestClock } from "./manual-clock.ts";
import { authorities, documents, good, relays, setup } from "./setup.ts";

describe("keeping fresh", () => {
  /** A network that publishes a consensus each minute, of which the relays' microdescriptors change. */
  function fastNetwork(clock: TestClock, published: () => boolean = () => true) {
    let last: { minute: number; network: TestNetwork } | undefined;
    return honest(() => {
      const minute = Math.floor(clock.now() / 60_000);
      if (last === undefined || (last.minute !== minute && published())) {
        const validAfter = minute * 60_000;
        const changed = relays.map((relay, i) => (i < 4 ? testRelay(i + 1, minute) : relay));
        const times = { validAfter, freshUntil: validAfter + 60_000, validUntil: validAfter + 600_000 };
        last = { minute, network: networkDocuments(authorities, changed, times) };
      }
      return last.network;
    });
  }

  it("follows the network, fetching what changed, until it is stopped", async () => {
    const clock = new TestClock(NOW);
    const caches = new TestCaches(fastNetwork(clock));
    const views: NetDir[] = [];
    const { manager, bootstrap } = setup({
      clock,
      caches,
      options: { onNetDir: (netdir) => views.push(netdir) },
    });
    await bootstrap();
    const controller = new AbortController();
    const following = manager.keepFresh(controller.signal);
    await clock.advance(60 * 60_000);
    expect(views.length).toBeGreaterThan(6);
    expect(manager.netdir).toBe(views.at(-1));
    const times = views.map(({ validAfter }) => validAfter);
    expect(times).toEqual([...times].sort((x, y) => x - y));
    for (const [i, view] of views.entries()) {
      expect(view.relays.length).toBe(40);
      // Never while the last one was fresh, never after it had expired.
      if (i > 0) expect(view.validAfter).toBeGreaterThanOrEqual((views[i - 1] as NetDir).freshUntil);
      if (i > 0) expect(view.validAfter).toBeLessThan((views[i - 1] as NetDir).validUntil);
    }
    const fetched = caches.asked.filter(({ path }) => path.includes("/micro/")).slice(3);
    for (const { path } of fetched) expect(path.split("-").length).toBe(4);
    expect(caches.asked.at(-1)?.hadNetDir).toBe(true);
    controller.abort();
    await clock.run(following);
    expect(clock.waiting).toBe(0);
  });

  it("for a bridge follows within a minute and a half", async () => {
    const clock = new TestClock(NOW);
    const { manager, bootstrap, caches } = setup({
      clock,
      caches: new TestCaches(fastNetwork(clock)),
      options: { consensusOnly: true, early: true },
    });
    await bootstrap();
    const controller = new AbortController();
    const following = manager.keepFresh(controller.signal);
    for (let minute = 0; minute < 10; minute++) {
      await clock.advance(60_000);
      expect(clock.now() - (manager.netdir?.freshUntil ?? 0)).toBeLessThan(40_000);
    }
    expect(caches.kinds).not.toContain("micro");
    controller.abort();
    await clock.run(following);
  });

  it("tells the caches what it has, and takes no for an answer", async () => {
    const clock = new TestClock(NOW);
    let published = true;
    const fast = fastNetwork(clock, () => published);
    const caches = new TestCaches((path, request) =>
      !published && path.includes("/consensus")
        ? response("", "HTTP/1.0 304 Not modified")
        : fast(path, request),
    );
    const { manager, bootstrap } = setup({ clock, caches });
    const first = await bootstrap();
    published = false;
    const controller = new AbortController();
    const following = manager.keepFresh(controller.signal);
    await clock.advance(12 * 60_000);
    expect(manager.netdir).toBe(first);
    const since = new Date(first.validAfter + 30_000).toUTCString();
    expect(caches.asked.at(-1)?.request).toContain(`If-Modified-Since: ${since}\r\n`);
    expect(caches.blamed).toEqual([]);
    const askedBefore = caches.asked.length;
    expect(askedBefore).toBeLessThan(60);
    published = true;
    await clock.advance(2 * 60_000);
    expect(manager.netdir?.validAfter).toBeGreaterThan(first.validAfter);
    controller.abort();
    await clock.run(following);
  });

  it("does without the network for as long as is tolerated, then has no view any more", async () => {
    const clock = new TestClock(NOW);
    let up = true;
    const fast = fastNetwork(clock);
    const caches = new TestCaches((path, request) => (up ? fast(path, request) : notFound));
    const { manager, bootstrap } = setup({ clock, caches });
    await bootstrap();
    up = false;
    const controller = new AbortController();
    const following = manager.keepFresh(controller.signal);
    await clock.advance(85 * 60_000);
    expect(manager.netdir).toBeDefined();
    await clock.advance(10 * 60_000);
    expect(manager.netdir).toBeUndefined();
    up = true;
    await clock.advance(3 * 60_000);
    expect(manager.netdir).toBeDefined();
    controller.abort();
    await clock.run(following);
  });

  it("refuses to be led back to an older consensus", async () => {
    const clock = new TestClock(NOW);
    const old = networkDocuments(authorities, relays, { validAfter: NOW - HOUR });
    let current = documents;
    const { manager, bootstrap, caches } = setup({ clock, caches: new TestCaches(honest(() => current)) });
    const first = await bootstrap();
    current = old;
    const controller = new AbortController();
    const following = manager.keepFresh(controller.signal);
    await clock.advance(3 * HOUR);
    expect(manager.netdir).toBe(first);
    expect(caches.blamed.some(({ error }) => error.code === "ALLIUM_E_CONSENSUS_ROLLBACK")).toBe(true);
    controller.abort();
    await clock.run(following);
  });

  it("notices within a minute that the device slept", async () => {
    const clock = new TestClock(NOW);
    const { manager, bootstrap } = setup({ clock, caches: new TestCaches(fastNetwork(clock)) });
    await bootstrap();
    const controller = new AbortController();
    const following = manager.keepFresh(controller.signal);
    await clock.advance(1000);
    clock.set(NOW + 50 * HOUR);
    expect(manager.netdir).toBeUndefined();
    await clock.advance(60_000);
    expect(manager.netdir?.validAfter).toBeGreaterThan(NOW + 49 * HOUR);
    controller.abort();
    await clock.run(following);
  });

  it("asks again for microdescriptors that were missing", async () => {
    const clock = new TestClock(NOW);
    let all = false;
    const some = honest(() => ({
      ...documents,
      microdescriptors: new Map([...documents.microdescriptors].slice(1)),
    }));
    const caches = new TestCaches((path, request) => (all ? good : some)(path, request));
    const { manager, bootstrap } = setup({ clock, caches });
    expect((await bootstrap()).relays.length).toBe(39);
    all = true;
    const controller = new AbortController();
    const following = manager.keepFresh(controller.signal);
    await clock.advance(90_000);
    expect(manager.netdir?.relays.length).toBe(40);
    controller.abort();
    await clock.run(following);
  });

  it("keeps the store from growing with microdescriptors that nobody lists any more", async () => {
    const clock = new TestClock(NOW);
    const store = memoryStore();
    const sizes = new Map<string, number>();
    const spy: Store = {
      ...store,
      set: async (entries) => {
        for (const [key, value] of entries)
          value === undefined ? sizes.delete(key) : sizes.set(key, value.length);
        await store.set(entries);
      },
    };
    const all = honest(() => {
      const minute = Math.floor(clock.now() / 60_000);
      const changed = relays.map((_, i) => testRelay(i + 1, minute));
      const validAfter = minute * 60_000;
      const times = { validAfter, freshUntil: validAfter + 60_000, validUntil: validAfter + 600_000 };
      if (last?.minute !== minute) last = { minute, network: networkDocuments(authorities, changed, times) };
      return last.network;
    });
    let last: { minute: number; network: TestNetwork } | undefined;
    const { manager, bootstrap } = setup({ clock, store: spy, caches: new TestCaches(all) });
    await bootstrap();
    const once = sum(sizes);
    const controller = new AbortController();
    const following = manager.keepFresh(controller.signal);
    await clock.advance(3 * HOUR);
    expect(sum(sizes)).toBeLessThan(4 * once);
    controller.abort();
    await clock.run(following);
    expect(await setup({ clock, store: spy }).manager.load()).toBe(true);
  });
});

function sum(sizes: ReadonlyMap<string, number>): number {
  return [...sizes.values()].reduce((a, b) => a + b, 0);
}
