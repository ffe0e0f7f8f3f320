// The opening handshake: what goes out, and each way in which a server's answer is refused.

import { describe, expect, it } from "vitest";
import { deferred } from "../../../src/base/abort.ts";
import { systemClock } from "../../../src/base/clock.ts";
import type { StreamRequest } from "../../../src/net/api.ts";
import { openThrough } from "../../../src/net/websocket/connection.ts";
import { makeWebSocket } from "../../../src/net/websocket/websocket.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";
import { scriptedOpener, scriptedStream } from "../streams.ts";
import { type Peer, serve, watch } from "./rig.ts";

/** How a WebSocket ends when the server answers so. */
async function refusal(answer: (peer: Peer) => string, protocols: string[] = []) {
  const { WebSocket, peers } = await serve((peer) => peer.send(answer(peer)));
  const { closed, events, error } = watch(new WebSocket("ws://site.example/", protocols));
  const { code, wasClean } = await closed;
  await expect.poll(() => peers[0]?.ended).toBe(true);
  // Nothing but the handshake ever went out.
  expect([peers[0]?.frames, code, wasClean]).toEqual([[], 1006, false]);
  expect(events).toEqual(["error", "close 1006"]);
  return error();
}

describe("the request", () => {
  it("says what RFC 6455 wants, and nothing that the caller did not ask for", async () => {
    const { WebSocket, peers } = await serve((peer) => peer.accept("Sec-WebSocket-Protocol: b\r\n"));
    const { opened, socket } = watch(new WebSocket("ws://site.example:8080/chat?room=1", ["a", "b"]));
    await opened;
    const key = peers[0]?.field("Sec-WebSocket-Key") ?? "";
    expect(Buffer.from(key, "base64").length).toBe(16);
    expect(peers[0]?.head).toBe(
      [
        "GET /chat?room=1 HTTP/1.1",
        "Host: site.example:8080",
        "Upgrade: websocket",
        "Connection: Upgrade",
        `Sec-WebSocket-Key: ${key}`,
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: a, b",
        "",
      ].join("\r\n"),
    );
    socket.close();
  });

  it("has a new key each time", async () => {
    const { WebSocket, peers } = await serve();
    await watch(new WebSocket("ws://site.example/")).opened;
    await watch(new WebSocket("ws://site.example/")).opened;
    const [one, other] = peers.map((peer) => peer.field("Sec-WebSocket-Key"));
    expect(one).not.toBe(other);
  });

  it("carries the caller's headers, but none that belong to the handshake", async () => {
    const { WebSocket, peers } = await serve((peer) => peer.accept("Sec-WebSocket-Protocol: chat\r\n"));
    const headers = {
      ...{ Origin: "https://page.example", Cookie: "a=b", Connection: "close", Host: "other.example" },
      ...{ "Sec-WebSocket-Key": "mine", "Sec-WebSocket-Extensions": "permessage-deflate" },
    };
    await watch(new WebSocket("ws://site.example/", { protocols: "chat", headers })).opened;
    const head = peers[0]?.head ?? "";
    expect(head).toMatch(/^origin: https:\/\/page.example\r$/m);
    expect(head).toMatch(/^cookie: a=b\r$/m);
    expect(head).not.toMatch(/close|other\.example|mine|deflate/);
    expect(peers[0]?.field("Sec-WebSocket-Protocol")).toBe("chat");
  });
});

describe("an answer is refused", () => {
  const HEAD = "HTTP/1.1 101 Switching Protocols\r\n";
  it.each<[string, (answer: string) => string, string?]>([
    ["that is a redirect", () => "HTTP/1.1 302 Found\r\nLocation: ws://other.example/\r\n\r\n"],
    ["that wants a login", () => "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\n\r\n"],
    ["that is a page", () => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"],
    ["of HTTP/1.0", (answer) => answer.replace("HTTP/1.1", "HTTP/1.0")],
    ["without Upgrade", (answer) => answer.replace("Upgrade: websocket\r\n", "")],
    ["with another Upgrade", (answer) => answer.replace("websocket", "h2c")],
    ["without Connection", (answer) => answer.replace("Connection: Upgrade\r\n", "")],
    ["with another Connection", (answer) => answer.replace("Connection: Upgrade", "Connection: close")],
    ["without Sec-WebSocket-Accept", (answer) => answer.replace(/Sec-WebSocket-Accept.*\r\n/, "")],
    ["with a wrong Sec-WebSocket-Accept", (answer) => answer.replace(/Accept: ./, "Accept: -")],
    [
      "with an extension",
      (answer) => answer.replace(HEAD, `${HEAD}Sec-WebSocket-Extensions: permessage-deflate\r\n`),
    ],
    [
      "with a subprotocol not asked for",
      (answer) => answer.replace(HEAD, `${HEAD}Sec-WebSocket-Protocol: b\r\n`),
    ],
    ["that is no HTTP", () => "SSH-2.0-OpenSSH\r\n\r\n", "ALLIUM_E_HTTP_STATUS_LINE"],
    ["whose head is endless", () => `${HEAD}X: ${"x".repeat(140_000)}\r\n\r\n`, "ALLIUM_E_HTTP_LIMIT"],
  ])("%s", async (_, change, code = "ALLIUM_E_WS_HANDSHAKE") => {
    expect((await refusal((peer) => change(peer.acceptance())))?.code).toBe(code);
  });

  it("that accepts another key", async () => {
    const stale = (peer: Peer) => {
      const answer = peer.acceptance();
      return answer.replace(/Accept: .*\r\n/, "Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n");
    };
    expect((await refusal(stale))?.message).toContain("Accept");
  });

  it.each([
    "",
    "Sec-WebSocket-Protocol: c\r\n",
    "Sec-WebSocket-Protocol: A\r\n",
    "Sec-WebSocket-Protocol: a, b\r\n",
  ])("that chooses none of the subprotocols: %j", async (line) => {
    const error = await refusal((peer) => peer.acceptance(line), ["a", "b"]);
    expect(error?.message).toContain("subprotocol");
  });

  it("cut off in its head", async () => {
    const { WebSocket } = await serve(({ socket }) => socket.end("HTTP/1.1 101 Swi"));
    const { closed, error } = watch(new WebSocket("ws://site.example/"));
    await closed;
    expect(error()?.code).toBe("ALLIUM_E_HTTP_TRUNCATED");
  });

  it("never by a harmless difference: case, a list, an interim answer before it", async () => {
    const { WebSocket } = await serve((peer) => {
      const answer = peer
        .acceptance()
        .replace("Upgrade: websocket", "upgrade: WebSocket")
        .replace("Connection: Upgrade", "connection: keep-alive, upgrade");
      peer.send(`HTTP/1.1 103 Early Hints\r\n\r\n${answer}`);
    });
    await watch(new WebSocket("ws://site.example/")).opened;
  });
});

describe("no connection is made", () => {
  /** A constructor whose opener notes what it was asked for. */
  function noting() {
    const requests: StreamRequest[] = [];
    const opener = scriptedOpener((request) => {
      requests.push(request);
      return scriptedStream([], "open");
    });
    const clock = new ManualClock();
    return { requests, clock, WebSocket: makeWebSocket({ open: openThrough(opener), clock }) };
  }

  it.each([
    ["to a blocked port", "ws://site.example:25/", "ALLIUM_E_WS_PORT"],
    ["with a user name", "ws://user:pass@site.example/", "ALLIUM_E_WS_CREDENTIALS"],
  ])("%s", async (_, url, code) => {
    const { WebSocket, requests } = noting();
    const { closed, error } = watch(new WebSocket(url));
    expect((await closed).code).toBe(1006);
    expect([error()?.code, requests]).toEqual([code, []]);
  });

  it("for wss: but through TLS, which speaks HTTP/1.1", async () => {
    const requests: unknown[] = [];
    const openSecure = async (request: unknown) => {
      requests.push(request);
      throw new Error("enough");
    };
    const open = openThrough({ openSecure, openStream: () => Promise.reject(new Error("no TLS")) });
    const WebSocket = makeWebSocket({ open, clock: systemClock });
    const { closed, error } = watch(new WebSocket("wss://[2001:db8::1]/", { isolation: "key" }));
    await closed;
    expect(error()?.message).toContain("enough");
    const asked = { hostname: "2001:db8::1", port: 443, isolation: "key", alpn: ["http/1.1"] };
    expect(requests).toMatchObject([asked]);
  });

  it("that is not open within 60 s, nor is its stream left open", async () => {
    const { WebSocket, clock, requests } = noting();
    const { closed, error, events } = watch(new WebSocket("ws://site.example/"));
    await expect.poll(() => requests.length).toBe(1);
    clock.advance(59_999);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(events).toEqual([]);
    clock.advance(1);
    expect((await closed).code).toBe(1006);
    expect(error()?.code).toBe("ALLIUM_E_WS_TIMEOUT");
    expect([requests[0]?.signal?.aborted, clock.pendingTimers]).toEqual([true, 0]);
  });

  it("once it was closed or its signal aborted meanwhile", async () => {
    const reason = new Error("no longer wanted");
    for (const abort of [undefined, new AbortController()]) {
      const { WebSocket, requests, clock } = noting();
      const seen = watch(new WebSocket("ws://site.example/", abort ? { signal: abort.signal } : []));
      await expect.poll(() => requests.length).toBe(1);
      if (abort === undefined) seen.socket.close();
      else abort.abort(reason);
      expect(seen.socket.readyState).toBe(2);
      expect(await seen.closed).toMatchObject({ code: 1006, wasClean: false });
      expect(seen.events).toEqual(["error", "close 1006"]);
      expect([seen.error()?.kind, seen.error()?.cause]).toEqual(["aborted", abort && reason]);
      expect([requests[0]?.signal?.aborted, clock.pendingTimers]).toEqual([true, 0]);
    }
  });

  it("and a stream that comes too late is closed", async () => {
    const opening = deferred<ReturnType<typeof scriptedStream>>();
    const WebSocket = makeWebSocket({ open: () => opening.promise, clock: new ManualClock() });
    const { socket, closed } = watch(new WebSocket("ws://site.example/"));
    socket.close();
    await closed;
    const late = scriptedStream([], "open");
    opening.resolve(late);
    await expect.poll(() => late.closedWith).toMatchObject([{ kind: "aborted" }]);
    expect(late.written).toEqual([]);
  });

  it("when the signal has aborted before", async () => {
    const { WebSocket, requests } = noting();
    const { closed, error } = watch(new WebSocket("ws://site.example/", { signal: AbortSignal.abort() }));
    await closed;
    expect([error()?.kind, requests]).toEqual(["aborted", []]);
  });
});
