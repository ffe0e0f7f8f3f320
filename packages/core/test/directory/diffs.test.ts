// Consensus diffs as a client meets them (dir-spec 4.5): asked for with what it holds, verified as any consensus.

import { describe, expect, it, vi } from "vitest";
import { concat } from "../../src/base/bytes.ts";
import { fromUtf8, toHex, utf8 } from "../../src/base/encoding.ts";
import { memoryStore } from "../../src/base/memory-store.ts";
import { sha3_256 } from "../../src/crypto/hash.ts";
import { applyConsensusDiff, signedPartDigest } from "../../src/directory/documents/consensus-diff.ts";
import { HOUR, NOW, testRelay } from "./builder.ts";
import { type Handler, honest, networkDocuments, response, TestCaches } from "./cache-server.ts";
import { TestClock } from "./manual-clock.ts";
import { authorities, documents, keyEndingIn, never, relays, setup, strangers } from "./setup.ts";

vi.mock(import("../../src/directory/documents/consensus-diff.ts"), async (original) => {
  const real = await original();
  return { ...real, applyConsensusDiff: vi.fn(real.applyConsensusDiff) };
});

const later = networkDocuments(
  authorities,
  relays.map((relay, i) => (i === 5 ? testRelay(6, 1) : relay)),
  { validAfter: NOW + HOUR, freshUntil: NOW + 2 * HOUR, validUntil: NOW + 4 * HOUR },
);

/** The whole of `to` in place of the whole of `from`: not short, but a diff as any other. */
async function diff(from: Uint8Array, to: Uint8Array): Promise<Uint8Array> {
  const lines = fromUtf8(from).split("\n").length - 1;
  const head = `network-status-diff-version 1\nhash ${await signedPartDigest(from)} ${toHex(sha3_256(to))}\n`;
  return concat(utf8(`${head}1,${lines}c\n`), to, utf8(".\n"));
}

/** A client that holds the first consensus, an hour later; `answer` is what consensus requests get. */
async function anHourLater(answer: Handler, store = memoryStore()) {
  const clock = new TestClock(NOW);
  let moved = false;
  const caches = new TestCaches((path, request) => {
    const network = moved ? later : documents;
    if (moved && path.includes("/consensus-microdesc/")) return answer(path, request);
    return honest(() => network)(path, request);
  });
  const { manager, bootstrap } = setup({ clock, caches, store });
  await bootstrap();
  moved = true;
  clock.set(NOW + 4 * HOUR);
  return { manager, caches, clock, bootstrap };
}

const asked = (caches: TestCaches) =>
  caches.asked
    .filter(({ path }) => path.includes("/consensus-microdesc/"))
    .slice(1)
    .map(({ request }) => /X-Or-Diff-From-Consensus: ([0-9a-f]+)\r\n/i.exec(request)?.[1]);

describe("the difference to the consensus that is held", () => {
  it("is asked for by its digest, and the result is the newer consensus", async () => {
    const patch = await diff(documents.consensus, later.consensus);
    const { bootstrap, caches } = await anHourLater(() => response(patch));
    const netdir = await bootstrap();
    expect(netdir.validAfter).toBe(NOW + HOUR);
    const baseDigest = await signedPartDigest(documents.consensus);
    expect(asked(caches)).toEqual([baseDigest]);
    // Which need not be computed again.
    expect(vi.mocked(applyConsensusDiff).mock.lastCall?.[2]).toMatchObject({ baseDigest });
    expect(caches.blamed).toEqual([]);
  });

  it("need not be what a cache sends: the whole does as well", async () => {
    const { bootstrap, caches } = await anHourLater(() => response(later.consensus));
    expect((await bootstrap()).validAfter).toBe(NOW + HOUR);
    expect(caches.blamed).toEqual([]);
  });

  it("is stored whole, so that the next start has it", async () => {
    const store = memoryStore();
    const patch = await diff(documents.consensus, later.consensus);
    const { bootstrap } = await anHourLater(() => response(patch), store);
    await bootstrap();
    const stored = await store.get(await keyEndingIn(store, "consensus"));
    expect(toHex(sha3_256(stored as Uint8Array))).toBe(toHex(sha3_256(later.consensus)));
  });

  it("is not asked for where the held document is gone or damaged", async () => {
    for (const broken of [undefined, utf8("damaged\n")]) {
      const store = memoryStore();
      const { bootstrap, caches } = await anHourLater(() => response(later.consensus), store);
      await store.set(new Map([[await keyEndingIn(store, "consensus"), broken]]));
      expect((await bootstrap()).validAfter).toBe(NOW + HOUR);
      expect(asked(caches)).toEqual([undefined]);
    }
  });

  it("that does not give what it says is the cache's fault, and the whole is asked for", async () => {
    const good = await diff(documents.consensus, later.consensus);
    const at = good.length - 40;
    const bent = Uint8Array.from(good, (byte, i) => (i === at ? byte ^ 1 : byte));
    const { bootstrap, caches } = await anHourLater((_, request) =>
      response(request.includes("X-Or-Diff") ? bent : later.consensus),
    );
    expect((await bootstrap()).validAfter).toBe(NOW + HOUR);
    expect(caches.blamed.map(({ error }) => error.code)).toEqual(["ALLIUM_E_BAD_CONSENSUS_DIFF"]);
    expect(asked(caches)).toEqual([await signedPartDigest(documents.consensus), undefined]);
  });

  it("to a consensus that the authorities did not sign is refused like that consensus", async () => {
    const forged = networkDocuments(strangers, relays, { validAfter: NOW + HOUR });
    const patch = await diff(documents.consensus, forged.consensus);
    const { bootstrap, caches } = await anHourLater((_, request) =>
      response(request.includes("X-Or-Diff") ? patch : later.consensus),
    );
    expect((await bootstrap()).validAfter).toBe(NOW + HOUR);
    expect(caches.blamed.map(({ error }) => error.code)).toEqual(["ALLIUM_E_CONSENSUS_SIGNATURES"]);
  });

  it("that nobody asked for is refused", async () => {
    const patch = await diff(documents.consensus, later.consensus);
    const answers = [response(patch), response(documents.consensus)];
    const caches = new TestCaches((path, request) =>
      path.includes("/consensus-microdesc/")
        ? (answers.shift() as Uint8Array)
        : honest(() => documents)(path, request),
    );
    const { bootstrap } = setup({ caches });
    expect((await bootstrap()).relays.length).toBe(40);
    expect(caches.blamed.map(({ error }) => error.code)).toEqual(["ALLIUM_E_BAD_CONSENSUS_DIFF"]);
  });
});

describe("two clients of one store", () => {
  it("fetch each consensus once: what the one stored is the other's too", async () => {
    const store = memoryStore();
    const clock = new TestClock(NOW);
    let network = documents;
    const caches = [new TestCaches(honest(() => network)), new TestCaches(honest(() => network))];
    const [one, other] = caches.map((each) => setup({ clock, store, caches: each }));
    await one?.bootstrap();
    await other?.bootstrap();
    expect(caches[1]?.asked).toEqual([]);
    network = later;
    clock.set(NOW + 4 * HOUR);
    await one?.bootstrap();
    expect((await other?.bootstrap())?.validAfter).toBe(NOW + HOUR);
    expect(caches[1]?.asked).toEqual([]);
  });
});

describe("a view of the network", () => {
  it("is in use as soon as there is enough of it, and gets the rest afterwards", async () => {
    const shortage = ({ undescribed }: { undescribed: readonly unknown[] }) =>
      undescribed.length > 25 ? "too many are missing" : undefined;
    let held: (() => void)[] = [];
    const slow = new TestCaches(honest(() => documents));
    const open = slow.open.bind(slow);
    let parts = 0;
    slow.open = async (options) => {
      const connection = await open(options);
      const { stream } = connection;
      const write = stream.write.bind(stream);
      const read = stream.read.bind(stream);
      let waits = Promise.resolve();
      stream.write = async (data) => {
        if (fromUtf8(data).includes("/micro/") && ++parts > 2)
          waits = new Promise((resolve) => held.push(resolve));
        await write(data);
      };
      stream.read = () => waits.then(read);
      return connection;
    };
    const { manager } = setup({ caches: slow, options: { shortage } });
    const netdir = await manager.bootstrap({ signal: never });
    expect(netdir.relays.length).toBeGreaterThanOrEqual(20);
    expect(netdir.relays.length).toBeLessThan(40);
    for (const release of held) release();
    held = [];
    await expect.poll(() => manager.netdir?.relays.length).toBe(40);
  });
});
