// A document over HTTP: which coding a client gets, when it gets none at all, and how long it may take.

import { once } from "node:events";
import { Agent, createServer, type IncomingHttpHeaders, request } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { type PackedDocument, serveDocument } from "../src/serve-document.ts";

const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

const document: PackedDocument = {
  digest: "d1gest",
  codings: { br: Buffer.from("packed"), gzip: Buffer.from("zipped"), identity: Buffer.from("as it is") },
};

async function serverOf(served: PackedDocument, { maxAge = 90_000, timeout = 5000 } = {}): Promise<number> {
  const server = createServer((req, res) => serveDocument(req, res, served, { maxAge, timeout }));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanUps.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

interface Got {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

async function get(
  port: number,
  headers: Record<string, string> = {},
  method = "GET",
  agent: Agent | false = false,
): Promise<Got> {
  const asked = request({ host: "127.0.0.1", port, method, headers, agent });
  asked.end();
  const [response] = await once(asked, "response");
  let body = "";
  for await (const chunk of response) body += chunk;
  return { status: response.statusCode, headers: response.headers, body };
}

describe("content negotiation", () => {
  it.each([
    [undefined, "as it is"],
    ["", "as it is"],
    ["br", "packed"],
    ["gzip, deflate, br, zstd", "packed"],
    ["gzip, deflate", "zipped"],
    ["X-GZIP", "zipped"],
    ["br;q=0, gzip;q=0.1", "zipped"],
    ["br;q=0,*", "zipped"],
    ["*", "packed"],
    ["*;q=0", "as it is"],
    ["br;q=x", "as it is"],
    ["zstd;level=3;q=1, Br ; q=0.001", "packed"],
    [",;,;=", "as it is"],
  ])("answers Accept-Encoding %j with what is %j", async (accepted, body) => {
    const port = await serverOf(document);
    const got = await get(port, accepted === undefined ? {} : { "accept-encoding": accepted });
    expect(got.body).toBe(body);
    const coding = { packed: "br", zipped: "gzip" }[body];
    expect(got.headers["content-encoding"]).toBe(coding);
    expect(got.headers["content-length"]).toBe(String(body.length));
    expect(got.headers.etag).toBe(`"d1gest-${coding ?? "identity"}"`);
    expect(got.headers.vary).toBe("Accept-Encoding");
  });
});

describe("a cache", () => {
  it("may keep it for whole seconds, and is told so with a 304 too", async () => {
    const port = await serverOf(document, { maxAge: 90_999 });
    expect((await get(port)).headers["cache-control"]).toBe("public, max-age=90");
    const again = await get(port, { "if-none-match": '"d1gest-identity"' });
    expect([again.status, again.body]).toEqual([304, ""]);
    expect(again.headers).toMatchObject({
      etag: '"d1gest-identity"',
      vary: "Accept-Encoding",
      "cache-control": "public, max-age=90",
      "access-control-allow-origin": "*",
    });
  });

  it.each([
    ['"other", "d1gest-br"', 304],
    ['W/"d1gest-br"', 304],
    ["*", 304],
    ['"d1gest-gzip"', 200],
    ['"other"', 200],
    ["d1gest-br", 200],
    [",,W/,", 200],
  ])("that holds %j is answered %i", async (held, status) => {
    const port = await serverOf(document);
    expect((await get(port, { "accept-encoding": "br", "if-none-match": held })).status).toBe(status);
  });
});

describe("an answer", () => {
  it("to HEAD is the head alone", async () => {
    const port = await serverOf(document);
    const { status, headers, body } = await get(port, { "accept-encoding": "br" }, "HEAD");
    expect([status, headers["content-length"], headers.etag, body]).toEqual([200, "6", '"d1gest-br"', ""]);
  });

  it("sets no cookie, and lets no page take it for a script", async () => {
    const { headers } = await get(await serverOf(document));
    expect(Object.keys(headers).sort()).toEqual([
      ...["access-control-allow-origin", "cache-control", "connection", "content-length", "content-type"],
      ...["date", "etag", "vary", "x-content-type-options"],
    ]);
    expect(headers["x-content-type-options"]).toBe("nosniff");
    expect(headers["content-type"]).toBe("text/plain; charset=us-ascii");
  });

  it("that was taken leaves the connection to the next request", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    cleanUps.push(() => agent.destroy());
    const port = await serverOf(document, { timeout: 30 });
    const used = new Set<unknown>();
    agent.on("free", (socket) => used.add(socket));
    for (let i = 0; i < 3; i++) {
      expect((await get(port, {}, "GET", agent)).status).toBe(200);
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    expect(used.size).toBe(1);
  });

  it("that nobody takes costs its connection when the time is over", async () => {
    // More than the kernel holds.
    const identity = Buffer.alloc(64 * 1024 * 1024);
    const port = await serverOf({ ...document, codings: { ...document.codings, identity } }, { timeout: 50 });
    const slow = connect(port, "127.0.0.1");
    cleanUps.push(() => slow.destroy());
    slow.on("error", () => {});
    slow.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    slow.pause();
    await new Promise((resolve) => setTimeout(resolve, 200));
    let received = 0;
    slow.on("data", (chunk) => {
      received += chunk.length;
    });
    slow.resume();
    await once(slow, "close");
    expect(received).toBeLessThan(identity.length);
  });
});
