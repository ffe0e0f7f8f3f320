// A Dialer's Duplex (Web Streams) as core's ByteStream, so that only the rim pays for Web Streams.

import type { ByteStream } from "./byte-stream.ts";
import { toTorError } from "./errors.ts";
import type { Duplex } from "./ports.ts";

/** Reads and writes a Duplex through locked readers. Closing it closes the Duplex. */
export function duplexStream(duplex: Duplex): ByteStream {
  const reader = duplex.readable.getReader();
  const writer = duplex.writable.getWriter();
  writer.closed.catch(() => {});
  reader.closed.catch(() => {});
  // The reader and the writer say why as well; a Dialer's promise that nobody takes would end a Node process.
  duplex.closed.catch(() => {});
  let closedWith: unknown;
  let closed = false;
  return {
    async read() {
      try {
        const next = await reader.read();
        if (closed && closedWith !== undefined) throw closedWith;
        return next.done ? undefined : next.value;
      } catch (error) {
        throw toTorError(closedWith ?? error);
      }
    },
    async write(data) {
      try {
        await writer.ready;
        // Not awaited: `ready` of the next write is the back-pressure, a failure shows there or on the reader.
        writer.write(data).catch(() => {});
      } catch (error) {
        throw toTorError(closedWith ?? error);
      }
    },
    close(reason) {
      if (closed) return;
      closed = true;
      closedWith = reason;
      duplex.close(reason);
    },
  };
}
