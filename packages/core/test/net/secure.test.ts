// Streams through real TLS to Node's servers: who proves its name is let in, who does not is sent nothing.

import type { Socket } from "node:net";
import { createServer as createTlsServer, TLSSocket as ServerSide, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { Fetcher } from "../../src/net/fetch.ts";
import { SecureStreams } from "../../src/net/secure.ts";
import { connect } from "../../src/net/socket.ts";
import { TrustStore } from "../../src/tls/x509/trust.ts";
import { type Authority, makeAuthority } from "./authority.ts";
import { listen, loopbackOpener, rejection, tcpServer } from "./streams.ts";

let authority: Authority;
let stranger: Authority;
beforeAll(() => {
  authority = makeAuthority("site.example");
  stranger = makeAuthority("site.example");
});
afterAll(() => {
  for (const made of [authority, stranger]) made.remove();
});

const secured = (server: { address(): unknown }, ...trusted: string[]) => {
  const opener = loopbackOpener(server);
  const trust = new TrustStore({ extraAnchors: trusted });
  return { opener, streams: new SecureStreams(opener, { clock: systemClock, trust }) };
};

/** A server with that authority's certificate. */
async function serve(handle: (socket: TLSSocket) => void, options: object = {}) {
  const received: Buffer[] = [];
  const { key, cert } = authority;
  const server = await listen(
    createTlsServer({ key, cert, ...options }, (socket) => {
      socket.on("error", () => {});
      socket.on("data", (data) => received.push(data));
      handle(socket);
    }),
  );
  server.on("tlsClientError", () => {});
  onTestFinished(() => void server.close());
  return { server, received: () => Buffer.concat(received).toString() };
}

const request = { hostname: "site.example", port: 443 };
const text = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes);

describe("a stream through TLS", () => {
  it.each(["TLSv1.2", "TLSv1.3"] as const)(
    "carries bytes both ways over %s, and says what ALPN came to",
    async (version) => {
      const { server } = await serve((socket) => socket.pipe(socket), {
        ...{ minVersion: version, maxVersion: version, ALPNProtocols: ["b", "c"] },
      });
      const { streams } = secured(server, authority.root);
      const stream = await streams.openSecure({ ...request, alpn: ["a", "b"] });
      expect(stream.applicationProtocol).toBe("b");
      await stream.connected;
      await stream.write(new TextEncoder().encode("hello"));
      expect(text(await stream.read())).toBe("hello");
      stream.close();
      expect(await stream.closed).toBeUndefined();
    },
  );

  it("is given to nobody who is somebody else, and nothing of the request leaves", async () => {
    const { server, received } = await serve(() => {});
    const { streams, opener } = secured(server, authority.root);
    for (const hostname of ["other.example", "192.0.2.1"])
      expect(await rejection(streams.openSecure({ ...request, hostname }))).toMatchObject({
        ...{ kind: "remote-tls", code: "ALLIUM_E_CERT_NAME" },
      });
    const fetcher = new Fetcher(streams);
    expect(await rejection(fetcher.fetch("https://other.example/secret"))).toMatchObject({
      ...{ kind: "remote-tls", code: "ALLIUM_E_CERT_NAME", name: "TypeError" },
    });
    await expect.poll(() => opener.open()).toBe(0);
    expect(received()).toBe("");
  });

  it("is given to nobody whom a stranger vouches for, or nobody does", async () => {
    const { server } = await serve(() => {});
    expect(await rejection(secured(server, stranger.root).streams.openSecure(request))).toMatchObject({
      kind: "remote-tls",
    });
    expect(await rejection(secured(server).streams.openSecure(request))).toMatchObject({
      ...{ kind: "bad-api-usage", code: "ALLIUM_E_NO_ROOTS" },
    });
  });

  it("asks for the name that it is told to, and checks that one", async () => {
    const names: (string | false | null)[] = [];
    const { server } = await serve((socket) => names.push(socket.servername));
    const { streams } = secured(server, authority.root);
    (await streams.openSecure({ ...request, hostname: "192.0.2.1", serverName: "site.example" })).close();
    await expect.poll(() => names).toEqual(["site.example"]);
  });

  it("that is cut off fails, and is not taken for one that ended", async () => {
    const { server } = await serve((socket) => socket.write("half", () => socket.destroy()));
    const { streams } = secured(server, authority.root);
    const stream = await streams.openSecure(request);
    expect(text(await stream.read())).toBe("half");
    expect(await rejection(stream.read())).toMatchObject({
      kind: "remote-tls",
      code: "ALLIUM_E_TLS_TRUNCATED",
    });
    expect(await stream.closed).toMatchObject({ code: "ALLIUM_E_TLS_TRUNCATED" });
  });

  it("fails in its own way where the server speaks no TLS", async () => {
    const server = await tcpServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    onTestFinished(() => void server.close());
    expect(await rejection(secured(server, authority.root).streams.openSecure(request))).toMatchObject({
      kind: "remote-tls",
    });
  });

  it("is given up by the signal, and its Tor stream with it", async () => {
    const server = await tcpServer(() => {});
    onTestFinished(() => void server.close());
    const { streams, opener } = secured(server, authority.root);
    const controller = new AbortController();
    const opening = rejection(streams.openSecure({ ...request, signal: controller.signal }));
    await expect.poll(() => opener.open()).toBe(1);
    controller.abort();
    expect(await opening).toMatchObject({ kind: "aborted" });
    await expect.poll(() => opener.open()).toBe(0);
  });
});

describe("a socket", () => {
  it('with secureTransport "on" ends as its peer does, and says so', async () => {
    const { server } = await serve((socket) => socket.once("data", () => socket.end("bye")));
    const socket = connect(secured(server, authority.root).streams, "site.example:443", {
      secureTransport: "on",
    });
    await socket.writable.getWriter().write(new TextEncoder().encode("hello"));
    let heard = "";
    for await (const piece of socket.readable) heard += text(piece);
    expect(heard).toBe("bye");
    await socket.closed;
  });

  it("that fails in TLS fails in all its parts", async () => {
    const { server } = await serve(() => {});
    const socket = connect(secured(server, authority.root).streams, "other.example:443", {
      secureTransport: "on",
    });
    for (const part of [socket.opened, socket.closed, socket.readable.getReader().read()])
      expect(await rejection(part)).toMatchObject({ code: "ALLIUM_E_CERT_NAME" });
  });

  it("starts TLS in the middle, as mail servers have it", async () => {
    const { key, cert } = authority;
    const secure = (socket: Socket) => {
      const side = new ServerSide(socket, { isServer: true, key, cert });
      side.on("error", () => {});
      side.on("data", (data) => side.write(`secretly ${data}`));
    };
    const server = await tcpServer((socket) => {
      socket.write("220 ready\r\n");
      socket.once("data", () => socket.write("220 go ahead\r\n", () => secure(socket)));
    });
    onTestFinished(() => void server.close());
    const plain = connect(secured(server, authority.root).streams, "site.example:25", {
      secureTransport: "starttls",
    });
    const reader = plain.readable.getReader();
    expect(text((await reader.read()).value)).toBe("220 ready\r\n");
    await plain.writable.getWriter().write(new TextEncoder().encode("STARTTLS\r\n"));
    expect(text((await reader.read()).value)).toBe("220 go ahead\r\n");
    const socket = plain.startTls();
    await socket.opened;
    await socket.writable.getWriter().write(new TextEncoder().encode("hello"));
    expect(text((await socket.readable.getReader().read()).value)).toBe("secretly hello");
    await socket.close();
  });
});
