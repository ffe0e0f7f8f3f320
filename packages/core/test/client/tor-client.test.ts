import { describe, expect, it, onTestFinished, vi } from "vitest";
import { isTorError, TorError } from "../../src/base/errors.ts";
import { memoryStore } from "../../src/base/memory-store.ts";
import type { Dialer, LogEvent, Store } from "../../src/base/ports.ts";
import type { Metric } from "../../src/client/metrics.ts";
import type { ClientStatus } from "../../src/client/status.ts";
import { TorClient } from "../../src/client/tor-client.ts";
import { TorView } from "../../src/client/view.ts";
import type { ResolveRequest } from "../../src/net/api.ts";
import { Fetcher } from "../../src/net/fetch.ts";
import type { CircuitInfo } from "../../src/path/registry.ts";
import { duplexPair } from "../../src/testing/duplex-pair.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { TrustStore } from "../../src/tls/x509/trust.ts";
import { settle } from "../path/fakes.ts";

const NETWORK = {
  authorities: [{ nickname: "auth", v3ident: "A".repeat(40) }],
  fallbacks: [{ rsaId: "B".repeat(40), ed25519Id: `${"C".repeat(42)}A`, orPorts: ["192.0.2.7:9001"] }],
};
const UNREACHABLE = new TorError("bridge-unreachable", "ALLIUM_E_TEST", "no bridge");

function bench(dial: Dialer["dial"] = () => Promise.reject(UNREACHABLE)) {
  const clock = new ManualClock();
  const dialled: unknown[] = [];
  const logs: LogEvent[] = [];
  const client = new TorClient({
    dialer: {
      dial(target, options) {
        dialled.push(target);
        return dial(target, options);
      },
    },
    store: memoryStore(),
    network: NETWORK,
    clock,
    log: (event) => logs.push(event),
  });
  const statuses: ClientStatus[] = [];
  const circuits: CircuitInfo[] = [];
  const heard: LogEvent[] = [];
  client.addEventListener("status", ({ detail }) => statuses.push(detail));
  client.addEventListener("circuit", ({ detail }) => circuits.push(detail));
  client.addEventListener("log", ({ detail }) => heard.push(detail));
  /** Lets all retries run. */
  const wait = async () => {
    for (let i = 0; i < 60; i++) {
      await settle();
      clock.advance(1000);
    }
  };
  return { client, clock, dialled, logs, heard, statuses, circuits, wait };
}

describe("a client whose store never answers", () => {
  it.each(["export", "import", "reset"] as const)("says so of guards.%s, in time", async (operation) => {
    const clock = new ManualClock();
    const held: Store = { ...memoryStore(), lock: () => new Promise(() => {}) };
    const silent: Store = { ...memoryStore(), get: () => new Promise(() => {}) };
    // Reading needs no lock.
    const store = operation === "export" ? silent : held;
    const client = new TorClient({
      dialer: { dial: () => Promise.reject(UNREACHABLE) },
      store,
      clock,
      network: NETWORK,
    });
    const state = { last_updated: new Date(0).toISOString(), guards: [] };
    const done = operation === "import" ? client.guards.import(state) : client.guards[operation]();
    const failed = expect(done).rejects.toMatchObject({
      kind: "storage-denied",
      code: "ALLIUM_E_STORAGE_TIMEOUT",
    });
    await settle();
    clock.advance(10_000);
    await failed;
  });
});

describe("a client", () => {
  it("does nothing until it is used", async () => {
    const { client, dialled, wait } = bench();
    await wait();
    expect(dialled).toEqual([]);
    expect(client.status).toEqual({ fraction: 0, phase: "bridge", ready: false });
    expect(client.circuits()).toEqual([]);
    expect(client.stats()).toEqual({
      channels: 0,
      handshakes: { completed: 0, failed: { dial: 0, tls: 0, certificates: 0, link: 0 } },
      circuits: { open: 0, building: 0, built: 0, failed: 0, timedOut: 0, retried: 0 },
      buildTimes: { count: 0 },
      streams: { open: 0, opened: 0, failed: 0 },
      traffic: { received: 0, sent: 0, circuits: [] },
      memory: { used: 0, limit: 64 * 1024 * 1024 },
      guards: { total: 0, confirmed: 0, confirmations: 0, failures: 0 },
      ...{ relays: [], bridges: [], directory: { failures: 0 }, rotations: 0, dormant: false },
    });
  });

  it("without a bridge says so: in the rejection, in the status, in its events", async () => {
    const { client, wait, statuses, circuits, dialled } = bench();
    const ready = client.ready();
    ready.catch(() => {});
    await wait();
    await expect(ready).rejects.toMatchObject({ kind: "bridge-unreachable" });
    expect(client.status).toMatchObject({ ready: false, blocked: { kind: "bridge-unreachable" } });
    expect(statuses.at(-1)).toEqual(client.status);
    expect(circuits[0]).toMatchObject({ purpose: "directory", state: "building" });
    expect(dialled.length).toBeGreaterThan(1);
    const fetched = client.fetch("http://example.com/");
    fetched.catch(() => {});
    await wait();
    await expect(fetched).rejects.toSatisfy((error) => isTorError(error) && error instanceof TypeError);
    expect(client.stats().streams).toEqual({ open: 0, opened: 0, failed: 1 });
  });

  it("never logs a destination, nor a relay's address or identity at info and above", async () => {
    const { client, wait, logs, heard } = bench();
    const fetched = client.fetch("http://secret.example/path");
    fetched.catch(() => {});
    await wait();
    await expect(fetched).rejects.toMatchObject({ kind: "bridge-unreachable" });
    expect(JSON.stringify(logs)).not.toContain("secret");
    const visible = logs.filter(({ level }) => level !== "debug");
    expect(visible.length).toBeGreaterThan(0);
    expect(JSON.stringify(visible)).not.toMatch(/192\.0\.2\.7|BBBB/i);
    expect(heard).toEqual(visible);
  });

  it("refuses onion addresses and what is not on the internet, without dialling", async () => {
    const { client, dialled } = bench();
    for (const host of [`${"a".repeat(56)}.onion`, "localhost", "127.0.0.1", "[::1]", "10.0.0.1"]) {
      await expect(client.fetch(`http://${host}/`)).rejects.toMatchObject({ kind: "bad-api-usage" });
      await expect(client.connect(`${host}:80`).opened).rejects.toMatchObject({ kind: "bad-api-usage" });
      await expect(client.resolve(host)).rejects.toMatchObject({ kind: "bad-api-usage" });
    }
    expect(dialled).toEqual([]);
  });

  it("is over after close", async () => {
    const { client, clock, wait } = bench();
    const fetched = client.fetch("http://example.com/");
    fetched.catch(() => {});
    await settle();
    await client[Symbol.asyncDispose]();
    await expect(fetched).rejects.toMatchObject({ kind: "aborted" });
    await expect(client.ready()).rejects.toMatchObject({ code: "ALLIUM_E_CLOSED" });
    await wait();
    expect(clock.pendingTimers).toBe(0);
  });

  it("exports, imports and resets its guards without the network", async () => {
    const { client, dialled } = bench();
    const state = {
      last_updated: "2026-01-01T00:00:00.000Z",
      guards: [
        {
          ...{ fingerprint: "D".repeat(40), nickname: "mine", address: "192.0.2.1:9001", confirmed: true },
          ...{ first_used: "2025-12-01T00:00:00.000Z", last_used: "2025-12-31T00:00:00.000Z" },
        },
      ],
    };
    await client.guards.import(state);
    expect((await client.guards.export()).guards).toMatchObject(state.guards);
    expect(client.stats().guards).toEqual({
      ...{ total: 1, confirmed: 1, confirmations: 0, failures: 0 },
      ...{ oldest: "2025-12-01T00:00:00.000Z", lastUsed: "2025-12-31T00:00:00.000Z" },
    });
    await expect(client.guards.import({})).rejects.toMatchObject({ code: "ALLIUM_E_BAD_GUARD_STATE" });
    await client.guards.reset();
    expect((await client.guards.export()).guards).toEqual([]);
    expect(dialled).toEqual([]);
  });
});

/** What a client tells as metrics, from now on. */
function metricsOf(client: TorClient): Metric[] {
  const metrics: Metric[] = [];
  client.addEventListener("metric", ({ detail }) => metrics.push(detail));
  return metrics;
}

describe("what a client counts", () => {
  /** A fetch for which no circuit can be built. */
  async function failedFetch({ client, wait }: ReturnType<typeof bench>): Promise<void> {
    const fetched = client.fetch("http://secret.example/path");
    fetched.catch(() => {});
    await wait();
    await expect(fetched).rejects.toThrow();
  }

  it("are relays that cannot be dialled, with the reason, and requests that were tried again", async () => {
    const rig = bench();
    await failedFetch(rig);
    const { handshakes, relays, directory, circuits } = rig.client.stats();
    expect(handshakes.completed).toBe(0);
    expect(handshakes.failed).toEqual({ dial: rig.dialled.length, tls: 0, certificates: 0, link: 0 });
    expect(circuits.failed).toBe(rig.dialled.length);
    expect(directory.failures).toBeGreaterThan(0);
    expect(relays).toMatchObject([
      { nickname: "", rsaId: "B".repeat(40), built: 0, failed: rig.dialled.length },
    ]);
    expect(relays[0]?.lastFailure?.code).toBe("ALLIUM_E_TEST");
  });

  it("are relays that speak no TLS, and those that fall silent", async () => {
    const relay = (greeting: string) =>
      bench(async () => {
        const [near, far] = duplexPair();
        const writer = far.writable.getWriter();
        void writer.write(new TextEncoder().encode(greeting)).catch(() => {});
        return near;
      });
    const chatty = relay("SSH-2.0-OpenSSH_9.6\r\n");
    const silent = relay("");
    for (const { client } of [chatty, silent]) {
      client.ready().catch(() => {});
      onTestFinished(() => client.close());
    }
    const failures = ({ client }: typeof chatty) => client.stats().handshakes.failed;
    await expect.poll(() => failures(chatty)).toEqual({ dial: 0, tls: 1, certificates: 0, link: 0 });
    expect(silent.dialled).toHaveLength(1);
    silent.clock.advance(20_000);
    await expect.poll(() => failures(silent)).toEqual({ dial: 0, tls: 0, certificates: 0, link: 1 });
  });

  it("is not what it gave up itself", async () => {
    const rig = bench(() => new Promise(() => {}));
    const metrics = metricsOf(rig.client);
    const fetched = rig.client.fetch("http://example.com/");
    fetched.catch(() => {});
    await settle();
    expect(rig.dialled).toHaveLength(1);
    await rig.client.close();
    await settle();
    expect(rig.client.stats().handshakes.failed.dial).toBe(0);
    expect(rig.client.stats().relays).toEqual([]);
    expect(metrics.filter(({ name }) => name === "tor.circuit.builds")).toMatchObject([
      { attributes: { outcome: "aborted" } },
    ]);
  });

  it("is told as metrics too, which name neither relay nor destination", async () => {
    const rig = bench();
    const metrics = metricsOf(rig.client);
    await failedFetch(rig);
    rig.client.newIdentity();
    const count = (name: string) => metrics.filter((metric) => metric.name === name).length;
    const { handshakes, directory, rotations } = rig.client.stats();
    expect(count("tor.link.handshakes")).toBe(handshakes.failed.dial);
    expect(count("tor.circuit.builds")).toBe(rig.client.stats().circuits.failed);
    expect(count("tor.directory.failures")).toBe(directory.failures);
    expect(count("tor.stream.opens")).toBe(1);
    expect([count("tor.identity.rotations"), rotations]).toEqual([1, 1]);
    expect(JSON.stringify(metrics)).not.toMatch(/secret|example|BBBB|192\.0\.2\.7/i);
  });

  it("goes on when a listener throws, and the next listener hears it", async () => {
    const rig = bench();
    // Node throws it again outside of the client, where it would end this process.
    const later = vi.spyOn(process, "nextTick").mockImplementation(() => {});
    onTestFinished(() => later.mockRestore());
    let thrown = 0;
    rig.client.addEventListener("metric", () => {
      thrown++;
      throw new Error("a hook that is broken");
    });
    const metrics = metricsOf(rig.client);
    await failedFetch(rig);
    expect(thrown).toBe(metrics.length);
    expect(thrown).toBeGreaterThan(3);
    expect(later).toHaveBeenCalledTimes(thrown);
    expect(rig.client.status.blocked?.kind).toBe("bridge-unreachable");
  });
});

/** Notes what it is asked for, and does nothing. */
function deafOpener(requests: ResolveRequest[]) {
  const refuse = async (request: ResolveRequest) => {
    requests.push(request);
    throw UNREACHABLE;
  };
  return { openStream: refuse, resolve: refuse };
}

const NO_TLS = { clock: new ManualClock(), trust: new TrustStore({}) };

describe("isolation", () => {
  const keyOf = async (use: (view: TorView) => TorView, isolation?: string) => {
    const requests: ResolveRequest[] = [];
    const opener = deafOpener(requests);
    const view = use(
      new TorView(
        { opener, tls: NO_TLS, fetcher: new Fetcher({ ...opener, openSecure: opener.openStream }) },
        [],
      ),
    );
    await view.fetch("http://example.com/", isolation === undefined ? {} : { isolation }).catch(() => {});
    return requests[0]?.isolation;
  };
  const plain = (view: TorView) => view;

  it("has one key for each view and option, and the same for the same", async () => {
    const keys = await Promise.all([
      keyOf(plain),
      keyOf(plain, "a"),
      keyOf((view) => view.isolate("a")),
      keyOf((view) => view.isolate("a"), "b"),
      keyOf((view) => view.isolate("b"), "a"),
      keyOf((view) => view.isolate("a").isolate("b")),
      keyOf((view) => view.isolate('a","b')),
      keyOf((view) => view.isolate("b").isolate("a")),
    ]);
    expect(new Set(keys).size).toBe(keys.length);
    expect(await keyOf((view) => view.isolate("a"), "b")).toBe(keys[3]);
  });

  it("reaches sockets as well", async () => {
    const requests: ResolveRequest[] = [];
    const opener = deafOpener(requests);
    const view = new TorView(
      { opener, tls: NO_TLS, fetcher: new Fetcher({ ...opener, openSecure: opener.openStream }) },
      [],
    ).isolate("wallet");
    await view.connect("example.com:80", { isolation: "x" }).opened.catch(() => {});
    expect(requests[0]?.isolation).toBe('[["wallet"],"x"]');
  });

  it("reaches names to resolve as well, which are read as hosts are elsewhere", async () => {
    const requests: ResolveRequest[] = [];
    const opener = deafOpener(requests);
    const view = new TorView(
      { opener, tls: NO_TLS, fetcher: new Fetcher({ ...opener, openSecure: opener.openStream }) },
      [],
    ).isolate("wallet");
    const { signal } = new AbortController();
    await expect(view.resolve("Bücher.EXAMPLE", { isolation: "x", signal })).rejects.toBe(UNREACHABLE);
    expect(requests).toEqual([{ hostname: "xn--bcher-kva.example", isolation: '[["wallet"],"x"]', signal }]);
    for (const wrong of ["", "a/b", "user@host", "exa mple.com"])
      await expect(view.resolve(wrong)).rejects.toMatchObject({ code: "ALLIUM_E_BAD_DESTINATION" });
    expect(requests).toHaveLength(1);
  });

  it("takes a key that is a text, or none: others could read the same", async () => {
    for (const key of [Symbol("a"), {}, Number.NaN] as unknown as string[]) {
      const { client } = bench();
      const fetched = client.fetch("http://example.com/", { isolation: key });
      const { opened } = client.connect("example.com:80", { isolation: key });
      for (const asked of [fetched, opened, client.resolve("example.com", { isolation: key })])
        await expect(asked).rejects.toMatchObject({ code: "ALLIUM_E_BAD_ISOLATION_KEY" });
      await expect(fetched).rejects.toBeInstanceOf(TypeError);
    }
  });

  it("wants a key", () => {
    const { client } = bench();
    for (const key of ["", undefined as unknown as string]) {
      expect(() => client.isolate(key)).toThrow(
        expect.objectContaining({ code: "ALLIUM_E_BAD_ISOLATION_KEY" }),
      );
    }
  });
});
