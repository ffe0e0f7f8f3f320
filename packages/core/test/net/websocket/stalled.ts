// WebSockets over a stream in memory that takes writes only when a test lets it, and what came out of them.

import { type Deferred, deferred } from "../../../src/base/abort.ts";
import { TorError } from "../../../src/base/errors.ts";
import { makeWebSocket } from "../../../src/net/websocket/websocket.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";
import { acceptFor, type Peer, watch } from "./rig.ts";

export const pause = (ms = 10) => new Promise((resolve) => setTimeout(resolve, ms));

/** Messages of the server's side: opcode and text. */
export function messagesOf(peer: Peer): [number, string][] {
  const messages: [number, string][] = [];
  for (const { first, payload } of peer.frames) {
    if ((first & 15) !== 0) messages.push([first & 15, payload.toString("latin1")]);
    else (messages.at(-1) as [number, string])[1] += payload.toString("latin1");
  }
  return messages;
}

/**
 * A WebSocket over a stream in memory that takes writes only when told to, and answers the handshake by itself. What the server
 * says comes with `say`.
 */
export async function stalled(clock = new ManualClock()) {
  const written: Buffer[] = [];
  const chunks: (Uint8Array | undefined)[] = [];
  const closedWith: unknown[] = [];
  let wake = deferred();
  let gate: Deferred<void> | undefined;
  const say = (chunk: Uint8Array | undefined) => {
    chunks.push(chunk);
    wake.resolve();
  };
  const stream = {
    async read() {
      while (chunks.length === 0 && closedWith.length === 0) {
        await wake.promise;
        wake = deferred();
      }
      if (chunks.length === 0) throw closedWith[0] ?? new TorError("aborted", "ALLIUM_E_ABORTED", "closed");
      return chunks.shift();
    },
    async write(data: Uint8Array) {
      written.push(Buffer.from(data));
      const key = /^Sec-WebSocket-Key: (.*)\r$/m.exec(Buffer.from(data).toString("latin1"))?.[1];
      if (key !== undefined)
        return say(
          Buffer.from(
            `HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptFor(key)}\r\n\r\n`,
          ),
        );
      await gate?.promise;
    },
    close(reason?: unknown) {
      closedWith.push(reason);
      wake.resolve();
      gate?.reject(reason ?? new Error("closed"));
    },
  };
  const WebSocket = makeWebSocket({ open: async () => stream, clock });
  const seen = watch(new WebSocket("ws://site.example/"));
  await seen.opened;
  const hold = () => {
    gate = deferred();
    return gate;
  };
  return { ...seen, clock, written, closedWith, say, hold };
}
