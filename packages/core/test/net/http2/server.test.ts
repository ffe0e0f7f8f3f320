// Against Node's own HTTP/2 server (nghttp2), over TCP on loopback.

import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import type { HttpConnection } from "../../../src/net/http/api.ts";
import type { HttpResponse } from "../../../src/net/http/exchange.ts";
import { openHttp2 } from "../../../src/net/http2/connection.ts";
import { numberedBytes } from "../../../src/testing/case.ts";
import { listen, rejection, socketStream } from "../streams.ts";
import { get, post, textOf } from "./peer.ts";

const MIB = 1_048_576;

interface Running {
  readonly server: Http2Server;
  readonly sessions: Set<ServerHttp2Session>;
  readonly sockets: Set<Socket>;
  dial(): Promise<HttpConnection>;
}

const running: Running[] = [];

afterEach(async () => {
  for (const { server, sessions } of running.splice(0)) {
    for (const session of sessions) session.destroy();
    server.close();
  }
});

type Handler = (stream: ServerHttp2Stream, path: string) => void;

async function start(handle: Handler, options = {}): Promise<Running> {
  const server = createServer(options);
  const sessions = new Set<ServerHttp2Session>();
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => sockets.add(socket));
  server.on("session", (session) => {
    sessions.add(session);
    session.on("error", () => {});
  });
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    handle(stream, headers[":path"] as string);
  });
  await listen(server as never);
  const { port } = server.address() as { port: number };
  const dial = async () => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    return openHttp2(socketStream(socket), { clock: systemClock, idleTimeout: 10_000 });
  };
  const one = { server, sessions, sockets, dial };
  running.push(one);
  return one;
}

/** A stream's response body of so many bytes, as fast as it is taken. */
function sendBytes(stream: ServerHttp2Stream, bytes: Uint8Array): void {
  stream.respond({ ":status": 200, "content-length": bytes.length });
  stream.end(bytes);
}

async function bytesOf(response: HttpResponse, onPiece = async () => {}): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for (let part = await response.body?.next(); part !== undefined; part = await response.body?.next()) {
    parts.push(part);
    await onPiece();
  }
  return Buffer.concat(parts);
}

describe("Node's server", () => {
  it("answers a hundred requests at a time, each with its own", async () => {
    const { dial } = await start((stream, path) => {
      stream.respond({ ":status": 200, "x-path": path });
      setTimeout(() => stream.end(`body of ${path}`), Math.random() * 20);
    });
    const connection = await dial();
    const answers = Array.from({ length: 100 }, async (_, i) => {
      const response = await connection.request(get(`/${i}`), undefined);
      expect(response.fields).toContainEqual(["x-path", `/${i}`]);
      return textOf(response);
    });
    expect(connection.active).toBe(100);
    expect(await Promise.all(answers)).toEqual(Array.from({ length: 100 }, (_, i) => `body of /${i}`));
    expect(connection.active).toBe(0);
    // And more of them, one after the other, with a table of headers that fills and empties.
    for (let i = 0; i < 150; i++) {
      expect(await textOf(await connection.request(get(`/again/${i}`), undefined))).toBe(
        `body of /again/${i}`,
      );
    }
    connection.close();
  });

  it("sends 20 MiB to a slow reader while another stream goes on", async () => {
    const bytes = numberedBytes(20 * MIB);
    let sent = 0;
    const { dial } = await start((stream, path) => {
      if (path !== "/large") return sendBytes(stream, bytes.subarray(0, 2 * MIB));
      stream.respond({ ":status": 200, "content-length": bytes.length });
      const more = () => {
        while (sent < bytes.length) {
          const piece = bytes.subarray(sent, sent + 65_536);
          sent += piece.length;
          if (!stream.write(piece)) return void stream.once("drain", more);
        }
        stream.end();
      };
      more();
    });
    const connection = await dial();
    const large = await connection.request(get("/large"), undefined);
    // Nobody reads it: its sender stops after the window and what the server itself buffers.
    for (let i = 0; i < 3; i++) {
      const small = await bytesOf(await connection.request(get("/small"), undefined));
      expect(small.equals(bytes.subarray(0, 2 * MIB))).toBe(true);
    }
    expect(sent).toBeLessThan(MIB);
    let taken = 0;
    const slow = bytesOf(large, async () => {
      if (taken++ % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    });
    const beside = bytesOf(await connection.request(get("/small"), undefined));
    expect((await beside).length).toBe(2 * MIB);
    expect((await slow).equals(bytes)).toBe(true);
    connection.close();
  });

  it("takes 20 MiB, of known length and of unknown, two at a time", async () => {
    const bytes = numberedBytes(20 * MIB);
    const { dial } = await start((stream) => {
      const parts: Buffer[] = [];
      stream.on("data", (part: Buffer) => parts.push(part));
      stream.on("end", () => {
        stream.respond({ ":status": 200 });
        stream.end(String(Buffer.concat(parts).equals(bytes)));
      });
    });
    const connection = await dial();
    const pieces = Array.from({ length: 20 }, (_, i) => bytes.subarray(i * MIB, (i + 1) * MIB));
    const answers = [bytes.length, undefined].map(async (length) =>
      textOf(await connection.request(post(pieces, length), undefined)),
    );
    expect(await Promise.all(answers)).toEqual(["true", "true"]);
    connection.close();
  });

  it("sees an aborted request as that alone", async () => {
    const closed: [path: string, code: number][] = [];
    const { dial } = await start((stream, path) => {
      stream.on("close", () => closed.push([path, stream.rstCode]));
      stream.respond({ ":status": 200 });
      stream.write(new Uint8Array(100_000));
      if (path === "/fine") setTimeout(() => stream.end(), 50);
    });
    const connection = await dial();
    const controller = new AbortController();
    const broken = await connection.request(get("/broken"), controller.signal);
    const fine = await connection.request(get("/fine"), undefined);
    await broken.body?.next();
    controller.abort();
    expect((await rejection(bytesOf(broken))).code).toBe("ALLIUM_E_ABORTED");
    expect((await bytesOf(fine)).length).toBe(100_000);
    await expect.poll(() => closed.length).toBe(2);
    expect(closed).toContainEqual(["/broken", 8]);
    expect(closed).toContainEqual(["/fine", 0]);
    expect(connection.isFree).toBe(true);
    connection.close();
  });

  it("says GOAWAY, ends what it has, and gets no more", async () => {
    const { dial, sessions } = await start((stream) => {
      stream.respond({ ":status": 200 });
      stream.write("first,");
      setTimeout(() => stream.end("last"), 100);
    });
    const connection = await dial();
    const response = await connection.request(get(), undefined);
    for (const session of sessions) session.close();
    expect(await connection.closed).toBeUndefined();
    expect(connection.isFree).toBe(false);
    expect((await rejection(connection.request(get(), undefined))).code).toBe("ALLIUM_E_HTTP_UNPROCESSED");
    expect(await textOf(response)).toBe("first,last");
    await expect.poll(() => [...sessions].every(({ destroyed }) => destroyed)).toBe(true);
  });

  it("gives back what it surely did not do when it goes with an earlier last stream", async () => {
    const { dial, sessions } = await start((stream, path) => {
      if (path === "/1") stream.respond({ ":status": 200 }, { endStream: true });
    });
    const connection = await dial();
    await connection.request(get("/1"), undefined);
    const second = connection.request(get("/2"), undefined);
    second.catch(() => {});
    for (const session of sessions) session.goaway(0, 1);
    expect((await rejection(second)).code).toBe("ALLIUM_E_HTTP_UNPROCESSED");
  });

  it("goes away and comes back: the old connection ends, a new one works", async () => {
    const first = await start((stream) => {
      stream.respond({ ":status": 200 });
      stream.write("half");
    });
    const connection = await first.dial();
    const response = await connection.request(get(), undefined);
    await response.body?.next();
    for (const socket of first.sockets) socket.destroy();
    expect((await rejection(bytesOf(response))).kind).toBe("protocol-violation");
    expect((await connection.closed)?.code).toBe("ALLIUM_E_HTTP_TRUNCATED");
    expect(connection.isFree).toBe(false);
    const second = await start((stream) => sendBytes(stream, numberedBytes(1000)));
    const again = await second.dial();
    expect((await bytesOf(await again.request(get(), undefined))).length).toBe(1000);
    again.close();
  });

  it("sends interim responses, trailers, and empty bodies", async () => {
    const { dial } = await start((stream, path) => {
      if (path === "/empty") return stream.respond({ ":status": 204 }, { endStream: true });
      stream.additionalHeaders({ ":status": 103, link: "</style.css>" });
      stream.respond({ ":status": 200 }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "x-sum": "1" }));
      stream.end("with trailers");
    });
    const connection = await dial();
    expect(await textOf(await connection.request(get(), undefined))).toBe("with trailers");
    const empty = await connection.request(get("/empty"), undefined);
    expect([empty.status, empty.body]).toEqual([204, undefined]);
    connection.close();
  });

  it("with other settings than the usual ones is heeded", async () => {
    const settings = {
      headerTableSize: 0,
      initialWindowSize: 1000,
      maxConcurrentStreams: 3,
      maxFrameSize: 65_536,
    };
    const bytes = numberedBytes(100_000);
    const { dial } = await start(
      (stream) => {
        const parts: Buffer[] = [];
        stream.on("data", (part: Buffer) => parts.push(part));
        stream.on("end", () => sendBytes(stream, Buffer.concat(parts)));
      },
      { settings },
    );
    const connection = await dial();
    for (let i = 0; i < 3; i++) {
      const response = await connection.request(post([bytes], bytes.length), undefined);
      expect((await bytesOf(response)).equals(bytes)).toBe(true);
    }
    const open = [1, 2, 3].map(() => connection.request(post([bytes], bytes.length), undefined));
    expect(connection.isFree).toBe(false);
    await Promise.all(open.map(async (response) => bytesOf(await response)));
    expect(connection.isFree).toBe(true);
    connection.close();
  });

  it("sees its clients close the connection", async () => {
    const { dial, sessions } = await start((stream) => stream.respond({ ":status": 200 }));
    const connection = await dial();
    const response = await connection.request(get(), undefined);
    const gone = [...sessions].map((session) => new Promise((resolve) => session.once("goaway", resolve)));
    connection.close();
    expect((await rejection(bytesOf(response))).code).toBe("ALLIUM_E_ABORTED");
    expect(await Promise.all(gone)).toEqual([0]);
  });
});
