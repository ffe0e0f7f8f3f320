// Starts that wait for nothing that they do not need, and loops that pause.

import { describe, expect, it, onTestFinished } from "vitest";
import { memoryStore } from "../../src/base/memory-store.ts";
import { digestOf, HOUR, NOW } from "./builder.ts";
import { type Answer, honest, response, TestCaches, type TestNetwork } from "./cache-server.ts";
import { TestClock } from "./manual-clock.ts";
import { authorities, documents, good, never, relays, setup, strangers } from "./setup.ts";

/** The network, of which no cache has these microdescriptors. */
function without(count: number): TestNetwork {
  const microdescriptors = new Map(documents.microdescriptors);
  for (const { microdescriptor } of relays.slice(0, count))
    microdescriptors.delete(digestOf(microdescriptor));
  return { ...documents, microdescriptors };
}

/** A client whose store lacks two microdescriptors, which no cache ever answers for. */
async function withTwoLacking() {
  const store = memoryStore();
  const before = setup({ store, caches: new TestCaches(honest(() => without(2))) });
  await before.bootstrap();
  // What is not needed goes on being fetched, and is stored when that is over.
  await before.clock.advance(10 * 60_000);
  const stalled = (path: string): Answer => (path.includes("/micro/") ? "stall" : good(path, ""));
  return setup({ store, caches: new TestCaches(stalled, stalled, stalled) });
}

describe("a start", () => {
  it("from a store whose view may be used does not wait for the few microdescriptors that lack", async () => {
    const { bootstrap, clock } = await withTwoLacking();
    const view = await bootstrap();
    expect(view.relays.length).toBe(38);
    expect(clock.now() - NOW).toBeLessThan(1000);
  });

  it("whose client closes while those are being fetched leaves no failure that nobody hears of", async () => {
    const { manager, bootstrap, clock } = await withTwoLacking();
    const controller = new AbortController();
    await bootstrap(controller.signal);
    const unheard: unknown[] = [];
    const hear = (reason: unknown) => unheard.push(reason);
    process.on("unhandledRejection", hear);
    onTestFinished(() => void process.off("unhandledRejection", hear));
    controller.abort();
    await clock.advance(1000);
    expect(unheard).toEqual([]);
    expect(manager.netdir?.relays.length).toBe(38);
  });

  it("whose fetch of them stalls does not hold back who keeps the view fresh and is stopped", async () => {
    const { manager, bootstrap, clock } = await withTwoLacking();
    await bootstrap();
    const controller = new AbortController();
    const following = manager.keepFresh(controller.signal);
    await clock.advance(1000);
    controller.abort();
    let isOver = false;
    following.finally(() => {
      isOver = true;
    });
    await clock.advance(1000);
    expect(isOver).toBe(true);
  });

  it("that is begun a second time has what is in use at once", async () => {
    const answers = (path: string): Answer =>
      path.includes("/micro/") && path.split("-").length < 5 ? "stall" : honest(() => without(2))(path, "");
    const { manager, clock, bootstrap } = setup({ caches: new TestCaches(answers, answers, answers) });
    await bootstrap();
    expect(manager.netdir).toBeDefined();
    const before = clock.now();
    await bootstrap();
    expect(clock.now() - before).toBeLessThan(1000);
  });
});

describe("microdescriptors", () => {
  it("that a view is in use with are in the store, though others are still being fetched", async () => {
    const store = memoryStore();
    const answers = (path: string): Answer =>
      path.includes("/micro/") && path.split("-").length < 5 ? "stall" : honest(() => without(2))(path, "");
    await setup({ store, caches: new TestCaches(answers, answers, answers) }).bootstrap();
    const next = setup({ store, caches: new TestCaches() });
    expect(await next.manager.load()).toBe(true);
  });
});

describe("views that are asked for at the same time", () => {
  it("are one fetch of the consensus", async () => {
    const { manager, caches, clock } = setup();
    const all = Promise.all(Array.from({ length: 5 }, () => manager.bootstrap({ signal: never })));
    await clock.run(all);
    expect(caches.kinds.filter((kind) => kind === "status-vote")).toHaveLength(1);
  });
});

describe("a cache that answers wrongly when asked for the last authority's certificate", () => {
  it("is not asked again and again without a pause", async () => {
    const certificates = authorities.slice(0, 2).map((one) => one.certificate());
    let hostile = false;
    const serve = honest(() => ({ ...documents, certificates: certificates.join("") }));
    const caches = new TestCaches((path, request) =>
      hostile && path.startsWith("/tor/keys/")
        ? response(strangers[0]?.certificate() ?? "")
        : serve(path, request),
    );
    const { manager, bootstrap, clock } = setup({ caches, clock: new TestClock(NOW) });
    await bootstrap();
    hostile = true;
    const before = caches.asked.length;
    const controller = new AbortController();
    const following = manager.keepFresh(controller.signal);
    await clock.advance(HOUR / 6);
    controller.abort();
    await clock.run(following);
    expect(caches.asked.length - before).toBeLessThan(60);
  });
});

describe("a store whose lock is never granted", () => {
  it("costs persistence, not the start", async () => {
    const { manager, clock } = setup({ store: { ...memoryStore(), lock: () => new Promise(() => {}) } });
    let isDone = false;
    void manager.bootstrap({ signal: never }).then(() => {
      isDone = true;
    });
    await clock.advance(60_000);
    expect(isDone).toBe(true);
  });
});
