// What the demo page's server tells it: `config.json`.

import type { NetworkConfig } from "@allium/core";

export interface DemoNetwork {
  readonly id: "private" | "public";
  readonly label: string;
  readonly bridges: readonly string[];
  /** Absent for the public Tor network, which core knows by itself. */
  readonly network?: NetworkConfig;
  /** Addresses offered for a click. */
  readonly suggestions: readonly string[];
}

export interface DemoConfig {
  /** The first is chosen at the start. */
  readonly networks: readonly DemoNetwork[];
}
