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
  /** WebSocket servers that give back what they are sent. */
  readonly echoes: readonly string[];
  /** Answers with JSON `{ "IsTor": boolean, "IP": string }` about who asks. */
  readonly whoami: string;
  /** Roots, as PEM, that sites of this network are certified by and nobody else trusts. */
  readonly anchors?: readonly string[];
}

export interface DemoConfig {
  /** The first is chosen at the start. */
  readonly networks: readonly DemoNetwork[];
  /** The viewer's sites are shown on hosts below this one: `host:port`. */
  readonly viewer: string;
}
