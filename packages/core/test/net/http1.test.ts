// An HTTP/1.1 connection that is used again, and everything after which it must not be: a byte of one response that is
// taken for another's would be a stranger's answer.

import { describe, expect, it } from "vitest";
import { deferred } from "../../src/base/abort.ts";
import { concat } from "../../src/base/bytes.ts";
import { TorError } from "../../src/base/errors.ts";
import type { Http1Connection } from "../../src/net/http/http1.ts";
import { extractBody } from "../../src/net/http/request-body.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { http1, pipe, rejection, settle } from "./streams.ts";

const OK = "HTTP/1.1 200 OK\r\n";
const PLAIN = `${OK}Content-Length: 2\r\n\r\nok`;
const request = (method = "GET", body?: string) => ({
  head: { method, target: "/", host: "example.com", fields: [] },
  body: body === undefined ? undefined : extractBody(body),
});

/** Asks, answers, and reads the body to its end. */
async function exchange(
  connection: Http1Connection,
  server: { send(text: string): void },
  answer: string,
  method = "GET",
): Promise<string> {
  const pending = connection.request(request(method), undefined);
  await settle();
  server.send(answer);
  const { body } = await pending;
  const parts: Uint8Array[] = [];
  for (let part = await body?.next(); part !== undefined; part = await body?.next()) parts.push(part);
  await settle();
  return new TextDecoder().decode(concat(...parts));
}

describe("a connection", () => {
  const kept: [what: string, answer: string, method: string, body: string][] = [
    ["with a length", PLAIN, "GET", "ok"],
    ["of length 0", `${OK}Content-Length: 0\r\n\r\n`, "GET", ""],
    ["in chunks", `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`, "GET", "ok"],
    ["to HEAD", `${OK}Content-Length: 100\r\n\r\n`, "HEAD", ""],
    ["without content", "HTTP/1.1 204 No Content\r\n\r\n", "GET", ""],
    ["without content, of length 0", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", "GET", ""],
    ["not modified", "HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n", "GET", ""],
    ["after an interim one", `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${PLAIN}`, "GET", "ok"],
    ["with keep-alive", `${OK}Connection: keep-alive, x\r\nContent-Length: 2\r\n\r\nok`, "GET", "ok"],
  ];
  for (const [what, answer, method, body] of kept) {
    it(`takes another request after a response ${what}`, async () => {
      const { stream, server } = pipe();
      const connection = http1(stream);
      expect(await exchange(connection, server, answer, method)).toBe(body);
      expect([connection.isFree, connection.active]).toEqual([true, 0]);
      expect(await exchange(connection, server, PLAIN)).toBe("ok");
      expect(server.closedWith).toEqual([]);
    });
  }

  const ended: [what: string, answer: string, method?: string][] = [
    ["Connection: close", `${OK}Connection: close\r\nContent-Length: 2\r\n\r\nok`],
    ["close among others", `${OK}Connection: x , Close\r\nContent-Length: 2\r\n\r\nok`],
    ["close in a second field", `${OK}Connection: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok`],
    ["HTTP/1.0", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"],
    ["bytes behind a length", `${PLAIN}x`],
    ["a second response", `${PLAIN}${PLAIN}`],
    ["bytes behind chunks", `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nx`],
    ["a body to HEAD", `${PLAIN}`, "HEAD"],
    ["a body without content", "HTTP/1.1 204 No Content\r\n\r\nok"],
    ["a body where nothing changed", "HTTP/1.1 304 Not Modified\r\n\r\nok"],
    ["a body that an empty response announces", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n"],
    [
      "chunks that an empty response announces",
      "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ["chunks of what did not change", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"],
  ];
  for (const [what, answer, method] of ended) {
    it(`takes no other request after ${what}`, async () => {
      const { stream, server } = pipe();
      const connection = http1(stream);
      await exchange(connection, server, answer, method);
      expect(connection.isFree).toBe(false);
      await connection.closed;
      expect(server.closedWith.length).toBe(1);
      const error = await rejection(connection.request(request(), undefined));
      expect(error.code).toBe("ALLIUM_E_HTTP_UNPROCESSED");
      expect(server.text().split("GET /").length).toBeLessThanOrEqual(2);
    });
  }

  const refused: [what: string, answer: string][] = [
    ["a folded field", `${OK}A: 1\r\n b\r\n\r\n`],
    ["a bare LF", `${OK}A: 1\nContent-Length: 0\r\n\r\n`],
    ["a bare CR", `${OK}A: 1\rContent-Length: 0\r\n\r\n`],
    ["NUL", `${OK}A: \0\r\nContent-Length: 0\r\n\r\n`],
    ["a space before the colon", `${OK}Content-Length : 0\r\n\r\n`],
    ["two lengths", `${OK}Content-Length: 0\r\nContent-Length: 0\r\n\r\n`],
    ["length and chunks", `${OK}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ["chunked that is not last", `${OK}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n`],
    ["an unasked 101", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"],
    ["interim responses without end", "HTTP/1.1 100 Continue\r\n\r\n".repeat(9)],
    ["an interim response with a length", `HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n${PLAIN}`],
    ["an interim response in chunks", `HTTP/1.1 103 X\r\nTransfer-Encoding: chunked\r\n\r\n${PLAIN}`],
    ["a chunk's long extension", `${OK}Transfer-Encoding: chunked\r\n\r\n2;${"x".repeat(2000)}\r\nok\r\n`],
    ["trailers without end", `${OK}Transfer-Encoding: chunked\r\n\r\n0\r\n${"A: 1\r\n".repeat(257)}\r\n`],
    ["a length among the trailers", `${OK}Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 1\r\n\r\n`],
  ];
  for (const [what, answer] of refused) {
    it(`is over after ${what}, also where it was in use before`, async () => {
      const { stream, server } = pipe();
      const connection = http1(stream);
      await exchange(connection, server, PLAIN);
      const error = await rejection(exchange(connection, server, answer));
      expect(error.code).toMatch(/^ALLIUM_E_HTTP_(?:FIELD|FRAMING|STATUS_LINE|LIMIT|CHUNK)$/);
      expect([connection.isFree, connection.active]).toEqual([false, 0]);
      expect(server.closedWith).toEqual([error]);
    });
  }

  it("is over when bytes come that nobody asked for, whatever they are", async () => {
    for (const text of ["x", PLAIN, "\r\n", "HTTP/1.1 408 Request Timeout\r\n\r\n"]) {
      const { stream, server } = pipe();
      const connection = http1(stream);
      await exchange(connection, server, PLAIN);
      server.send(text);
      await settle();
      expect(connection.isFree).toBe(false);
      expect(await connection.closed).toMatchObject({ code: "ALLIUM_E_HTTP_FRAMING" });
    }
  });

  it("takes one request at a time, until the body of the response has ended", async () => {
    const { stream, server } = pipe();
    const connection = http1(stream);
    const pending = connection.request(request(), undefined);
    expect([connection.isFree, connection.active]).toEqual([false, 1]);
    expect((await rejection(connection.request(request(), undefined))).code).toBe(
      "ALLIUM_E_HTTP_UNPROCESSED",
    );
    server.send(`${OK}Content-Length: 4\r\n\r\nhalf`);
    const { body } = await pending;
    expect(connection.isFree).toBe(false);
    await body?.next();
    expect(connection.isFree).toBe(false);
    expect(await body?.next()).toBeUndefined();
    expect(connection.isFree).toBe(true);
    // The connection is others' by now.
    body?.cancel();
    expect(connection.isFree).toBe(true);
  });

  it("is over when a body is given up", async () => {
    const { stream, server } = pipe();
    const connection = http1(stream);
    const pending = connection.request(request(), undefined);
    server.send(`${OK}Content-Length: 4\r\n\r\n`);
    (await pending).body?.cancel();
    await connection.closed;
    expect(server.closedWith.length).toBe(1);
  });

  it("takes no other request after an answer that came before the request was sent whole", async () => {
    const { stream, server } = pipe();
    const connection = http1(stream);
    const held = deferred();
    const body = {
      ...extractBody("hello"),
      length: undefined,
      open: () =>
        new ReadableStream<Uint8Array>({
          async pull(controller) {
            await held.promise;
            controller.close();
          },
        }),
    };
    const pending = connection.request({ ...request("POST"), body }, undefined);
    await settle();
    server.send(PLAIN);
    const response = await pending;
    await response.body?.next();
    await response.body?.next();
    expect([connection.isFree, server.closedWith.length]).toEqual([false, 0]);
    held.resolve();
    await connection.closed;
    expect(server.text()).toMatch(/0\r\n\r\n$/);
    expect(connection.isFree).toBe(false);
  });

  it("ends with the server, without a word where that is its right", async () => {
    const { stream, server } = pipe();
    const connection = http1(stream);
    await exchange(connection, server, PLAIN);
    server.end();
    expect(await connection.closed).toBeUndefined();
    expect(connection.isFree).toBe(false);
  });

  it("keeps to the time that the server gives it, less what a request takes", async () => {
    const clock = new ManualClock();
    const { stream, server } = pipe();
    const connection = http1(stream, clock);
    await exchange(connection, server, `${OK}Keep-Alive: timeout=5, max=100\r\nContent-Length: 2\r\n\r\nok`);
    clock.advance(2999);
    expect(connection.isFree).toBe(true);
    clock.advance(1);
    expect(connection.isFree).toBe(false);
  });
});

describe("a kept connection that ends before an answer", () => {
  const reset = new TorError("circuit-collapse", "ALLIUM_E_TEST", "gone");
  const ends: [
    string,
    (server: { end(error?: TorError): void; send(text: string): void }) => void,
    object,
  ][] = [
    ["well", (server) => server.end(), { kind: "remote-refused", code: "ALLIUM_E_HTTP_UNANSWERED" }],
    [
      "badly",
      (server) => server.end(reset),
      { kind: "circuit-collapse", code: "ALLIUM_E_HTTP_UNANSWERED", cause: reset },
    ],
  ];
  for (const [how, end, expected] of ends) {
    it(`says so where it ends ${how}`, async () => {
      const { stream, server } = pipe();
      const connection = http1(stream);
      await exchange(connection, server, PLAIN);
      const pending = rejection(connection.request(request(), undefined));
      await settle();
      end(server);
      expect(await pending).toMatchObject(expected);
    });
  }

  it("does not say so after the first byte, nor on its first request, nor for what we did", async () => {
    const after = async (
      use: (connection: Http1Connection, server: ReturnType<typeof pipe>["server"]) => unknown,
    ) => {
      const { stream, server } = pipe();
      const connection = http1(stream);
      const controller = new AbortController();
      await use(connection, server);
      const pending = rejection(connection.request(request(), controller.signal));
      await settle();
      return { pending, server, connection, controller };
    };
    const used = (connection: Http1Connection, server: ReturnType<typeof pipe>["server"]) =>
      exchange(connection, server, PLAIN);
    const begun = await after(used);
    begun.server.send("H");
    begun.server.end();
    expect(await begun.pending).toMatchObject({ code: "ALLIUM_E_HTTP_TRUNCATED" });
    const first = await after(() => {});
    first.server.end();
    expect(await first.pending).toMatchObject({ code: "ALLIUM_E_HTTP_TRUNCATED" });
    const aborted = await after(used);
    aborted.controller.abort();
    expect(await aborted.pending).toMatchObject({ code: "ALLIUM_E_ABORTED" });
    expect(aborted.server.closedWith.length).toBe(1);
  });
});
