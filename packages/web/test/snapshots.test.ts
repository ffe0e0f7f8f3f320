// The snapshot source against real HTTP: what it asks for, what it takes, and when it stops.

import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { isTorError, memoryStore, type TorError } from "@allium/core";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { createTorClient } from "../src/client.ts";
import { createWorkerClient } from "../src/remote/index.ts";
import { WorkerHost } from "../src/remote/serve.ts";
import { webSnapshots } from "../src/snapshots.ts";
import { FakeClient } from "./remote/rig.ts";
import { closedPort } from "./scripted-bridge.ts";

vi.mock("../src/store.ts", () => ({ webStore: () => memoryStore() }));

interface HttpBridge {
  readonly url: string;
  readonly asked: IncomingMessage[];
  /** Connections that are open. */
  readonly open: () => Promise<number>;
}

type Script = (request: IncomingMessage, response: ServerResponse) => unknown;

async function httpBridge(script: Script): Promise<HttpBridge> {
  const asked: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    asked.push(request);
    script(request, response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const open = () => new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count)));
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`, asked, open };
}

const text = "network-status-version 3 microdesc\n".repeat(20_000);
const serving: Script = (_, response) => response.end(text);
const refusing: (status: number) => Script = (status) => (_, response) =>
  response.writeHead(status).end("no");
const never = new AbortController().signal;
const limits = { maxLength: 1_000_000, signal: never };

async function textOf(bridges: string[], options = limits): Promise<string | undefined> {
  const bytes = await webSnapshots({ bridges }).fetch("certificates", options);
  return bytes && new TextDecoder().decode(bytes);
}

async function failureOf(promise: Promise<unknown>): Promise<TorError> {
  const thrown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (isTorError(thrown)) return thrown;
  throw new Error(`no TorError: ${thrown}`);
}

describe("a document", () => {
  it.each([
    ["br", brotliCompressSync(text)],
    ["gzip", gzipSync(text)],
    [undefined, Buffer.from(text)],
  ])("comes in the coding %s", async (coding, body) => {
    const bridge = await httpBridge((_, response) =>
      response.writeHead(200, coding === undefined ? {} : { "content-encoding": coding }).end(body),
    );
    expect(await textOf([bridge.url])).toBe(text);
    expect(bridge.asked[0]?.headers["accept-encoding"]).toContain("gzip");
  });

  it("comes from the bridge that works, not always from the first", async () => {
    const [one, two] = [await httpBridge(serving), await httpBridge(serving)];
    const source = webSnapshots({ bridges: [one.url, two.url], first: () => 1 });
    expect((await source.fetch("certificates", limits))?.length).toBe(text.length);
    expect([one.asked.length, two.asked.length]).toEqual([0, 1]);
  });

  it("is in memory of its own, without room to spare", async () => {
    const bridge = await httpBridge(serving);
    const bytes = await webSnapshots({ bridges: [bridge.url] }).fetch("certificates", limits);
    expect(bytes?.buffer.byteLength).toBe(text.length);
  });

  const paths: [suffix: string, path: string][] = [
    ["", "/dir/certificates"],
    ["prefix", "/prefix/dir/certificates"],
    ["v1/connect", "/dir/certificates"],
    ["a/v1/connect/?query#hash", "/a/dir/certificates"],
  ];
  it.each(paths)('of a bridge at "/%s" is asked for at %s', async (suffix, path) => {
    const bridge = await httpBridge(serving);
    await textOf([bridge.url + suffix]);
    expect(bridge.asked.map(({ method, url }) => `${method} ${url}`)).toEqual([`GET ${path}`]);
  });

  it("is asked for without cookies, referrer and redirects, in TLS but on loopback", async () => {
    const asked: [string, RequestInit][] = [];
    const fetch = async (url: string, init: RequestInit) => {
      asked.push([url, init]);
      return new Response("no", { status: 404 });
    };
    const bridges = [
      ...["wss://a.example/x", "https://b.example:8443", "ws://c.example/", "http://192.0.2.1/"],
      ...["ws://localhost:1/", "ws://[::1]:2/", "http://127.9.9.9/", "ws://localhost.example/"],
      ...["ws://127.0.0.1.example/", "ws://10.127.0.0.1.example/"],
    ];
    const { signal } = new AbortController();
    await webSnapshots({ bridges, fetch }).fetch("microdescriptors", { maxLength: 1, signal });
    expect(asked.map(([url]) => url)).toEqual([
      "https://a.example/x/dir/microdescriptors",
      "https://b.example:8443/dir/microdescriptors",
      "http://localhost:1/dir/microdescriptors",
      "http://[::1]:2/dir/microdescriptors",
      "http://127.9.9.9/dir/microdescriptors",
    ]);
    expect(asked[0]?.[1]).toEqual({
      ...{ credentials: "omit", referrerPolicy: "no-referrer", mode: "cors", cache: "no-store" },
      ...{ redirect: "error", signal },
    });
  });

  it.each(["", "ftp://bridge.example/", "wss://user:secret@bridge.example/"])(
    "cannot come from %j",
    (bridge) => {
      expect(() => webSnapshots({ bridges: [bridge] })).toThrow(
        expect.objectContaining({ kind: "bad-api-usage", code: "ALLIUM_E_BRIDGE_URL" }),
      );
    },
  );
});

describe("where there is no document", () => {
  it("the next bridge is asked, and in the end there is none", async () => {
    const bridges = [await httpBridge(refusing(404)), await httpBridge(serving), await httpBridge(serving)];
    expect(await textOf(bridges.map(({ url }) => url))).toBe(text);
    expect(bridges.map(({ asked }) => asked.length)).toEqual([1, 1, 0]);
    expect(await textOf([bridges[0]?.url as string])).toBeUndefined();
    expect(await textOf(["ws://bridge.example/"])).toBeUndefined();
  });

  const unreachable = { kind: "bridge-unreachable", code: "ALLIUM_E_SNAPSHOT_UNREACHABLE" };
  const cut: Script = (_, response) => {
    response.writeHead(200, { "content-length": 10 });
    response.write("half", () => response.socket?.destroy());
  };
  const junk: Script = (_, response) => response.writeHead(200, { "content-encoding": "gzip" }).end(text);
  it.each([
    ["an error", refusing(500)],
    ["a 304 that nobody asked for", refusing(304)],
    ["a partial answer", refusing(206)],
    ["a cut connection", cut],
    ["what is not gzip", junk],
  ])("for %s the next bridge is asked, and the failure is said when there is none", async (_, script) => {
    const bad = await httpBridge(script);
    const good = await httpBridge(serving);
    expect(await textOf([bad.url, good.url])).toBe(text);
    expect(await failureOf(textOf([bad.url]))).toMatchObject(unreachable);
    expect(await failureOf(textOf([bad.url, (await httpBridge(refusing(404))).url]))).toMatchObject(
      unreachable,
    );
  });

  it("a bridge that nobody runs is unreachable", async () => {
    expect(await failureOf(textOf([await closedPort()]))).toMatchObject(unreachable);
  });

  it("no redirect is followed", async () => {
    const other = await httpBridge(serving);
    const location = `${other.url.replace("ws:", "http:")}dir/certificates`;
    const bridge = await httpBridge((_, response) => response.writeHead(302, { location }).end());
    expect(await failureOf(textOf([bridge.url]))).toMatchObject(unreachable);
    expect(other.asked).toEqual([]);
  });
});

describe("a document that is too long", () => {
  const tooLong = { kind: "limit", code: "ALLIUM_E_SNAPSHOT_LIMIT" };

  it("is given up at its first byte too many", async () => {
    const bridge = await httpBridge(serving);
    const maxLength = text.length;
    expect(await textOf([bridge.url], { ...limits, maxLength })).toBe(text);
    expect(await failureOf(textOf([bridge.url], { ...limits, maxLength: maxLength - 1 }))).toMatchObject(
      tooLong,
    );
  });

  it("and has no end is not read on", async () => {
    let sent = 0;
    const bridge = await httpBridge((_, response) => {
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65536))) sent += 65536;
      };
      response.on("drain", more);
      more();
    });
    expect(await failureOf(textOf([bridge.url]))).toMatchObject(tooLong);
    await vi.waitFor(async () => expect(await bridge.open()).toBe(0));
    expect(sent).toBeLessThan(64 * 1024 * 1024);
  });

  it("when unpacked is not unpacked to its end", async () => {
    const bomb = gzipSync(Buffer.alloc(256 * 1024 * 1024));
    const bridge = await httpBridge((_, response) =>
      response.writeHead(200, { "content-encoding": "gzip" }).end(bomb),
    );
    const before = process.memoryUsage().arrayBuffers;
    expect(await failureOf(textOf([bridge.url]))).toMatchObject(tooLong);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024);
  });
});

describe("an abort", () => {
  const halfway: Script = (_, response) => response.writeHead(200).write("half");
  it.each([
    ["nothing", () => {}],
    ["half of it", halfway],
  ])("ends the wait for a bridge that sends %s, and asks no other", async (_, script) => {
    const stalling = await httpBridge(script as Script);
    const other = await httpBridge(serving);
    const controller = new AbortController();
    const failure = failureOf(textOf([stalling.url, other.url], { ...limits, signal: controller.signal }));
    await vi.waitFor(() => expect(stalling.asked.length).toBe(1));
    await new Promise((resolve) => setTimeout(resolve, 20));
    controller.abort();
    expect((await failure).kind).toBe("aborted");
    await vi.waitFor(async () => expect(await stalling.open()).toBe(0));
    expect(other.asked).toEqual([]);
  });
});

it("an abort asks no other bridge even where the platform's fetch does not look", async () => {
  const controller = new AbortController();
  let asked = 0;
  const fetch = async () => {
    asked++;
    controller.abort();
    throw new Error("lost");
  };
  const source = webSnapshots({ bridges: ["wss://a.example/", "wss://b.example/"], fetch });
  const { signal } = controller;
  const failure = await failureOf(source.fetch("certificates", { maxLength: 1, signal }));
  expect([failure.kind, asked]).toEqual(["aborted", 1]);
});

describe("createTorClient", () => {
  async function askedBy(options: { snapshots?: boolean }): Promise<(string | undefined)[]> {
    const bridge = await httpBridge(refusing(404));
    const network = {
      authorities: [{ nickname: "none", v3ident: "11".repeat(20) }],
      fallbacks: [{ rsaId: "00".repeat(20), ed25519Id: "A".repeat(43), orPorts: ["192.0.2.1:9001"] }],
    };
    const tor = createTorClient({ bridges: [bridge.url], network, ...options });
    onTestFinished(() => tor.close());
    tor.ready().catch(() => {});
    const asked = () => bridge.asked.map(({ url }) => url);
    await vi.waitFor(() => expect(asked()).toContain("/v1/connect"));
    return asked();
  }

  it("asks its bridges for snapshots first", async () => {
    const documents = ["/dir/consensus-microdesc", "/dir/certificates"];
    expect((await askedBy({})).slice(0, 3)).toEqual([...documents, "/v1/connect"]);
  });

  it("does not where it is told so", async () => {
    expect(new Set(await askedBy({ snapshots: false }))).toEqual(new Set(["/v1/connect"]));
  });

  it("in a worker is told so by the page", async () => {
    const { port1, port2 } = new MessageChannel();
    const made: object[] = [];
    const create = (options: object) => {
      made.push(options);
      return new FakeClient();
    };
    const nothing = () => {};
    new WorkerHost(create, nothing, nothing).serve(port1);
    const options = { bridges: ["wss://a.example/"], snapshots: false };
    const tor = createWorkerClient({ worker: port2, ...options });
    onTestFinished(() => tor.close());
    await tor.ready();
    expect(made).toEqual([options]);
  });

  it("refuses what is neither true nor false", () => {
    const snapshots = "no" as unknown as boolean;
    expect(() => createTorClient({ bridges: ["wss://a.example/"], snapshots })).toThrow(
      expect.objectContaining({ kind: "bad-api-usage", code: "ALLIUM_E_BAD_OPTIONS" }),
    );
  });
});
