import { describe, expect, it } from "vitest";
import { toHex } from "../../src/base/encoding.ts";
import { HOUR, networkOf, testRelay } from "./builder.ts";
import { deflated, type Handler, honest, networkDocuments, notFound, TestCaches } from "./cache-server.ts";
import { authorities, good, never, relays, setup } from "./setup.ts";

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
    expect(caches.openCount).toBe(0);
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
    expect(caches.openCount).toBe(0);
  });
});

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
