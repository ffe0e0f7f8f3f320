// Core's Dialer over Node's TCP sockets: what the bridge uses to fetch its own consensus, and what a Node program uses
// to run TorClient without a bridge. IP literals only, so no name is ever looked up.

import { connect, type Socket } from "node:net";
import {
  type Dialer,
  type DialOptions,
  type Duplex,
  formatIp,
  type RelayAddress,
  TorError,
} from "@allium/core";

const DEFAULT_DIAL_TIMEOUT = 10_000;
/** Milliseconds after which the next address is tried beside the last (RFC 8305 8, "Connection Attempt Delay"). */
const NEXT_ADDRESS = 250;
/** Bytes held on the way in before the socket is paused. */
const READ_AHEAD = 64 * 1024;
/**
 * Bytes that one read takes at most. Node's own 64 KiB, allocated anew for each read, cost a third of a download's rate:
 * from that size on the allocator asks the kernel for pages that have to be cleared, and gives them back.
 */
const READ_SIZE = 32 * 1024;

/** A connected socket that reads nothing before it is told where to. */
export interface DialledSocket {
  readonly socket: Socket;
  /** Begins to read. The chunks are the sink's to keep; `socket.pause()` and `resume()` hold and continue. */
  readTo(sink: (chunk: Uint8Array) => void): void;
}

/** Opens one TCP connection without any name look-up. @throws TorError `offline` or `aborted` */
export function dialSocket(
  target: RelayAddress,
  timeout: number,
  signal?: AbortSignal,
): Promise<DialledSocket> {
  return new Promise((resolve, reject) => {
    let sink: (chunk: Uint8Array) => void = () => {};
    const socket = connect({
      host: formatIp(target.address),
      port: target.port,
      family: target.family,
      noDelay: true,
      onread: {
        buffer: new Uint8Array(READ_SIZE),
        callback(length, buffer) {
          sink(buffer.slice(0, length));
          return true;
        },
      },
    });
    socket.pause();
    const fail = (error: TorError) => {
      cleanUp();
      socket.on("error", () => {});
      socket.destroy();
      reject(error);
    };
    const onAbort = () =>
      fail(new TorError("aborted", "ALLIUM_E_ABORTED", "the dial was aborted", { cause: signal?.reason }));
    const onError = (cause: Error) =>
      fail(
        new TorError("offline", "ALLIUM_E_DIAL_FAILED", "the relay did not accept the connection", { cause }),
      );
    const timer = setTimeout(
      () =>
        fail(
          new TorError("offline", "ALLIUM_E_DIAL_TIMEOUT", `the relay did not answer within ${timeout} ms`),
        ),
      timeout,
    );
    const cleanUp = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      socket.off("error", onError);
    };
    socket.once("error", onError);
    socket.once("connect", () => {
      cleanUp();
      resolve({
        socket,
        readTo(to) {
          sink = to;
          socket.resume();
        },
      });
    });
    signal?.addEventListener("abort", onAbort, { once: true });
    if (signal?.aborted) onAbort();
  });
}

/** A TCP socket as core's Duplex, with back-pressure in both directions. */
function socketDuplex({ socket, readTo }: DialledSocket): Duplex {
  let settle: { resolve(): void; reject(error: unknown): void };
  const closed = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject };
  });
  closed.catch(() => {});
  let failure: TorError | undefined;
  let ended = false;
  const readable = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        readTo((chunk) => {
          // A destroyed socket may still give what it had buffered.
          if (ended) return;
          controller.enqueue(chunk);
          if ((controller.desiredSize ?? 0) <= 0) socket.pause();
        });
        socket.on("end", () => {
          if (!ended) controller.close();
          ended = true;
        });
        socket.on("error", (cause) => {
          failure ??= new TorError(
            "offline",
            "ALLIUM_E_CONNECTION_LOST",
            "the connection to the relay broke",
            { cause },
          );
        });
        socket.on("close", () => {
          if (failure === undefined) settle.resolve();
          else settle.reject(failure);
          if (ended) return;
          ended = true;
          if (failure === undefined) controller.close();
          else controller.error(failure);
        });
      },
      pull() {
        socket.resume();
      },
      cancel() {
        ended = true;
        socket.destroy();
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: READ_AHEAD }),
  );
  const writable = new WritableStream<Uint8Array>({
    write(chunk) {
      return new Promise((resolve, reject) => {
        socket.write(chunk, (error) => (error ? reject(failure ?? error) : resolve()));
      });
    },
    close() {
      socket.end();
    },
    abort() {
      socket.destroy();
    },
  });
  const close = (reason?: unknown) => {
    if (reason instanceof TorError) failure ??= reason;
    socket.destroy();
  };
  return { readable, writable, closed, close };
}

/** The first of one relay's addresses that answers; each next one is tried a moment later, or once all before it failed. */
function dialFirst(
  target: readonly RelayAddress[],
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<DialledSocket> {
  const others = new AbortController();
  const forward = () => others.abort(signal?.reason);
  signal?.addEventListener("abort", forward, { once: true });
  if (signal?.aborted) forward();
  return new Promise<DialledSocket>((resolve, reject) => {
    let next = 0;
    let underWay = 0;
    let timer: NodeJS.Timeout | undefined;
    let isOver = false;
    const begin = () => {
      clearTimeout(timer);
      const address = target[next];
      if (isOver || address === undefined) return;
      next++;
      underWay++;
      timer = setTimeout(begin, NEXT_ADDRESS);
      dialSocket(address, timeout, others.signal).then(win, lose);
    };
    const win = (dialled: DialledSocket) => {
      if (isOver) dialled.socket.destroy();
      isOver = true;
      resolve(dialled);
    };
    const lose = (error: unknown) => {
      underWay--;
      if (!others.signal.aborted && next < target.length) return begin();
      if (underWay > 0) return;
      isOver = true;
      reject(error);
    };
    begin();
    if (underWay === 0) reject(new TorError("bad-api-usage", "ALLIUM_E_BAD_ADDRESS", "no address to dial"));
  }).finally(() => {
    signal?.removeEventListener("abort", forward);
    others.abort();
  });
}

/** Dials relays by TCP, over IPv4 and IPv6 where they have both (RFC 8305). `timeout` is per address, in milliseconds. */
export function nodeDialer(options: { readonly timeout?: number } = {}): Dialer {
  const timeout = options.timeout ?? DEFAULT_DIAL_TIMEOUT;
  return {
    async dial(target: readonly RelayAddress[], { signal }: DialOptions = {}): Promise<Duplex> {
      return socketDuplex(await dialFirst(target, timeout, signal));
    },
  };
}
