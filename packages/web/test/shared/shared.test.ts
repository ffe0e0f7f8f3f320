// One client for all tabs: who runs it, who takes over, and what those who use it see of that. Real Web Locks and
// BroadcastChannels; real tabs and workers are in test/e2e.

import type { ClientStatus } from "@allium/core";
import { describe, expect, it } from "vitest";
import { inThread } from "../../src/shared/index.ts";
import { counted, FakeClient, failureOf, settled, until } from "../remote/rig.ts";
import { type FakeWorker, freshName, openTab, type Tab, workersOf } from "./rig.ts";

/** Tabs, all connected; the first runs the client. */
async function openTabs(count: number, name = freshName()): Promise<Tab[]> {
  const tabs = [openTab(name)];
  await tabs[0]?.tor.ready();
  for (let i = 1; i < count; i++) tabs.push(openTab(name));
  await Promise.all(tabs.map(({ tor }) => tor.ready()));
  return tabs;
}

async function heldLocks(name: string) {
  return ((await navigator.locks.query()).held ?? []).filter((lock) => lock.name === `allium/host/${name}`);
}

describe("tabs of one origin", () => {
  it("share one client, whichever of them runs it", async () => {
    const name = freshName();
    const tabs = Array.from({ length: 10 }, () => openTab(name));
    await Promise.all(tabs.map(({ tor }) => tor.ready()));
    const workers = workersOf(tabs);
    expect(workers.length).toBe(1);
    await Promise.all(
      tabs.map(({ tor }, i) => tor.isolate(`tab ${i}`).isolate("x").fetch(`http://${i}.example/`)),
    );
    const keys = workers[0]?.client.calls.map((call) => call.keys.join("/")).sort();
    expect(keys).toEqual(tabs.map((_, i) => `tab ${i}/x`));
    expect((await heldLocks(name)).length).toBe(1);
  });

  it("with other store names have other clients", async () => {
    const tabs = [...(await openTabs(1)), ...(await openTabs(1))];
    expect(workersOf(tabs).length).toBe(2);
  });

  it("are refused with other options, and get a client by them once the former is gone", async () => {
    const name = freshName();
    const [first] = await openTabs(1, name);
    const { tor, workers } = openTab(name, { bridges: ["wss://other.example/"] });
    expect((await failureOf(tor.ready())).code).toBe("ALLIUM_E_REMOTE_OPTIONS");
    expect(tor.status.blocked?.code).toBe("ALLIUM_E_REMOTE_OPTIONS");
    await first?.tor.close();
    await tor.ready();
    expect(workers.length).toBe(1);
  });

  it("carry bytes unharmed, both ways, over copies", async () => {
    const [leader, follower] = await openTabs(2);
    const { client } = leader?.workers[0] ?? {};
    if (client === undefined) throw new Error("the first tab runs the client");
    client.onFetch = async (_, init) => new Response(init.body as ReadableStream<Uint8Array>);
    const sent = new Uint8Array(1_000_000).map((_, i) => (i * 7) >> 3);
    const stream = new Blob([sent]).stream();
    const options = { method: "POST", body: stream, duplex: "half" } as const;
    const response = await follower?.tor.fetch("http://a.example/", options);
    const received = new Uint8Array((await response?.arrayBuffer()) ?? new ArrayBuffer());
    expect(Buffer.compare(received, sent)).toBe(0);
  });

  it("ask whether it is Tor and what fails, and open WebSockets of one class, through whoever runs the client", async () => {
    const [leader, follower] = await openTabs(2);
    const { client } = leader?.workers[0] ?? {};
    expect((await follower?.tor.check())?.isTor).toBe(true);
    expect((await follower?.tor.diagnose({ timeout: 5 }))?.good).toBe(true);
    expect(follower?.tor.WebSocket).toBe(follower?.tor.WebSocket);
    const socket = new (follower as Tab).tor.WebSocket("wss://a.example/");
    await new Promise((resolve) => socket.addEventListener("close", resolve));
    const call = client?.calls.find(({ name }) => name === "connect");
    expect(call?.args).toMatchObject([{ hostname: "a.example" }, { secureTransport: "on" }]);
  });

  it("go on at once when the page that runs the client is unloaded, which takes part again when it is shown", async () => {
    const [leader, follower] = (await openTabs(2)) as [Tab, Tab];
    (leader.workers[0] as FakeWorker).client.onFetch = () => new Promise(() => {});
    const stuck = leader.tor.fetch("http://a.example/");
    await settled();
    leader.tor.unloaded(true);
    expect((await failureOf(stuck)).code).toBe("ALLIUM_E_REMOTE_LOST");
    await until(() => follower.workers.length === 1);
    await follower.tor.ready();
    await settled();
    expect(leader.workers.length).toBe(1);
    leader.tor.unloaded(false);
    await leader.tor.ready();
    expect([leader.workers.length, follower.workers.length]).toEqual([1, 1]);
  });

  it("see each other's status", async () => {
    const [leader, follower] = await openTabs(2);
    const heard: ClientStatus[] = [];
    follower?.tor.addEventListener("status", ({ detail }) => heard.push(detail));
    const status = { fraction: 1, phase: "ready", ready: true } as const;
    leader?.workers[0]?.client.emit("status", status);
    await until(() => heard.length > 0);
    expect([heard.at(-1), follower?.tor.status]).toEqual([status, status]);
  });

  it("ignore what else is said where the client is looked for", async () => {
    const name = freshName();
    const channel = new BroadcastChannel(`allium/host/${name}`);
    const noise = () => {
      for (const message of [1, null, { type: "seek" }, { type: "here", port: "x", host: "y", sleeps: true }])
        channel.postMessage(message);
      channel.postMessage({ type: "here", port: "a".repeat(32), host: "b".repeat(32), sleeps: false });
    };
    noise();
    const [, follower] = await openTabs(2, name);
    noise();
    await settled();
    await follower?.tor.ready();
    channel.close();
  });
});

describe("a tab that leaves", () => {
  it("and runs the client goes on with it for the others, as long as there are others", async () => {
    const name = freshName();
    const [leader, follower] = await openTabs(2, name);
    const worker = leader?.workers[0];
    const response = await follower?.tor.fetch("http://a.example/");
    await leader?.tor.close();
    expect((await failureOf(leader?.tor.ready() ?? Promise.resolve())).code).toBe("ALLIUM_E_CLOSED");
    expect(await response?.text()).toBe("hello");
    await follower?.tor.ready();
    expect(worker?.client.isClosed).toBe(false);
    await follower?.tor.close();
    expect(worker?.client.isClosed).toBe(true);
    while ((await heldLocks(name)).length > 0) await settled();
  });

  it("before it has found the client waits for nothing, and leaves nothing", async () => {
    const name = freshName();
    const { promise, resolve } = Promise.withResolvers<void>();
    void navigator.locks.request(`allium/host/${name}`, () => promise);
    await settled();
    const { tor, workers } = openTab(name);
    await settled();
    const began = performance.now();
    await tor.close();
    expect(performance.now() - began).toBeLessThan(1000);
    resolve();
    await settled();
    expect([workers.length, (await heldLocks(name)).length]).toEqual([0, 0]);
  });
});

describe("when the one that runs the client dies", () => {
  it("what runs fails, another takes over, and new calls go there with their keys", async () => {
    const tabs = await openTabs(4);
    const [leader] = tabs;
    const others = tabs.slice(1);
    const old = leader?.workers[0]?.client as FakeClient;
    old.onFetch = async () => new Response(counted(1000).stream);
    old.emit("circuit", { id: 3, purpose: "general", state: "open", hops: [] });
    const views = others.map(({ tor }) => tor.isolate("kept"));
    const readers = await Promise.all(
      views.map(async (view) => (await view.fetch("http://a.example/")).body?.getReader()),
    );
    const closed: number[] = [];
    for (const { tor } of others)
      tor.addEventListener("circuit", ({ detail }) => detail.state === "closed" && closed.push(detail.id));
    await until(() => others.every(({ tor }) => tor.circuits().length === 1));
    // The tab is closed, and its worker with it.
    const waiting = Promise.all(others.map(({ tor }) => failureOf(drain(tor.fetch("http://b.example/")))));
    leader?.workers[0]?.die();
    for (const reader of readers)
      expect((await failureOf(readAll(reader))).code).toBe("ALLIUM_E_REMOTE_LOST");
    for (const { code } of await waiting) expect(code).toBe("ALLIUM_E_REMOTE_LOST");
    await Promise.all(views.map(async (view) => (await view.fetch("http://c.example/")).text()));
    const alive = workersOf(tabs).filter(({ client }) => client.calls.length > 0 && client !== old);
    expect(alive.length).toBe(1);
    expect(alive[0]?.client.calls.map(({ keys }) => keys)).toEqual([["kept"], ["kept"], ["kept"]]);
    expect(closed).toEqual([3, 3, 3]);
  });

  it("tabs that ask for nothing hear the new client's status by themselves", async () => {
    const [leader, follower] = await openTabs(2);
    const heard: ClientStatus[] = [];
    follower?.tor.addEventListener("status", ({ detail }) => heard.push(detail));
    leader?.workers[0]?.die();
    await until(() => heard.some(({ phase }) => phase === "microdescriptors"));
    expect(heard[0]).toEqual({ fraction: 0, phase: "bridge", ready: false });
  });

  it("unseen, as one that is frozen, who used it goes to the one that took over", async () => {
    const name = freshName();
    const [leader, follower] = await openTabs(2, name);
    const client = leader?.workers[0]?.client as FakeClient;
    client.onFetch = async () => new Response(counted(1000).stream);
    const reader = (await follower?.tor.fetch("http://a.example/"))?.body?.getReader();
    const control = new BroadcastChannel(`allium/host/${name}`);
    control.postMessage({ type: "open", host: "c".repeat(32) });
    expect((await failureOf(readAll(reader))).code).toBe("ALLIUM_E_REMOTE_LOST");
    await follower?.tor.ready();
    control.close();
  });

  it("by losing its lock, its worker ends, though its own tab had left", async () => {
    const name = freshName();
    const [leader, follower] = await openTabs(2, name);
    await leader?.tor.close();
    await navigator.locks.request(`allium/host/${name}`, { steal: true }, async () => {});
    await until(() => leader?.workers[0]?.isTerminated === true);
    await settled();
    await follower?.tor.ready();
    expect(follower?.workers.length).toBe(1);
  });

  it("again and again, each start waits for somebody to use the client", async () => {
    const { tor, workers } = openTab(freshName());
    for (let i = 1; i <= 3; i++) {
      await tor.ready();
      workers.at(-1)?.die();
      await settled();
    }
    // One for each ready(), one by itself.
    expect(workers.length).toBeLessThanOrEqual(4);
    expect(tor.status.blocked?.code).toBe("ALLIUM_E_REMOTE_LOST");
    await tor.ready();
  });
});

describe("a client in the thread that asks", () => {
  it("is shared as one in a worker is", async () => {
    const name = freshName();
    const made: FakeClient[] = [];
    const thread = inThread(() => {
      made.push(new FakeClient());
      return made.at(-1) as FakeClient;
    });
    const tabs = Array.from({ length: 3 }, () => openTab(name, { worker: undefined, thread } as object));
    await Promise.all(tabs.map(({ tor }) => tor.ready()));
    expect(made.length).toBe(1);
    for (const { tor } of tabs) await tor.close();
    expect(made[0]?.isClosed).toBe(true);
    while ((await heldLocks(name)).length > 0) await settled();
  });
});

describe("options", () => {
  it("name something to run the client in", () => {
    const none = { worker: undefined } as object;
    const open = (options: object) => () => openTab(freshName(), options);
    const refused = expect.objectContaining({ code: "ALLIUM_E_BAD_OPTIONS" });
    expect(open(none)).toThrow(refused);
    expect(open({ ...none, host: undefined })).toThrow(refused);
    // There is no SharedWorker here.
    expect(open({ host: "shared-worker", sharedWorker: () => ({}) })).toThrow(refused);
    expect(open({ host: "elsewhere" })).toThrow(refused);
    expect(open({ clock: {} })).toThrow(refused);
  });
});

async function readAll(reader: ReadableStreamDefaultReader<Uint8Array> | undefined): Promise<void> {
  while (!(await reader?.read())?.done);
}

async function drain(response: Promise<Response>): Promise<void> {
  await (await response).arrayBuffer();
}
