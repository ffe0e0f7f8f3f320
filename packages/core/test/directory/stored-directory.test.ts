import { describe, expect, it } from "vitest";
import { fromLatin1, fromUtf8, utf8 } from "../../src/base/encoding.ts";
import { memoryStore } from "../../src/base/memory-store.ts";
import type { Store } from "../../src/base/ports.ts";
import { digestOf, HOUR, NOW, networkOf, testRelay } from "./builder.ts";
import { type Handler, honest, networkDocuments, notFound, TestCaches } from "./cache-server.ts";
import { TestClock } from "./manual-clock.ts";
import { authorities, filledStore, good, keyEndingIn, relays, setup, strangers } from "./setup.ts";

describe("the next start", () => {
  it("asks nobody while the stored documents are valid", async () => {
    const store = await filledStore();
    const { manager, caches, bootstrap } = setup({ store });
    expect(await manager.load()).toBe(true);
    expect(manager.netdir?.relays.length).toBe(40);
    await bootstrap();
    expect(caches.asked).toEqual([]);
  });

  it("verifies what was stored as if it came from anybody", async () => {
    const store = await filledStore();
    const key = await keyEndingIn(store, "consensus");
    const stored = fromUtf8((await store.get(key)) as Uint8Array);
    await store.set(new Map([[key, utf8(stored.replace("Bandwidth=1000", "Bandwidth=9999"))]]));
    const { manager, events, bootstrap } = setup({ store });
    expect(await manager.load()).toBe(false);
    expect(events.map(({ code }) => code)).toContain("directory-cache-refused");
    expect((await bootstrap()).relays.length).toBe(40);
  });

  it.each(["consensus", "certificates", "microdescriptors", "microdescriptors/0", "floor"])(
    "survives a damaged %s",
    async (name) => {
      const store = await filledStore();
      const key = await keyEndingIn(store, name);
      for (const junk of [utf8("{}"), new Uint8Array([0xff, 0xfe, 0x00]), utf8('[{"id":-1}]')]) {
        await store.set(new Map([[key, junk]]));
        const { bootstrap } = setup({ store });
        expect((await bootstrap()).relays.length).toBe(40);
      }
    },
  );

  it("does not take a stored microdescriptor for another", async () => {
    const store = await filledStore();
    const key = await keyEndingIn(store, "microdescriptors/0");
    const pack = fromLatin1((await store.get(key)) as Uint8Array);
    await store.set(new Map([[key, utf8(pack.replace("p accept 80,443", "p accept 80,444"))]]));
    const { bootstrap, caches } = setup({ store });
    const netdir = await bootstrap();
    expect(netdir.relays.every(({ exitPolicy }) => exitPolicy.allows(443))).toBe(true);
    expect(caches.kinds).toEqual(["micro"]);
  });

  it("fetches a new consensus when the stored one has expired, and only what it lacks", async () => {
    const store = await filledStore();
    const later = NOW + 4 * HOUR;
    const newer = [...relays.slice(0, 39), testRelay(41)];
    const network = networkDocuments(authorities, newer, { validAfter: later - HOUR / 2 });
    const { bootstrap, caches } = setup({
      store,
      clock: new TestClock(later),
      caches: new TestCaches(honest(() => network)),
    });
    const netdir = await bootstrap();
    expect(netdir.byRsaId(testRelay(41).rsaId)).toBeDefined();
    expect(netdir.byRsaId(testRelay(40).rsaId)).toBeUndefined();
    expect(caches.kinds).toEqual(["status-vote", "micro"]);
    expect(caches.asked[1]?.path).toBe(`/tor/micro/d/${digestOf(testRelay(41).microdescriptor)}`);
    expect(caches.asked[1]?.hadNetDir).toBe(true);
  });

  it("makes do with an expired consensus for a day when no newer one can be had", async () => {
    const store = await filledStore();
    const nobody = () => new TestCaches(() => notFound);
    const { bootstrap } = setup({ store, clock: new TestClock(NOW + 20 * HOUR), caches: nobody() });
    expect((await bootstrap()).relays.length).toBe(40);
    const late = setup({ store, clock: new TestClock(NOW + 27 * HOUR), caches: nobody() });
    await expect(late.bootstrap()).rejects.toThrow(
      expect.objectContaining({ code: "ALLIUM_E_DIRECTORY_STATUS" }),
    );
  });

  it("never goes back to an older consensus, even when the newer one is lost", async () => {
    const store = await filledStore();
    const key = await keyEndingIn(store, "consensus");
    await store.set(new Map([[key, undefined]]));
    const older = networkDocuments(authorities, relays, { validAfter: NOW - HOUR });
    const { bootstrap } = setup({ store, caches: new TestCaches(honest(() => older)) });
    await expect(bootstrap()).rejects.toThrow(
      expect.objectContaining({ kind: "directory-expired", code: "ALLIUM_E_CONSENSUS_ROLLBACK" }),
    );
    expect((await setup({ store }).bootstrap()).relays.length).toBe(40);
  });

  it("finds the newest consensus of all who share the store", async () => {
    const store = memoryStore();
    const older = networkDocuments(authorities, relays, { validAfter: NOW - HOUR });
    const slow = setup({ store, caches: new TestCaches(honest(() => older)) });
    await slow.manager.load();
    const newest = await setup({ store }).bootstrap();
    expect((await slow.bootstrap()).validAfter).toBeLessThan(newest.validAfter);
    const next = setup({ store });
    expect(await next.manager.load()).toBe(true);
    expect(next.manager.netdir?.validAfter).toBe(newest.validAfter);
  });

  it("on another network knows nothing of this one", async () => {
    const store = await filledStore();
    const { manager } = setup({ store, options: { network: networkOf(strangers) } });
    expect(await manager.load()).toBe(false);
  });

  it("is none the worse for a store that fails", async () => {
    const fail = () => Promise.reject(new Error("denied"));
    const { bootstrap, events } = setup({ store: { get: fail, set: fail, lock: (_, fn) => fn() } });
    expect((await bootstrap()).relays.length).toBe(40);
    expect(events.map(({ code }) => code)).toContain("directory-cache-unwritable");
  });

  it("keeps what came before an abort", async () => {
    const store = memoryStore();
    const controller = new AbortController();
    let answers = 0;
    const slow: Handler = (path, request) => {
      if (!path.includes("/micro/") || answers++ === 0) return good(path, request);
      return "stall";
    };
    const first = setup({ store, caches: new TestCaches(slow), options: { onProgress: () => {} } });
    const got = first.bootstrap(controller.signal);
    first.clock.timer(10_000).fired.then(() => controller.abort());
    await expect(got).rejects.toThrow(expect.objectContaining({ kind: "aborted" }));
    const second = setup({ store });
    await second.bootstrap();
    const asked = second.caches.asked.flatMap(({ path }) => path.slice("/tor/micro/d/".length).split("-"));
    expect(second.caches.kinds.every((kind) => kind === "micro")).toBe(true);
    // The part that was answered is the last and smallest of 16, 16 and 8.
    expect(asked.length).toBe(40 - 8);
  });

  it("writes everything of a save in one step", async () => {
    const store = memoryStore();
    const sets: string[][] = [];
    const spy: Store = {
      ...store,
      set: async (entries) => {
        sets.push([...entries.keys()].map((key) => key.replace(/^directory\/[0-9a-f]{16}\//, "")));
        await store.set(entries);
      },
    };
    await setup({ store: spy }).bootstrap();
    expect(sets).toEqual([
      ["floor", "consensus", "certificates"],
      ["microdescriptors/0", "microdescriptors"],
    ]);
  });
});
