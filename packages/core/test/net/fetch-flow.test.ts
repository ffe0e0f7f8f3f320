// fetch as it flows: aborted in each phase, held back by whoever is slow.

import { describe, expect, it } from "vitest";
import { cut, rejection, scriptedOpener, scriptedStream, torFetch, withoutTls } from "./streams.ts";
import { webForEachTest } from "./web.ts";

const web = webForEachTest();

describe("an abort", () => {
  const reason = { my: "reason" };

  it("before anything rejects with its reason and opens nothing", async () => {
    expect(await rejection(web.get("http://a.example/", { signal: AbortSignal.abort(reason) }))).toBe(reason);
    const error = await rejection(web.get("http://a.example/", { signal: AbortSignal.abort() }));
    expect(error.name).toBe("AbortError");
    expect(web.opener.requests).toEqual([]);
  });

  it("while the request's body is collected", async () => {
    const controller = new AbortController();
    const body = new ReadableStream({ pull: () => controller.abort(reason) }, { highWaterMark: 0 });
    const request = new Request("http://a.example/", { method: "POST", body, duplex: "half" } as RequestInit);
    expect(await rejection(torFetch(web.opener, request, { signal: controller.signal }))).toBe(reason);
    expect(web.opener.requests).toEqual([]);
  });

  it("while the stream opens, and a stream that comes too late is closed", async () => {
    const controller = new AbortController();
    const late = scriptedStream([], "open");
    let give = () => {};
    const slow = withoutTls({
      openStream: () =>
        new Promise<typeof late>((resolve) => {
          give = () => resolve(late);
        }),
    });
    const pending = rejection(torFetch(slow, "http://a.example/", { signal: controller.signal }));
    await Promise.resolve();
    await new Promise((resolve) => setImmediate(resolve));
    controller.abort(reason);
    expect(await pending).toBe(reason);
    give();
    await late.closed;
    expect(late.closedWith.length).toBe(1);
  });

  it("while the response is awaited", async () => {
    const controller = new AbortController();
    web.handlers["/"] = () => controller.abort(reason);
    expect(await rejection(web.get("http://a.example/", { signal: controller.signal }))).toBe(reason);
    await expect.poll(() => web.opener.open()).toBe(0);
  });

  it("while the request's body is sent, and its source is cancelled", async () => {
    const controller = new AbortController();
    let cancelled: unknown;
    const body = new ReadableStream({
      pull(own) {
        own.enqueue(new Uint8Array(1000));
      },
      cancel(why) {
        cancelled = why;
      },
    });
    web.handlers["/"] = (request) => request.once("data", () => controller.abort(reason));
    const init = { method: "POST", body, duplex: "half" as const, signal: controller.signal };
    expect(await rejection(web.get("http://a.example/", init))).toBe(reason);
    await expect.poll(() => cancelled).toMatchObject({ code: "ALLIUM_E_ABORTED" });
    await expect.poll(() => web.opener.open()).toBe(0);
  });

  it("while the response's body is read", async () => {
    const controller = new AbortController();
    web.handlers["/"] = (_, response) => response.write("first");
    const response = await web.get("http://a.example/", { signal: controller.signal });
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    expect(Buffer.from((await reader.read()).value as Uint8Array).toString()).toBe("first");
    const pending = rejection(reader.read());
    controller.abort(reason);
    expect(await pending).toBe(reason);
    await expect.poll(() => web.opener.open()).toBe(0);
  });

  it("before the response's body is read", async () => {
    const controller = new AbortController();
    web.handlers["/"] = (_, response) => response.end("all of it");
    const response = await web.get("http://a.example/", { signal: controller.signal });
    controller.abort(reason);
    expect(await rejection(response.text())).toBe(reason);
  });

  it("by the Request's own signal, unless init takes it away", async () => {
    const controller = new AbortController();
    web.handlers["/"] = (_, response) => response.end("ok");
    const request = new Request("http://a.example/", { signal: controller.signal });
    controller.abort(reason);
    expect(await rejection(torFetch(web.opener, request))).toBe(reason);
    expect(await (await torFetch(web.opener, request, { signal: null })).text()).toBe("ok");
  });

  it("after the end changes nothing", async () => {
    const controller = new AbortController();
    web.handlers["/"] = (_, response) => response.end("ok");
    const response = await web.get("http://a.example/", { signal: controller.signal });
    const text = response.text();
    expect(await text).toBe("ok");
    controller.abort(reason);
  });
});

describe("back-pressure", () => {
  it("of an unread body stops the server, and reading lets it go on", async () => {
    const chunk = Buffer.alloc(65_536);
    let sent = 0;
    web.handlers["/"] = async (_, response) => {
      for (; sent < 1600; sent++) {
        if (!response.write(chunk)) await new Promise((resolve) => response.once("drain", resolve));
      }
      response.end();
    };
    const response = await web.get("http://a.example/");
    let before = -1;
    const stands = () => {
      const same = before === sent;
      before = sent;
      return same;
    };
    await expect.poll(stands, { interval: 40, timeout: 5000 }).toBe(true);
    expect(sent).toBeLessThan(400);
    expect((await response.arrayBuffer()).byteLength).toBe(1600 * 65_536);
  });

  it("of a body takes from the stream what it reads ahead, and more only for who asks", async () => {
    const text = `HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n${"x".repeat(300_000)}`;
    const chunks = text.match(/[\s\S]{1,10000}/g) as string[];
    const stream = scriptedStream(chunks.map((chunk) => new TextEncoder().encode(chunk)));
    const response = await torFetch(
      scriptedOpener(() => stream),
      "http://a.example/",
    );
    const settle = () => new Promise((resolve) => setImmediate(resolve));
    await settle();
    expect(stream.reads).toBe(7);
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    await settle();
    expect(stream.reads).toBe(8);
  });

  it("of the server reaches the source of the request's body", async () => {
    let pulled = 0;
    const body = new ReadableStream(
      {
        pull(own) {
          pulled++;
          own.enqueue(new Uint8Array(65_536));
        },
      },
      { highWaterMark: 0 },
    );
    let writes = 0;
    const never = new Promise<void>(() => {});
    const stream = scriptedStream([], "open");
    const blocked = { ...stream, write: () => (writes++ === 0 ? Promise.resolve() : never) };
    const controller = new AbortController();
    const init = { method: "POST", body, duplex: "half" as const, signal: controller.signal };
    const pending = rejection(
      torFetch(
        scriptedOpener(() => blocked),
        "http://a.example/",
        init,
      ),
    );
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(pulled).toBe(1);
    controller.abort();
    await pending;
  });

  it("and cancelling a body closes its stream", async () => {
    web.handlers["/"] = (_, response) => response.write("first");
    const response = await web.get("http://a.example/");
    await response.body?.cancel("enough");
    await expect.poll(() => web.opener.open()).toBe(0);
  });

  it("and the chunks of a body own their buffers", async () => {
    const text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n";
    const response = await torFetch(
      scriptedOpener(() => scriptedStream(cut(text, text.length))),
      "http://a.example/",
    );
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const first = (await reader.read()).value as Uint8Array;
    structuredClone(first.buffer, { transfer: [first.buffer as ArrayBuffer] });
    expect(new TextDecoder().decode((await reader.read()).value)).toBe("cd");
  });
});
