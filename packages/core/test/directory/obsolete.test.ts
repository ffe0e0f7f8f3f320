// "Required protocols (stop)": a client that the network has outgrown stops, whatever it held before (proposal 297), and
// nobody but the authorities can bring that about.

import { describe, expect, it } from "vitest";
import { memoryStore } from "../../src/base/memory-store.ts";
import type { Store } from "../../src/base/ports.ts";
import { HOUR, NOW } from "./builder.ts";
import { type Handler, honest, networkDocuments, notFound, TestCaches } from "./cache-server.ts";
import { TestClock } from "./manual-clock.ts";
import { authorities, documents, filledStore, good, keyEndingIn, relays, setup, strangers } from "./setup.ts";

const LATER = NOW + 4 * HOUR;
const obsolete = expect.objectContaining({ kind: "limit", code: "ALLIUM_E_OBSOLETE" });
const times = { validAfter: LATER - HOUR / 2 };
const demanding = networkDocuments(authorities, relays, { ...times, required: "Cons=2 Relay=60" });
const serving: Handler = honest(() => demanding);
const nobody = () => new TestCaches(() => notFound);

/** A client of the caches' network, at a time when the good consensus has expired and is still tolerated. */
function later(handler: Handler, store: Store = memoryStore()) {
  return setup({ store, clock: new TestClock(LATER), caches: new TestCaches(handler) });
}

/** A client that follows the network for 12 hours, of which caches answer with `handler` after the first minute. */
async function following(handler: Handler, store = memoryStore()) {
  let turned = false;
  const caches = new TestCaches((path, request) => (turned ? handler : good)(path, request));
  const client = setup({ store, caches });
  await client.bootstrap();
  const controller = new AbortController();
  let failure: unknown;
  const over = client.manager.keepFresh(controller.signal).catch((error) => {
    failure = error;
  });
  await client.clock.advance(60_000);
  expect(client.manager.netdir).toBeDefined();
  turned = true;
  await client.clock.advance(12 * HOUR);
  const seen = { failure, netdir: client.manager.netdir };
  controller.abort();
  await client.clock.run(over);
  return { ...client, ...seen };
}

describe("a client that lacks what the network requires", () => {
  it("stops at its first start, and asks nobody again", async () => {
    const { bootstrap, manager, caches } = later(serving);
    await expect(bootstrap()).rejects.toThrow(obsolete);
    const asked = caches.asked.length;
    await expect(bootstrap()).rejects.toThrow(obsolete);
    await expect(manager.keepFresh(new AbortController().signal)).rejects.toThrow(obsolete);
    expect(manager.netdir).toBeUndefined();
    expect(caches.asked.length).toBe(asked);
  });

  it("stops though it has an older consensus that is still tolerated", async () => {
    const store = await filledStore();
    expect(await later(() => notFound, store).bootstrap()).toBeDefined();
    const { bootstrap, manager, events } = later(serving, store);
    await expect(bootstrap()).rejects.toThrow(obsolete);
    expect(manager.netdir).toBeUndefined();
    expect(events.map(({ code }) => code)).not.toContain("directory-consensus-old");
  });

  it("stops while it runs: its view is dropped, and nobody is asked again", async () => {
    const { failure, netdir, caches, bootstrap } = await following(serving);
    expect(failure).toEqual(obsolete);
    expect(netdir).toBeUndefined();
    await expect(bootstrap()).rejects.toThrow(obsolete);
    expect(caches.kinds.filter((kind) => kind === "status-vote").length).toBe(2);
  });

  it("stops as well where a bootstrap finds it out while the view is kept fresh", async () => {
    let turned = false;
    const caches = new TestCaches((path, request) => (turned ? serving : good)(path, request));
    const { manager, bootstrap, clock } = setup({ caches });
    await bootstrap();
    const ended = expect(manager.keepFresh(new AbortController().signal)).rejects.toThrow(obsolete);
    await clock.advance(1000);
    turned = true;
    clock.set(LATER);
    const before = caches.asked.length;
    await expect(manager.bootstrap({ signal: new AbortController().signal })).rejects.toThrow(obsolete);
    await clock.advance(60_000);
    await ended;
    expect(caches.asked.length - before).toBe(1);
  });

  it("puts nothing to use that was still being fetched", async () => {
    let turned = false;
    const caches = new TestCaches((path, request) => {
      if (turned) return (path.includes("/consensus") ? serving : good)(path, request);
      return path.includes("/micro/") ? "stall" : good(path, request);
    });
    const { manager, clock } = setup({ caches });
    const { signal } = new AbortController();
    const started = manager.bootstrap({ signal });
    while (!caches.kinds.includes("micro")) await new Promise((resolve) => setImmediate(resolve));
    turned = true;
    clock.set(LATER);
    await expect(manager.keepFresh(signal)).rejects.toThrow(obsolete);
    await expect(clock.run(started)).rejects.toThrow(obsolete);
    expect(caches.kinds.filter((kind) => kind === "micro").length).toBeGreaterThan(3);
    expect(manager.netdir).toBeUndefined();
  });

  it("does not begin with what it stored before, even when the network cannot be reached", async () => {
    const store = await filledStore();
    await expect(later(serving, store).bootstrap()).rejects.toThrow(obsolete);
    const next = setup({ store, clock: new TestClock(LATER), caches: nobody() });
    expect(await next.manager.load()).toBe(false);
    await expect(next.bootstrap()).rejects.toThrow(
      expect.objectContaining({ code: "ALLIUM_E_DIRECTORY_STATUS" }),
    );
    expect(next.manager.netdir).toBeUndefined();
  });

  it("keeps the consensus for a later version of itself", async () => {
    const store = memoryStore();
    await expect(later(serving, store).bootstrap()).rejects.toThrow(obsolete);
    const { manager, events } = setup({ store, clock: new TestClock(LATER), caches: nobody() });
    await manager.load();
    expect(events.find(({ code }) => code === "directory-cache-refused")?.data?.error).toBe(
      "ALLIUM_E_OBSOLETE",
    );
    expect(await store.get(await keyEndingIn(store, "consensus"))).toEqual(demanding.consensus);
  });
});

describe("a directory cache", () => {
  const forged = networkDocuments(strangers, relays, { ...times, required: "Relay=60" });
  const older = networkDocuments(authorities, relays, { validAfter: NOW - HOUR, required: "Relay=60" });
  const refused = new Map([
    ["of others", forged],
    ["signed by one of three", networkDocuments(authorities.slice(0, 1), relays, { required: "Relay=60" })],
    ["older than the one held", older],
  ]);
  it.each([...refused])("cannot stop a client with a consensus %s", async (_, network) => {
    const handler = honest(() => ({ ...network, certificates: documents.certificates }));
    const { failure, netdir, bootstrap, clock, caches } = await following(handler);
    expect(failure).toBeUndefined();
    expect(netdir).toBeDefined();
    caches.handlers = [honest(() => networkDocuments(authorities, relays, { validAfter: clock.now() }))];
    expect(await bootstrap()).toBeDefined();
  });
});
