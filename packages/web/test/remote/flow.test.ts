// Back-pressure and giving up, over a real port: who does not read stops the sender, who stops frees everything.

import { TorError } from "@allium/core";
import { describe, expect, it } from "vitest";
import { FIRST_WINDOW } from "../../src/remote/protocol.ts";
import { counted, echoSocket, failureOf, pattern, served, settled, signalOf, until } from "./rig.ts";

const URL_ = "http://example.com/";
const MIB = 1 << 20;

describe("back-pressure", () => {
  it("stops the worker's reading when the page does not read, within the first window", async () => {
    const { client, tor } = served();
    const endless = counted(20_000);
    client.onFetch = async () => new Response(endless.stream);
    const response = await tor.fetch(URL_);
    await settled();
    expect(endless.bytes).toBeLessThan(FIRST_WINDOW + 20_000);
    await response.body?.cancel();
    await until(() => endless.cancelled !== undefined);
  });

  it("stops it again when the page reads no further, within a full window", async () => {
    const { client, tor } = served();
    const endless = counted(20_000);
    client.onFetch = async () => new Response(endless.stream);
    const reader = ((await tor.fetch(URL_)).body as ReadableStream<Uint8Array>).getReader();
    let read = 0;
    while (read < 5 * MIB) read += (await reader.read()).value?.length ?? 0;
    await settled();
    expect(endless.bytes - read).toBeLessThan(MIB + 20_000);
    await reader.cancel();
  });

  it("stops the page's upload when the client does not take it", async () => {
    const { client, tor } = served();
    client.onFetch = () => new Promise(() => {});
    const endless = counted(20_000);
    const abort = new AbortController();
    const { signal } = abort;
    const fetching = tor.fetch(URL_, { method: "POST", body: endless.stream, duplex: "half", signal });
    await settled();
    expect(endless.bytes).toBeGreaterThan(0);
    expect(endless.bytes).toBeLessThan(FIRST_WINDOW + 40_000);
    abort.abort("enough");
    await expect(fetching).rejects.toBe("enough");
    await until(() => endless.cancelled === "enough");
  });

  it("makes a socket's writer wait", async () => {
    const { client, tor } = served();
    const { socket } = echoSocket();
    client.onConnect = () => socket;
    const mine = tor.connect("example.com:80");
    await mine.opened;
    const writer = mine.writable.getWriter();
    let done = false;
    const writing = writer.write(pattern(4 * MIB)).then(() => {
      done = true;
    });
    await settled();
    expect(done).toBe(false);
    let received = 0;
    const reader = mine.readable.getReader();
    while (received < 4 * MIB) received += (await reader.read()).value?.length ?? 0;
    await writing;
    await mine.close();
  });
});

describe("an abort", () => {
  it("or a failure before a streamed body is sent tells whoever feeds it", async () => {
    const { tor } = served();
    const endless = counted(1000);
    const options = {
      method: "POST",
      body: endless.stream,
      duplex: "half",
      isolation: "x".repeat(5000),
    } as const;
    expect((await failureOf(tor.fetch(URL_, options))).code).toBe("ALLIUM_E_REMOTE_LIMIT");
    expect(endless.cancelled).toMatchObject({ code: "ALLIUM_E_REMOTE_LIMIT" });
    const read = counted(1000);
    read.stream.getReader();
    const locked = { method: "POST", body: read.stream, duplex: "half" } as const;
    expect((await failureOf(tor.fetch(URL_, locked))).code).toBe("ALLIUM_E_HTTP_REQUEST_BODY");
    await tor.ready();
  });

  it("before anything was sent sends nothing", async () => {
    const { client, tor, page } = served();
    await expect(tor.fetch(URL_, { signal: AbortSignal.abort("early") })).rejects.toBe("early");
    const abort = new AbortController();
    const fetching = tor.fetch(URL_, { method: "POST", body: "x", signal: abort.signal });
    abort.abort("a moment later");
    await expect(fetching).rejects.toBe("a moment later");
    await settled();
    expect(client.calls).toEqual([]);
    expect(page.posted.map(({ type }) => type)).toEqual(["hello", "alive"]);
  });

  it("while the answer is waited for reaches the client", async () => {
    const { client, tor } = served();
    client.onFetch = () => new Promise(() => {});
    const abort = new AbortController();
    const fetching = tor.fetch(URL_, { signal: abort.signal });
    await until(() => client.calls.length === 1);
    abort.abort("no more");
    await expect(fetching).rejects.toBe("no more");
    await until(() => signalOf(client.calls.at(-1)).aborted);
  });

  it("while the body comes breaks it off at once, and cancels the client's", async () => {
    const { client, tor } = served();
    const endless = counted(1000);
    client.onFetch = async () => new Response(endless.stream);
    const abort = new AbortController();
    const response = await tor.fetch(URL_, { signal: abort.signal });
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    abort.abort("half is enough");
    await expect(reader.read()).rejects.toBe("half is enough");
    await until(() => endless.cancelled !== undefined);
    expect(signalOf(client.calls.at(-1)).aborted).toBe(true);
  });

  it("after the end is forgotten", async () => {
    const { tor, page } = served();
    const abort = new AbortController();
    expect(await (await tor.fetch(URL_, { signal: abort.signal })).text()).toBe("hello");
    abort.abort();
    await settled();
    expect(page.posted.filter(({ type }) => type === "abort")).toEqual([]);
  });

  it("of an answer that comes in the same moment lets its body go", async () => {
    const { client, tor } = served();
    const endless = counted(1000);
    client.onFetch = (_, { signal }) =>
      new Promise((resolve) =>
        signal?.addEventListener("abort", () => resolve(new Response(endless.stream))),
      );
    const abort = new AbortController();
    const fetching = tor.fetch(URL_, { signal: abort.signal });
    await until(() => client.calls.length === 1);
    abort.abort("late");
    await expect(fetching).rejects.toBe("late");
    await until(() => endless.cancelled !== undefined);
  });

  it("ends ready(), resolve() and a socket that is not open, with an `aborted` error", async () => {
    const { client, tor } = served();
    client.onReady = client.onResolve = () => new Promise<never>(() => {});
    client.onConnect = () => ({ ...echoSocket().socket, opened: new Promise(() => {}) });
    const abort = new AbortController();
    const { signal } = abort;
    const socket = tor.connect("example.com:80", { signal });
    const waiting = [
      tor.ready({ signal }),
      tor.resolve("example.com", { signal }),
      socket.opened,
      socket.closed,
    ];
    await until(() => client.calls.length === 2);
    abort.abort();
    for (const operation of waiting) expect((await failureOf(operation)).code).toBe("ALLIUM_E_ABORTED");
    await until(() => client.calls.every((call) => signalOf(call).aborted));
  });

  it("with an error of Allium's as its reason is that error", async () => {
    const { tor } = served();
    const reason = new TorError("offline", "ALLIUM_E_OFFLINE", "the cable is out");
    await expect(tor.ready({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});
