// Every way to an end: by the page, by the server, by silence, by a failure.

import { describe, expect, it, vi } from "vitest";
import { clientFrames, closeFrame, connected, frame, serve, watch } from "./rig.ts";
import { messagesOf, pause, stalled } from "./stalled.ts";

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
