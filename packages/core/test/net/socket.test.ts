// Sockets against real TCP servers, and against streams that fail in each way.

import type { Server, Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { deferred } from "../../src/base/abort.ts";
import { TorError } from "../../src/base/errors.ts";
import { connect } from "../../src/net/socket.ts";
import type { TorSocket } from "../../src/net/socket-api.ts";
import {
  cut,
  loopbackOpener,
  rejection,
  scriptedOpener,
  scriptedStream,
  tcpServer,
  withoutTls,
} from "./streams.ts";

let server: Server | undefined;

afterEach(() => {
  server?.close();
  server = undefined;
});

async function serve(handle: (socket: Socket) => void) {
  server = await tcpServer(handle);
  return loopbackOpener(server);
}

const address = "site.example:7";

async function readAll(socket: TorSocket): Promise<string> {
  let text = "";
  for await (const chunk of socket.readable) text += new TextDecoder("latin1").decode(chunk);
  return text;
}

function write(socket: TorSocket, text: string): Promise<void> {
  const writer = socket.writable.getWriter();
  const written = writer.write(new TextEncoder().encode(text));
  writer.releaseLock();
  return written;
}

describe("a socket", () => {
  it("carries bytes both ways and may be used before it is open", async () => {
    const opener = await serve((peer) => peer.pipe(peer));
    const socket = connect(opener, { hostname: "Site.Example", port: 7 }, { isolation: "key" });
    await write(socket, "hello");
    const reader = socket.readable.getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe("hello");
    expect(opener.requests).toMatchObject([{ hostname: "site.example", port: 7, isolation: "key" }]);
    expect([socket.upgraded, socket.secureTransport]).toEqual([false, "off"]);
    await socket.close();
    expect(await reader.read()).toEqual({ done: true, value: undefined });
    await expect.poll(() => opener.open()).toBe(0);
  });

  it("says where the exit connected to, when that was told", async () => {
    const opener = await serve((peer) => peer.resume());
    const socket = connect(opener, address);
    expect(await socket.opened).toEqual({ remoteAddress: "127.0.0.1:7" });
    await socket.close();
    const silent = connect(
      scriptedOpener(() => scriptedStream([], "open")),
      address,
    );
    expect(await silent.opened).toEqual({});
  });

  it("takes every form of bytes, and a copy of them", async () => {
    const stream = scriptedStream([], "open");
    const writer = connect(
      scriptedOpener(() => stream),
      address,
    ).writable.getWriter();
    const bytes = new TextEncoder().encode("abcdef");
    const first = writer.write(bytes.subarray(1, 3));
    const second = writer.write(bytes.buffer.slice(3));
    const third = writer.write(new DataView(bytes.buffer, 0, 1));
    await Promise.all([first, second, third]);
    bytes.fill(0);
    expect(stream.text()).toBe("bcdefa");
    expect(await rejection(writer.write("text" as unknown as ArrayBuffer))).toMatchObject({
      kind: "bad-api-usage",
    });
  });

  it("ends with its peer, after all that the peer sent", async () => {
    const opener = await serve((peer) => peer.end("the last words"));
    const socket = connect(opener, address);
    expect(await readAll(socket)).toBe("the last words");
    await socket.closed;
    expect(await rejection(write(socket, "too late"))).toMatchObject({ code: "ALLIUM_E_SOCKET_CLOSED" });
    await expect.poll(() => opener.open()).toBe(0);
  });

  it("does not lose the answer when the writer is closed", async () => {
    const opener = await serve((peer) => peer.once("data", (data) => peer.end(`got ${data}`)));
    const socket = connect(opener, address);
    const writer = socket.writable.getWriter();
    await writer.write(new TextEncoder().encode("this"));
    await writer.close();
    expect(await readAll(socket)).toBe("got this");
    await socket.closed;
  });

  it("delivers what came before a failure, then the failure", async () => {
    const reset = new TorError("remote-refused", "ALLIUM_E_TEST_RESET", "reset");
    const socket = connect(
      scriptedOpener(() => scriptedStream(cut("hello", 2), reset)),
      address,
    );
    const reader = socket.readable.getReader();
    expect((await reader.read()).value?.length).toBe(2);
    expect((await reader.read()).value?.length).toBe(3);
    expect(await rejection(reader.read())).toBe(reset);
    expect(await rejection(socket.closed)).toBe(reset);
    expect(await rejection(write(socket, "x"))).toBe(reset);
  });

  it("reports the failure of its stream though nobody reads", async () => {
    const closed = deferred<TorError | undefined>();
    const stream = { ...scriptedStream(cut("hello", 5), "open"), closed: closed.promise };
    const socket = connect(
      scriptedOpener(() => stream),
      address,
    );
    const reset = new TorError("circuit-collapse", "ALLIUM_E_TEST", "gone");
    await socket.opened;
    closed.resolve(reset);
    expect(await rejection(socket.closed)).toBe(reset);
    expect((await socket.readable.getReader().read()).value?.length).toBe(5);
  });

  it("that cannot be opened fails in all its parts", async () => {
    const refusal = new TorError("exit-policy", "ALLIUM_E_TEST", "no exit");
    const socket = connect(withoutTls({ openStream: () => Promise.reject(refusal) }), address);
    for (const part of [
      socket.opened,
      socket.closed,
      socket.readable.getReader().read(),
      write(socket, "x"),
    ]) {
      expect(await rejection(part)).toBe(refusal);
    }
  });

  it("is ended by cancelling what it reads or aborting what it writes", async () => {
    const opener = await serve((peer) => peer.resume());
    for (const end of [
      (s: TorSocket) => s.readable.cancel("why"),
      (s: TorSocket) => s.writable.abort("why"),
    ]) {
      const socket = connect(opener, address);
      await socket.opened;
      await end(socket);
      await socket.closed;
      await expect.poll(() => opener.open()).toBe(0);
    }
  });
});

describe("a socket's signal", () => {
  it("ends it before it is open, and a stream that comes too late is closed", async () => {
    const controller = new AbortController();
    const late = scriptedStream([], "open");
    const opening = deferred<typeof late>();
    const socket = connect(withoutTls({ openStream: () => opening.promise }), address, {
      signal: controller.signal,
    });
    controller.abort();
    for (const part of [socket.opened, socket.closed, socket.readable.getReader().read()]) {
      expect(await rejection(part)).toMatchObject({ kind: "aborted" });
    }
    opening.resolve(late);
    await late.closed;
  });

  it("ends it while it is open", async () => {
    const opener = await serve((peer) => peer.resume());
    const controller = new AbortController();
    const socket = connect(opener, address, { signal: controller.signal });
    await socket.opened;
    const pending = rejection(socket.readable.getReader().read());
    controller.abort(new Error("enough"));
    expect(await pending).toMatchObject({ kind: "aborted" });
    expect(await rejection(socket.closed)).toMatchObject({ kind: "aborted" });
    await expect.poll(() => opener.open()).toBe(0);
  });

  it("that has aborted before opens nothing", async () => {
    const opener = await serve(() => {});
    const socket = connect(opener, address, { signal: AbortSignal.abort() });
    expect(await rejection(socket.opened)).toMatchObject({ kind: "aborted" });
    expect(opener.requests).toEqual([]);
  });
});

describe("back-pressure", () => {
  it("of a socket that is not read takes nothing from its stream", async () => {
    const stream = scriptedStream(cut("hello", "each"), "open");
    const socket = connect(
      scriptedOpener(() => stream),
      address,
    );
    await socket.opened;
    await new Promise((resolve) => setImmediate(resolve));
    expect(stream.reads).toBe(0);
    await socket.readable.getReader().read();
    await new Promise((resolve) => setImmediate(resolve));
    expect(stream.reads).toBe(1);
  });

  it("of a peer that does not read holds the writer back", async () => {
    const opener = await serve((peer) => peer.pause());
    const socket = connect(opener, address);
    const writer = socket.writable.getWriter();
    let written = 0;
    const more = async () => {
      for (; written < 10_000; written++) await writer.write(new Uint8Array(65_536));
    };
    more().catch(() => {});
    let before = -1;
    const stands = () => {
      const same = before === written;
      before = written;
      return same;
    };
    await expect.poll(stands, { interval: 40, timeout: 5000 }).toBe(true);
    expect(written).toBeLessThan(1000);
    await socket.close();
  });
});

describe("connect refuses", () => {
  const nobody = withoutTls({ openStream: () => Promise.reject(new Error("asked")) });
  const addresses: [what: string, address: string | { hostname: string; port: number }][] = [
    ["no port", "site.example"],
    ["no host", ":80"],
    ["port 0", "site.example:0"],
    ["port 65536", "site.example:65536"],
    ["a signed port", "site.example:+80"],
    ["a fraction of a port", { hostname: "site.example", port: 80.5 }],
    ["an IPv6 address without brackets and port", "::1"],
    ["a path", { hostname: "site.example/x", port: 80 }],
    ["a user", { hostname: "user@site.example", port: 80 }],
    ["a query", { hostname: "site.example?x", port: 80 }],
    ["an escaped host", { hostname: "site%2eexample", port: 80 }],
    ["a space", { hostname: "site example", port: 80 }],
    ["a line end", { hostname: "site.example\r\n", port: 80 }],
    ["an empty host", { hostname: "", port: 80 }],
    ["half an IPv6 address", { hostname: "[::1", port: 80 }],
    ["a host of 300 bytes", { hostname: `${"a".repeat(50)}.`.repeat(6), port: 80 }],
  ];
  const nothing = [undefined, null, {}, { port: 80 }, { hostname: ["a.example"], port: 80 }];
  for (const [i, wrong] of nothing.entries()) addresses.push([`no address, ${i}`, wrong as never]);
  for (const [what, wrong] of addresses) {
    it(what, () => {
      expect(() => connect(nobody, wrong)).toThrow(
        expect.objectContaining({ kind: "bad-api-usage", code: "ALLIUM_E_BAD_DESTINATION" }),
      );
    });
  }

  it("half-open sockets", () => {
    const halfOpen = { allowHalfOpen: true } as unknown as { allowHalfOpen: false };
    expect(() => connect(nobody, address, halfOpen)).toThrow(
      expect.objectContaining({ code: "ALLIUM_E_SOCKET_HALF_OPEN" }),
    );
  });
});

describe("connect reads", () => {
  const forms: [address: string | { hostname: string; port: number }, hostname: string][] = [
    ["SITE.Example:80", "site.example"],
    ["[2001:DB8:0::1]:80", "2001:db8::1"],
    [{ hostname: "2001:db8::1", port: 80 }, "2001:db8::1"],
    [{ hostname: "[::1]", port: 80 }, "::1"],
    ["bücher.example:80", "xn--bcher-kva.example"],
    ["0x7f.1:80", "127.0.0.1"],
  ];
  for (const [form, hostname] of forms) {
    it(JSON.stringify(form), async () => {
      let asked: string | undefined;
      const opener = scriptedOpener((request) => {
        asked = request.hostname;
        return scriptedStream([], "open");
      });
      await connect(opener, form).opened;
      expect(asked).toBe(hostname);
    });
  }
});
