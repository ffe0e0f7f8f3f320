// What a page sees: constructor, attributes, constants, events and their handlers, as the WebSockets standard has them.

import { describe, expect, it, vi } from "vitest";
import type { TorWebSocketOptions } from "../../../src/net/websocket/api.ts";
import { connected, frame, serve, watch } from "./rig.ts";

/** The name of the DOMException, or of the error, that is thrown. */
function thrown(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return (error as Error).name;
  }
  return "nothing";
}

describe("the constructor", () => {
  it("takes every form of URL that the standard does, and says where it connects to", async () => {
    const { WebSocket } = await serve();
    const urls = [
      ["ws://site.example", "ws://site.example/"],
      ["WSS://Site.example:443/a b?c#".slice(0, -1), "wss://site.example/a%20b?c"],
      ["http://site.example:80/", "ws://site.example/"],
      ["https://site.example:8443/", "wss://site.example:8443/"],
      ["ws://[2001:db8::1]:81/", "ws://[2001:db8::1]:81/"],
    ];
    for (const [url = "", is] of urls) {
      const socket = new WebSocket(url);
      expect([socket.url, socket.readyState]).toEqual([is, 0]);
      socket.close();
    }
    const socket = new WebSocket(new URL("ws://site.example/x"));
    expect(socket.url).toBe("ws://site.example/x");
    socket.close();
  });

  it.each([
    ["/relative"],
    ["ftp://site.example/"],
    ["mailto:a@b"],
    ["ws://site.example/#fragment"],
    ["ws://site.example/#"],
    ["ws://foo bar.example/"],
    [""],
  ])("refuses the URL %j", async (url) => {
    const { WebSocket } = await serve();
    expect(thrown(() => new WebSocket(url))).toBe("SyntaxError");
  });

  it.each<[string | string[] | TorWebSocketOptions]>([
    ["not a token"],
    [""],
    ["häh"],
    [["chat", "chat"]],
    [["chat", "CHAT"]],
    [["a,b"]],
    [{ protocols: "a b" }],
  ])("refuses the subprotocols %j", async (protocols) => {
    const { WebSocket } = await serve();
    expect(thrown(() => new WebSocket("ws://site.example/", protocols))).toBe("SyntaxError");
  });

  it("needs a URL, and new", async () => {
    const WebSocket = (await serve()).WebSocket as unknown as (new () => object) & (() => object);
    expect(thrown(() => new WebSocket())).toBe("TypeError");
    expect(thrown(() => WebSocket())).toBe("TypeError");
  });

  it("is the web's: drop-in by type, one class for each view, constants on both sides", async () => {
    const { WebSocket } = await serve();
    const dropIn: typeof globalThis.WebSocket = WebSocket;
    const socket = new dropIn("ws://site.example/");
    expect(socket).toBeInstanceOf(WebSocket);
    expect(socket).toBeInstanceOf(EventTarget);
    expect(String(socket)).toBe("[object WebSocket]");
    expect([dropIn.name, dropIn.length]).toEqual(["WebSocket", 1]);
    for (const [name, value] of Object.entries({ CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 })) {
      expect([Reflect.get(dropIn, name), Reflect.get(socket, name)]).toEqual([value, value]);
      expect(Reflect.set(dropIn, name, 7) || Reflect.set(socket, name, 7)).toBe(false);
    }
    expect((await serve()).WebSocket).not.toBe(WebSocket);
    socket.close();
    const members =
      "url readyState bufferedAmount extensions protocol binaryType send close onopen onclose".split(" ");
    for (const name of members) expect(Object.keys(WebSocket.prototype)).toContain(name);
    expect(Object.getPrototypeOf(WebSocket.prototype)).toBe(EventTarget.prototype);
    expect(Reflect.ownKeys(WebSocket.prototype)).toContain(Symbol.toStringTag);
  });
});

describe("attributes", () => {
  it("are what they are before and after it opens", async () => {
    const { WebSocket, peers } = await serve((peer) => peer.accept("Sec-WebSocket-Protocol: b\r\n"));
    const seen = watch(new WebSocket("ws://site.example/", ["a", "b"]));
    const { socket } = seen;
    expect([socket.protocol, socket.extensions, socket.bufferedAmount]).toEqual(["", "", 0]);
    await seen.opened;
    expect([socket.readyState, socket.protocol, socket.extensions]).toEqual([1, "b", ""]);
    expect(peers[0]?.field("Sec-WebSocket-Protocol")).toBe("a, b");
  });

  it("binaryType is a Blob at first, takes two values, and counts when a message comes", async () => {
    const { WebSocket, peers } = await serve();
    const socket = new WebSocket("ws://site.example/");
    expect(socket.binaryType).toBe("blob");
    socket.binaryType = "nonsense" as "blob";
    expect(socket.binaryType).toBe("blob");
    await new Promise((resolve) => socket.addEventListener("open", resolve));
    const next = () =>
      new Promise<MessageEvent>((resolve) => socket.addEventListener("message", resolve, { once: true }));
    peers[0]?.send(frame(0x82, "abc"));
    const blob = (await next()).data as Blob;
    expect([blob instanceof Blob, await blob.text()]).toEqual([true, "abc"]);
    socket.binaryType = "arraybuffer";
    peers[0]?.send(frame(0x82, "abc"));
    const { data, origin, type } = await next();
    expect([data instanceof ArrayBuffer, (data as ArrayBuffer).byteLength]).toEqual([true, 3]);
    expect([origin, type]).toEqual(["ws://site.example", "message"]);
  });
});

describe("events", () => {
  it("are of the platform's classes where it has them", async () => {
    const { socket, peer, closed } = await connected();
    const message = new Promise<Event>((resolve) => socket.addEventListener("message", resolve));
    peer.send(frame(0x81, "text"));
    expect(await message).toBeInstanceOf(MessageEvent);
    peer.send(frame(0x88, Buffer.from([0x0f, 0xa0, 0x62, 0x79, 0x65])));
    peer.socket.end();
    const event = await closed;
    expect(event).toBeInstanceOf(CloseEvent);
    expect([event.code, event.reason, event.wasClean]).toEqual([4000, "bye", true]);
  });

  it("are whole where the platform lacks CloseEvent", async () => {
    vi.stubGlobal("CloseEvent", undefined);
    try {
      const { peer, closed } = await connected();
      peer.send(frame(0x88, Buffer.from([0x0f, 0xa0, 0x62])));
      peer.socket.end();
      expect(await closed).toMatchObject({ type: "close", code: 4000, reason: "b", wasClean: true });
    } finally {
      vi.unstubAllGlobals();
    }
  });

  it("come each in a task of its own, so that a listener set after one gets the next", async () => {
    const { WebSocket } = await serve((peer) =>
      peer.send(Buffer.concat([Buffer.from(peer.acceptance()), frame(0x81, "one"), frame(0x81, "two")])),
    );
    const socket = new WebSocket("ws://site.example/");
    const next = (type: "open" | "message") =>
      new Promise<Event>((resolve) => socket.addEventListener(type, resolve as () => void, { once: true }));
    await next("open");
    expect(await next("message")).toMatchObject({ data: "one" });
    expect(await next("message")).toMatchObject({ data: "two" });
    socket.close();
  });

  it("do not come any more once the page has closed it, but for the close", async () => {
    const { socket, peer, closed, events } = await connected();
    socket.close(1000);
    expect(socket.readyState).toBe(2);
    peer.send(frame(0x81, "too late"));
    await expect.poll(() => peer.closeCode).toBe(1000);
    peer.send(frame(0x88, Buffer.from([3, 232])));
    peer.socket.end();
    await closed;
    expect([socket.readyState, events]).toEqual([3, ["open", "close 1000 clean"]]);
  });
});

describe("event handler attributes", () => {
  it("hold functions and objects, and null for all else", async () => {
    const { WebSocket } = await serve();
    const socket = new WebSocket("ws://site.example/");
    for (const name of ["onopen", "onmessage", "onerror", "onclose"] as const) {
      expect(socket[name]).toBeNull();
      const handler = () => {};
      socket[name] = handler;
      expect(socket[name]).toBe(handler);
      for (const odd of [1, "text", undefined, null]) {
        socket[name] = odd as unknown as null;
        expect(socket[name]).toBeNull();
      }
      const object = {} as unknown as () => void;
      socket[name] = object;
      expect(socket[name]).toBe(object);
      expect(name in WebSocket.prototype).toBe(true);
    }
    socket.close();
  });

  it("stand among the listeners where they were first set, and run with the socket as this", async () => {
    const { socket, peer } = await connected();
    const calls: unknown[] = [];
    socket.onmessage = () => calls.push("never");
    socket.addEventListener("message", () => calls.push("listener"));
    socket.onmessage = function (this: unknown) {
      calls.push(this === socket);
    };
    peer.send(frame(0x81, "x"));
    await expect.poll(() => calls).toEqual([true, "listener"]);
    socket.onmessage = null;
    socket.onmessage = () => calls.push("last");
    peer.send(frame(0x81, "x"));
    await expect.poll(() => calls.slice(2)).toEqual(["listener", "last"]);
  });
});
