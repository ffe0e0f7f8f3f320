// Windows in both directions, and silence (RFC 9113 5.2, 6.9).

import { describe, expect, it } from "vitest";
import { deferred } from "../../../src/base/abort.ts";
import type { HttpResponse } from "../../../src/net/http/exchange.ts";
import * as F from "../../../src/net/http2/frames.ts";
import { numberedBytes, turn } from "../../../src/testing/case.ts";
import { rejection } from "../streams.ts";
import { asked, data, get, headers, OK, Peer, post, settings } from "./peer.ts";

const FULL = new Uint8Array(16_384);

/** Sends `bytes` on a stream in full frames. */
function send(peer: Peer, id: number, bytes: number): void {
  for (let left = bytes; left > 0; left -= FULL.length) peer.send(data(id, FULL.subarray(0, left)));
}

async function read(response: HttpResponse, bytes: number): Promise<void> {
  for (let left = bytes; left > 0; ) {
    const piece = await response.body?.next();
    if (piece === undefined) throw new Error(`the body ended ${left} bytes early`);
    left -= piece.length;
  }
}

/** What the client has allowed on a stream, beside the window that it began with. */
function allowed(peer: Peer, id: number): number {
  const updates = peer.of(F.WINDOW_UPDATE).filter(({ streamId }) => streamId === id);
  return updates.reduce(
    (sum, { payload }) => sum + new DataView(payload.buffer, payload.byteOffset).getUint32(0),
    0,
  );
}

/** Sends 12 MB on a stream, each piece read before the next comes. @returns what the client allowed at a time, again and again */
async function readHungrily(peer: Peer, id: number, response: Promise<HttpResponse>): Promise<number[]> {
  peer.send(headers(id, OK));
  const rooms: number[] = [];
  for (let sent = 0; sent < 12_000_000; ) {
    const room = 131_072 + allowed(peer, id) - sent;
    rooms.push(room);
    const piece = Math.min(FULL.length, room);
    send(peer, id, piece);
    await read(await response, piece);
    sent += piece;
  }
  return rooms;
}

describe("the window of a stream", () => {
  it("is given back as the body is read, not before", async () => {
    const { peer, response } = await asked();
    peer.send(headers(1, OK));
    send(peer, 1, 131_072);
    await turn();
    expect(allowed(peer, 1)).toBe(0);
    await read(await response, 65_535);
    expect(allowed(peer, 1)).toBe(65_536);
    await read(await response, 131_072 - 65_536);
  });

  it("grows where the reader waits for more, up to 4 MiB", async () => {
    const { peer, response } = await asked();
    const rooms = await readHungrily(peer, 1, response);
    expect(Math.max(...rooms)).toBeGreaterThan(4_100_000);
    expect(Math.max(...rooms)).toBeLessThanOrEqual(4_194_304);
  });

  it("does not grow where the reader has enough to read", async () => {
    const { peer, response } = await asked();
    peer.send(headers(1, OK));
    send(peer, 1, 131_072);
    await turn();
    for (let i = 0; i < 20; i++) {
      await read(await response, 65_536);
      expect(allowed(peer, 1)).toBe(65_536 * (i + 1));
      send(peer, 1, 65_536);
      await turn();
    }
  });

  it("grows by 8 MiB in all, which come back when the streams end", async () => {
    const { peer, response } = await asked();
    const largest: number[] = [Math.max(...(await readHungrily(peer, 1, response)))];
    for (const id of [3, 5, 7]) {
      const next = await peer.ask();
      // Two of them have taken nearly all that there is.
      if (id === 7) (await response).body?.cancel();
      largest.push(Math.max(...(await readHungrily(peer, id, next.response))));
    }
    expect(largest.map((room) => room > 4_100_000)).toEqual([true, true, false, true]);
    expect(largest[2]).toBeLessThanOrEqual(131_072 + 8_388_608 - 2 * (4_194_304 - 131_072));
  });

  it("counts padding, which is given back at once", async () => {
    const { peer, response } = await asked();
    peer.send(headers(1, OK));
    const padded = new Uint8Array(257);
    padded[0] = 255;
    for (let i = 0; i < 600; i++) peer.send(data(1, padded, 8));
    await turn();
    expect(allowed(peer, 1)).toBe(2 * 65_536);
    expect((await response).status).toBe(200);
  });

  it("is not given back once the body is whole", async () => {
    const { peer, response } = await asked();
    peer.send(headers(1, OK));
    send(peer, 1, 131_056);
    peer.send(data(1, FULL.subarray(0, 16), F.END_STREAM));
    await turn();
    await read(await response, 131_072);
    expect(allowed(peer, 1)).toBe(0);
  });
});

it("the window of a stream is not given back once the server has given it up", async () => {
  const { peer, response } = await asked();
  peer.send(headers(1, OK));
  send(peer, 1, 131_072);
  peer.send(F.numbersFrame(F.RST_STREAM, 1, 2));
  await response;
  await turn();
  await read(await response, 131_072);
  expect(allowed(peer, 1)).toBe(0);
});

describe("the window of the connection", () => {
  it("is given back when data come, so that an unread body stops nobody else", async () => {
    const { peer, response } = await asked();
    peer.send(headers(1, OK));
    send(peer, 1, 131_072);
    const { response: second } = await peer.ask();
    peer.send(headers(3, OK));
    await turn();
    for (let i = 0; i < 200; i++) {
      const room = 131_072 + allowed(peer, 3) - i * 131_072;
      expect(room).toBeGreaterThanOrEqual(131_072);
      send(peer, 3, 131_072);
      await read(await second, 131_072);
    }
    expect(allowed(peer, 0) - (12_582_912 - 65_535)).toBeGreaterThan(200 * 131_072 - 6_291_456);
    expect(allowed(peer, 1)).toBe(0);
    await read(await response, 131_072);
  });

  it("is given back for requests that were given up, too", async () => {
    const peer = new Peer();
    peer.send(settings());
    for (let i = 0; i < 50; i++) {
      const { response } = await peer.ask();
      peer.send(headers(2 * i + 1, OK));
      (await response).body?.cancel();
      send(peer, 2 * i + 1, 131_072);
    }
    await turn();
    expect(allowed(peer, 0)).toBeGreaterThan(12_582_912 - 65_535);
    expect(peer.closedWith).toEqual([]);
  });
});

it("a piece of a body holds nothing but itself, though it came with much else", async () => {
  const { peer, response } = await asked();
  peer.send(headers(1, OK), data(1, new Uint8Array(5000)), F.frame(0x42, 0, 0, FULL));
  const piece = await (await response).body?.next();
  expect([piece?.length, piece?.buffer.byteLength]).toEqual([5000, 5000]);
});

it("tiny frames are put together, so that they cost their bytes and not more", async () => {
  const { peer, response } = await asked();
  peer.send(headers(1, OK));
  const bytes = numberedBytes(5000);
  for (const byte of bytes) peer.send(data(1, Uint8Array.of(byte)));
  await turn();
  const pieces: Uint8Array[] = [];
  for (let left = bytes.length; left > 0; left -= pieces.at(-1)?.length ?? 0) {
    pieces.push((await (await response).body?.next()) as Uint8Array);
  }
  expect(pieces.length).toBeLessThan(10);
  expect(Buffer.concat(pieces).equals(bytes)).toBe(true);
  // Each piece holds nothing but itself.
  for (const piece of pieces) expect(piece.buffer.byteLength).toBe(piece.length);
});

/** The bytes of a request's body so far, and whether it has ended. */
function sent(peer: Peer, id = 1): { bytes: Uint8Array; hasEnded: boolean } {
  const frames = peer.of(F.DATA).filter(({ streamId }) => streamId === id);
  const hasEnded = ((frames.at(-1)?.flags ?? 0) & F.END_STREAM) !== 0;
  return { bytes: Buffer.concat(frames.map(({ payload }) => payload)), hasEnded };
}

describe("a request's body", () => {
  it("stays within the windows of stream and connection, and within the size of frames", async () => {
    const bytes = numberedBytes(300_000);
    const { peer } = await asked(post([bytes], bytes.length));
    expect(sent(peer).bytes.length).toBe(65_535);
    peer.send(F.numbersFrame(F.WINDOW_UPDATE, 1, 1_000_000));
    await turn();
    expect(sent(peer).bytes.length).toBe(65_535);
    peer.send(F.numbersFrame(F.WINDOW_UPDATE, 0, 1));
    await turn();
    expect(sent(peer).bytes.length).toBe(65_536);
    peer.send(F.numbersFrame(F.WINDOW_UPDATE, 0, 1_000_000));
    await turn();
    expect(sent(peer).hasEnded).toBe(true);
    expect(Buffer.from(bytes).equals(sent(peer).bytes)).toBe(true);
    for (const { payload } of peer.of(F.DATA)) expect(payload.length).toBeLessThanOrEqual(16_384);
    // The last piece says that it is the last.
    expect(peer.of(F.DATA).at(-1)?.payload.length).toBeGreaterThan(0);
  });

  it("heeds a changed initial window, also one that takes back what was given (6.9.2)", async () => {
    const { peer } = await asked(post([new Uint8Array(300_000)], 300_000), [4, 10_000]);
    expect(sent(peer).bytes.length).toBe(10_000);
    peer.send(settings([4, 4000]));
    await turn();
    peer.send(F.numbersFrame(F.WINDOW_UPDATE, 1, 6000));
    await turn();
    expect(sent(peer).bytes.length).toBe(10_000);
    peer.send(settings([4, 4100]));
    await turn();
    expect(sent(peer).bytes.length).toBe(10_100);
  });

  it("of unknown length goes out as it comes, and its end by itself", async () => {
    let controller!: ReadableStreamDefaultController<Uint8Array>;
    const open = () =>
      new ReadableStream<Uint8Array>({
        start(given) {
          controller = given;
        },
      });
    const body = { length: undefined, contentType: undefined, replayable: false, open };
    const { peer, response } = await asked({ head: { ...get().head, method: "POST" }, body });
    for (let i = 1; i <= 3; i++) {
      controller.enqueue(new Uint8Array(10));
      await turn();
      expect(sent(peer).bytes.length).toBe(10 * i);
    }
    controller.close();
    await turn();
    expect(sent(peer).hasEnded).toBe(true);
    peer.send(headers(1, OK, 5));
    expect((await response).status).toBe(200);
    expect(peer.connection.active).toBe(0);
    expect(
      peer.requests()[0]?.some(([name]) => name === "content-length" || name === "transfer-encoding"),
    ).toBe(false);
  });

  it("of nothing ends at once", async () => {
    for (const length of [0, undefined]) {
      const { peer } = await asked(post([], length));
      expect(sent(peer)).toEqual({ bytes: Buffer.alloc(0), hasEnded: true });
    }
  });

  it("that fails, or is not as long as was said, gives up the request with its own error", async () => {
    const failing = () =>
      new ReadableStream<Uint8Array>({
        pull() {
          throw new Error("no more");
        },
      });
    const requests = [
      post([new Uint8Array(3)], 4),
      post([new Uint8Array(5)], 4),
      post([new Uint8Array(4), FULL], 4),
    ];
    requests.push({
      head: requests[0]?.head as (typeof requests)[0]["head"],
      body: { ...requests[0]?.body, open: failing } as never,
    });
    for (const request of requests) {
      const { peer, response } = await asked(request);
      expect((await rejection(response)).code).toBe("ALLIUM_E_HTTP_REQUEST_BODY");
      await turn();
      expect(peer.numbers(F.RST_STREAM)).toEqual([1, 8]);
      expect(sent(peer).hasEnded).toBe(false);
      expect(peer.connection.isFree).toBe(true);
    }
  });

  it("stops, and its source is told, when the request is given up", async () => {
    const stopped = deferred<unknown>();
    const controller = new AbortController();
    const peer = new Peer();
    peer.send(settings());
    const { response } = await peer.ask(
      post([new Uint8Array(100_000), FULL], undefined, stopped.resolve),
      controller.signal,
    );
    controller.abort();
    expect((await rejection(response)).code).toBe("ALLIUM_E_ABORTED");
    expect(await stopped.promise).toMatchObject({ code: "ALLIUM_E_ABORTED" });
    const before = peer.of(F.DATA).length;
    peer.send(F.numbersFrame(F.WINDOW_UPDATE, 0, 1_000_000));
    await turn();
    expect(peer.of(F.DATA).length).toBe(before);
  });

  it("is not even ended where the server has given up the request", async () => {
    const stopped = deferred<unknown>();
    const open = () => new ReadableStream<Uint8Array>({ cancel: stopped.resolve });
    const body = { length: undefined, contentType: undefined, replayable: false, open };
    const { peer, response } = await asked({ head: { ...get().head, method: "POST" }, body });
    peer.send(F.numbersFrame(F.RST_STREAM, 1, 2));
    expect((await rejection(response)).code).toBe("ALLIUM_E_HTTP2_RESET");
    await stopped.promise;
    await turn();
    expect(peer.of(F.DATA)).toEqual([]);
  });

  it("goes on after the whole response, unless the server says otherwise", async () => {
    const { peer, response } = await asked(post([new Uint8Array(100_000)], 100_000));
    peer.send(headers(1, OK, 5));
    await response;
    await turn();
    expect(peer.connection.active).toBe(1);
    peer.send(F.numbersFrame(F.WINDOW_UPDATE, 0, 100_000), F.numbersFrame(F.WINDOW_UPDATE, 1, 100_000));
    await turn();
    expect(sent(peer).hasEnded).toBe(true);
    expect(peer.connection.active).toBe(0);
  });

  it("shares a slow stream with others, and nothing waits behind more than one frame of each", async () => {
    const peer = new Peer();
    peer.send(settings());
    const written = deferred();
    peer.blocked = written.promise;
    await peer.ask(post([new Uint8Array(60_000)], 60_000));
    await peer.ask(post([new Uint8Array(60_000)], 60_000));
    peer.send(F.frame(F.PING, 0, 0, new Uint8Array(8)));
    await turn();
    peer.blocked = undefined;
    written.resolve();
    await turn();
    const order = peer.frames.filter(({ type }) => type === F.DATA || type === F.PING);
    expect(order.findIndex(({ type }) => type === F.PING)).toBeLessThanOrEqual(2);
    expect(order.slice(0, 6).filter(({ streamId }) => streamId === 3).length).toBeGreaterThan(1);
  });
});

describe("silence", () => {
  it("of one stream fails its request, while another goes on", async () => {
    const { peer, response } = await asked();
    const { response: second } = await peer.ask();
    peer.send(headers(3, OK));
    await turn();
    for (let i = 0; i < 11; i++) {
      const next = (await second).body?.next();
      peer.clock.advance(29_000);
      peer.send(data(3, "x"));
      await next;
    }
    const error = await rejection(response);
    expect([error.code, error.kind]).toEqual(["ALLIUM_E_HTTP_IDLE", "exit-timeout"]);
    expect(peer.numbers(F.RST_STREAM)).toEqual([1, 8]);
    expect(peer.connection.active).toBe(1);
    expect(peer.closedWith).toEqual([]);
  });

  it("of everything ends the connection", async () => {
    const { peer, response } = await asked();
    peer.clock.advance(299_999);
    await turn();
    expect(peer.closedWith).toEqual([]);
    peer.clock.advance(1);
    expect((await rejection(response)).code).toBe("ALLIUM_E_HTTP_IDLE");
    expect((await peer.connection.closed)?.code).toBe("ALLIUM_E_HTTP_IDLE");
    expect(peer.clock.pendingTimers).toBe(0);
  });

  it("is not what a body is that nobody reads", async () => {
    const { peer, response } = await asked();
    peer.send(headers(1, OK), data(1, "x"));
    await response;
    peer.clock.advance(1_000_000);
    await turn();
    expect(peer.connection.isFree).toBe(true);
    await read(await response, 1);
    const next = (await response).body?.next() as Promise<unknown>;
    peer.clock.advance(300_000);
    expect((await rejection(next)).code).toBe("ALLIUM_E_HTTP_IDLE");
  });

  it("is not what a slow upload is, but what a window is that stays shut", async () => {
    const { peer, response } = await asked(post([new Uint8Array(100_000)], 100_000));
    for (let i = 0; i < 20; i++) {
      peer.clock.advance(250_000);
      peer.send(F.numbersFrame(F.WINDOW_UPDATE, 0, 1), F.numbersFrame(F.WINDOW_UPDATE, 1, 1));
      await turn();
    }
    expect(sent(peer).bytes.length).toBe(65_555);
    peer.clock.advance(200_000);
    peer.send(F.frame(F.PING, 0, 0, new Uint8Array(8)));
    await turn();
    peer.clock.advance(100_000);
    expect((await rejection(response)).code).toBe("ALLIUM_E_HTTP_IDLE");
    expect(peer.closedWith).toEqual([]);
  });

  it("after the answer to HEAD is ended as well", async () => {
    const { peer, response } = await asked({ head: { ...get().head, method: "HEAD" }, body: undefined });
    peer.send(headers(1, OK));
    await response;
    peer.clock.advance(200_000);
    peer.send(F.frame(F.PING, 0, 0, new Uint8Array(8)));
    await turn();
    peer.clock.advance(100_000);
    await turn();
    expect(peer.connection.active).toBe(0);
    expect(peer.connection.isFree).toBe(true);
  });

  it("leaves no timer behind", async () => {
    const { peer, response } = await asked();
    peer.send(headers(1, OK, 5));
    await response;
    await turn();
    expect(peer.clock.pendingTimers).toBe(0);
  });
});
