import { describe, expect, it } from "vitest";
import { fromLatin1, fromUtf8, toHex, utf8 } from "../../src/base/encoding.ts";
import { memoryStore } from "../../src/base/memory-store.ts";
import type { LogEvent, Store } from "../../src/base/ports.ts";
import type { NetDir } from "../../src/directory/api.ts";
import {
  DirectoryManager,
  type DirectoryManagerOptions,
  type DirectoryProgress,
} from "../../src/directory/manager.ts";
import { digestOf, HOUR, NOW, networkOf, TestAuthority, testRelay, unsignedConsensus } from "./builder.ts";
import {
  deflated,
  type Handler,
  honest,
  networkDocuments,
  notFound,
  response,
  TestCaches,
  type TestNetwork,
} from "./cache-server.ts";
import { TestClock } from "./manual-clock.ts";

const authorities = ["a", "b", "c"].map((name) => new TestAuthority(name));
const strangers = ["x", "y", "z"].map((name) => new TestAuthority(name));
const relays = Array.from({ length: 40 }, (_, i) => testRelay(i + 1));
const documents = networkDocuments(authorities, relays);
const good = honest(() => documents);
const never = new AbortController().signal;

interface Setup {
  caches?: TestCaches;
  store?: Store;
  clock?: TestClock;
  options?: Partial<DirectoryManagerOptions>;
}

function setup({
  caches = new TestCaches(good),
  store = memoryStore(),
  clock = new TestClock(NOW),
  options = {},
}: Setup = {}) {
  const events: LogEvent[] = [];
  const progress: DirectoryProgress[] = [];
  const manager = new DirectoryManager({
    network: networkOf(authorities),
    connector: caches,
    store,
    clock,
    log: (event) => events.push(event),
    onProgress: (one) => progress.push(one),
    ...options,
  });
  const bootstrap = (signal = never): Promise<NetDir> => clock.run(manager.bootstrap({ signal }));
  return { manager, caches, store, clock, events, progress, bootstrap };
}

/** A store that has seen a bootstrap. */
async function filledStore(): Promise<Store> {
  const { bootstrap, store } = setup();
  await bootstrap();
  return store;
}

async function keyEndingIn(store: Store, name: string): Promise<string> {
  const seen: string[] = [];
  const spy: Store = {
    ...store,
    get: (key) => {
      seen.push(key);
      return store.get(key);
    },
  };
  await setup({ store: spy }).manager.load();
  return seen.find((key) => key.endsWith(`/${name}`)) as string;
}

describe("bootstrap", () => {
  it("gives a view of the network that everything in it was verified for", async () => {
    const { bootstrap, manager, caches, progress } = setup();
    expect(manager.netdir).toBeUndefined();
    const netdir = await bootstrap();
    expect(manager.netdir).toBe(netdir);
    expect(netdir.listed).toBe(40);
    expect(netdir.relays.length).toBe(40);
    expect(netdir.validUntil - netdir.validAfter).toBe(3 * HOUR);
    const relay = netdir.relays[6];
    expect(relay?.nickname).toBe("relay7");
    expect(netdir.byRsaId(relay?.rsaId as Uint8Array)).toBe(relay);
    expect(netdir.byEd25519Id(relay?.ed25519Id as Uint8Array)).toBe(relay);
    expect(netdir.byRsaId(new Uint8Array(20))).toBeUndefined();
    expect(relay?.exitPolicy.allows(443)).toBe(true);
    expect(relay?.supports("Relay", 6)).toBe(true);
    expect(relay?.ntorOnionKey.length).toBe(32);
    expect([...netdir.orPorts()].slice(0, 2)).toEqual(["10.1.0.1:9001", "10.1.0.2:9001"]);
    expect(caches.blamed).toEqual([]);
    expect(caches.open_).toBe(0);
    expect(progress[0]).toEqual({ phase: "consensus", fraction: 0 });
    expect(progress.at(-1)).toEqual({ phase: "microdescriptors", fraction: 1 });
  });

  it("takes deflated documents", async () => {
    const packed: Handler = (path, request) => {
      const answer = good(path, request) as Uint8Array;
      return deflated(answer.subarray("HTTP/1.0 200 OK\r\n\r\n".length));
    };
    // Inflating takes time that the test's clock knows nothing of, so that clock stands still here.
    const { manager } = setup({ caches: new TestCaches(packed) });
    expect((await manager.bootstrap({ signal: never })).relays.length).toBe(40);
  });

  it("asks as C tor does, in several requests at once", async () => {
    const { bootstrap, caches } = setup();
    await bootstrap();
    const prefixes = authorities.map(({ identity }) => identity.id.slice(0, 6)).sort();
    expect(caches.asked[0]?.path).toBe(`/tor/status-vote/current/consensus-microdesc/${prefixes.join("+")}`);
    const pairs = authorities.map(({ identity, signing }) => `${identity.id}-${signing.id}`).sort();
    expect(caches.asked[1]?.path).toBe(`/tor/keys/fp-sk/${pairs.join("+")}`);
    expect(caches.kinds).toEqual(["status-vote", "keys", "micro", "micro", "micro"]);
    expect(caches.mostOpen).toBe(3);
    expect(caches.asked.every(({ hadNetDir }) => !hadNetDir)).toBe(true);
  });

  it("reads parameters with the network's own before the consensus's, within bounds", async () => {
    const { bootstrap } = setup({
      options: { network: { ...networkOf(authorities), params: { cc_alg: 1 } } },
    });
    const netdir = await bootstrap();
    expect(netdir.param("circwindow", 5)).toBe(1000);
    expect(netdir.param("circwindow", 5, 100, 500)).toBe(500);
    expect(netdir.param("cc_alg", 5)).toBe(1);
    expect(netdir.param("absent", 7)).toBe(7);
    expect(netdir.bandwidthWeights.get("Wbd")).toBe(3333);
  });

  it("for a bridge is over with the consensus, and knows every ORPort", async () => {
    const { bootstrap, caches } = setup({ options: { consensusOnly: true } });
    const netdir = await bootstrap();
    expect(netdir.relays).toEqual([]);
    expect(netdir.orPorts().size).toBe(40);
    expect(caches.kinds).toEqual(["status-vote", "keys"]);
  });

  it("leaves out relays that circuits cannot be extended to, and counts unmeasured ones as nothing", async () => {
    const odd = [
      { ...testRelay(1), flags: "Exit NoEdConsensus Running Valid" },
      { ...testRelay(2), microdescriptor: testRelay(2).microdescriptor.replace(/id ed25519.*\n/, "") },
      { ...testRelay(3), microdescriptor: "onion-key\nbroken 1\n" },
      { ...testRelay(4), w: "Bandwidth=9 Unmeasured=1" },
      { ...testRelay(5), flags: "Exit Valid" },
    ];
    const network = networkDocuments(authorities, odd);
    const { bootstrap, caches } = setup({ caches: new TestCaches(honest(() => network)) });
    const netdir = await bootstrap();
    expect(netdir.relays.map(({ nickname, bandwidth }) => [nickname, bandwidth])).toEqual([
      ["relay4", 0],
      ["relay5", 1000],
    ]);
    expect(netdir.orPorts().has("10.1.0.5:9001")).toBe(false);
    expect(caches.blamed).toEqual([]);
  });

  it("with every relay unmeasured takes the bandwidths as they are", async () => {
    const network = networkDocuments(authorities, [{ ...testRelay(1), w: "Bandwidth=9 Unmeasured=1" }]);
    const { bootstrap } = setup({ caches: new TestCaches(honest(() => network)) });
    expect((await bootstrap()).relays[0]?.bandwidth).toBe(9);
  });

  it("ends when its caller gives up, and blames nobody", async () => {
    const controller = new AbortController();
    const { bootstrap, caches } = setup({ caches: new TestCaches(() => "stall") });
    const got = bootstrap(controller.signal);
    setImmediate(() => controller.abort());
    await expect(got).rejects.toThrow(expect.objectContaining({ kind: "aborted" }));
    expect(caches.blamed).toEqual([]);
    expect(caches.open_).toBe(0);
  });
});

describe("a cache that serves", () => {
  const consensusOf =
    (body: Uint8Array | string): Handler =>
    (path, request) =>
      path.includes("/consensus") ? response(body) : good(path, request);
  const certificatesOf =
    (body: string): Handler =>
    (path, request) =>
      path.includes("/keys/") ? response(body) : good(path, request);
  const signedBy = (signers: readonly TestAuthority[]) => {
    const text = unsignedConsensus({ relays });
    return text + signers.map((signer) => signer.sign(text)).join("");
  };
  const at = (validAfter: number) => networkDocuments(authorities, relays, { validAfter }).consensus;
  const [a, b] = authorities as [TestAuthority, TestAuthority];

  const only = (certificates: string): Handler => honest(() => ({ ...documents, certificates }));
  const microdescriptorsOf =
    (body: string): Handler =>
    (path, request) =>
      path.includes("/micro/") ? response(body) : good(path, request);
  const unsigned = "ALLIUM_E_CONSENSUS_SIGNATURES";
  const unrequested = "ALLIUM_E_UNREQUESTED_DOCUMENT";
  const missing = "ALLIUM_E_CERTIFICATES_MISSING";
  const changed = (relays[0]?.microdescriptor ?? "").replace("accept 80", "accept 81");

  /** What is served, by whom, the code that the cache is blamed with, and what a bootstrap fails with that has no other. */
  const cases: [string, Handler, string, string?][] = [
    ["too few signatures", consensusOf(signedBy([a])), unsigned],
    ["one signature three times", consensusOf(signedBy([a, a, a])), unsigned],
    ["signatures of strangers", consensusOf(signedBy(strangers)), unsigned],
    ["a changed consensus", consensusOf(signedBy(authorities).replace("=1000", "=9999")), unsigned],
    ["no consensus at all", consensusOf("404 not found\n"), "ALLIUM_E_BAD_DOCUMENT"],
    ["an expired consensus", consensusOf(at(NOW - 28 * HOUR)), "ALLIUM_E_CONSENSUS_EXPIRED"],
    ["unrequested certificates", certificatesOf(strangers[0]?.certificate() ?? ""), unrequested],
    ["broken certificates", certificatesOf(a.certificate({ signer: b.identity })), "ALLIUM_E_BAD_DOCUMENT"],
    ["no certificates", only(""), "ALLIUM_E_DIRECTORY_STATUS", unsigned],
    ["one certificate of three", only(a.certificate()), missing, unsigned],
    [
      "expired certificates",
      only([a, b].map((one) => one.certificate({ expires: NOW - HOUR })).join("")),
      missing,
      unsigned,
    ],
    ["unrequested microdescriptors", microdescriptorsOf(testRelay(99).microdescriptor), unrequested],
    ["changed microdescriptors", microdescriptorsOf(changed), unrequested],
    [
      "half a response",
      () => response("body", "HTTP/1.0 200 OK\r\nContent-Length: 9"),
      "ALLIUM_E_BAD_DIRECTORY_RESPONSE",
    ],
    ["nothing", () => "stall", "ALLIUM_E_DIRECTORY_STALLED"],
    ["an error", () => response("", "HTTP/1.0 503 Directory busy"), "ALLIUM_E_DIRECTORY_STATUS"],
  ];

  it.each(cases)("%s is blamed, and another one is asked", async (_, handler, code) => {
    const { bootstrap, caches } = setup({ caches: new TestCaches(handler, good) });
    const netdir = await bootstrap();
    expect(netdir.relays.length).toBe(40);
    expect(caches.blamed.length).toBeGreaterThan(0);
    for (const one of caches.blamed) expect(one).toMatchObject({ cache: "0", error: { code } });
    expect(caches.open_).toBe(0);
  });

  it.each(cases)(
    "%s fails the bootstrap with its own error when there is no other",
    async (_, handler, code, alone) => {
      const { bootstrap, caches, clock, manager } = setup({ caches: new TestCaches(handler) });
      await expect(bootstrap()).rejects.toThrow(expect.objectContaining({ code: alone ?? code }));
      expect(manager.netdir).toBeUndefined();
      expect(caches.open_).toBe(0);
      expect(clock.now() - NOW).toBeLessThan(10 * 60_000);
      expect(clock.waiting).toBe(0);
    },
  );

  it("a consensus of tomorrow's tomorrow tells of a wrong clock", async () => {
    const { bootstrap, caches } = setup({
      caches: new TestCaches(honest(() => ({ ...documents, consensus: at(NOW + 25 * HOUR) }))),
    });
    await expect(bootstrap()).rejects.toThrow(expect.objectContaining({ kind: "clock-skew" }));
    expect(caches.asked.length).toBe(2);
  });

  it("a consensus that requires what we lack stops the client", async () => {
    const network = networkDocuments(authorities, relays, { required: "Cons=2 Relay=60" });
    const { bootstrap, manager } = setup({ caches: new TestCaches(honest(() => network)) });
    await expect(bootstrap()).rejects.toThrow(expect.objectContaining({ code: "ALLIUM_E_OBSOLETE" }));
    expect(manager.netdir).toBeUndefined();
  });

  it("is not asked again once it was refused, and every failure is heard of", async () => {
    const troubles: string[] = [];
    const caches = new TestCaches(consensusOf(signedBy([a])), good);
    const { bootstrap } = setup({ caches, options: { onTrouble: ({ code }) => troubles.push(code) } });
    await bootstrap();
    expect(troubles).toEqual(["ALLIUM_E_CONSENSUS_SIGNATURES"]);
    expect(caches.asked.filter(({ cache, path }) => cache === "0" && path.includes("/micro/"))).toEqual([]);
  });
});

describe("microdescriptors that cannot be had", () => {
  const without = (count: number): Handler =>
    honest(() => ({
      ...documents,
      microdescriptors: new Map([...documents.microdescriptors].slice(count)),
    }));

  it("are done without as long as they are few", async () => {
    const { bootstrap } = setup({ caches: new TestCaches(without(2)) });
    expect((await bootstrap()).relays.length).toBe(38);
  });

  it("fail the bootstrap when they are many", async () => {
    const { bootstrap, manager } = setup({ caches: new TestCaches(without(3)) });
    await expect(bootstrap()).rejects.toThrow(
      expect.objectContaining({
        code: "ALLIUM_E_DIRECTORY_INCOMPLETE",
        message: expect.stringContaining("37 of 40"),
      }),
    );
    expect(manager.netdir).toBeUndefined();
  });

  it("are fetched from whoever has them", async () => {
    const half = (keep: (i: number) => boolean): Handler =>
      honest(() => ({
        ...documents,
        microdescriptors: new Map([...documents.microdescriptors].filter((_, i) => keep(i))),
      }));
    const caches = new TestCaches(
      half((i) => i % 2 === 0),
      half((i) => i % 2 === 1),
    );
    expect((await setup({ caches }).bootstrap()).relays.length).toBe(40);
  });
});

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
      options: { consensusOnly: true },
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

describe("what is logged", () => {
  it("names no relay, no cache and no address", async () => {
    const { bootstrap, events } = setup({ caches: new TestCaches(() => notFound, good) });
    await bootstrap();
    const text = JSON.stringify(events);
    expect(events.length).toBeGreaterThan(0);
    expect(text).not.toMatch(/10\.1\.|relay[0-9]/);
    expect(text).not.toContain(toHex((relays[0] as { rsaId: Uint8Array }).rsaId));
  });
});
