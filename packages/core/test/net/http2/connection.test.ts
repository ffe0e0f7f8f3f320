// What the client says and how it takes what it is told (RFC 9113), frame by frame.

import { describe, expect, it } from "vitest";
import { deferred } from "../../../src/base/abort.ts";
import { TorError } from "../../../src/base/errors.ts";
import * as F from "../../../src/net/http2/frames.ts";
import { encodeFields } from "../../../src/net/http2/hpack.ts";
import { turn } from "../../../src/testing/case.ts";
import { rejection } from "../streams.ts";
import { asked, data, END, get, headers, OK, Peer, post, settings, textOf } from "./peer.ts";

const NONE = new Uint8Array(0);
const ping = new Uint8Array(8).fill(7);

describe("the first bytes", () => {
  it("are the magic, our settings, the window and the request, in one write and none before it", async () => {
    const peer = new Peer();
    await turn();
    expect(peer.writes).toBe(0);
    await peer.ask();
    expect(peer.writes).toBe(1);
    expect(peer.magic).toBe("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    expect(peer.frames.map(({ type, flags, streamId }) => [type, flags, streamId])).toEqual([
      [F.SETTINGS, 0, 0],
      [F.WINDOW_UPDATE, 0, 0],
      [F.HEADERS, END, 1],
    ]);
    // ENABLE_PUSH 0, INITIAL_WINDOW_SIZE 131072, MAX_HEADER_LIST_SIZE 131072.
    expect([...(peer.frames[0]?.payload ?? [])]).toEqual([
      0, 2, 0, 0, 0, 0, 0, 4, 0, 2, 0, 0, 0, 6, 0, 2, 0, 0,
    ]);
    expect(peer.numbers(F.WINDOW_UPDATE)).toEqual([0, 12_582_912 - 65_535]);
  });

  it("acknowledge the server's settings, every time", async () => {
    const peer = new Peer();
    peer.send(settings(), settings([3, 10]));
    await turn();
    expect(peer.of(F.SETTINGS).map(({ flags }) => flags)).toEqual([0, 1, 1]);
  });
});

describe("a request", () => {
  it("has its pseudo-header fields in one order, then accept, the caller's fields, and the length", async () => {
    const request = post([NONE], 0);
    const fields: [string, string][] = [["Content-Type", "text/plain"]];
    const peer = new Peer();
    await peer.ask({
      ...request,
      head: { ...request.head, target: "/a?b", host: "example.com:8443", fields },
    });
    expect(peer.requests()[0]).toEqual([
      [":method", "POST"],
      [":path", "/a?b"],
      [":authority", "example.com:8443"],
      [":scheme", "https"],
      ["accept", "*/*"],
      ["accept-encoding", "gzip, deflate"],
      ["content-type", "text/plain"],
      ["content-length", "0"],
    ]);
  });

  it("that cannot be written is refused before anything is sent", async () => {
    const peer = new Peer();
    for (const head of [
      { ...get().head, method: "GET /" },
      { ...get().head, target: "/ " },
      { ...get().head, host: "a\r\nb" },
      { ...get().head, fields: [["a", "b\r\nc"]] as const },
      { ...get().head, fields: [[":path", "/"]] as const },
    ]) {
      expect((await rejection(peer.connection.request({ head, body: undefined }, undefined))).code).toBe(
        "ALLIUM_E_HTTP_REQUEST",
      );
    }
    expect(peer.writes).toBe(0);
    expect(peer.connection.active).toBe(0);
  });

  it("with more fields than a frame holds goes on in CONTINUATION frames", async () => {
    const long = "x".repeat(40_000);
    const peer = new Peer();
    await peer.ask({ head: { ...get().head, fields: [["a", long]] }, body: undefined });
    const sent = peer.frames.slice(2);
    expect(sent.map(({ type, flags, payload }) => [type, flags, payload.length])).toEqual([
      [F.HEADERS, F.END_STREAM, 16_384],
      [F.CONTINUATION, 0, 16_384],
      [F.CONTINUATION, F.END_HEADERS, expect.any(Number)],
    ]);
  });

  it("tells a server with a smaller table once that ours is empty (RFC 7541 4.2)", async () => {
    const { peer } = await asked(get(), [1, 0]);
    await peer.ask();
    peer.send(settings([1, 100]));
    await peer.ask();
    expect(peer.of(F.HEADERS).map(({ payload }) => payload[0])).toEqual([0x20, 0x82, 0x82]);
  });

  it("tells a server with a larger one nothing", async () => {
    const { peer } = await asked(get(), [1, 65_536]);
    expect(peer.of(F.HEADERS)[0]?.payload[0]).toBe(0x82);
  });
});

describe("a response", () => {
  it("has its status, its fields and its body, wherever the bytes are cut", async () => {
    const { peer, response } = await asked();
    const fields = [
      [":status", "200"],
      ["content-length", "11"],
      ["set-cookie", "a"],
      ["set-cookie", "b"],
    ] as const;
    for (const frame of [headers(1, fields), data(1, "hello"), data(1, " world", F.END_STREAM)]) {
      for (const byte of frame) {
        peer.send(Uint8Array.of(byte));
        await Promise.resolve();
      }
    }
    const { status, statusText, fields: got } = await response;
    expect([status, statusText]).toEqual([200, ""]);
    expect(got).toEqual(fields.slice(1));
    expect(await textOf(await response)).toBe("hello world");
    expect(peer.connection.active).toBe(0);
  });

  it("comes after up to eight interim ones, and its trailers are dropped", async () => {
    const { peer, response } = await asked();
    for (let i = 0; i < 7; i++)
      peer.send(
        headers(1, [
          [":status", "103"],
          ["link", "</a>"],
        ]),
      );
    peer.send(
      headers(1, [[":status", "100"]]),
      headers(1, OK),
      data(1, "body"),
      headers(1, [["x-sum", "1"]], END),
    );
    expect((await response).fields).toEqual([]);
    expect(await textOf(await response)).toBe("body");
  });

  it("may be padded, and have a priority", async () => {
    const { peer, response } = await asked();
    const block = encodeFields(OK);
    peer.send(F.frame(F.HEADERS, 4 | 8 | 0x20, 1, Uint8Array.of(2, 0, 0, 0, 0, 16, ...block, 0, 0)));
    peer.send(F.frame(F.PRIORITY, 0, 1, Uint8Array.of(0, 0, 0, 3, 1)));
    peer.send(data(1, "\x03abc\0\0\0", 8 | F.END_STREAM));
    expect(await textOf(await response)).toBe("abc");
  });

  it("without a body has an empty one, and none where there never is one", async () => {
    const { peer, response } = await asked();
    const second = await peer.ask({ head: { ...get().head, method: "HEAD" }, body: undefined });
    const third = await peer.ask();
    peer.send(headers(1, OK, END), headers(3, [...OK, ["content-length", "5"]], END));
    peer.send(
      headers(
        5,
        [
          [":status", "304"],
          ["content-length", "5"],
        ],
        END,
      ),
    );
    expect(await textOf(await response)).toBe("");
    expect((await response).body).toBeDefined();
    expect((await second.response).body).toBeUndefined();
    expect((await third.response).body).toBeUndefined();
  });

  it("is not disturbed by bits that are reserved (4.1, 6.8, 6.9)", async () => {
    const { peer, response } = await asked(post([new Uint8Array(65_536)], 65_536));
    const frames = [F.WINDOW_UPDATE, F.WINDOW_UPDATE, F.GOAWAY].map((type, id) =>
      F.numbersFrame(type, id % 2, 2 ** 31 + 1, ...(type === F.GOAWAY ? [0] : [])),
    );
    for (const frame of [...frames, headers(1, OK, END)]) {
      frame[5] = (frame[5] as number) | 0x80;
      peer.send(frame);
    }
    expect((await response).status).toBe(200);
    await turn();
    expect(peer.of(F.DATA).at(-1)?.flags).toBe(F.END_STREAM);
    expect(peer.connection.active).toBe(0);
  });

  it("is not disturbed by frames that nobody knows", async () => {
    const { peer, response } = await asked();
    peer.send(
      F.frame(0x42, 255, 1, ping),
      F.frame(0x43, 0, 0, NONE),
      F.frame(0x44, 0, 2, NONE),
      settings([0x99, 1]),
    );
    peer.send(headers(1, OK, END));
    expect((await response).status).toBe(200);
  });
});

it("answers PING with the same bytes, and an answer with nothing", async () => {
  const { peer } = await asked();
  peer.send(F.frame(F.PING, 0, 0, ping), F.frame(F.PING, F.ACK, 0, ping));
  await turn();
  expect(peer.of(F.PING).map(({ flags, payload }) => [flags, ...payload])).toEqual([[F.ACK, ...ping]]);
});

describe("RST_STREAM from the server", () => {
  it("ends one request with the server's number", async () => {
    const { peer, response } = await asked();
    const second = await peer.ask();
    peer.send(F.numbersFrame(F.RST_STREAM, 1, 2));
    const error = await rejection(response);
    expect([error.code, error.kind]).toEqual(["ALLIUM_E_HTTP2_RESET", "remote-refused"]);
    expect(error.message).toContain("error 2");
    peer.send(headers(3, OK, END));
    expect((await second.response).status).toBe(200);
    expect(peer.of(F.RST_STREAM)).toEqual([]);
  });

  it("REFUSED_STREAM means that nothing was done", async () => {
    const { peer, response } = await asked();
    peer.send(F.numbersFrame(F.RST_STREAM, 1, 7));
    expect((await rejection(response)).code).toBe("ALLIUM_E_HTTP_UNPROCESSED");
    expect(peer.connection.isFree).toBe(true);
  });

  it("breaks a body off behind what had come", async () => {
    const { peer, response } = await asked();
    peer.send(headers(1, OK), data(1, "abc"), F.numbersFrame(F.RST_STREAM, 1, 0));
    const { body } = await response;
    expect(await body?.next()).toHaveLength(3);
    expect((await rejection(body?.next() as Promise<unknown>)).code).toBe("ALLIUM_E_HTTP2_RESET");
  });

  it("NO_ERROR after a whole response stops the rest of the request, and nothing else", async () => {
    const stopped = deferred<unknown>();
    const { peer, response } = await asked(post([new Uint8Array(100_000), NONE], undefined, stopped.resolve));
    peer.send(headers(1, OK), data(1, "enough", F.END_STREAM), F.numbersFrame(F.RST_STREAM, 1, 0));
    expect(await textOf(await response)).toBe("enough");
    await stopped.promise;
    expect(peer.connection.active).toBe(0);
    const sent = peer.of(F.DATA).length;
    peer.send(F.numbersFrame(F.WINDOW_UPDATE, 0, 1_000_000));
    await turn();
    expect(peer.of(F.DATA).length).toBe(sent);
  });
});

describe("GOAWAY", () => {
  it("lets earlier requests end, gives later ones back, and takes no more", async () => {
    const { peer, response } = await asked();
    const second = await peer.ask();
    peer.send(F.numbersFrame(F.GOAWAY, 0, 1, 0));
    expect((await rejection(second.response)).code).toBe("ALLIUM_E_HTTP_UNPROCESSED");
    expect(peer.connection.isFree).toBe(false);
    expect((await rejection(peer.connection.request(get(), undefined))).code).toBe(
      "ALLIUM_E_HTTP_UNPROCESSED",
    );
    expect(peer.closedWith).toEqual([]);
    peer.send(headers(1, OK), data(1, "done", F.END_STREAM));
    expect(await textOf(await response)).toBe("done");
    expect(peer.closedWith).toEqual([undefined]);
    expect(await peer.connection.closed).toBeUndefined();
    expect(peer.numbers(F.GOAWAY)).toEqual([0, 0, 0]);
  });

  it("may come twice, first as a warning", async () => {
    const { peer, response } = await asked();
    peer.send(F.numbersFrame(F.GOAWAY, 0, 2 ** 31 - 1, 0));
    await turn();
    expect(peer.connection.active).toBe(1);
    peer.send(F.numbersFrame(F.GOAWAY, 0, 0, 0));
    expect((await rejection(response)).code).toBe("ALLIUM_E_HTTP_UNPROCESSED");
    expect(peer.closedWith).toHaveLength(1);
  });

  it("with an error says so to whoever was under way, once the stream ends", async () => {
    const { peer, response } = await asked();
    peer.send(F.frame(F.GOAWAY, 0, 0, Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 11, 100, 101)));
    await turn();
    expect(peer.connection.isFree).toBe(false);
    peer.end();
    const reason = await peer.connection.closed;
    expect([reason?.code, reason?.message]).toEqual([
      "ALLIUM_E_HTTP2_RESET",
      "the server gave up the connection (error 11)",
    ]);
    expect(await rejection(response)).toBe(reason);
  });
});

describe("the end of the stream", () => {
  it("without requests is the end of the connection, and no failure", async () => {
    const { peer, response } = await asked();
    peer.send(headers(1, OK, END));
    await response;
    peer.end();
    expect(await peer.connection.closed).toBeUndefined();
    expect(peer.connection.isFree).toBe(false);
  });

  it("breaks off what was under way", async () => {
    const { peer, response } = await asked();
    peer.send(headers(1, OK), data(1, "abc"));
    const { body } = await response;
    peer.end();
    expect((await peer.connection.closed)?.code).toBe("ALLIUM_E_HTTP_TRUNCATED");
    expect(await body?.next()).toHaveLength(3);
    expect((await rejection(body?.next() as Promise<unknown>)).code).toBe("ALLIUM_E_HTTP_TRUNCATED");
  });

  it("inside a frame is a failure without any request", async () => {
    for (let length = 1; length < 17; length++) {
      const peer = new Peer();
      peer.send(settings(), F.frame(F.PING, 0, 0, ping).subarray(0, length));
      peer.end();
      expect((await peer.connection.closed)?.code).toBe("ALLIUM_E_HTTP_TRUNCATED");
    }
  });

  it("by an error is that error for everybody", async () => {
    const { peer, response } = await asked();
    const error = new TorError("circuit-collapse", "ALLIUM_E_TEST_GONE", "gone");
    peer.end(error);
    expect(await peer.connection.closed).toBe(error);
    expect(await rejection(response)).toBe(error);
  });
});

it("a write that fails is the end of the connection for everybody", async () => {
  const { peer, response } = await asked();
  const error = new TorError("circuit-collapse", "ALLIUM_E_TEST_GONE", "gone");
  peer.blocked = Promise.reject(error);
  const { response: second } = await peer.ask();
  expect(await rejection(response)).toBe(error);
  expect(await rejection(second)).toBe(error);
  expect(await peer.connection.closed).toBe(error);
  expect(peer.closedWith).toEqual([error]);
});

describe("close", () => {
  it("ends everything at once with its reason, and says GOAWAY", async () => {
    const { peer, response } = await asked();
    const error = new TorError("aborted", "ALLIUM_E_TEST_CLOSED", "closed");
    peer.connection.close(error);
    peer.connection.close();
    expect(await rejection(response)).toBe(error);
    expect(await peer.connection.closed).toBeUndefined();
    expect(peer.closedWith).toEqual([error]);
    expect(peer.numbers(F.GOAWAY)).toEqual([0, 0, 0]);
    expect(peer.connection.active).toBe(0);
  });

  it("leaves readable what came whole", async () => {
    const { peer, response } = await asked();
    peer.send(headers(1, OK), data(1, "whole", F.END_STREAM));
    await response;
    await turn();
    peer.connection.close();
    expect(await textOf(await response)).toBe("whole");
  });
});

describe("giving up a request", () => {
  it("by its signal resets its stream, whatever comes late for it is dropped, and the others go on", async () => {
    const { peer, response } = await asked();
    const controller = new AbortController();
    const { response: second } = await peer.ask(get(), controller.signal);
    controller.abort();
    expect((await rejection(second)).code).toBe("ALLIUM_E_ABORTED");
    await turn();
    expect(peer.numbers(F.RST_STREAM)).toEqual([3, 8]);
    // In the table of the decoder nonetheless: the next response uses it.
    const late = [0x40, 1, 97, 1, 98];
    peer.send(F.frame(F.HEADERS, F.END_HEADERS, 3, Uint8Array.of(0x88, ...late)), data(3, "late"));
    peer.send(F.numbersFrame(F.WINDOW_UPDATE, 3, 1), F.numbersFrame(F.RST_STREAM, 3, 8));
    peer.send(F.frame(F.HEADERS, END, 1, Uint8Array.of(0x88, 0xbe)));
    expect((await response).fields).toEqual([["a", "b"]]);
  });

  it("before it began sends nothing", async () => {
    const peer = new Peer();
    const error = await rejection(peer.connection.request(get(), AbortSignal.abort()));
    expect(error.code).toBe("ALLIUM_E_ABORTED");
    expect(peer.writes).toBe(0);
  });

  it("by its body drops what has come", async () => {
    const { peer, response } = await asked();
    peer.send(headers(1, OK), data(1, "abc"));
    const { body } = await response;
    await turn();
    body?.cancel();
    body?.cancel();
    await turn();
    expect(peer.of(F.RST_STREAM)).toHaveLength(1);
    expect((await rejection(body?.next() as Promise<unknown>)).code).toBe("ALLIUM_E_ABORTED");
    expect(peer.connection.active).toBe(0);
  });

  it("by its signal breaks off the body, too", async () => {
    const controller = new AbortController();
    const peer = new Peer();
    peer.send(settings());
    const { response } = await peer.ask(get(), controller.signal);
    peer.send(headers(1, OK));
    const next = (await response).body?.next() as Promise<unknown>;
    controller.abort();
    expect((await rejection(next)).code).toBe("ALLIUM_E_ABORTED");
  });

  it("does not let the server send on it beyond its window", async () => {
    const { peer, response } = await asked();
    peer.send(headers(1, OK), data(1, new Uint8Array(16_384)));
    (await response).body?.cancel();
    const rest = Array.from({ length: 7 }, () => data(1, new Uint8Array(16_384)));
    peer.send(...rest);
    await turn();
    expect(peer.closedWith).toEqual([]);
    peer.send(data(1, "x"));
    expect((await peer.connection.closed)?.code).toBe("ALLIUM_E_HTTP2_FLOW_CONTROL");
  });
});

describe("how many at a time", () => {
  it("is what the server says", async () => {
    const { peer, response } = await asked(get(), [3, 2]);
    expect(peer.connection.isFree).toBe(true);
    await peer.ask();
    expect(peer.connection.isFree).toBe(false);
    expect(peer.connection.active).toBe(2);
    expect((await rejection(peer.connection.request(get(), undefined))).code).toBe(
      "ALLIUM_E_HTTP_UNPROCESSED",
    );
    peer.send(headers(1, OK, END));
    await response;
    expect(peer.connection.isFree).toBe(true);
    peer.send(settings([3, 0]));
    await turn();
    expect(peer.connection.isFree).toBe(false);
  });

  it("is a hundred where the server would take more, or has not said", async () => {
    for (const values of [[], [[3, 1_000_000]]] as [number, number][][]) {
      const { peer } = await asked(get(), ...values);
      for (let i = 1; i < 100; i++) {
        expect(peer.connection.isFree).toBe(true);
        peer.connection.request(get(), undefined).catch(() => {});
      }
      expect(peer.connection.isFree).toBe(false);
      peer.connection.close();
    }
  });
});
