// What a server must not do (RFC 9113, in its order), and what the client does about it: an error of the connection is a
// GOAWAY and the end of it, an error of a stream a RST_STREAM and the end of that request.

import { describe, expect, it } from "vitest";
import { concat, Writer } from "../../../src/base/bytes.ts";
import * as F from "../../../src/net/http2/frames.ts";
import { encodeFields } from "../../../src/net/http2/hpack.ts";
import { turn } from "../../../src/testing/case.ts";
import { rejection } from "../streams.ts";
import { asked, data, END, type Fields, get, headers, OK, Peer, post, settings, textOf } from "./peer.ts";

const NONE = new Uint8Array(0);
const CODES = {
  PROTOCOL: 1,
  FLOW_CONTROL: 3,
  STREAM_CLOSED: 5,
  FRAME_SIZE: 6,
  COMPRESSION: 9,
  FLOOD: 11,
} as const;
type Fault = keyof typeof CODES;

/** A frame of numbers with any length of payload. */
function raw(type: number, streamId: number, length: number, flags = 0): Uint8Array {
  return F.frame(type, flags, streamId, new Uint8Array(length).fill(1));
}

/** HEADERS in pieces, as the payloads are. */
function split(id: number, ...payloads: Uint8Array[]): Uint8Array[] {
  return payloads.map((payload, i) =>
    F.frame(i === 0 ? F.HEADERS : F.CONTINUATION, i === payloads.length - 1 ? F.END_HEADERS : 0, id, payload),
  );
}

const ok = encodeFields(OK);
/** A response that has come whole. */
const whole = headers(1, OK, END);

async function brokenConnection(fault: string, code: number, frames: readonly Uint8Array[], request = get()) {
  const { peer, response } = await asked(request);
  peer.send(...frames);
  await turn();
  // Whatever comes behind it is not looked at any more.
  peer.send(headers(1, OK, END));
  expect(peer.numbers(F.GOAWAY)).toEqual([0, 0, code]);
  expect(peer.closedWith).toHaveLength(1);
  expect((await peer.connection.closed)?.code).toBe(fault);
  expect(peer.connection.isFree).toBe(false);
  expect((await rejection(peer.connection.request(get(), undefined))).code).toBe("ALLIUM_E_HTTP_UNPROCESSED");
  return { peer, response };
}

describe("an error of the connection", () => {
  const cases: [name: string, fault: Fault, ...frames: Uint8Array[]][] = [
    ["4.2: a frame larger than SETTINGS_MAX_FRAME_SIZE", "FRAME_SIZE", raw(F.DATA, 1, 16_385)],
    ["4.2: one of an unknown type, too", "FRAME_SIZE", raw(0x42, 1, 16_385)],
    [
      "4.3: a field block that cannot be decoded",
      "COMPRESSION",
      F.frame(F.HEADERS, END, 1, Uint8Array.of(0x80)),
    ],
    [
      "4.3: one on a stream that was given up",
      "COMPRESSION",
      headers(1, [["nonsense", "1"]]),
      F.frame(F.HEADERS, END, 1, Uint8Array.of(0x80)),
    ],
    ["5.1: DATA on an idle stream", "PROTOCOL", data(3, "x")],
    ["5.1: HEADERS on an idle stream", "PROTOCOL", headers(3, OK)],
    ["5.1: RST_STREAM on an idle stream", "PROTOCOL", F.numbersFrame(F.RST_STREAM, 3, 0)],
    ["5.1: WINDOW_UPDATE on an idle stream", "PROTOCOL", F.numbersFrame(F.WINDOW_UPDATE, 3, 1)],
    ["5.1: HEADERS on a stream that the server opens", "PROTOCOL", headers(2, OK)],
    ["5.1: DATA on a stream that the server opens", "PROTOCOL", data(2, "x")],
    ["5.1: DATA on a closed stream", "STREAM_CLOSED", whole, data(1, "x")],
    ["5.1: HEADERS on a closed stream", "STREAM_CLOSED", whole, headers(1, OK, END)],
    [
      "5.1: DATA on a stream that the server has reset",
      "STREAM_CLOSED",
      F.numbersFrame(F.RST_STREAM, 1, 8),
      data(1, "x"),
    ],
    ["6.1: DATA on stream 0", "PROTOCOL", data(0, "x")],
    ["6.1: DATA of padding only, and more than there is", "PROTOCOL", whole, data(1, "\x05abc", 8)],
    ["6.1: padded DATA without a length of its padding", "PROTOCOL", F.frame(F.DATA, 8, 1, NONE)],
    ["6.2: HEADERS on stream 0", "PROTOCOL", headers(0, OK)],
    [
      "6.2: HEADERS with more padding than there is",
      "PROTOCOL",
      F.frame(F.HEADERS, END | 8, 1, Uint8Array.of(9, 0x88)),
    ],
    [
      "6.2: HEADERS with a priority cut short",
      "PROTOCOL",
      F.frame(F.HEADERS, END | 0x20, 1, Uint8Array.of(0, 0)),
    ],
    ["6.2: HEADERS between HEADERS and CONTINUATION", "PROTOCOL", headers(1, OK, 0), headers(1, OK)],
    ["6.3: PRIORITY on stream 0", "PROTOCOL", raw(F.PRIORITY, 0, 5)],
    ["6.3: PRIORITY of 4 bytes", "FRAME_SIZE", raw(F.PRIORITY, 1, 4)],
    ["6.4: RST_STREAM on stream 0", "PROTOCOL", F.numbersFrame(F.RST_STREAM, 0, 0)],
    ["6.4: RST_STREAM of 3 bytes", "FRAME_SIZE", raw(F.RST_STREAM, 1, 3)],
    ["6.5: SETTINGS on a stream", "PROTOCOL", F.frame(F.SETTINGS, 0, 1, NONE)],
    ["6.5: SETTINGS of 5 bytes", "FRAME_SIZE", raw(F.SETTINGS, 0, 5)],
    ["6.5: an acknowledgement with settings", "FRAME_SIZE", raw(F.SETTINGS, 0, 6, F.ACK)],
    [
      "6.5: an acknowledgement of nothing",
      "PROTOCOL",
      F.frame(F.SETTINGS, F.ACK, 0, NONE),
      F.frame(F.SETTINGS, F.ACK, 0, NONE),
    ],
    ["6.5.2: ENABLE_PUSH of 1 from a server", "PROTOCOL", settings([2, 1])],
    ["6.5.2: ENABLE_PUSH of 2", "PROTOCOL", settings([2, 2])],
    ["6.5.2: INITIAL_WINDOW_SIZE of 2^31", "FLOW_CONTROL", settings([4, 2 ** 31])],
    ["6.5.2: MAX_FRAME_SIZE below 16384", "PROTOCOL", settings([5, 16_383])],
    ["6.5.2: MAX_FRAME_SIZE of 2^24", "PROTOCOL", settings([5, 2 ** 24])],
    [
      "6.6: PUSH_PROMISE, which is turned off",
      "PROTOCOL",
      F.frame(F.PUSH_PROMISE, F.END_HEADERS, 1, concat(new Uint8Array([0, 0, 0, 2]), ok)),
    ],
    ["6.6: PUSH_PROMISE on stream 0", "PROTOCOL", raw(F.PUSH_PROMISE, 0, 8)],
    ["6.7: PING on a stream", "PROTOCOL", raw(F.PING, 1, 8)],
    ["6.7: PING of 7 bytes", "FRAME_SIZE", raw(F.PING, 0, 7)],
    ["6.8: GOAWAY on a stream", "PROTOCOL", raw(F.GOAWAY, 1, 8)],
    ["6.8: GOAWAY of 7 bytes", "FRAME_SIZE", raw(F.GOAWAY, 0, 7)],
    ["6.9: WINDOW_UPDATE of 0 for the connection", "PROTOCOL", F.numbersFrame(F.WINDOW_UPDATE, 0, 0)],
    ["6.9: WINDOW_UPDATE of 3 bytes", "FRAME_SIZE", raw(F.WINDOW_UPDATE, 0, 3)],
    [
      "6.9.1: a window of the connection beyond 2^31-1",
      "FLOW_CONTROL",
      F.numbersFrame(F.WINDOW_UPDATE, 0, 2 ** 31 - 1),
    ],
    ["6.10: CONTINUATION of nothing", "PROTOCOL", F.frame(F.CONTINUATION, F.END_HEADERS, 1, ok)],
    ["6.10: CONTINUATION on stream 0", "PROTOCOL", F.frame(F.CONTINUATION, F.END_HEADERS, 0, ok)],
    [
      "6.10: CONTINUATION after the end of the fields",
      "PROTOCOL",
      headers(1, OK),
      F.frame(F.CONTINUATION, F.END_HEADERS, 1, NONE),
    ],
    [
      "6.10: CONTINUATION of another stream",
      "PROTOCOL",
      headers(1, OK, 0),
      F.frame(F.CONTINUATION, F.END_HEADERS, 3, ok),
    ],
    ["6.10: DATA before CONTINUATION", "PROTOCOL", headers(1, OK, 0), data(1, "x")],
    ["6.10: PING before CONTINUATION", "PROTOCOL", headers(1, OK, 0), raw(F.PING, 0, 8)],
    ["6.10: a frame of an unknown type before CONTINUATION", "PROTOCOL", headers(1, OK, 0), raw(0x42, 1, 1)],
  ];
  for (const [name, fault, ...frames] of cases) {
    it(`${name}: ${fault}`, async () => {
      await brokenConnection(`ALLIUM_E_HTTP2_${fault}`, CODES[fault], frames);
    });
  }

  it("ends what is under way with the reason", async () => {
    const { response } = await brokenConnection("ALLIUM_E_HTTP2_PROTOCOL", 1, [data(0, "x")]);
    expect((await rejection(response)).code).toBe("ALLIUM_E_HTTP2_PROTOCOL");
  });

  for (const [name, first] of [
    ["a PING", raw(F.PING, 0, 8)],
    ["an acknowledgement", F.frame(F.SETTINGS, F.ACK, 0, NONE)],
    ["a response", whole],
    ["HTTP/1.1", new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n")],
  ] as const) {
    it(`3.4: ${name} where SETTINGS should be`, async () => {
      const peer = new Peer();
      const { response } = await peer.ask();
      peer.send(first);
      // "HTTP/1.1" is a frame of five million bytes.
      const fault = name === "HTTP/1.1" ? "ALLIUM_E_HTTP2_FRAME_SIZE" : "ALLIUM_E_HTTP2_PROTOCOL";
      expect((await rejection(response)).code).toBe(fault);
      expect((await peer.connection.closed)?.code).toBe(fault);
    });
  }

  it("6.8: a GOAWAY that takes back an earlier one", async () => {
    const { peer, response } = await asked();
    peer.send(F.numbersFrame(F.GOAWAY, 0, 1, 0), F.numbersFrame(F.GOAWAY, 0, 3, 0));
    expect((await rejection(response)).code).toBe("ALLIUM_E_HTTP2_PROTOCOL");
    expect(peer.numbers(F.GOAWAY)).toEqual([0, 0, 1]);
    expect(peer.closedWith).toHaveLength(1);
  });

  it("6.9.2: a change of INITIAL_WINDOW_SIZE that takes a stream's window beyond 2^31-1", async () => {
    const update = F.numbersFrame(F.WINDOW_UPDATE, 1, 2 ** 31 - 1 - 65_535);
    await brokenConnection("ALLIUM_E_HTTP2_FLOW_CONTROL", 3, [update, settings([4, 65_536])]);
  });
});

async function brokenStream(fault: string, code: number, frames: readonly Uint8Array[], request = get()) {
  const { peer, response } = await asked(request);
  const other = await peer.ask();
  peer.send(...frames);
  await turn();
  expect(peer.numbers(F.RST_STREAM)).toEqual([1, code]);
  expect((await rejection(response.then(textOf))).code).toBe(fault);
  // The other request does not notice.
  peer.send(headers(3, OK), data(3, "fine", F.END_STREAM));
  expect(await textOf(await other.response)).toBe("fine");
  expect(peer.connection.isFree).toBe(true);
  expect(peer.connection.active).toBe(0);
  expect(peer.of(F.GOAWAY)).toEqual([]);
}

describe("an error of a stream", () => {
  const full = new Uint8Array(16_384);
  const many = (count: number): Fields => [
    ...OK,
    ...Array.from({ length: count }, () => ["a", "b"] as const),
  ];
  const field = (name: string, value: string) => headers(1, [...OK, [name, value]], END);
  const status = (...fields: [string, string][]) => headers(1, fields, END);
  const cases: [name: string, fault: string, code: number, ...frames: Uint8Array[]][] = [
    ["6.9: WINDOW_UPDATE of 0", "HTTP2_PROTOCOL", 1, F.numbersFrame(F.WINDOW_UPDATE, 1, 0)],
    [
      "6.9.1: a window beyond 2^31-1",
      "HTTP2_FLOW_CONTROL",
      3,
      F.numbersFrame(F.WINDOW_UPDATE, 1, 2 ** 31 - 1),
    ],
    [
      "6.9.1: more data than the stream's window allows",
      "HTTP2_FLOW_CONTROL",
      3,
      headers(1, OK),
      ...Array.from({ length: 8 }, () => data(1, full)),
      data(1, "x"),
    ],
    ["8.1: DATA before the head", "HTTP2_PROTOCOL", 1, data(1, "x")],
    ["8.1: a second head", "HTTP2_PROTOCOL", 1, headers(1, OK), headers(1, OK)],
    [
      "8.1: trailers that do not end the stream",
      "HTTP2_PROTOCOL",
      1,
      headers(1, OK),
      headers(1, [["a", "b"]]),
    ],
    ["8.1: an interim response that ends the stream", "HTTP_STATUS_LINE", 1, status([":status", "103"])],
    [
      "8.1.1: a body longer than Content-Length",
      "HTTP_FRAMING",
      1,
      headers(1, [...OK, ["content-length", "2"]]),
      data(1, "abc"),
    ],
    [
      "8.1.1: a body shorter than Content-Length",
      "HTTP_FRAMING",
      1,
      headers(1, [...OK, ["content-length", "4"]]),
      data(1, "abc", F.END_STREAM),
    ],
    [
      "8.1.1: one that trailers cut short",
      "HTTP_FRAMING",
      1,
      headers(1, [...OK, ["content-length", "4"]]),
      data(1, "abc"),
      headers(1, [["a", "b"]], END),
    ],
    ["8.1.1: no body where Content-Length has one", "HTTP_FRAMING", 1, field("content-length", "4")],
    [
      "8.1.1: Content-Length twice",
      "HTTP_FRAMING",
      1,
      headers(1, [...OK, ["content-length", "0"], ["content-length", "0"]], END),
    ],
    ["8.1.1: a Content-Length that is no number", "HTTP_FIELD", 1, field("content-length", "+0")],
    ["8.2: an upper-case name", "HTTP_FIELD", 1, field("X-Name", "1")],
    ["8.2.1: a name with a space", "HTTP_FIELD", 1, field("a b", "1")],
    ["8.2.1: a name with a colon", "HTTP_FIELD", 1, field("a:b", "1")],
    ["8.2.1: a name with a control character", "HTTP_FIELD", 1, field("a\x00", "1")],
    ["8.2.1: a name beyond ASCII", "HTTP_FIELD", 1, field("n\xe9", "1")],
    ["8.2.1: a name of nothing", "HTTP_FIELD", 1, field("", "1")],
    ["8.2.1: a value with CR LF", "HTTP_FIELD", 1, field("a", "b\r\nc: d")],
    ["8.2.1: a value with NUL", "HTTP_FIELD", 1, field("a", "b\x00")],
    ["8.2.1: a value with DEL", "HTTP_FIELD", 1, field("a", "b\x7fc")],
    ["8.2.1: a value that begins with a space", "HTTP_FIELD", 1, field("a", " b")],
    ["8.2.1: a value that ends with a tab", "HTTP_FIELD", 1, field("a", "b\t")],
    ["8.2.2: Connection", "HTTP_FIELD", 1, field("connection", "close")],
    ["8.2.2: Keep-Alive", "HTTP_FIELD", 1, field("keep-alive", "timeout=5")],
    ["8.2.2: Proxy-Connection", "HTTP_FIELD", 1, field("proxy-connection", "close")],
    ["8.2.2: Transfer-Encoding", "HTTP_FIELD", 1, field("transfer-encoding", "chunked")],
    ["8.2.2: Upgrade", "HTTP_FIELD", 1, field("upgrade", "h2c")],
    ["8.2.2: TE", "HTTP_FIELD", 1, field("te", "trailers")],
    [
      "8.2.2: Transfer-Encoding in an interim response",
      "HTTP_FIELD",
      1,
      headers(1, [
        [":status", "103"],
        ["transfer-encoding", "chunked"],
      ]),
    ],
    ["8.3: no :status", "HTTP_STATUS_LINE", 1, status(["a", "b"])],
    ["8.3: no fields at all", "HTTP_STATUS_LINE", 1, status()],
    ["8.3: :status after a field", "HTTP_STATUS_LINE", 1, status(["a", "b"], [":status", "200"])],
    ["8.3: :status twice", "HTTP_FIELD", 1, status([":status", "200"], [":status", "200"])],
    ["8.3: a pseudo-header field of requests", "HTTP_FIELD", 1, status([":status", "200"], [":path", "/"])],
    ["8.3: one that nobody knows", "HTTP_FIELD", 1, status([":status", "200"], [":other", "/"])],
    ["8.3: one in the trailers", "HTTP_FIELD", 1, headers(1, OK), status([":status", "200"])],
    ["8.3.2: a :status that is no number", "HTTP_STATUS_LINE", 1, status([":status", "2OO"])],
    ["8.3.2: a :status of four digits", "HTTP_STATUS_LINE", 1, status([":status", "0200"])],
    ["8.3.2: a :status of nothing", "HTTP_STATUS_LINE", 1, status([":status", ""])],
    ["8.6: 101", "HTTP_STATUS_LINE", 1, headers(1, [[":status", "101"]])],
    [
      "9110 6.5.1: Content-Length in the trailers",
      "HTTP_FIELD",
      1,
      headers(1, OK),
      status(["content-length", "0"]),
    ],
    ["9110 5: more than 256 fields", "HTTP_LIMIT", 11, headers(1, many(257), END)],
    [
      "9110 15.2: nine interim responses",
      "HTTP_LIMIT",
      11,
      ...Array.from({ length: 9 }, () => headers(1, [[":status", "103"]])),
    ],
  ];
  for (const [name, fault, code, ...frames] of cases) {
    it(`${name}: ${fault}`, () => brokenStream(`ALLIUM_E_${fault}`, code, frames));
  }

  it("5.1: DATA after the end of the response, while the request goes on", async () => {
    await brokenStreamWhileSending([whole, data(1, "x")]);
  });

  it("5.1: HEADERS after the end of the response, while the request goes on", async () => {
    await brokenStreamWhileSending([whole, headers(1, [["a", "b"]], END)]);
  });

  async function brokenStreamWhileSending(frames: readonly Uint8Array[]) {
    const { peer, response } = await asked(post([new Uint8Array(100_000)]));
    peer.send(...frames);
    expect((await response).status).toBe(200);
    await turn();
    expect(peer.numbers(F.RST_STREAM)).toEqual([1, CODES.STREAM_CLOSED]);
    expect(peer.connection.active).toBe(0);
  }

  for (const [name, method, status] of [
    ["the answer to HEAD", "HEAD", "200"],
    ["204", "GET", "204"],
    ["304", "GET", "304"],
  ] as const) {
    it(`8.1.1: a body with ${name}`, async () => {
      const { peer, response } = await asked({ head: { ...get().head, method }, body: undefined });
      peer.send(
        headers(1, [
          [":status", status],
          ["content-length", "1"],
        ]),
      );
      expect((await response).body).toBeUndefined();
      expect(peer.connection.active).toBe(1);
      peer.send(data(1, "x"));
      await turn();
      expect(peer.numbers(F.RST_STREAM)).toEqual([1, 1]);
      expect(peer.connection.active).toBe(0);
    });
  }

  it("keeps what came before it readable", async () => {
    const { peer, response } = await asked();
    peer.send(headers(1, [...OK, ["content-length", "4"]]), data(1, "abc"), data(1, "de"));
    const { body } = await response;
    await turn();
    expect(await body?.next()).toEqual(Uint8Array.of(97, 98, 99));
    expect((await rejection(body?.next() as Promise<unknown>)).code).toBe("ALLIUM_E_HTTP_FRAMING");
  });
});

describe("10.5: a flood", () => {
  const some = (count: number, frame: Uint8Array) => concat(...Array.from({ length: count }, () => frame));
  const floods: [name: string, frame: Uint8Array][] = [
    ["PING", raw(F.PING, 0, 8)],
    ["SETTINGS", settings()],
    ["empty frames of data", data(1, "")],
    ["empty frames of data", data(1, concat(Uint8Array.of(200), new Uint8Array(200)), 8)],
    ["resets", F.numbersFrame(F.RST_STREAM, 1, 0)],
    ["WINDOW_UPDATE", F.numbersFrame(F.WINDOW_UPDATE, 0, 1)],
    ["WINDOW_UPDATE", F.numbersFrame(F.WINDOW_UPDATE, 1, 1)],
    ["GOAWAY", F.numbersFrame(F.GOAWAY, 0, 3, 0)],
    ["frames that are ignored", raw(F.PRIORITY, 1, 5)],
    ["frames that are ignored", raw(0x42, 1, 0)],
  ];
  for (const [index, [name, frame]] of floods.entries()) {
    it(`of ${name} (${index}) ends the connection`, async () => {
      const { peer, response } = await asked(post([new Uint8Array(100_000)], 100_000));
      const other = await peer.ask();
      peer.send(headers(1, OK), some(900, frame));
      await turn();
      expect((await response).status).toBe(200);
      expect(peer.closedWith).toEqual([]);
      peer.send(some(200, frame));
      expect((await rejection(other.response)).message).toBe(`the server floods the connection with ${name}`);
      expect(peer.numbers(F.GOAWAY)).toEqual([0, 0, CODES.FLOOD]);
    });
  }

  it("of fields for requests that were given up ends the connection", async () => {
    const { peer } = await asked();
    const controller = new AbortController();
    await peer.ask(get(), controller.signal);
    controller.abort();
    peer.send(some(1200, headers(3, OK)));
    expect((await peer.connection.closed)?.code).toBe("ALLIUM_E_HTTP2_FLOOD");
  });

  it("is not what ten PINGs a second are", async () => {
    const { peer, response } = await asked();
    for (let i = 0; i < 2000; i++) {
      peer.clock.advance(100);
      peer.send(raw(F.PING, 0, 8));
      if (i % 100 === 0) await turn();
    }
    peer.send(whole);
    expect((await response).status).toBe(200);
  });

  it("of CONTINUATION without fields ends the connection (CVE-2024-27316)", async () => {
    await brokenConnection("ALLIUM_E_HTTP_LIMIT", 11, split(1, ...Array.from({ length: 34 }, () => NONE)));
  });

  it("of CONTINUATION with fields ends it as soon as they are too many bytes, before their end", async () => {
    const part = (type: number) => F.frame(type, 0, 1, new Uint8Array(16_384));
    const parts = [part(F.HEADERS), ...Array.from({ length: 8 }, () => part(F.CONTINUATION))];
    await brokenConnection("ALLIUM_E_HTTP_LIMIT", 11, parts);
  });

  it("is not what 32 CONTINUATION frames are", async () => {
    const { peer, response } = await asked();
    peer.send(...split(1, ok, ...Array.from({ length: 32 }, () => encodeFields([["a", "b"]]))));
    expect((await response).fields).toHaveLength(32);
  });

  it("of compressed fields ends the connection", async () => {
    const bomb = new Writer().u8(0x40).u8(1).u8(97).u8(0x7f).u8(0xe0).u8(30);
    bomb.bytes(new Uint8Array(4063).fill(98)).bytes(new Uint8Array(60).fill(0xbe));
    await brokenConnection("ALLIUM_E_HTTP_LIMIT", 11, [F.frame(F.HEADERS, END, 1, bomb.finish())]);
  });

  it("of answers that the server does not read ends the connection", async () => {
    const { peer } = await asked();
    peer.blocked = new Promise(() => {});
    for (let i = 0; i < 4200; i++) {
      peer.clock.advance(200);
      peer.send(raw(F.PING, 0, 8));
      if (i % 100 === 0) await turn();
    }
    await turn();
    expect((await peer.connection.closed)?.code).toBe("ALLIUM_E_HTTP2_FLOOD");
    expect(peer.closedWith).toHaveLength(1);
  });
});
