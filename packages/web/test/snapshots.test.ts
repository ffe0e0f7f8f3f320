// The snapshot source against real HTTP: what it asks for, what it takes, and when it stops.

import { brotliCompressSync, gzipSync } from "node:zlib";
import { isTorError, memoryStore, type TorError } from "@allium/core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { webSnapshots } from "../src/snapshots.ts";
import { httpBridge, refusing, type Script } from "./http-bridge.ts";
import { closedPort } from "./scripted-bridge.ts";

vi.mock("../src/store.ts", () => ({ webStore: () => memoryStore() }));

const text = "network-status-version 3 microdesc\n".repeat(20_000);
const serving: Script = (_, response) => response.end(text);
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
    await webSnapshots({ bridges, fetch }).fetch("microdescriptors", limits);
    expect(asked.map(([url]) => url)).toEqual([
      "https://a.example/x/dir/microdescriptors",
      "https://b.example:8443/dir/microdescriptors",
      "http://localhost:1/dir/microdescriptors",
      "http://[::1]:2/dir/microdescriptors",
      "http://127.9.9.9/dir/microdescriptors",
    ]);
    expect(asked[0]?.[1]).toEqual({
      ...{ credentials: "omit", referrerPolicy: "no-referrer", mode: "cors", cache: "no-store" },
      ...{ redirect: "error", signal: expect.any(AbortSignal) },
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

/** A body that brings each piece `ms` milliseconds after it was asked for, and stalls after `pieces`, or ends. */
function slowBody(pieces: readonly string[], ms: number, ends: boolean): ReadableStream<Uint8Array> {
  const left = [...pieces];
  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
    const piece = left.shift();
    if (piece === undefined && !ends) return new Promise<void>(() => {});
    await new Promise((resolve) => setTimeout(resolve, ms));
    if (piece === undefined) controller.close();
    else controller.enqueue(new TextEncoder().encode(piece));
  };
  return new ReadableStream({ pull }, { highWaterMark: 0 });
}

describe("a bridge that stalls", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const stalls: [name: string, answer: () => Promise<Response>][] = [
    ["before its answer", () => new Promise(() => {})],
    ["before the document", async () => new Response(slowBody([], 0, false))],
    ["within the document", async () => new Response(slowBody(["half"], 0, false))],
  ];
  it.each(stalls)("%s is left after five seconds, and the next one is asked", async (_, answer) => {
    const signals: AbortSignal[] = [];
    const fetch = (url: string, { signal }: RequestInit) => {
      signals.push(signal as AbortSignal);
      return url.includes("//a.") ? answer() : Promise.resolve(new Response(text));
    };
    const ask = (...bridges: string[]) => webSnapshots({ bridges, fetch }).fetch("certificates", limits);
    const document = ask("wss://a.example/", "wss://b.example/");
    await vi.advanceTimersByTimeAsync(4999);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
    await vi.advanceTimersByTimeAsync(1);
    expect((await document)?.length).toBe(text.length);
    expect(signals[0]?.aborted).toBe(true);
    const failure = failureOf(ask("wss://a.example/"));
    await vi.advanceTimersByTimeAsync(5000);
    expect(await failure).toMatchObject({ kind: "offline", code: "ALLIUM_E_SNAPSHOT_TIMEOUT" });
  });

  it("is another one than a slow one", async () => {
    const fetch = async () => new Response(slowBody(["a", "b", "c", "d"], 4000, true));
    const source = webSnapshots({ bridges: ["wss://a.example/"], fetch });
    const document = source.fetch("certificates", limits);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(new TextDecoder().decode(await document)).toBe("abcd");
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
    const began = performance.now();
    expect((await failure).kind).toBe("aborted");
    expect(performance.now() - began).toBeLessThan(2500);
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
