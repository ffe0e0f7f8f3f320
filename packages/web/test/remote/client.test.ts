// The client as the page sees it: its state and events, questions, views, its end.

import { type Metric, TorError } from "@allium/core";
import { describe, expect, it } from "vitest";
import { connectTorClient, createWorkerClient } from "../../src/remote/index.ts";
import { MAX_OPERATIONS, MAX_UNSEEN } from "../../src/remote/protocol.ts";
import { circuit, FakeClient, failureOf, RawPage, served, settled, until } from "./rig.ts";

describe("state and events", () => {
  it("begin with the client's own, and follow it", async () => {
    const client = new FakeClient();
    client.open = [circuit(1, "open")];
    const { tor } = served(client);
    expect(tor.status).toEqual({ fraction: 0, phase: "bridge", ready: false });
    await tor.ready();
    expect(tor.status).toEqual(client.status);
    expect(tor.circuits()).toEqual([circuit(1, "open")]);
    const heard: unknown[] = [];
    for (const name of ["status", "circuit", "stream", "guard", "log"] as const)
      tor.addEventListener(name, ({ detail }) => heard.push([name, detail]));
    const ready = { fraction: 1, phase: "ready", ready: true } as const;
    const guard = { type: "confirmed", nickname: "guard", fingerprint: "A".repeat(40) } as const;
    const line = { level: "info", code: "client.x", message: "a line", data: { n: 1 } } as const;
    client.emit("status", ready);
    client.emit("circuit", circuit(2, "building"));
    client.emit("circuit", circuit(1, "closed"));
    client.emit("stream", { id: 1, state: "opening" });
    client.emit("guard", guard);
    client.emit("log", line);
    await until(() => heard.length === 6);
    expect(heard).toEqual([
      ["status", ready],
      ["circuit", circuit(2, "building")],
      ["circuit", circuit(1, "closed")],
      ["stream", { id: 1, state: "opening" }],
      ["guard", guard],
      ["log", line],
    ]);
    expect(tor.status).toEqual(ready);
    expect(tor.circuits()).toEqual([circuit(2, "building")]);
  });

  it("that a page does not look at are left out, and it is told where the client stands afterwards", async () => {
    const { client, tor, worker } = served();
    await tor.ready();
    const heard: number[] = [];
    tor.addEventListener("circuit", ({ detail }) => heard.push(detail.id));
    // All at once: the page sees none before the last is posted.
    for (let i = 1; i <= 3 * MAX_UNSEEN; i++) client.emit("circuit", circuit(i, "open"));
    client.open = [circuit(3, "open"), circuit(5000, "open")];
    client.status = { fraction: 1, phase: "ready", ready: true };
    await until(() => tor.status.ready);
    expect(worker.posted.filter(({ type }) => type === "circuit").length).toBe(MAX_UNSEEN);
    expect(tor.circuits().map(({ id }) => id)).toEqual([3, 5000]);
    // Those that went meanwhile are told as closed, the new one as open.
    expect(heard.length).toBe(2 * MAX_UNSEEN);
    client.emit("circuit", circuit(6000, "open"));
    await until(() => tor.circuits().length === 3);
  });

  it("have metrics among them where a listener wants them, and only there", async () => {
    const client = new FakeClient();
    const [wanting, other] = [served(client), served(client)];
    await Promise.all([wanting.tor.ready(), other.tor.ready()]);
    const metric: Metric = {
      ...({ name: "tor.stream.open.duration", kind: "histogram", unit: "s" } as const),
      ...{ value: 0.25, attributes: {} },
    };
    client.emit("metric", { ...metric, value: 1 });
    const heard: Metric[] = [];
    for (let i = 0; i < 2; i++) wanting.tor.addEventListener("metric", ({ detail }) => heard.push(detail));
    await wanting.tor.ready();
    expect(wanting.page.posted.filter(({ type }) => type === "measure")).toHaveLength(1);
    client.emit("metric", metric);
    await until(() => heard.length === 2);
    expect(heard).toEqual([metric, metric]);
    const sent = ({ worker }: typeof other) => worker.posted.filter(({ type }) => type === "metric").length;
    expect([sent(wanting), sent(other)]).toEqual([1, 0]);
    await wanting.tor.close();
    client.emit("metric", metric);
    expect(sent(wanting)).toBe(1);
  });

  it("have each metric once, however often a page asks", async () => {
    const client = new FakeClient();
    const page = new RawPage(client).hello().send({ type: "measure" }, { type: "measure" });
    await settled();
    const kind = "counter" as const;
    client.emit("metric", { name: "tor.bytes.sent", kind, unit: "By", value: 514, attributes: {} });
    await settled();
    expect(page.of("metric")).toHaveLength(1);
    expect(page.of("fatal")).toEqual([]);
  });

  it("bring metrics to a listener that was there before the worker answered", async () => {
    const { client, tor } = served();
    const heard: string[] = [];
    tor.addEventListener("metric", ({ detail }) => heard.push(detail.name));
    await tor.ready();
    const kind = "counter" as const;
    client.emit("metric", { name: "tor.bytes.sent", kind, unit: "By", value: 514, attributes: {} });
    await until(() => heard.length === 1);
    expect(heard).toEqual(["tor.bytes.sent"]);
  });

  it("end when the page is gone", async () => {
    const { client, tor, worker } = served();
    await tor.ready();
    await tor.close();
    const before = worker.posted.length;
    client.emit("status", client.status);
    expect(worker.posted.length).toBe(before);
  });
});

describe("questions", () => {
  it("are answered", async () => {
    const { client, tor } = served();
    expect(await tor.stats()).toEqual(client.stats());
    expect(await tor.resolve("Example.com", { isolation: "i" })).toEqual([{ address: "192.0.2.1", ttl: 60 }]);
    expect(client.calls[0]).toMatchObject({ name: "resolve", args: ["example.com", { isolation: "i" }] });
    expect(await tor.guards.export()).toEqual({ version: 1, guards: [] });
    await tor.guards.import({ version: 1, guards: [{ a: 1 }] });
    await tor.guards.reset();
    tor.newIdentity();
    tor.networkChanged();
    tor.resumed();
    await tor.ready();
    expect(client.calls.slice(1)).toEqual([
      { name: "import", keys: [], args: [{ version: 1, guards: [{ a: 1 }] }] },
      { name: "reset", keys: [], args: [] },
      { name: "newIdentity", keys: [], args: [] },
      { name: "networkChanged", keys: [], args: [] },
      { name: "resumed", keys: [], args: [] },
    ]);
  });

  it("about Tor and about what fails are answered, and given up", async () => {
    const { client, tor } = served();
    const url = new URL("http://check.example/");
    expect(await tor.check({ url })).toEqual({ isTor: true, address: "192.0.2.1", exit: undefined });
    expect(await tor.diagnose({ url, timeout: 5 })).toEqual({ good: true, steps: [] });
    await tor.check();
    await tor.diagnose();
    expect(client.calls.map(({ name, args }) => [name, args[0]])).toMatchObject([
      ["check", { url: url.href }],
      ["diagnose", { url: url.href, timeout: 5 }],
      ["check", {}],
      ["diagnose", {}],
    ]);
    client.check = () => new Promise(() => {});
    const controller = new AbortController();
    const asked = tor.check({ signal: controller.signal });
    controller.abort();
    await expect(asked).rejects.toMatchObject({ kind: "aborted" });
  });

  it("take the figures of as many circuits as a page may know", async () => {
    const { client, tor } = served();
    const large = 2 ** 40;
    const circuits = Array.from({ length: 16_384 }, (_, id) => ({ id, received: large, sent: large }));
    const relays = Array.from({ length: 32 }, () => client.stats().relays).flat();
    const stats = { ...client.stats(), relays, traffic: { received: large, sent: large, circuits } };
    client.stats = () => stats;
    expect(await tor.stats()).toEqual(stats);
  });

  it("fail with the client's error", async () => {
    const { client, tor } = served();
    const error = new TorError("offline", "ALLIUM_E_NOT_READY", "not ready", { retryAfter: 7 });
    client.onReady = client.onResolve = () => Promise.reject<never>(error);
    for (const operation of [tor.ready(), tor.resolve("example.com")]) {
      const { error: caught } = await failureOf(operation);
      expect(caught).toBeInstanceOf(TorError);
      expect(caught).toMatchObject({
        kind: "offline",
        code: "ALLIUM_E_NOT_READY",
        message: "not ready",
        retryAfter: 7,
      });
    }
    expect((await failureOf(tor.resolve("a b"))).code).toBe("ALLIUM_E_BAD_DESTINATION");
  });

  it("take no guard state that is no JSON", async () => {
    const { tor } = served();
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    expect((await failureOf(tor.guards.import(cycle))).code).toBe("ALLIUM_E_BAD_GUARD_STATE");
    await tor.ready();
  });

  it("are bounded in number: the page is told, and what ran goes on", async () => {
    const { client, tor } = served();
    let ready = () => {};
    client.onReady = () => new Promise((resolve) => (ready = resolve));
    const waiting = Array.from({ length: MAX_OPERATIONS }, () => tor.resolve("example.com"));
    const { kind, code } = await failureOf(tor.resolve("example.com"));
    expect([kind, code]).toEqual(["limit", "ALLIUM_E_REMOTE_LIMIT"]);
    expect((await Promise.all(waiting)).length).toBe(MAX_OPERATIONS);
    const last = tor.ready();
    await settled();
    ready();
    await last;
  });
});

describe("views", () => {
  it("nest, and each call says in which it is", async () => {
    const { client, tor } = served();
    client.onConnect = () => {
      throw new TorError("offline", "ALLIUM_E_OFFLINE", "none");
    };
    const inner = tor.isolate("outer").isolate("inner");
    await inner.fetch("http://example.com/", { isolation: "one" });
    await inner.resolve("example.com");
    await failureOf(inner.connect("example.com:80").opened);
    await tor.fetch("http://example.com/");
    expect(client.calls.map(({ name, keys }) => [name, ...keys])).toEqual([
      ["fetch", "outer", "inner"],
      ["resolve", "outer", "inner"],
      ["connect", "outer", "inner"],
      ["fetch"],
    ]);
  });

  it("refuse a key that is none, and nesting without end", () => {
    const { tor } = served();
    expect(() => tor.isolate("")).toThrow(/isolation key/);
    expect(() => tor.isolate(7 as unknown as string)).toThrow(/isolation key/);
    expect(() => {
      for (let i = 0, view = tor.isolate("k"); i < 100; i++) view = view.isolate("k") as typeof view;
    }).toThrow(/nested too deep/);
  });
});

describe("the end", () => {
  it("of a page's client ends what runs with `aborted`, and leaves the worker's client alone", async () => {
    const { client, tor, connection } = served();
    client.onReady = () => new Promise(() => {});
    const waiting = tor.ready();
    const closing = tor.close();
    expect((await failureOf(waiting)).code).toBe("ALLIUM_E_CLOSED");
    await closing;
    await connection.closed;
    expect(client.isClosed).toBe(false);
    for (const operation of [
      tor.ready(),
      tor.fetch("http://example.com/"),
      tor.connect("example.com:80").opened,
    ])
      expect((await failureOf(operation)).code).toBe("ALLIUM_E_CLOSED");
    await tor[Symbol.asyncDispose]();
  });

  it("by the worker's owner is told to the page", async () => {
    const { tor, connection } = served();
    await tor.ready();
    connection.close();
    await until(() => tor.status.blocked !== undefined);
    expect(tor.status.blocked?.code).toBe("ALLIUM_E_CLOSED");
    expect((await failureOf(tor.ready())).code).toBe("ALLIUM_E_CLOSED");
  });

  it("of a worker without a word fails everything with `lost`", async () => {
    const { client, tor, worker } = served();
    client.onFetch = () => new Promise(() => {});
    await tor.ready();
    const fetching = tor.fetch("http://example.com/");
    await until(() => client.calls.length === 1);
    worker.close?.();
    const { kind, code, error } = await failureOf(fetching);
    expect([kind, code]).toEqual(["internal", "ALLIUM_E_REMOTE_LOST"]);
    expect(error).toBeInstanceOf(TypeError);
    expect(tor.status.blocked?.code).toBe("ALLIUM_E_REMOTE_LOST");
  });

  it("of a worker whose script fails is told at once", async () => {
    const worker = Object.assign(new EventTarget(), { postMessage: () => {} });
    const tor = connectTorClient(worker);
    const ready = tor.ready();
    worker.dispatchEvent(new Event("error"));
    expect((await failureOf(ready)).code).toBe("ALLIUM_E_REMOTE_START");
  });
});

describe("options", () => {
  it("that cannot go to a worker are refused at once", () => {
    const worker = new MessageChannel().port1;
    const options = { worker, bridges: ["wss://bridge.example/"], log: () => {} };
    expect(() => createWorkerClient(options)).toThrow(/"log" cannot go to a worker/);
    worker.close();
  });
});
