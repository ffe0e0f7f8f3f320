// What the web-platform-tests ask of fetch, written anew for a fetch without a page: each group is named by the file whose
// cases it has. Left out is what needs an origin, a document or a cache.

import { describe, expect, it } from "vitest";
import { rejection } from "./streams.ts";
import { requestBody, webForEachTest } from "./web.ts";

// Where theirs have methods of their own making, these have rare ones: Node's server knows no others.
const web = webForEachTest();
const SITE = "http://site.example";

async function settled(millis = 20): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, millis));
}

/** Answers with method, type and length of the request, and echoes its body. */
function serveEcho(path: string): void {
  web.handlers[path] = async (request, response) => {
    const body = await requestBody(request);
    response.writeHead(200, {
      "X-Method": request.method,
      "X-Type": request.headers["content-type"] ?? "NO",
      "X-Length": request.headers["content-length"] ?? "NO",
      "X-Coding": request.headers["content-encoding"] ?? "NO",
      "X-Language": request.headers["content-language"] ?? "NO",
      "X-Location": request.headers["content-location"] ?? "NO",
    });
    response.end(body);
  };
}

/** Answers with bytes until the connection ends; the promise then settles. */
function serveEndless(path: string): Promise<void> {
  return new Promise((resolve) => {
    web.handlers[path] = (_, response) => {
      const timer = setInterval(() => response.write("x"), 2);
      response.on("close", () => {
        clearInterval(timer);
        resolve();
      });
    };
  });
}

describe("fetch/api/abort/general.any.js", () => {
  const aborted = () => AbortSignal.abort();
  const requests: [what: string, input: () => string | Request, init: () => RequestInit][] = [
    ["a signal of init", () => SITE, () => ({ signal: aborted() })],
    ["a signal on the Request", () => new Request(SITE, { signal: aborted() }), () => ({})],
    ["a Request of a Request", () => new Request(new Request(SITE, { signal: aborted() })), () => ({})],
    [
      "a signal on the second Request",
      () => new Request(new Request(SITE), { signal: aborted() }),
      () => ({}),
    ],
    [
      "a signal beside other things of init",
      () => new Request(SITE, { signal: aborted() }),
      () => ({ method: "POST" }),
    ],
  ];
  for (const [what, input, init] of requests) {
    it(`already aborted: ${what}`, async () => {
      expect((await rejection(web.fetcher.fetch(input(), init()))).name).toBe("AbortError");
      expect(web.opener.requests).toEqual([]);
    });
  }

  it("a signal removed by null", async () => {
    web.handlers["/"] = (_, response) => response.end("{}");
    const request = new Request(SITE, { signal: aborted() });
    expect(await (await web.fetcher.fetch(request, { signal: null })).json()).toEqual({});
  });

  it("a Request is used though the signal was aborted before", async () => {
    const request = new Request(SITE, { signal: aborted(), method: "POST", body: "foo" });
    await rejection(web.fetcher.fetch(request));
    expect(request.bodyUsed).toBe(true);
  });

  it("a body's stream is cancelled with the very error", async () => {
    let reason: unknown;
    const body = new ReadableStream(
      {
        cancel(why) {
          reason = why;
        },
      },
      { highWaterMark: 0 },
    );
    const error = await rejection(web.get(SITE, { method: "POST", body, duplex: "half", signal: aborted() }));
    expect([error.name, reason]).toEqual(["AbortError", error]);
  });

  for (const method of ["arrayBuffer", "blob", "formData", "json", "text"] as const) {
    it(`response.${method}() rejects if already aborted`, async () => {
      web.handlers["/"] = (_, response) => response.end("{}");
      const controller = new AbortController();
      const response = await web.get(SITE, { signal: controller.signal });
      controller.abort();
      expect((await rejection(response[method]())).name).toBe("AbortError");
    });

    it(`the connection is closed when aborted after response.${method}() was called`, async () => {
      const closed = serveEndless("/");
      const controller = new AbortController();
      const response = await web.get(SITE, { signal: controller.signal });
      const body = rejection(response[method]());
      controller.abort();
      expect((await body).name).toBe("AbortError");
      await closed;
    });
  }

  it("one signal aborts many fetches, also after one that succeeded", async () => {
    const controller = new AbortController();
    const { signal } = controller;
    web.handlers["/data"] = (_, response) => response.end("{}");
    await (await web.get(`${SITE}/data`, { signal })).json();
    void serveEndless("/");
    const fetches = Array.from({ length: 3 }, () => web.get(SITE, { signal }).then((one) => one.text()));
    const errors = fetches.map(rejection);
    await settled();
    controller.abort();
    for (const error of errors) expect((await error).name).toBe("AbortError");
  });

  for (const before of [0, 1]) {
    it(`the stream errors once aborted, after ${before} reads, and the connection is closed`, async () => {
      const closed = serveEndless("/");
      const controller = new AbortController();
      const response = await web.get(SITE, { signal: controller.signal });
      const reader = (response.body as ReadableStream<Uint8Array>).getReader();
      for (let i = 0; i < before; i++) await reader.read();
      controller.abort();
      expect((await rejection(reader.read())).name).toBe("AbortError");
      expect((await rejection(reader.closed)).name).toBe("AbortError");
      await closed;
    });
  }
});

describe("fetch/api/basic/request-upload.any.js and request-headers.any.js", () => {
  const bodies: [what: string, method: string, body: () => BodyInit | null, echoed: string, type: string][] =
    [
      ["no body", "GET", () => null, "", "NO"],
      ["no body", "POST", () => null, "", "NO"],
      ["no body", "REPORT", () => null, "", "NO"],
      ["text", "PUT", () => "Request's body", "Request's body", "text/plain;charset=UTF-8"],
      ["text", "REPORT", () => "Request's body", "Request's body", "text/plain;charset=UTF-8"],
      [
        "URLSearchParams",
        "POST",
        () => new URLSearchParams("name=value"),
        "name=value",
        "application/x-www-form-urlencoded;charset=UTF-8",
      ],
      ["a Blob", "POST", () => new Blob(["Test"]), "Test", "NO"],
      ["a Blob with a type", "POST", () => new Blob(["Test"], { type: "text/maybe" }), "Test", "text/maybe"],
      ["an ArrayBuffer", "POST", () => new ArrayBuffer(4), "\0\0\0\0", "NO"],
      ["an Uint8Array", "POST", () => new Uint8Array(4), "\0\0\0\0", "NO"],
      ["an Int8Array", "POST", () => new Int8Array(4), "\0\0\0\0", "NO"],
      ["a Float32Array", "POST", () => new Float32Array(1), "\0\0\0\0", "NO"],
      ["a Float64Array", "POST", () => new Float64Array(1), "\0".repeat(8), "NO"],
      ["a DataView", "POST", () => new DataView(new ArrayBuffer(8), 0, 4), "\0\0\0\0", "NO"],
      ["a stream", "POST", () => new Blob(["Test"]).stream(), "Test", "NO"],
    ];
  for (const [what, method, body, echoed, type] of bodies) {
    it(`${method} with ${what}`, async () => {
      serveEcho("/");
      const response = await web.get(SITE, { method, body: body(), duplex: "half" });
      expect(response.headers.get("x-method")).toBe(method);
      expect(response.headers.get("x-type")).toBe(type);
      const length =
        what === "a stream" || (what === "no body" && method !== "POST") ? "NO" : `${echoed.length}`;
      expect(response.headers.get("x-length")).toBe(length);
      expect([response.type, await response.text()]).toEqual(["basic", echoed]);
    });
  }

  for (const chunk of ["Test", null, 99, new ArrayBuffer(0), new Blob()]) {
    it(`a stream of ${Object.prototype.toString.call(chunk)}`, async () => {
      serveEcho("/");
      const body = new ReadableStream({
        start(controller) {
          controller.enqueue(chunk);
          controller.close();
        },
      });
      const error = await rejection(web.get(SITE, { method: "POST", body, duplex: "half" }));
      expect(error).toBeInstanceOf(TypeError);
    });
  }
});

describe("fetch/api/redirect/redirect-method.any.js", () => {
  const text = "this is my body";
  const cases: [status: number, method: string, after: string, body?: BodyInit][] = [
    ...[301, 302, 303, 307, 308].flatMap((status): [number, string, string][] => [
      [status, "GET", "GET"],
      [status, "HEAD", "HEAD"],
    ]),
    [301, "POST", "GET", text],
    [302, "POST", "GET", text],
    [303, "POST", "GET", text],
    [303, "PROPFIND", "GET"],
    [307, "POST", "POST", text],
    [307, "POST", "POST", new Blob([text])],
    [308, "POST", "POST", text],
  ];
  for (const [status, method, after, body] of cases) {
    it(`${status} with ${method}${body === undefined ? "" : ` of a ${typeof body}`}`, async () => {
      web.handlers["/from"] = (_, response) => response.writeHead(status, { Location: "/to" }).end();
      serveEcho("/to");
      const headers = { "Content-Encoding": "Identity", "Content-Language": "en", "Content-Location": "foo" };
      const init = {
        method,
        headers: body === undefined ? {} : headers,
        ...(body !== undefined && { body }),
      };
      const response = await web.get(`${SITE}/from`, init);
      expect([response.status, response.redirected, response.type]).toEqual([200, true, "basic"]);
      expect(response.headers.get("x-method")).toBe(after);
      const kept = after === "POST";
      for (const name of ["x-length", "x-coding", "x-language", "x-location"]) {
        expect(response.headers.get(name) !== "NO").toBe(kept);
      }
      expect(await response.text()).toBe(kept ? text : "");
    });
  }
});

describe("fetch/api/redirect/redirect-mode.any.js, redirect-location.any.js and redirect-to-dataurl.any.js", () => {
  const locations: [what: string, location: string | undefined, follows: boolean | undefined][] = [
    ["a location", "/to", true],
    ["no location", undefined, undefined],
    ["an invalid location", "http://#x:1:1", false],
    ["a data: location", "data:,data%20url", false],
  ];
  for (const status of [301, 302, 303, 307, 308]) {
    for (const [what, location, follows] of locations) {
      it(`${status} with ${what}`, async () => {
        web.handlers["/from"] = (_, response) =>
          response.writeHead(status, location === undefined ? {} : { Location: location }).end();
        serveEcho("/to");
        const from = `${SITE}/from`;
        expect(await rejection(web.get(from, { redirect: "error" }))).toBeInstanceOf(TypeError);
        const manual = await web.get(from, { redirect: "manual" });
        expect([manual.status, manual.url, manual.redirected]).toEqual([status, from, false]);
        if (follows === false) return expect(await rejection(web.get(from))).toBeInstanceOf(TypeError);
        const response = await web.get(from);
        expect([response.status, response.url]).toEqual(
          follows === true ? [200, `${SITE}/to`] : [status, from],
        );
      });
    }
  }
});

describe("fetch/api/basic, the rest", () => {
  it("header-value-combining.any.js", async () => {
    web.handlers["/"] = (_, response) => {
      response.writeHead(200, [
        ...["foo-test", "1", "foo-test", "2", "foo-test", "3"],
        ...["heya", "", "heya", "1", "heya", "2"],
      ]);
      response.end();
    };
    const { headers } = await web.get(SITE);
    expect([headers.get("foo-test"), headers.get("heya")]).toEqual(["1, 2, 3", ", 1, 2"]);
  });

  it("http-response-code.any.js: 425 is not sent again", async () => {
    let requests = 0;
    web.handlers["/"] = (_, response) => response.writeHead(425).end(`${++requests}`);
    const response = await web.get(SITE);
    expect([response.status, await response.text()]).toEqual([425, "1"]);
  });

  it("scheme-about.any.js", async () => {
    for (const url of ["about:blank", "about:unicorn"]) {
      expect(await rejection(web.get(url))).toBeInstanceOf(TypeError);
    }
  });

  it("scheme-data.any.js", async () => {
    for (const method of ["GET", "POST"]) {
      const response = await web.get("data:text/plain;charset=US-ASCII,response%27s%20body", { method });
      expect([response.status, response.statusText, response.type]).toEqual([200, "OK", "basic"]);
      expect(response.headers.get("content-type")).toBe("text/plain;charset=US-ASCII");
      expect(await response.text()).toBe("response's body");
    }
  });

  it("stream-response.any.js", async () => {
    web.handlers["/"] = (_, response) => response.end("x".repeat(100_000));
    let size = 0;
    for await (const chunk of (await web.get(SITE)).body as ReadableStream<Uint8Array>) {
      expect(chunk).toBeInstanceOf(Uint8Array);
      size += chunk.length;
    }
    expect(size).toBe(100_000);
  });
});
