// The directory's documents from a bridge: what it serves over HTTP, and what it never does.

import { once } from "node:events";
import { connect } from "node:net";
import { type LogEvent, memoryStore, type Store } from "@allium/core";
import type { NetDir } from "@allium/core/internal";
import { afterEach, describe, expect, it, vi } from "vitest";
import { HOUR } from "../../core/test/directory/builder.ts";
import { type Bridge, type BridgeOptions, createBridge } from "../src/index.ts";
import { Snapshots } from "../src/snapshots.ts";
import { documents, documentsOf, fill, filledStore, network, VALID_AFTER } from "./directory.ts";

const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

const NAMES = ["consensus-microdesc", "certificates", "microdescriptors"];
const microdescriptors = [...documents.microdescriptors.values()].join("");

async function bridgeWith(options: BridgeOptions): Promise<{ bridge: Bridge; url: string }> {
  const bridge = createBridge({ network, listen: { host: "127.0.0.1", port: 0 }, ...options });
  cleanUps.push(() => bridge.close());
  return { bridge, url: (await bridge.listen()).replace("ws:", "http:") };
}

/** A bridge that serves all it has. */
async function fullBridge(options: BridgeOptions = {}): Promise<{ bridge: Bridge; url: string }> {
  const { bridge, url } = await bridgeWith({ store: await filledStore(), ...options });
  await vi.waitFor(async () => expect((await fetch(`${url}dir/microdescriptors`)).status).toBe(200));
  return { bridge, url };
}

describe("a bridge", () => {
  it("serves the documents as the authorities and relays wrote them", async () => {
    const { url } = await fullBridge();
    const text = async (name: string) => (await fetch(`${url}dir/${name}`)).text();
    expect(await text("consensus-microdesc")).toBe(Buffer.from(documents.consensus).toString());
    expect((await text("certificates")).length).toBe(documents.certificates.length);
    const sorted = (all: string) => all.split(/(?=onion-key\n)/).sort();
    expect(sorted(await text("microdescriptors"))).toEqual(sorted(microdescriptors));
  });

  it.each(["br", "gzip", "identity"])("serves them in %s, for any origin and for caches", async (coding) => {
    const { url } = await fullBridge();
    for (const name of NAMES) {
      const response = await fetch(`${url}dir/${name}`, { headers: { "accept-encoding": coding } });
      expect(response.headers.get("content-encoding") ?? "identity").toBe(coding);
      expect(response.headers.get("access-control-allow-origin")).toBe("*");
      const age = /^public, max-age=([0-9]+)$/.exec(response.headers.get("cache-control") ?? "")?.[1];
      expect(Number(age)).toBeGreaterThan(1700);
      expect(Number(age)).toBeLessThanOrEqual(1800);
      expect((await response.text()).length).toBeGreaterThan(1000);
      const headers = {
        "accept-encoding": coding,
        "if-none-match": response.headers.get("etag") as string,
      };
      expect((await fetch(`${url}dir/${name}`, { headers })).status).toBe(304);
    }
  });

  it("has no other documents, and takes nothing but questions", async () => {
    const { url } = await fullBridge();
    for (const path of ["dir", "dir/", "dir/consensus", "dir/__proto__", "dir/microdescriptors/"]) {
      const response = await fetch(url + path);
      expect([response.status, await response.json()]).toEqual([404, { error: "not found" }]);
      expect(response.headers.get("cache-control")).toBe("no-store");
    }
    expect((await fetch(`${url}dir/certificates`, { method: "POST", body: "x" })).status).toBe(405);
    expect((await fetch(`${url}dir/certificates?x=1`)).status).toBe(200);
  });

  it("has none before it has a verified consensus", async () => {
    const { bridge, url } = await bridgeWith({});
    for (const name of NAMES) expect((await fetch(`${url}dir/${name}`)).status).toBe(404);
    expect(bridge.isReady).toBe(false);
  });

  it("never serves a stored consensus that it cannot verify", async () => {
    const store = memoryStore();
    const spy = await filledStore();
    // As it was stored, but for one byte of a relay's weight.
    const forged: Store = {
      ...store,
      get: async (key) => {
        const bytes = await spy.get(key);
        const text = Buffer.from(bytes ?? []).toString("latin1");
        return key.endsWith("/consensus")
          ? Buffer.from(text.replace("Bandwidth=1000", "Bandwidth=9000"), "latin1")
          : bytes;
      },
    };
    const logged: LogEvent[] = [];
    const { url } = await bridgeWith({ store: forged, log: (event) => logged.push(event) });
    await vi.waitFor(() => expect(logged.map(({ code }) => code)).toContain("directory-cache-refused"));
    for (const name of NAMES) expect((await fetch(`${url}dir/${name}`)).status).toBe(404);
  });

  it("serves none where it is told so", async () => {
    const { bridge, url } = await bridgeWith({ store: await filledStore(), snapshots: false });
    await bridge.ready;
    for (const name of NAMES) expect((await fetch(`${url}dir/${name}`)).status).toBe(404);
  });

  it("does not wait for headers that do not come", async () => {
    const { url } = await fullBridge({ limits: { headerTimeout: 50 } });
    const slow = connect(Number(new URL(url).port), "127.0.0.1");
    cleanUps.push(() => slow.destroy());
    slow.write("GET /dir/consensus-microdesc HTTP/1.1\r\nHost: a\r\n");
    slow.resume();
    await once(slow, "end");
  }, 5000);
});

interface View {
  validAfter?: number;
  undescribed?: number;
}

function view({ validAfter = VALID_AFTER, undescribed = 0 }: View = {}): NetDir {
  return { validAfter, listed: 40, undescribed: new Array(undescribed) } as unknown as NetDir;
}

function snapshotsOf(store: Store): { snapshots: Snapshots; logged: LogEvent[] } {
  const logged: LogEvent[] = [];
  const snapshots = new Snapshots({ store, network, log: (event) => logged.push(event) });
  cleanUps.push(() => snapshots.close());
  return { snapshots, logged };
}

const now = VALID_AFTER + HOUR / 2;

async function served(snapshots: Snapshots): Promise<void> {
  await vi.waitFor(() => expect(snapshots.find("certificates", now)).toBeDefined());
}

describe("the newest snapshot", () => {
  it("may be cached until it is no longer fresh, a minute at the least, and never when it has expired", async () => {
    const { snapshots } = snapshotsOf(await filledStore());
    snapshots.add(view());
    await served(snapshots);
    const age = (ms: number) => snapshots.find("consensus-microdesc", VALID_AFTER + ms)?.maxAge;
    expect(age(HOUR / 2)).toBe(HOUR / 2);
    expect(age(HOUR - 59_000)).toBe(60_000);
    expect(age(2 * HOUR)).toBe(60_000);
    expect(age(3 * HOUR - 7000)).toBe(7000);
    expect(age(3 * HOUR)).toBe(0);
    expect(age(3 * HOUR + 1)).toBeUndefined();
  });

  it("is of the verified view, not of what is in the store already", async () => {
    const { snapshots } = snapshotsOf(memoryStore());
    await fill(snapshots.store, documents);
    snapshots.add(view());
    await served(snapshots);
    const first = snapshots.find("consensus-microdesc", now)?.document;
    const validAfter = VALID_AFTER + 60_000;
    const newer = documentsOf(validAfter, 1);
    await fill(snapshots.store, newer);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(snapshots.find("consensus-microdesc", now)?.document).toBe(first);
    snapshots.add(view({ validAfter }));
    await vi.waitFor(() => {
      const bytes = snapshots.find("consensus-microdesc", now)?.document.codings.identity;
      expect(Buffer.from(bytes ?? []).equals(newer.consensus)).toBe(true);
    });
    const unchanged = snapshots.find("certificates", now)?.document;
    snapshots.add(view({ validAfter }));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(snapshots.find("certificates", now)?.document).toBe(unchanged);
  });

  it("gets the microdescriptors that are stored after the view", async () => {
    const filled = await filledStore();
    let withheld = true;
    const late: Store = {
      ...filled,
      get: async (key) => (withheld && key.includes("/microdescriptors") ? undefined : filled.get(key)),
    };
    const { snapshots } = snapshotsOf(late);
    snapshots.add(view());
    await served(snapshots);
    expect(snapshots.find("microdescriptors", now)).toBeUndefined();
    withheld = false;
    await snapshots.store.set(new Map([["directory/x/microdescriptors/7", new Uint8Array(1)]]));
    await vi.waitFor(() => expect(snapshots.find("microdescriptors", now)).toBeDefined());
  });

  it("is none before there is a view, whatever is stored", async () => {
    const { snapshots, logged } = snapshotsOf(memoryStore());
    await fill(snapshots.store, documents);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(snapshots.find("certificates", now)).toBeUndefined();
    expect(logged).toEqual([]);
  });

  it("keeps from caches what lacks more than a tenth", async () => {
    const { snapshots } = snapshotsOf(await filledStore());
    snapshots.add(view({ undescribed: 5 }));
    await served(snapshots);
    expect(snapshots.find("microdescriptors", now)).toBeUndefined();
    snapshots.add(view({ undescribed: 4 }));
    await vi.waitFor(() => expect(snapshots.find("microdescriptors", now)).toBeDefined());
  });

  it("stays what it was when the store cannot be read any more", async () => {
    const filled = await filledStore();
    let damaged = false;
    const { snapshots, logged } = snapshotsOf({
      ...filled,
      get: async (key) => (damaged && key.endsWith("/consensus") ? Buffer.from("junk") : filled.get(key)),
    });
    snapshots.add(view());
    await served(snapshots);
    const before = snapshots.find("consensus-microdesc", now)?.document;
    damaged = true;
    snapshots.add(view());
    await vi.waitFor(() => expect(logged.map(({ code }) => code)).toEqual(["bridge.snapshot-failed"]));
    expect(before).toBeDefined();
    expect(snapshots.find("consensus-microdesc", now)?.document).toBe(before);
  });

  it("is read once at a time, and once more for all that changed meanwhile", async () => {
    const filled = await filledStore();
    let reads = 0;
    const { snapshots } = snapshotsOf({
      ...filled,
      get: (key) => {
        if (key.endsWith("/consensus")) reads++;
        return filled.get(key);
      },
    });
    for (let i = 0; i < 20; i++) snapshots.add(view());
    await served(snapshots);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(reads).toBe(2);
    // What is none of the directory's changes nothing.
    await snapshots.store.set(new Map([["guards/x", new Uint8Array(1)]]));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(reads).toBe(2);
  });

  it("is gone with the bridge", async () => {
    const { snapshots } = snapshotsOf(await filledStore());
    snapshots.add(view());
    await served(snapshots);
    snapshots.close();
    snapshots.add(view());
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(snapshots.find("certificates", now)).toBeUndefined();
  });
});
