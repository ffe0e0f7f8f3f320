// The WebSocket of a page whose client is in another thread: frames are made and read here, that thread carries their bytes,
// and does TLS where there is any.

import { systemClock, type TorViewLike, type TorWebSocketConstructor } from "@allium/core";
import { makeWebSocket } from "@allium/core/internal";
import { socketStream } from "./socket-stream.ts";

/** A class whose connections are sockets of `view`. */
export function webSocketOver(view: Pick<TorViewLike, "connect">): TorWebSocketConstructor {
  return makeWebSocket({
    clock: systemClock,
    open: async ({ hostname, port, isolation, signal }, isSecure) => {
      const options = {
        ...(isSecure && ({ secureTransport: "on", alpn: ["http/1.1"] } as const)),
        ...(isolation !== undefined && { isolation }),
        ...(signal !== undefined && { signal }),
      };
      return socketStream(view.connect({ hostname, port }, options), systemClock);
    },
  });
}
