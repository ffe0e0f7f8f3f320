// What the panels of the page share: the client of the network that is picked.

import type { TorClientLike } from "@allium/core";
import type { DemoNetwork } from "./config.ts";

export interface Session {
  readonly client: TorClientLike;
  readonly network: DemoNetwork;
  /** `host:port`, below which the viewer's sites are. */
  readonly viewerHost: string;
  /** Aborts when another network is picked: listeners and requests end with it. */
  readonly signal: AbortSignal;
}

/** Draws itself for a session that begins, and forgets what it had of the one before. */
export type Panel = (session: Session) => void;
