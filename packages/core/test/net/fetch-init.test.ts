// What may be asked of a fetch besides the request: integrity, a time limit, progress, data: URLs; and how connections are
// kept while all this goes on.

import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { FetchProgress } from "../../src/net/progress.ts";
import { rejection } from "./streams.ts";
import { requestBody, webForEachTest } from "./web.ts";

const web = webForEachTest();
const URL_A = "http://a.example/";

const sri = (algorithm: string, text: string) =>
  `${algorithm}-${createHash(algorithm).update(text).digest("base64")}`;

describe("integrity", () => {
  const good: [what: string, integrity: string][] = [
    ["sha256", sri("sha256", "hello")],
    ["sha384", sri("sha384", "hello")],
    ["sha512", sri("sha512", "hello")],
    ["one of two", `${sri("sha256", "other")}  ${sri("sha256", "hello")}`],
    ["the strongest alone", `${sri("sha256", "other")} ${sri("sha512", "hello")}`],
    ["with an option", `${sri("sha256", "hello")}?ct=text/plain`],
    ["beside what is not known", `md5-AAAA ${sri("sha256", "hello")}`],
    ["nothing", " "],
  ];
  for (const [what, integrity] of good) {
    it(`that names ${what} lets the body through`, async () => {
      web.handlers["/"] = (_, response) => response.end("hello");
      expect(await (await web.get(URL_A, { integrity })).text()).toBe("hello");
    });
  }

  const bad: [what: string, integrity: string][] = [
    ["another body", sri("sha256", "other")],
    ["a weaker digest alone", `${sri("sha256", "hello")} ${sri("sha512", "other")}`],
  ];
  for (const [what, integrity] of bad) {
    it(`that names ${what} gives out nothing`, async () => {
      web.handlers["/"] = (_, response) => response.end("hello");
      const error = await rejection(web.get(URL_A, { integrity }));
      expect(error).toMatchObject({ kind: "remote-refused", code: "ALLIUM_E_FETCH_INTEGRITY" });
    });
  }

  it("is that of a Request, of a data: URL and of no body", async () => {
    web.handlers["/"] = (_, response) => response.writeHead(204).end();
    const request = new Request(URL_A, { integrity: sri("sha256", "x") });
    expect((await rejection(web.fetcher.fetch(request))).code).toBe("ALLIUM_E_FETCH_INTEGRITY");
    const nothing = await web.get(URL_A, { integrity: sri("sha256", "") });
    expect(nothing.body).toBeNull();
    expect((await rejection(web.get("data:,hello", { integrity: sri("sha256", "x") }))).code).toBe(
      "ALLIUM_E_FETCH_INTEGRITY",
    );
  });

  it("holds 32 MiB and no more", async () => {
    web.handlers["/"] = (_, response) => response.end(Buffer.alloc(34_000_000));
    const error = await rejection(web.get(URL_A, { integrity: sri("sha256", "hello") }));
    expect(error).toMatchObject({ kind: "limit", code: "ALLIUM_E_FETCH_INTEGRITY" });
    await expect.poll(() => web.opener.open()).toBe(0);
  });

  it("that waits for the body can be aborted", async () => {
    const controller = new AbortController();
    web.handlers["/"] = (_, response) => {
      response.write("hel");
      setTimeout(() => controller.abort("enough"), 20);
    };
    const init = { integrity: sri("sha256", "hello"), signal: controller.signal };
    expect(await rejection(web.get(URL_A, init))).toBe("enough");
    await expect.poll(() => web.opener.open()).toBe(0);
  });
});

describe("a timeout", () => {
  it("ends a fetch that has no answer, as AbortSignal.timeout does", async () => {
    web.handlers["/"] = () => {};
    const error = await rejection(web.get(URL_A, { timeout: 30 }));
    expect(error.name).toBe("TimeoutError");
    await expect.poll(() => web.opener.open()).toBe(0);
  });

  it("ends a body that does not, beside the caller's own signal", async () => {
    web.handlers["/"] = (_, response) => response.write("first");
    const response = await web.get(URL_A, { timeout: 1000, signal: new AbortController().signal });
    expect((await rejection(response.text())).name).toBe("TimeoutError");
    const early = rejection(web.get(URL_A, { timeout: 5000, signal: AbortSignal.abort("mine") }));
    expect(await early).toBe("mine");
  });
});

describe("progress", () => {
  it("is told of both directions, with the total where it is known", async () => {
    web.handlers["/"] = async (request, response) => {
      const body = await requestBody(request);
      response.writeHead(200, { "Content-Length": body.length }).end(body);
    };
    const told: FetchProgress[] = [];
    const body = new Uint8Array(200_000);
    const init = { method: "POST", body, onProgress: (progress: FetchProgress) => void told.push(progress) };
    await (await web.get(URL_A, init)).arrayBuffer();
    const of = (direction: string) => told.filter((one) => one.direction === direction);
    expect(of("upload").map(({ loaded }) => loaded)).toEqual([65_536, 131_072, 196_608, 200_000]);
    expect(of("download").at(-1)?.loaded).toBe(200_000);
    expect(told.every(({ total }) => total === 200_000)).toBe(true);
  });

  it("knows no total of a streamed body, nor of one with a coding", async () => {
    web.handlers["/"] = async (request, response) => {
      await requestBody(request);
      response.end("x");
    };
    const told: FetchProgress[] = [];
    const init = {
      ...{ method: "POST", body: new Blob(["hello"]).stream(), duplex: "half" as const },
      onProgress: (progress: FetchProgress) => void told.push(progress),
    };
    await (await web.get(URL_A, init)).text();
    expect(told).toEqual([
      { direction: "upload", loaded: 5 },
      { direction: "download", loaded: 1, total: 1 },
    ]);
  });

  it("that throws ends the body", async () => {
    web.handlers["/"] = (_, response) => response.end("hello");
    const broken = () => {
      throw new Error("broken");
    };
    expect((await rejection((await web.get(URL_A, { onProgress: broken })).text())).message).toBe("broken");
  });
});

describe("connections", () => {
  it("carry one fetch after the other, to a server that keeps them", async () => {
    web.handlers["/"] = async (request, response) => response.end(await requestBody(request));
    for (let i = 0; i < 5; i++) {
      expect(await (await web.get(URL_A, { method: "POST", body: `${i}` })).text()).toBe(`${i}`);
    }
    expect(web.opener.requests.length).toBe(1);
    await (await web.get(URL_A, { isolation: "other", method: "POST", body: "x" })).text();
    web.fetcher.clear();
    await (await web.get(URL_A, { method: "POST", body: "x" })).text();
    expect(web.opener.requests.length).toBe(3);
    await expect.poll(() => web.opener.open()).toBe(1);
  });

  it("are free again though nobody reads the body, where that is short", async () => {
    web.handlers["/"] = (_, response) => response.end("short");
    for (let i = 0; i < 10; i++) await web.get(URL_A);
    expect(web.opener.requests.length).toBeLessThanOrEqual(2);
  });

  it("are free again when a body was read in part and the rest is at hand", async () => {
    web.handlers["/"] = (_, response) => response.end(Buffer.alloc(100_000));
    const response = await web.get(URL_A);
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    await reader.cancel();
    expect((await (await web.get(URL_A)).arrayBuffer()).byteLength).toBe(100_000);
  });

  it("that the server ended meanwhile are replaced without a word", async () => {
    let served = 0;
    web.handlers["/"] = ({ socket }, response) => {
      if (served++ === 0) response.end("ok", () => setTimeout(() => socket.destroy(), 5));
      else response.end("ok");
    };
    for (let i = 0; i < 3; i++) {
      expect(await (await web.get(URL_A)).text()).toBe("ok");
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(web.opener.requests.length).toBe(2);
  });
});
