// A start from what a bridge serves: a good snapshot saves all requests to directory caches, a bad one is worth as much as
// none, and whatever it lacks comes through the caches.

import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { concat } from "../../src/base/bytes.ts";
import { utf8 } from "../../src/base/encoding.ts";
import { TorError } from "../../src/base/errors.ts";
import { memoryStore } from "../../src/base/memory-store.ts";
import type { NetDir, SnapshotName, SnapshotSource } from "../../src/directory/api.ts";
import { readSnapshot } from "../../src/directory/snapshot.ts";
import { digestOf, HOUR, NOW, networkOf, signedConsensus, testRelay, unsignedConsensus } from "./builder.ts";
import { honest, networkDocuments, notFound, TestCaches, type TestNetwork } from "./cache-server.ts";
import { TestClock } from "./manual-clock.ts";
import { authorities, documents, filledStore, keyEndingIn, relays, setup, strangers } from "./setup.ts";

type Answer = Uint8Array | undefined | TorError | "stall";

/** A bridge in memory that serves `network`, but for the documents in `other`. It keeps to no `maxLength`. */
class TestSource implements SnapshotSource {
  readonly asked: SnapshotName[] = [];
  readonly signals: AbortSignal[] = [];
  readonly #answers: Readonly<Record<SnapshotName, Answer>>;

  constructor(network: TestNetwork, other: Partial<Record<SnapshotName, Answer>> = {}) {
    this.#answers = {
      "consensus-microdesc": network.consensus,
      certificates: utf8(network.certificates),
      microdescriptors: utf8([...network.microdescriptors.values()].join("")),
      ...other,
    };
  }

  async fetch(name: SnapshotName, { signal }: { signal: AbortSignal }): Promise<Uint8Array | undefined> {
    this.asked.push(name);
    this.signals.push(signal);
    const answer = this.#answers[name];
    if (answer === "stall") return new Promise(() => {});
    if (answer instanceof TorError) throw answer;
    return answer;
  }
}

const ALL: readonly SnapshotName[] = ["consensus-microdesc", "certificates", "microdescriptors"];

/** A client that is served `other` instead of what is good. */
function served(other: Partial<Record<SnapshotName, Answer>> = {}, more: Parameters<typeof setup>[0] = {}) {
  const source = new TestSource(documents, other);
  return { source, ...setup({ ...more, options: { snapshots: source, ...more.options } }) };
}

/** What a view shows to those who choose paths. */
function shown({ validAfter, relays }: NetDir): unknown {
  return [
    validAfter,
    relays.map(({ nickname, bandwidth, ntorOnionKey }) => [nickname, bandwidth, ntorOnionKey]),
  ];
}

async function goodView(): Promise<unknown> {
  return shown(await setup().bootstrap());
}

const codes = (events: readonly { code: string }[]) => events.map(({ code }) => code);
const consensusText = new TextDecoder().decode(documents.consensus);

describe("a good snapshot", () => {
  it("is all that a start needs", async () => {
    const { bootstrap, source, caches, progress, events } = served();
    expect(shown(await bootstrap())).toEqual(await goodView());
    expect(caches.asked).toEqual([]);
    expect(source.asked).toEqual(ALL);
    expect(progress[0]).toEqual({ phase: "consensus", fraction: 0 });
    expect(events).toEqual([]);
  });

  it("is stored: the next start asks nobody, and a bridge could serve the same", async () => {
    const { bootstrap, store } = served();
    await bootstrap();
    const next = served({}, { store });
    expect(shown(await next.bootstrap())).toEqual(await goodView());
    expect([next.source.asked, next.caches.asked]).toEqual([[], []]);
    const snapshot = await readSnapshot(store, networkOf(authorities));
    expect(snapshot?.documents["consensus-microdesc"]).toEqual(documents.consensus);
    expect(snapshot?.documents.microdescriptors.length).toBe(
      [...documents.microdescriptors.values()].join("").length,
    );
    expect(snapshot?.validAfter).toBe(NOW - HOUR / 2);
    expect(await readSnapshot(store, networkOf(strangers))).toBeUndefined();
  });

  it("is taken for an expired consensus, before any cache is asked", async () => {
    const later = NOW + 4 * HOUR;
    const network = networkDocuments(authorities, relays, { validAfter: later - HOUR / 2 });
    const source = new TestSource(network);
    const { bootstrap, caches } = setup({
      ...{ store: await filledStore(), clock: new TestClock(later) },
      options: { snapshots: source },
    });
    expect((await bootstrap()).validAfter).toBe(later - HOUR / 2);
    // The microdescriptors are the same.
    expect([source.asked, caches.asked]).toEqual([["consensus-microdesc", "certificates"], []]);
  });
});

const forged = (from: string, to: string) => utf8(consensusText.replace(from, to));
const ofStrangers = networkDocuments(strangers, relays);
const expired = signedConsensus(authorities, { relays, validAfter: NOW - 4 * HOUR });
const early = signedConsensus(authorities, { relays, validAfter: NOW + HOUR });
const demanding = signedConsensus(authorities, { relays, required: "Link=9" });

describe("a consensus that cannot be believed", () => {
  it.each<[string, Partial<Record<SnapshotName, Answer>>, code: string | undefined]>([
    ["unsigned", { "consensus-microdesc": utf8(unsignedConsensus({ relays })) }, ""],
    [
      "signed by one of three",
      { "consensus-microdesc": signedConsensus(authorities.slice(0, 1), { relays }) },
      "",
    ],
    [
      "of others",
      { "consensus-microdesc": ofStrangers.consensus, certificates: utf8(ofStrangers.certificates) },
      "",
    ],
    ["with a byte changed", { "consensus-microdesc": forged("Bandwidth=1000", "Bandwidth=9000") }, ""],
    ["with a later time", { "consensus-microdesc": forged("valid-until 2026", "valid-until 2027") }, ""],
    ["cut in a relay", { "consensus-microdesc": documents.consensus.slice(0, 3000) }, ""],
    ["cut in a signature", { "consensus-microdesc": documents.consensus.slice(0, -400) }, ""],
    ["that requires the unknown", { "consensus-microdesc": demanding }, "ALLIUM_E_OBSOLETE"],
    ["that is junk", { "consensus-microdesc": new Uint8Array(5000).fill(0xff) }, ""],
    ["that is empty", { "consensus-microdesc": new Uint8Array(0) }, ""],
    [
      "longer than any",
      { "consensus-microdesc": new Uint8Array(16 * 1024 * 1024) },
      "ALLIUM_E_SNAPSHOT_LIMIT",
    ],
    [
      "with too many certificates",
      { certificates: new Uint8Array(3 * 4 * 16_384 + 1) },
      "ALLIUM_E_SNAPSHOT_LIMIT",
    ],
    ["without certificates", { certificates: undefined }, ""],
    ["with others' certificates", { certificates: utf8(ofStrangers.certificates) }, ""],
    ["with damaged certificates", { certificates: utf8(documents.certificates.slice(700)) }, ""],
    [
      "that cannot be had",
      { certificates: new TorError("offline", "ALLIUM_E_OFFLINE", "") },
      "ALLIUM_E_OFFLINE",
    ],
    ["that has expired", { "consensus-microdesc": expired }, undefined],
    ["of the future", { "consensus-microdesc": early }, undefined],
    ["that is not served", { "consensus-microdesc": undefined }, undefined],
  ])("is not used: %s", async (_, other, code) => {
    const { bootstrap, caches, events, source } = served(other);
    expect(shown(await bootstrap())).toEqual(await goodView());
    expect(caches.kinds[0]).toBe("status-vote");
    // The microdescriptors are looked for all the same: their digests are known by then.
    expect(source.asked).toEqual(ALL);
    expect(caches.kinds).not.toContain("micro");
    const refusals = events.filter((event) => event.code === "directory-snapshot-refused");
    expect(refusals.length).toBe(code === undefined ? 0 : 1);
    if (code) expect(refusals[0]?.data?.error).toBe(code);
    expect(caches.blamed).toEqual([]);
  });

  it("is not used either when no cache has a better one", async () => {
    for (const document of [forged("Bandwidth=1000", "Bandwidth=9000"), expired.slice(0, -400)]) {
      const nobody = new TestCaches(() => notFound);
      const { bootstrap, manager } = served({ "consensus-microdesc": document }, { caches: nobody });
      await expect(bootstrap()).rejects.toThrow(
        expect.objectContaining({ code: "ALLIUM_E_DIRECTORY_STATUS" }),
      );
      expect(manager.netdir).toBeUndefined();
    }
  });

  it("is not used when it is older than one seen before", async () => {
    const store = await filledStore();
    await store.set(new Map([[await keyEndingIn(store, "consensus"), undefined]]));
    const older = signedConsensus(authorities, { relays, validAfter: NOW - HOUR });
    const nobody = new TestCaches(() => notFound);
    const refused = served({ "consensus-microdesc": older }, { store, caches: nobody });
    await expect(refused.bootstrap()).rejects.toThrow(
      expect.objectContaining({ code: "ALLIUM_E_DIRECTORY_STATUS" }),
    );
    expect(refused.manager.netdir).toBeUndefined();
    const refusal = refused.events.find(({ code }) => code === "directory-snapshot-refused");
    expect(refusal?.data?.error).toBe("ALLIUM_E_CONSENSUS_ROLLBACK");
    const { bootstrap } = served({ "consensus-microdesc": older }, { store });
    expect((await bootstrap()).validAfter).toBe(NOW - HOUR / 2);
  });

  it("shows nothing of itself, wherever a byte was changed", async () => {
    const good = await goodView();
    await fc.assert(
      fc.asyncProperty(
        fc.nat(documents.consensus.length - 1),
        fc.integer({ min: 1, max: 255 }),
        async (at, bits) => {
          const bytes = documents.consensus.slice();
          bytes[at] = (bytes[at] as number) ^ bits;
          const { manager } = served({ "consensus-microdesc": bytes });
          expect(shown(await manager.bootstrap({ signal: new AbortController().signal }))).toEqual(good);
        },
      ),
      { numRuns: 60 },
    );
  });
});

const texts = [...documents.microdescriptors.values()];

describe("microdescriptors", () => {
  it("that are enough are not waited for twice: what the snapshot lacks may come later", async () => {
    const caches = new TestCaches(() => "stall");
    const { bootstrap, clock } = served({ microdescriptors: utf8(texts.slice(1).join("")) }, { caches });
    expect((await bootstrap()).relays.length).toBe(39);
    expect(clock.now()).toBe(NOW);
  });

  it("that are lacking come through the caches, and no others", async () => {
    const { bootstrap, caches } = served({ microdescriptors: utf8(texts.slice(0, 15).join("")) });
    expect(shown(await bootstrap())).toEqual(await goodView());
    const asked = caches.asked.flatMap(({ path }) => path.replace("/tor/micro/d/", "").split("-"));
    expect(asked.sort()).toEqual(texts.slice(15).map(digestOf).sort());
  });

  it("that the consensus does not list are not taken, and not stored", async () => {
    const others = Array.from({ length: 40 }, (_, i) => testRelay(i + 1, 7).microdescriptor);
    const { bootstrap, caches, store } = served({ microdescriptors: utf8([...others, ...texts].join("")) });
    expect(shown(await bootstrap())).toEqual(await goodView());
    expect(caches.asked).toEqual([]);
    const snapshot = await readSnapshot(store, networkOf(authorities));
    expect(new TextDecoder().decode(snapshot?.documents.microdescriptors)).toBe(texts.join(""));
    const pack = await store.get(await keyEndingIn(store, "microdescriptors/0"));
    expect(pack?.length).toBe(texts.join("").length);
  });

  it.each<[string, Answer, cached: number]>([
    ["one is changed", utf8(texts.join("").replace("p accept 80,443", "p accept 80,444")), 1],
    ["the last lacks a line", utf8(texts.join("").replace(/id ed25519 \S+\n$/, "")), 1],
    ["the last is cut", utf8(texts.join("").slice(0, -10)), 40],
    ["all are there twice", utf8(texts.join("") + texts.join("")), 0],
    ["there is junk before them", concat(utf8("junk\n"), utf8(texts.join(""))), 40],
    ["there are none", undefined, 40],
    ["they are empty", new Uint8Array(0), 40],
    ["they are binary", new Uint8Array(100_000).fill(0xfe), 40],
    ["they are longer than all can be", new Uint8Array(64 * 1024 * 1024 + 1), 40],
    ["they cannot be had", new TorError("limit", "ALLIUM_E_SNAPSHOT_LIMIT", ""), 40],
  ])("are believed by their digests alone: %s", async (_, microdescriptors, cached) => {
    const { bootstrap, manager, caches } = served({ microdescriptors });
    const good = await goodView();
    await bootstrap();
    // The last ones may come when the view is in use already.
    await vi.waitFor(() => expect(shown(manager.netdir as NetDir)).toEqual(good));
    const asked = caches.asked.flatMap(({ path }) => path.replace("/tor/micro/d/", "").split("-"));
    expect(asked.length).toBe(cached);
    expect(caches.kinds).not.toContain("status-vote");
  });

  it("before some damage are taken and stored, the others come through the caches", async () => {
    const hundred = Array.from({ length: 100 }, (_, i) => testRelay(i + 1));
    const network = networkDocuments(authorities, hundred);
    const all = [...network.microdescriptors.values()].join("");
    const source = new TestSource(network, {
      microdescriptors: utf8(`${all}onion-key\n-----BEGIN X-----\n`),
    });
    const caches = new TestCaches(honest(() => network));
    const { bootstrap, manager, store } = setup({ caches, options: { snapshots: source } });
    await bootstrap();
    // The last ones may come when the view is in use already.
    await vi.waitFor(() => expect(manager.netdir?.relays.length).toBe(100));
    const asked = caches.asked.flatMap(({ path }) => path.replace("/tor/micro/d/", "").split("-"));
    expect(asked.length).toBeLessThan(50);
    await vi.waitFor(async () => {
      const stored = (await readSnapshot(store, networkOf(authorities)))?.documents.microdescriptors;
      expect(stored?.length).toBe(all.length);
    });
  });

  it("that are few come through Tor alone", async () => {
    const later = NOW + 4 * HOUR;
    const newer = relays.map((relay, i) => (i < 10 ? testRelay(i + 1, 1) : relay));
    const network = networkDocuments(authorities, newer, { validAfter: later - HOUR / 2 });
    const source = new TestSource(network);
    const { bootstrap, caches, store } = setup({
      ...{
        store: await filledStore(),
        clock: new TestClock(later),
        caches: new TestCaches(honest(() => network)),
      },
      options: { snapshots: source },
    });
    expect((await bootstrap()).relays.length).toBe(40);
    expect(source.asked).not.toContain("microdescriptors");
    expect(new Set(caches.kinds)).toEqual(new Set(["micro"]));
    // What only the older one lists is stored for a while, and not handed on.
    const handedOn = (await readSnapshot(store, networkOf(authorities)))?.documents.microdescriptors;
    const listed = [...network.microdescriptors.values()].join("");
    expect(handedOn?.length).toBe(listed.length);
  });
});

describe("a bridge that stalls", () => {
  it.each(ALL)("over %s is left after half a minute, and the caches are asked", async (name) => {
    const { bootstrap, clock, source, events } = served({ [name]: "stall" });
    expect(shown(await bootstrap())).toEqual(await goodView());
    expect(clock.now() - NOW).toBe(30_000);
    expect(source.signals[source.asked.indexOf(name)]?.aborted).toBe(true);
    const refusal = events.find(({ code }) => code === "directory-snapshot-refused");
    expect(refusal?.data?.error).toBe("ALLIUM_E_SNAPSHOT_TIMEOUT");
  });

  const late = new TorError("offline", "ALLIUM_E_SNAPSHOT_TIMEOUT", "");
  it.each<[string, Answer]>([
    ["half a minute", "stall"],
    ["as long as its source allows", late],
  ])("costs %s once in a start, and may do better in the next", async (_, answer) => {
    const caches = new TestCaches(() => notFound);
    const { bootstrap, clock, source } = served({ "consensus-microdesc": answer }, { caches });
    await expect(bootstrap()).rejects.toThrow();
    caches.handlers = [honest(() => documents)];
    const before = clock.now();
    expect(shown(await bootstrap())).toEqual(await goodView());
    expect(source.asked).toEqual([...ALL.slice(0, 2), ...ALL.slice(0, 2)]);
    expect(caches.kinds).toContain("micro");
    expect(clock.now() - before).toBe(answer === "stall" ? 30_000 : 0);
  });

  it.each(ALL)("over %s ends with its caller, and nobody is asked after that", async (name) => {
    const { manager, source, caches, events } = served({ [name]: "stall" }, { store: memoryStore() });
    const controller = new AbortController();
    const started = manager.bootstrap({ signal: controller.signal });
    while (!source.asked.includes(name)) await new Promise((resolve) => setImmediate(resolve));
    controller.abort();
    await expect(started).rejects.toThrow(expect.objectContaining({ kind: "aborted" }));
    expect(source.signals[source.asked.indexOf(name)]?.aborted).toBe(true);
    expect(caches.asked).toEqual([]);
    expect(codes(events)).toEqual([]);
  });
});
