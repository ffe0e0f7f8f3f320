// The web over Tor, through real relays to real servers: HTTPS with HTTP/2 and HTTP/1.1, WebSockets, sockets with TLS, and what
// check() and diagnose() make of it.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { nodeDialer, nodeRoots } from "@allium/bridge";
import { isTorError, memoryStore, TorClient, type TorClientOptions } from "@allium/core";
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from "vitest";
import { digestOf, sha256 } from "./helpers.ts";

const network = inject("network");
const { http, https, nodes, echo } = inject("info");
const store = memoryStore();

function makeClient(change: Partial<TorClientOptions> = {}): TorClient {
  const tls = { roots: nodeRoots, extraAnchors: [https.root] };
  return new TorClient({ dialer: nodeDialer(), store, network, tls, ...change });
}

let tor: TorClient;
beforeAll(() => {
  tor = makeClient();
});
afterAll(() => tor.close());

async function errorOf(operation: Promise<unknown>): Promise<unknown> {
  return operation.then(
    () => "nothing was refused",
    (error) => (isTorError(error) ? [error.kind, error.code] : error),
  );
}

describe("https:", () => {
  it("brings a page from a server that proves its name, over HTTP/2", async () => {
    const response = await tor.fetch(`${https.namedUrl}headers`);
    const { headers } = (await response.json()) as { headers: Record<string, string> };
    expect(headers[":authority"]).toBe(`${https.hostname}:${https.port}`);
    expect(Object.keys(headers).sort()).toEqual(
      [":authority", ":method", ":path", ":scheme", "accept", "accept-encoding"].sort(),
    );
  });

  it("proves an address as well as a name", async () => {
    expect((await tor.fetch(https.url)).status).toBe(200);
  });

  it("brings 20 MiB down and takes 4 MiB up unharmed, at once, on one stream", async () => {
    const before = tor.stats().streams.opened;
    const bytes = 20 << 20;
    const body = Uint8Array.from({ length: 4 << 20 }, (_, i) => (i * 31 + (i >> 8)) & 255);
    const init = { isolation: "large" };
    const [down, digest, up] = await Promise.all([
      tor.fetch(`${https.namedUrl}bytes/${bytes}`, init).then(digestOf),
      tor.fetch(`${https.namedUrl}digest/${bytes}`, init).then((response) => response.json()),
      tor
        .fetch(`${https.namedUrl}sink`, { ...init, method: "POST", body })
        .then((response) => response.json()),
    ]);
    expect(down).toEqual(digest);
    expect(up).toEqual({ bytes: body.length, sha256: sha256(body) });
    expect(tor.stats().streams.opened - before).toBe(1);
  });

  it("is refused where the name is another one, or nobody vouches for the server", async () => {
    const other = https.namedUrl.replace(https.hostname, "other.name.tornet.test");
    expect(await errorOf(tor.fetch(other))).toEqual(["remote-tls", "ALLIUM_E_CERT_NAME"]);
    const strict = makeClient({ tls: { roots: nodeRoots } });
    onTestFinished(() => strict.close());
    expect(await errorOf(strict.fetch(https.namedUrl))).toEqual([
      "remote-tls",
      "ALLIUM_E_CERT_UNKNOWN_ISSUER",
    ]);
    const none = makeClient({ tls: {} });
    onTestFinished(() => none.close());
    expect(await errorOf(none.fetch(https.namedUrl))).toEqual(["bad-api-usage", "ALLIUM_E_NO_ROOTS"]);
  });

  it("holds a host to its pins", async () => {
    const wrong = { [https.hostname]: [Buffer.alloc(32).toString("base64")] };
    const pinned = makeClient({ tls: { extraAnchors: [https.root], pins: wrong } });
    onTestFinished(() => pinned.close());
    expect(await errorOf(pinned.fetch(https.namedUrl))).toEqual(["remote-tls", "ALLIUM_E_CERT_PIN"]);
    expect((await pinned.fetch(https.url)).status).toBe(200);
  });

  it("keeps its connection for the next request, and a new identity does not", async () => {
    const opened = () => tor.stats().streams.opened;
    const get = async (isolation: string) => (await tor.fetch(http.namedUrl, { isolation })).text();
    await get("kept");
    const before = opened();
    await get("kept");
    expect(opened()).toBe(before);
    await get("another");
    expect(opened()).toBe(before + 1);
    tor.newIdentity();
    await get("kept");
    expect(opened()).toBe(before + 2);
  });
});

describe.each([
  ["ws:", http.namedUrl.replace("http:", "ws:")],
  ["wss:", https.namedUrl.replace("https:", "wss:")],
])("a WebSocket over %s", (_, base) => {
  it("echoes text and bytes, and closes as it is asked to", async () => {
    const socket = new tor.WebSocket(`${base}echo`, ["first", "second"]);
    socket.binaryType = "arraybuffer";
    const heard: unknown[] = [];
    const next = () => new Promise((resolve) => socket.addEventListener("message", resolve, { once: true }));
    socket.addEventListener("message", ({ data }) => heard.push(data));
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve);
      socket.addEventListener("error", reject);
    });
    expect(socket.protocol).toBe("second");
    const large = new Uint8Array(1 << 20).fill(7);
    for (const data of ["hello", large]) {
      const answer = next();
      socket.send(data);
      await answer;
    }
    expect(heard[0]).toBe("hello");
    expect(sha256(new Uint8Array(heard[1] as ArrayBuffer))).toBe(sha256(large));
    const closed = new Promise<CloseEvent>((resolve) =>
      socket.addEventListener("close", (event) => resolve(event as CloseEvent)),
    );
    socket.close(4000, "enough");
    expect(await closed).toMatchObject({ code: 4000, wasClean: true });
  });
});

describe("a socket", () => {
  it("with TLS talks to an HTTPS server", async () => {
    const { hostname, port } = https;
    const options = { secureTransport: "on", alpn: ["http/1.1"] } as const;
    const socket = tor.connect({ hostname, port }, options);
    expect(await socket.opened).toMatchObject({ alpn: "http/1.1" });
    const writer = socket.writable.getWriter();
    await writer.write(
      new TextEncoder().encode(`GET / HTTP/1.1\r\nHost: ${hostname}\r\nConnection: close\r\n\r\n`),
    );
    let text = "";
    const decoder = new TextDecoder();
    const reader = socket.readable.getReader();
    while (!text.includes("</html>")) text += decoder.decode((await reader.read()).value, { stream: true });
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    await socket.close();
  });

  it("starts TLS later, where the server speaks it", async () => {
    const { hostname, port } = https;
    const plain = tor.connect({ hostname, port }, { secureTransport: "starttls" });
    const secured = plain.startTls();
    await secured.opened;
    expect([plain.upgraded, secured.secureTransport]).toEqual([true, "on"]);
    await secured.close();
    const deaf = tor.connect({ hostname: echo.hostname, port: echo.port }, { secureTransport: "starttls" });
    expect(await errorOf(deaf.startTls().opened)).toMatchObject(["remote-tls", expect.any(String)]);
  });
});

describe("check", () => {
  it("names the exit that the site saw", async () => {
    let seen = "";
    const server = createServer((request, response) => {
      seen = request.socket.remoteAddress ?? "";
      response.end(JSON.stringify({ IsTor: true, IP: seen }));
    }).listen(0, http.address);
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as AddressInfo;
    const { isTor, address, exit } = await tor.check({ url: `http://${http.address}:${port}/` });
    expect([isTor, address]).toEqual([true, seen]);
    const relay = nodes.find(({ rsaId }) => rsaId === exit?.rsaId);
    expect([relay?.role, relay?.nickname]).toEqual(["exit", exit?.nickname]);
  });
});

describe("diagnose", () => {
  it("finds nothing wrong where all works", async () => {
    const found = await tor.diagnose({ url: https.namedUrl });
    expect(found).toMatchObject({ good: true });
    expect(found.steps.every(({ outcome }) => outcome === "good")).toBe(true);
  });

  it.each<[string, string]>([
    ["site", `http://missing.tornet.test:${http.port}/`],
    ["site", https.namedUrl.replace(https.hostname, "other.name.tornet.test")],
    // C tor's exits do not say of loopback why a connection failed.
    ["stream", `http://${http.address}:2/`],
  ])("names the %s of %s", async (layer, url) => {
    const found = await tor.diagnose({ url });
    expect(found).toMatchObject({ good: false, layer });
  });

  it("names the bridge where no relay can be reached", async () => {
    const unreachable = { dial: () => Promise.reject(new Error("no network")) };
    const lost = makeClient({ dialer: unreachable, store: memoryStore(), retry: { attempts: 1 } });
    onTestFinished(() => lost.close());
    const { good, layer } = await lost.diagnose({ timeout: 20_000 });
    expect([good, layer]).toEqual([false, "bridge"]);
  });
});
