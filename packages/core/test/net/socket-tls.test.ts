// Sockets with TLS: what is asked of TLS, and how startTls() hands a connection on. TLS here lets all through as it is;
// secure.test.ts has the real one.

import { describe, expect, it } from "vitest";
import { TorError } from "../../src/base/errors.ts";
import type { TorStream } from "../../src/circuit/api.ts";
import type { SecureRequest, SecureStream, SocketOpener, StreamRequest } from "../../src/net/api.ts";
import { connect } from "../../src/net/socket.ts";
import type { TorSocket } from "../../src/net/socket-api.ts";
import { rejection, type ScriptedStream, scriptedStream } from "./streams.ts";

const address = "Site.Example:465";
const bytes = (text: string) => new TextEncoder().encode(text);

/** Streams through TLS that is none. */
function opener(stream: TorStream, applicationProtocol?: string) {
  const asked: ["plain" | "on" | "started", SecureRequest][] = [];
  const secured = (over: TorStream): SecureStream => ({
    ...{ connected: over.connected, closed: over.closed, remoteAddress: over.remoteAddress },
    ...{ read: () => over.read(), write: (data) => over.write(data), close: (why) => over.close(why) },
    applicationProtocol,
  });
  const made: SocketOpener = {
    async openStream(request) {
      asked.push(["plain", request]);
      return stream;
    },
    async openSecure(request) {
      asked.push(["on", request]);
      return secured(stream);
    },
    async secure(over, request) {
      asked.push(["started", request]);
      return secured(over);
    },
  };
  return { opener: made, asked };
}

const write = (socket: TorSocket, text: string) => socket.writable.getWriter().write(bytes(text));

async function next(socket: TorSocket): Promise<string | undefined> {
  const reader = socket.readable.getReader();
  const { value } = await reader.read();
  reader.releaseLock();
  return value && new TextDecoder().decode(value);
}

/** A stream whose reads settle when the test says so. */
function steered(): ScriptedStream & { give(text: string): void } {
  const waiting: ((value: Uint8Array) => void)[] = [];
  return {
    ...scriptedStream([], "open"),
    read: () => new Promise((resolve) => waiting.push(resolve)),
    give: (text) => waiting.shift()?.(bytes(text)),
  };
}

describe('secureTransport "on"', () => {
  it("asks for TLS with the host's name, and says what ALPN came to", async () => {
    const { opener: from, asked } = opener(scriptedStream([bytes("hello")], "open"), "imap");
    const socket = connect(from, address, { secureTransport: "on", alpn: ["imap", "pop3"], isolation: "k" });
    expect(await socket.opened).toEqual({ alpn: "imap" });
    expect(asked).toMatchObject([
      ["on", { hostname: "site.example", port: 465, alpn: ["imap", "pop3"], isolation: "k" }],
    ]);
    expect([socket.secureTransport, socket.upgraded]).toEqual(["on", false]);
    expect(await next(socket)).toBe("hello");
    expect(() => socket.startTls()).toThrow(expect.objectContaining({ code: "ALLIUM_E_SOCKET_STARTTLS" }));
  });

  it("asks for another name where it is told to, in the one form that names have", async () => {
    const { opener: from, asked } = opener(scriptedStream([], "open"));
    await connect(from, address, { secureTransport: "on", sni: "BÜCHER.example" }).opened;
    expect(asked[0]?.[1].serverName).toBe("xn--bcher-kva.example");
  });

  it.each<[string, object]>([
    ["a word that is none of the three", { secureTransport: "maybe" }],
    ["an empty protocol name", { secureTransport: "on", alpn: [""] }],
    ["a protocol name of 256 bytes", { secureTransport: "on", alpn: ["a".repeat(256)] }],
    ["a protocol name that is not ASCII", { secureTransport: "on", alpn: ["ü"] }],
    ["a protocol name alone", { secureTransport: "on", alpn: "h2" }],
    ["a protocol that is no text", { secureTransport: "on", alpn: [["h2"]] }],
    ["more protocol names than fit a hello", { secureTransport: "on", alpn: Array(65).fill("x") }],
  ])("refuses %s", (_, options) => {
    const { opener: from } = opener(scriptedStream([], "open"));
    expect(() => connect(from, address, options)).toThrow(
      expect.objectContaining({ kind: "bad-api-usage", code: "ALLIUM_E_SOCKET_TLS" }),
    );
  });
});

describe("startTls", () => {
  function started() {
    const stream = steered();
    const { opener: from, asked } = opener(stream, "imap");
    const controller = new AbortController();
    const plain = connect(from, address, { secureTransport: "starttls", signal: controller.signal });
    return { stream, asked, plain, controller };
  }

  it("goes on as another socket with the bytes that were being read, behind what was written", async () => {
    const { stream, asked, plain } = started();
    await plain.opened;
    const pending = plain.readable.getReader().read();
    await new Promise((resolve) => setImmediate(resolve));
    void write(plain, "before ");
    const secured = plain.startTls();
    await write(secured, "after");
    stream.give("a certificate");
    expect(await next(secured)).toBe("a certificate");
    expect(stream.text()).toBe("before after");
    expect(await pending).toEqual({ done: true, value: undefined });
    expect([plain.upgraded, secured.upgraded, secured.secureTransport]).toEqual([true, false, "on"]);
    await plain.closed;
    expect(await secured.opened).toEqual({ alpn: "imap" });
    expect(asked.map(([how]) => how)).toEqual(["plain", "started"]);
    expect(stream.closedWith).toEqual([]);
  });

  it("may be called before the socket is open", async () => {
    const { plain, stream } = started();
    const secured = plain.startTls();
    await secured.opened;
    const reading = next(secured);
    await new Promise((resolve) => setImmediate(resolve));
    stream.give("x");
    expect(await reading).toBe("x");
  });

  it("is for one time, for a socket that is open, and for its own kind", async () => {
    const { plain, stream } = started();
    plain.startTls();
    const refused = expect.objectContaining({ kind: "bad-api-usage", code: "ALLIUM_E_SOCKET_STARTTLS" });
    expect(() => plain.startTls()).toThrow(refused);
    const { plain: closed } = started();
    await closed.close();
    expect(() => closed.startTls()).toThrow(refused);
    const off = connect(opener(stream).opener, address);
    expect(() => off.startTls()).toThrow(refused);
  });

  it("leaves the first socket nothing to end or to send", async () => {
    const { plain, stream } = started();
    await plain.opened;
    const secured = plain.startTls();
    await plain.close();
    expect(await rejection(write(plain, "x"))).toMatchObject({ code: "ALLIUM_E_SOCKET_CLOSED" });
    await secured.opened;
    expect(stream.closedWith).toEqual([]);
    await secured.close();
    await expect.poll(() => stream.closedWith.length).toBe(1);
  });

  it("still ends by the caller's signal", async () => {
    const { plain, stream, controller } = started();
    const secured = plain.startTls();
    await secured.opened;
    controller.abort();
    expect(await rejection(secured.closed)).toMatchObject({ kind: "aborted" });
    await expect.poll(() => stream.closedWith.length).toBe(1);
  });

  it("gives up by the caller's signal what the first socket was still opening", async () => {
    let signal: AbortSignal | undefined;
    const { opener: from } = opener(scriptedStream([], "open"));
    const openStream = (request: StreamRequest) => {
      signal = request.signal;
      return new Promise<never>(() => {});
    };
    const controller = new AbortController();
    const options = { secureTransport: "starttls" as const, signal: controller.signal };
    const secured = connect({ ...from, openStream }, address, options).startTls();
    controller.abort();
    expect(await rejection(secured.closed)).toMatchObject({ kind: "aborted" });
    expect(signal?.aborted).toBe(true);
  });

  it("fails as the socket did that could not be opened", async () => {
    const refusal = new TorError("exit-policy", "ALLIUM_E_TEST", "no exit");
    const { opener: from } = opener(scriptedStream([], "open"));
    const plain = connect({ ...from, openStream: () => Promise.reject(refusal) }, address, {
      secureTransport: "starttls",
    });
    const secured = plain.startTls();
    expect(await rejection(secured.opened)).toBe(refusal);
    expect(await rejection(secured.closed)).toBe(refusal);
  });
});
