// fetch over HTTP/2, against Node's server: requests that share a connection, and those that must not.

import { createServer, type Http2Server } from "node:http2";
import type { Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SecureOpener } from "../../src/net/api.ts";
import { Fetcher } from "../../src/net/fetch.ts";
import { loopbackOpener, rejection, type TestOpener } from "./streams.ts";

let server: Http2Server;
let sockets: Set<Socket>;
let streams: TestOpener;
let fetcher: Fetcher;

beforeEach(async () => {
  sockets = new Set();
  server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://x");
    if (pathname === "/redirect") response.writeHead(302, { location: "/echo" }).end();
    else if (pathname === "/slow") setTimeout(() => response.end("slow"), 50);
    else request.pipe(response);
  });
  server.on("connection", (socket: Socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  streams = loopbackOpener(server);
  const opener: SecureOpener = {
    openStream: () => Promise.reject(new Error("nothing goes in plain text")),
    async openSecure(request) {
      const stream = await streams.openStream(request);
      return { ...stream, applicationProtocol: "h2" };
    },
  };
  fetcher = new Fetcher(opener);
});

afterEach(() => {
  for (const socket of sockets) socket.destroy();
  server.close();
});

const SITE = "https://a.example";
const post = (body: BodyInit) => fetcher.fetch(`${SITE}/echo`, { method: "POST", body, duplex: "half" });

describe("over HTTP/2", () => {
  it("requests at once share one connection, and later ones too", async () => {
    const texts = Array.from({ length: 40 }, (_, i) => `body ${i}`);
    const answers = await Promise.all(texts.map(async (text) => (await post(text)).text()));
    expect(answers).toEqual(texts);
    const large = new Uint8Array(2_000_000).map((_, i) => i % 251);
    const answer = await (await post(new Blob([large]).stream())).arrayBuffer();
    expect(Buffer.from(answer).equals(large)).toBe(true);
    expect(streams.requests.length).toBe(1);
  });

  it("keys share none, nor do requests after clear()", async () => {
    const pending = fetcher.fetch(`${SITE}/slow`).then((response) => response.text());
    await fetcher.fetch(`${SITE}/echo`, { isolation: "other" });
    fetcher.clear();
    await (await post("x")).text();
    expect(await pending).toBe("slow");
    expect(streams.requests.length).toBe(3);
    await expect.poll(() => streams.open()).toBe(1);
  });

  it("redirects, aborts and the rest leave the connection as it is", async () => {
    expect(await (await fetcher.fetch(`${SITE}/redirect`)).text()).toBe("");
    const controller = new AbortController();
    const slow = rejection(fetcher.fetch(`${SITE}/slow`, { signal: controller.signal }));
    setTimeout(() => controller.abort("enough"), 10);
    expect(await slow).toBe("enough");
    expect(await (await post("again")).text()).toBe("again");
    expect(streams.requests.length).toBe(1);
  });

  it("a connection that the server has ended is replaced", async () => {
    await (await post("x")).text();
    for (const socket of sockets) socket.destroy();
    await expect.poll(() => streams.open()).toBe(0);
    expect(await (await post("y")).text()).toBe("y");
  });
});
