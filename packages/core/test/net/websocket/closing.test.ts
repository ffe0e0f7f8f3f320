// Sending in order, what waits, and every way to an end: by the page, by the server, by silence, by a failure.

import { describe, expect, it, vi } from "vitest";
import { type Deferred, deferred } from "../../../src/base/abort.ts";
import { TorError } from "../../../src/base/errors.ts";
import { MessageReader } from "../../../src/net/websocket/message-reader.ts";
import { Outbox } from "../../../src/net/websocket/outbox.ts";
import { makeWebSocket } from "../../../src/net/websocket/websocket.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";
import { acceptFor, clientFrames, closeFrame, connected, frame, type Peer, serve, watch } from "./rig.ts";

const pause = (ms = 10) => new Promise((resolve) => setTimeout(resolve, ms));

/** Messages of the server's side: opcode and text. */
function messagesOf(peer: Peer): [number, string][] {
  const messages: [number, string][] = [];
  for (const { first, payload } of peer.frames) {
    if ((first & 15) !== 0) messages.push([first & 15, payload.toString("latin1")]);
    else (messages.at(-1) as [number, string])[1] += payload.toString("latin1");
  }
  return messages;
}

/**
 * A WebSocket over a stream in memory that takes writes only when told to, and answers the handshake by itself. What the server
 * says comes with `say`.
 */
async function stalled(clock = new ManualClock()) {
  const written: Buffer[] = [];
  const chunks: (Uint8Array | undefined)[] = [];
  const closedWith: unknown[] = [];
  let wake = deferred();
  let gate: Deferred<void> | undefined;
  const say = (chunk: Uint8Array | undefined) => {
    chunks.push(chunk);
    wake.resolve();
  };
  const stream = {
    async read() {
      while (chunks.length === 0 && closedWith.length === 0) {
        await wake.promise;
        wake = deferred();
      }
      if (chunks.length === 0) throw closedWith[0] ?? new TorError("aborted", "ALLIUM_E_ABORTED", "closed");
      return chunks.shift();
    },
    async write(data: Uint8Array) {
      written.push(Buffer.from(data));
      const key = /^Sec-WebSocket-Key: (.*)\r$/m.exec(Buffer.from(data).toString("latin1"))?.[1];
      if (key !== undefined)
        return say(
          Buffer.from(
            `HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptFor(key)}\r\n\r\n`,
          ),
        );
      await gate?.promise;
    },
    close(reason?: unknown) {
      closedWith.push(reason);
      wake.resolve();
      gate?.reject(reason ?? new Error("closed"));
    },
  };
  const WebSocket = makeWebSocket({ open: async () => stream, clock });
  const seen = watch(new WebSocket("ws://site.example/"));
  await seen.opened;
  const hold = () => {
    gate = deferred();
    return gate;
  };
  return { ...seen, clock, written, closedWith, say, hold };
}

describe("send", () => {
  it("is refused before the WebSocket is open, and means nothing after it has closed", async () => {
    const { WebSocket } = await serve();
    const early = new WebSocket("ws://site.example/");
    expect(() => early.send("x")).toThrow(expect.objectContaining({ name: "InvalidStateError" }));
    early.close();
    early.send("höh");
    expect(early.bufferedAmount).toBe(4);
  });

  it("keeps the order of every kind of message, and copies what can change", async () => {
    const { socket, peer } = await connected();
    const bytes = new TextEncoder().encode("abcdef");
    socket.send(new Blob(["blob ", bytes]));
    socket.send("text");
    socket.send(bytes);
    socket.send(bytes.subarray(2, 4));
    socket.send(new DataView(bytes.buffer, 4));
    socket.send(bytes.buffer);
    socket.send(new Blob([]));
    socket.send("");
    socket.send(7 as unknown as string);
    socket.send({} as unknown as string);
    bytes.fill(0);
    expect(socket.bufferedAmount).toBe(11 + 4 + 6 + 2 + 2 + 6 + 1 + 15);
    await expect.poll(() => peer.frames.length).toBe(10);
    expect(messagesOf(peer)).toEqual([
      [2, "blob abcdef"],
      [1, "text"],
      [2, "abcdef"],
      [2, "cd"],
      [2, "ef"],
      [2, "abcdef"],
      [2, ""],
      [1, ""],
      [1, "7"],
      [1, "[object Object]"],
    ]);
    expect(socket.bufferedAmount).toBe(0);
  });

  it("masks every frame anew, and cuts large messages so that a pong gets between", async () => {
    const { socket, hold, say, written } = await stalled();
    const gate = hold();
    const large = "0123456789abcdef".repeat(12_500);
    socket.send(large);
    socket.send(new Blob([large]));
    socket.send("x");
    await pause();
    say(frame(0x89, "between"));
    await pause();
    gate.resolve(undefined);
    await expect.poll(() => socket.bufferedAmount).toBe(0);
    const { frames } = clientFrames(Buffer.concat(written.slice(1)));
    expect(frames.map(({ first }) => first)).toEqual([1, 0x8a, 0, 0, 0x80, 2, 0, 0, 0x80, 0x81]);
    expect(new Set(frames.map(({ mask }) => mask.readUInt32BE(0))).size).toBe(10);
    const data = frames.filter(({ first }) => (first & 15) < 8).map(({ payload }) => payload);
    expect(Buffer.concat(data).equals(Buffer.from(`${large}${large}x`))).toBe(true);
  });

  it("counts in bufferedAmount what the stream has not taken", async () => {
    const { socket, hold, written } = await stalled();
    const gate = hold();
    socket.send("first");
    await pause();
    socket.send(new Blob([Buffer.alloc(70_000)]));
    socket.send("höh");
    expect(socket.bufferedAmount).toBe(5 + 70_000 + 4);
    gate.resolve(undefined);
    hold();
    await expect.poll(() => written.length).toBe(3);
    expect(socket.bufferedAmount).toBe(70_000 + 4);
  });

  it("fails the connection when more waits than is kept", async () => {
    const { socket, hold, closed, error, clock } = await stalled();
    hold();
    const quarter = new Uint8Array(2 ** 26);
    for (let i = 0; i < 4; i++) socket.send(quarter);
    expect(socket.readyState).toBe(1);
    socket.send(quarter);
    expect(socket.readyState).toBe(2);
    await pause();
    clock.advance(2000);
    expect((await closed).code).toBe(1006);
    expect(error()?.code).toBe("ALLIUM_E_WS_BUFFER");
  });

  it("counts against that only what has not gone out", async () => {
    const gate = deferred();
    const outbox = new Outbox({ write: () => gate.promise }, { taken: () => {}, failed: () => {} }, 100);
    const message = new Uint8Array(60);
    expect([outbox.send(2, message), outbox.send(2, new Blob([message]))]).toEqual([true, true]);
    // The first is on its way by now, the second waits.
    expect([outbox.send(2, message), outbox.send(2, message)]).toEqual([true, false]);
    gate.resolve(undefined);
    await expect.poll(() => outbox.writes).toBe(1);
    expect(outbox.send(2, message)).toBe(true);
  });

  it("fails the connection for a Blob that cannot be read", async () => {
    const { socket, peer, closed, error } = await connected();
    class Gone extends Blob {
      override slice(): Blob {
        throw new DOMException("the file changed", "NotReadableError");
      }
    }
    socket.send(new Gone(["x"]));
    await closed;
    expect(error()?.cause).toMatchObject({ name: "NotReadableError" });
    expect(peer.frames.filter(({ first }) => (first & 15) < 8)).toEqual([]);
  });
});

describe("close", () => {
  it.each([[0], [999], [1001], [1005], [1006], [2999], [5000], [65_536], [-1], [Number.NaN], [2999.4]])(
    "refuses the code %d",
    async (code) => {
      const { socket } = await connected();
      expect(() => socket.close(code)).toThrow(expect.objectContaining({ name: "InvalidAccessError" }));
      expect(socket.readyState).toBe(1);
    },
  );

  it.each([["x".repeat(124)], ["ö".repeat(62)]])("refuses a reason of 124 bytes", async (reason) => {
    const { socket } = await connected();
    expect(() => socket.close(1000, reason)).toThrow(expect.objectContaining({ name: "SyntaxError" }));
    expect(socket.readyState).toBe(1);
  });

  it.each<[number | undefined, string | undefined, string]>([
    [undefined, undefined, ""],
    [1000, undefined, "03e8"],
    [3000, "by\uD800e", "0bb86279efbfbd65"],
    [4999, "x".repeat(123), `1387${"78".repeat(123)}`],
    [undefined, "why", "03e8776879"],
    [1000.5, undefined, "03e8"],
    [2999.5, undefined, "0bb8"],
  ])("says %s and %j on the wire", async (code, reason, payload) => {
    const { socket, peer, closed, events } = await connected();
    socket.close(code, reason);
    socket.close(4000, "again");
    await expect.poll(() => peer.frames.length).toBe(1);
    expect([peer.frames[0]?.first, peer.frames[0]?.payload.toString("hex")]).toEqual([0x88, payload]);
    peer.send(frame(0x88, peer.frames[0]?.payload));
    peer.socket.end();
    const event = await closed;
    expect(event.code).toBe(payload === "" ? 1005 : Number.parseInt(payload.slice(0, 4), 16));
    expect(events).toEqual(["open", `close ${event.code} clean`]);
  });

  it("comes behind everything that waits, and lets nothing out after it", async () => {
    const { socket, peer, closed } = await connected();
    socket.send(new Blob(["one"]));
    socket.send("two");
    socket.close();
    socket.send("three");
    expect(socket.bufferedAmount).toBe(11);
    await expect.poll(() => peer.closeCode).toBe(1005);
    peer.send(frame(0x89, "ping"), closeFrame());
    peer.socket.end();
    await closed;
    expect(messagesOf(peer)).toEqual([
      [2, "one"],
      [1, "two"],
      [8, ""],
    ]);
    expect(socket.bufferedAmount).toBe(5);
  });

  it("says the page's code once, though the server's comes before it has gone out", async () => {
    const { socket, hold, say, written, closed } = await stalled();
    const gate = hold();
    socket.send("first");
    await pause();
    socket.send("second");
    socket.close(4000);
    say(closeFrame(1000));
    await pause();
    gate.resolve(undefined);
    say(undefined);
    expect(await closed).toMatchObject({ code: 1000, wasClean: true });
    const { frames } = clientFrames(Buffer.concat(written.slice(1)));
    // The server reads no more messages once it has sent its Close frame.
    expect(frames.map(({ payload }) => payload.toString("hex"))).toEqual(["6669727374", "0fa0"]);
  });

  it("waits 30 s for the server's Close frame, and longer while the stream still takes bytes", async () => {
    const { socket, clock, closed, error, events, hold, closedWith } = await stalled();
    const gate = hold();
    socket.send("x".repeat(20_000));
    socket.close();
    await pause();
    clock.advance(29_000);
    gate.resolve(undefined);
    await pause();
    clock.advance(1000);
    await pause();
    expect(events).toEqual(["open"]);
    clock.advance(30_000);
    expect(await closed).toMatchObject({ code: 1006, wasClean: false });
    expect(error()?.code).toBe("ALLIUM_E_WS_TIMEOUT");
    expect([closedWith.length, clock.pendingTimers]).toEqual([1, 0]);
  });
});

describe("the server's end", () => {
  it("by a Close frame is answered with its code, and waits 2 s for the end of the stream", async () => {
    const { clock, say, written, closed, events, closedWith } = await stalled();
    say(closeFrame(4001, "bye"));
    await expect.poll(() => clock.pendingTimers).toBe(1);
    await pause();
    expect([events, closedWith]).toEqual([["open"], []]);
    expect(written.at(-1)?.subarray(0, 2)).toEqual(Buffer.of(0x88, 0x82));
    clock.advance(2000);
    expect(await closed).toMatchObject({ code: 4001, reason: "bye", wasClean: true });
    expect([closedWith, clock.pendingTimers]).toEqual([[undefined], 0]);
  });

  it("is clean though our Close frame could not be sent any more", async () => {
    const { peer, closed, events } = await connected();
    peer.send(closeFrame(1001));
    peer.socket.destroySoon();
    expect(await closed).toMatchObject({ code: 1001, wasClean: true });
    expect(events).toEqual(["open", "close 1001 clean"]);
  });

  it("without a Close frame is a failure, also in the middle of a message", async () => {
    for (const part of [Buffer.alloc(0), frame(0x81, "hello").subarray(0, 4)]) {
      const { peer, closed, events, error } = await connected();
      peer.socket.end(part);
      await closed;
      expect([events, error()?.code]).toEqual([["open", "error", "close 1006"], "ALLIUM_E_WS_TRUNCATED"]);
    }
  });

  it("by a failure of the stream says which", async () => {
    const { closed, error } = await (async () => {
      const { peer, ...seen } = await connected();
      peer.socket.resetAndDestroy();
      return seen;
    })();
    expect((await closed).code).toBe(1006);
    expect(error()?.code).toBe("ALLIUM_E_TEST_RESET");
  });

  it("by a broken frame is told behind what is on its way, not behind what waits", async () => {
    const { socket, hold, say, written, closed, closedWith } = await stalled();
    const gate = hold();
    socket.send("first");
    await pause();
    socket.send("second");
    say(frame(0x83));
    await pause();
    gate.resolve(undefined);
    await closed;
    const { frames } = clientFrames(Buffer.concat(written.slice(1)));
    expect(frames.map(({ payload }) => payload.toString("hex"))).toEqual(["6669727374", "03ea"]);
    expect(closedWith).toMatchObject([{ code: "ALLIUM_E_WS_FRAME" }]);
  });

  it("by the caller's signal is told to the server as 1001", async () => {
    const { WebSocket, peers } = await serve();
    const controller = new AbortController();
    const seen = watch(new WebSocket("ws://site.example/", { signal: controller.signal }));
    await seen.opened;
    controller.abort();
    expect((await seen.closed).code).toBe(1006);
    expect(seen.error()?.kind).toBe("aborted");
    await expect.poll(() => peers[0]?.closeCode).toBe(1001);
  });

  it("lets go of the caller's signal", async () => {
    const { WebSocket, peers } = await serve();
    const { signal } = new AbortController();
    const forgotten = vi.spyOn(signal, "removeEventListener");
    const seen = watch(new WebSocket("ws://site.example/", { signal }));
    await seen.opened;
    expect(forgotten).not.toHaveBeenCalled();
    peers[0]?.send(closeFrame());
    peers[0]?.socket.end();
    await seen.closed;
    expect(forgotten).toHaveBeenCalledOnce();
  });
});

describe("what a server sends too much of", () => {
  it("a message above the limit is refused by its length alone (1009)", async () => {
    const { peer, closed, error } = await connected();
    peer.send(Buffer.from("827f0000000004000001", "hex"));
    await closed;
    expect(error()?.code).toBe("ALLIUM_E_WS_LIMIT");
    await expect.poll(() => peer.closeCode).toBe(1009);
  });

  it("or by the sum of its fragments, while one of just the limit is taken", async () => {
    const { peer, events, closed, error } = await connected({ maxMessage: 1000 });
    peer.send(frame(0x01, "x".repeat(600)), frame(0x80, "x".repeat(400)));
    await expect.poll(() => events.length).toBe(2);
    peer.send(frame(0x01, "x".repeat(600)), frame(0x80, "x".repeat(401)));
    await closed;
    expect([error()?.code, events.length]).toEqual(["ALLIUM_E_WS_LIMIT", 4]);
  });

  it("fragments without end, though all of them are empty", async () => {
    let sent = 0;
    const empty = { some: async () => (sent++ === 0 ? Uint8Array.of(1, 0) : new Uint8Array(2)) };
    await expect(new MessageReader(empty, 1000).next()).rejects.toMatchObject({ code: "ALLIUM_E_WS_LIMIT" });
    expect(sent).toBe(262_145);
  });

  it("lengths that are not in their shortest form, or above 2^63", async () => {
    for (const head of ["827e0001", "827f000000000000ffff", "827f8000000000000000"]) {
      const { peer, closed, error } = await connected();
      peer.send(Buffer.from(head, "hex"), Buffer.alloc(10));
      await closed;
      expect(error()?.code).toBe("ALLIUM_E_WS_FRAME");
    }
  });

  it("masked frames", async () => {
    const { peer, closed, error } = await connected();
    peer.send(Buffer.from("818100000000", "hex"), "x");
    await closed;
    expect(error()?.message).toContain("masked");
  });

  it("pings while it takes nothing: the last 32 are answered", async () => {
    const { hold, say, socket, written } = await stalled();
    const gate = hold();
    socket.send("blocks");
    await pause();
    for (let i = 0; i < 40; i++) say(frame(0x89, `${i}`));
    await pause(50);
    gate.resolve(undefined);
    await expect.poll(() => written.length).toBe(3);
    const { frames } = clientFrames(written[2] as Buffer);
    const texts = frames.map(({ first, payload }) => `${first} ${payload}`);
    expect(texts).toEqual(Array.from({ length: 32 }, (_, i) => `138 ${i + 8}`));
  });
});
