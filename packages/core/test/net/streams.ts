// Streams for the tests of the net room: real TCP sockets as TorStreams, and scripted ones in memory.

import { createServer as createTcpServer, connect as dial, type Server, type Socket } from "node:net";
import { deferred } from "../../src/base/abort.ts";
import type { ByteStream } from "../../src/base/byte-stream.ts";
import { concat } from "../../src/base/bytes.ts";
import { systemClock } from "../../src/base/clock.ts";
import { utf8 } from "../../src/base/encoding.ts";
import { TorError } from "../../src/base/errors.ts";
import type { Clock } from "../../src/base/ports.ts";
import type { TorStream } from "../../src/circuit/api.ts";
import type { SecureOpener, SocketOpener, StreamOpener, StreamRequest } from "../../src/net/api.ts";
import { Fetcher, type FetcherOptions, type TorFetchInit } from "../../src/net/fetch.ts";
import { Http1Connection } from "../../src/net/http/http1.ts";

/** A TCP socket as a TorStream: the exit's side of the network, without the network. */
export function socketStream(socket: Socket): TorStream {
  const closed = deferred<TorError | undefined>();
  const arrived: Uint8Array[] = [];
  let wake = deferred();
  let ended = false;
  let failure: unknown;
  const settle = (error?: TorError) => {
    ended = true;
    failure ??= error;
    closed.resolve(error);
    wake.resolve();
  };
  socket.pause();
  socket.on("readable", () => wake.resolve());
  socket.on("end", () => settle());
  socket.on("error", (cause) =>
    settle(new TorError("remote-refused", "ALLIUM_E_TEST_RESET", "reset", { cause })),
  );
  socket.on("close", () => settle());
  return {
    remoteAddress: Uint8Array.of(127, 0, 0, 1),
    connected: Promise.resolve(),
    closed: closed.promise,
    async read() {
      for (;;) {
        for (let chunk = socket.read(); chunk !== null; chunk = socket.read())
          arrived.push(new Uint8Array(chunk));
        if (arrived.length > 0) return concat(...arrived.splice(0));
        if (failure !== undefined) throw failure;
        if (ended) return undefined;
        wake = deferred();
        await wake.promise;
      }
    },
    write(data) {
      return new Promise((resolve, reject) => {
        if (ended) return reject(failure ?? new TorError("remote-refused", "ALLIUM_E_TEST_ENDED", "ended"));
        socket.write(data, (error) => (error ? reject(failure ?? error) : resolve()));
      });
    },
    close(reason) {
      if (reason instanceof Error) failure ??= reason;
      ended = true;
      socket.destroySoon();
      closed.resolve(undefined);
      wake.resolve();
    },
  };
}

/** An opener of plain streams alone. */
export function withoutTls<T extends StreamOpener>(opener: T): T & SocketOpener {
  const refuse = async () => {
    throw new Error("no TLS was expected");
  };
  return Object.assign(opener, { openSecure: refuse, secure: refuse });
}

export interface TestOpener extends SocketOpener {
  readonly requests: StreamRequest[];
  readonly streams: TorStream[];
  /** How many streams are open. */
  open(): number;
}

/** Opens every stream to one TCP server on loopback, whatever the destination. */
export function loopbackOpener(server: { address(): unknown }): TestOpener {
  const requests: StreamRequest[] = [];
  const streams: TorStream[] = [];
  let open = 0;
  const { port } = server.address() as { port: number };
  return withoutTls({
    requests,
    streams,
    open: () => open,
    async openStream(request: StreamRequest) {
      requests.push(request);
      const socket = dial(port, "127.0.0.1");
      await new Promise((resolve, reject) => {
        socket.once("connect", resolve);
        socket.once("error", reject);
      });
      const stream = socketStream(socket);
      streams.push(stream);
      open++;
      stream.closed.then(() => open--);
      return stream;
    },
  });
}

export async function listen<T extends Server>(server: T): Promise<T> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

/** A TCP server whose connections are handled by `handle`. */
export function tcpServer(handle: (socket: Socket) => void): Promise<Server> {
  return listen(
    createTcpServer({ allowHalfOpen: true }, (socket) => {
      socket.on("error", () => {});
      handle(socket);
    }),
  );
}

export interface ScriptedStream extends TorStream {
  readonly written: Uint8Array[];
  /** What was written, as text. */
  text(): string;
  readonly reads: number;
  readonly closedWith: unknown[];
}

/** A stream that delivers these chunks, then ends, fails with `end`, or (with "open") goes on for ever. */
export function scriptedStream(
  chunks: Iterable<Uint8Array>,
  end: "end" | "open" | TorError = "end",
): ScriptedStream {
  const source = chunks[Symbol.iterator]();
  const closed = deferred<TorError | undefined>();
  const gone = deferred<never>();
  const written: Uint8Array[] = [];
  const closedWith: unknown[] = [];
  let reads = 0;
  return {
    remoteAddress: undefined,
    connected: Promise.resolve(),
    closed: closed.promise,
    written,
    closedWith,
    get reads() {
      return reads;
    },
    text: () => new TextDecoder("latin1").decode(concat(...written)),
    async read() {
      reads++;
      const next = source.next();
      if (!next.done) return next.value;
      if (end === "open") return gone.promise;
      if (end !== "end") throw end;
      return undefined;
    },
    async write(data) {
      written.push(data.slice());
    },
    close(reason) {
      closedWith.push(reason);
      gone.reject(reason ?? new TorError("aborted", "ALLIUM_E_ABORTED", "closed"));
      closed.resolve(undefined);
    },
  };
}

/** Opens this one stream, for each request anew. */
export function scriptedOpener(make: (request: StreamRequest) => TorStream): SocketOpener {
  return withoutTls({ openStream: async (request: StreamRequest) => make(request) });
}

/** The bytes of `text` cut into chunks: at one place, or each byte by itself. */
export function cut(text: string, at: number | "each"): Uint8Array[] {
  const bytes = utf8(text);
  if (at === "each") return Array.from(bytes, (byte) => Uint8Array.of(byte));
  return [bytes.slice(0, at), bytes.slice(at)].filter((part) => part.length > 0);
}

/** The error a promise rejects with. */
export async function rejection(
  promise: Promise<unknown>,
): Promise<Error & { code?: string; kind?: string }> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
}

/** A stream in memory whose other end the test holds. */
export function pipe() {
  const closed = deferred<TorError | undefined>();
  const closedWith: unknown[] = [];
  const written: Uint8Array[] = [];
  const arrived: Uint8Array[] = [];
  let over: { error?: unknown } | undefined;
  let wake = deferred();
  const finish = (error?: unknown) => {
    over ??= { error };
    wake.resolve();
  };
  const stream: TorStream = {
    ...{ remoteAddress: undefined, connected: Promise.resolve(), closed: closed.promise },
    async read() {
      for (;;) {
        if (arrived.length > 0) return arrived.shift();
        if (over?.error !== undefined) throw over.error;
        if (over !== undefined) return undefined;
        wake = deferred();
        await wake.promise;
      }
    },
    async write(data) {
      written.push(data.slice());
    },
    close(reason) {
      closedWith.push(reason);
      closed.resolve(undefined);
      finish(reason ?? new TorError("aborted", "ALLIUM_E_TEST_CLOSED", "closed"));
    },
  };
  const server = {
    closedWith,
    text: () => new TextDecoder("latin1").decode(concat(...written)),
    send(text: string) {
      arrived.push(utf8(text));
      wake.resolve();
    },
    end: finish,
  };
  return { stream, server };
}

/** Lets all that is ready run. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** HTTP/1.1 on this stream. */
export function http1(stream: ByteStream, clock: Clock = systemClock): Http1Connection {
  return new Http1Connection(stream, { clock, idleTimeout: 300_000 });
}

/** One fetch, by a fetcher of its own. */
export function torFetch(
  opener: SecureOpener,
  input: string | URL | Request,
  init?: TorFetchInit,
  options?: FetcherOptions,
): Promise<Response> {
  return new Fetcher(opener, options).fetch(input, init);
}
