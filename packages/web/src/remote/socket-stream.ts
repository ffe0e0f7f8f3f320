// A socket as core's ByteStream, for what is spoken on it in the page.

import type { Clock, TorSocket } from "@allium/core";
import { type ByteStream, ownBuffer, settledWithin } from "@allium/core/internal";

/** Milliseconds for what was written to leave the page, once the stream is closed. */
const FLUSH_TIMEOUT = 2000;

/** Locks both sides of the socket. Without a reason `close` lets what was written go first. */
export function socketStream(socket: TorSocket, clock: Clock): ByteStream {
  const reader = socket.readable.getReader();
  const writer = socket.writable.getWriter();
  for (const promise of [reader.closed, writer.closed, socket.opened, socket.closed]) promise.catch(() => {});
  let isClosed = false;
  return {
    read: async () => (await reader.read()).value,
    write: (data) => writer.write(ownBuffer(data)),
    async close(reason) {
      if (isClosed) return;
      isClosed = true;
      if (reason === undefined) await settledWithin(clock, FLUSH_TIMEOUT, writer.close());
      socket.close(reason).catch(() => {});
    },
  };
}
