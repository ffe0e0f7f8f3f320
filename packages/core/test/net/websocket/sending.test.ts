// Sending in order and what waits; what a server sends too much of.

import { describe, expect, it } from "vitest";
import { deferred } from "../../../src/base/abort.ts";
import { MessageReader } from "../../../src/net/websocket/message-reader.ts";
import { Outbox } from "../../../src/net/websocket/outbox.ts";
import { clientFrames, connected, frame, serve } from "./rig.ts";
import { messagesOf, pause, stalled } from "./stalled.ts";

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
