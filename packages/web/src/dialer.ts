// Core's Dialer over WebSocket bridges, for pages, workers and Node from 22 on. Specified in docs/protocol/bridge.md.
// Not here: what is inside the bytes; the link's TLS ends in this page, and a bridge cannot read or change it.

import { type Dialer, TorError } from "@allium/core";
import { throwIfAborted } from "@allium/core/internal";
import { BridgePipe } from "./pipe.ts";
import { type Bridges, Route } from "./route.ts";
import { connectUrl, subprotocols } from "./wire.ts";

export interface WebDialerOptions {
  /** `wss://bridge.example/`, several for failover; `ws:` is for bridges on loopback. */
  readonly bridges: readonly string[];
  /** A bridge's access token, base64url. */
  readonly token?: string;
}

/**
 * A Dialer that reaches relays through bridges. `dial` settles when a bridge is connected: whether that reaches the
 * relay shows in the first bytes, or in the error of the pipe.
 * @throws TorError `bad-api-usage` for malformed options
 */
export function webDialer(options: WebDialerOptions): Dialer {
  return dialThrough(bridgesOf(options));
}

/** The bridges of a client, of which one is current. @throws TorError `bad-api-usage` for malformed options */
export function bridgesOf(options: WebDialerOptions): Bridges {
  const { bridges: urls, token } = options;
  if (!Array.isArray(urls) || urls.length === 0) {
    throw new TorError("bad-api-usage", "ALLIUM_E_BRIDGE_URL", "webDialer needs at least one bridge");
  }
  const protocols = subprotocols(token);
  return { urls: urls.map(connectUrl), names: [...urls], protocols, current: 0 };
}

/** See webDialer. */
export function dialThrough(bridges: Bridges): Dialer {
  return {
    bridges: bridges.urls.length,
    async dial(target, options = {}) {
      const { signal } = options;
      throwIfAborted(signal);
      const route = new Route(bridges, target, options);
      return new BridgePipe(await route.open(signal), route);
    },
    leave(bridge) {
      if (bridges.names[bridges.current] === bridge)
        bridges.current = (bridges.current + 1) % bridges.names.length;
    },
  };
}
