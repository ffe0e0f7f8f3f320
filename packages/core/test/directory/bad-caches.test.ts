import { describe, expect, it } from "vitest";
import type { NetDir } from "../../src/directory/api.ts";
import { HOUR, NOW, type TestAuthority, testRelay, unsignedConsensus } from "./builder.ts";
import { type Handler, honest, networkDocuments, response, TestCaches } from "./cache-server.ts";
import { authorities, documents, good, relays, setup, strangers } from "./setup.ts";

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
    expect(caches.openCount).toBe(0);
  });

  it.each(cases)(
    "%s fails the bootstrap with its own error when there is no other",
    async (_, handler, code, alone) => {
      const { bootstrap, caches, clock, manager } = setup({ caches: new TestCaches(handler) });
      await expect(bootstrap()).rejects.toThrow(expect.objectContaining({ code: alone ?? code }));
      expect(manager.netdir).toBeUndefined();
      expect(caches.openCount).toBe(0);
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

/** Content with nothing less than all. */
const shortage = ({ undescribed }: NetDir) => (undescribed.length === 0 ? undefined : "some are missing");

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
        message: expect.stringContaining("too many are missing"),
      }),
    );
    expect(manager.netdir).toBeUndefined();
  });

  it.each([0, 1, 7])(
    "are asked of another cache when one holds back all but %i of a part",
    async (served) => {
      const miser: Handler = (path, request) => {
        if (!path.includes("/micro/")) return good(path, request);
        const digests = path.slice("/tor/micro/d/".length).split("-").slice(0, served);
        return response(digests.map((digest) => documents.microdescriptors.get(digest) ?? "").join(""));
      };
      const { bootstrap, caches } = setup({ caches: new TestCaches(miser, good), options: { shortage } });
      expect((await bootstrap()).relays.length).toBe(40);
      for (const one of caches.blamed)
        expect(one).toMatchObject({ cache: "0", error: { code: "ALLIUM_E_MICRODESCRIPTORS_MISSING" } });
    },
  );

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
    expect((await setup({ caches, options: { shortage } }).bootstrap()).relays.length).toBe(40);
  });
});
