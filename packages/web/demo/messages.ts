// What the page says, in words for people: the phases of the start, and what is wrong when something is.

import type { TorErrorKind } from "@allium/core";

const PHASES: Record<string, string> = {
  bridge: "Reaching the bridge…",
  link: "Opening a verified link to a relay…",
  consensus: "Fetching the network's consensus…",
  certificates: "Checking the authorities' certificates…",
  microdescriptors: "Learning about the relays…",
  circuit: "Building a circuit through three relays…",
  ready: "Connected: circuits leave through three relays.",
};

const PROBLEMS: Partial<Record<TorErrorKind, string>> = {
  "bridge-unreachable": "The bridge does not answer. Is it running, and is its address right?",
  "bridge-refused": "The bridge refused. It may be starting, full, or not know this relay.",
  offline: "There is no connection to the network.",
  "clock-skew": "This device's clock is wrong. Set it, then try again.",
  "directory-expired": "The network's directory is too old to be trusted.",
  "consensus-unverified": "The directory is not signed by enough authorities. It is refused.",
  "relay-identity-mismatch": "Somebody else answered in the relay's place. The link is refused.",
  "protocol-violation": "A relay or the bridge broke the protocol. The link is closed.",
  "no-path": "No path of relays fits: none of the exits allows this port, perhaps.",
  "circuit-collapse": "The circuit broke on its way.",
  "exit-policy": "No exit relay is willing to connect there.",
  "exit-timeout": "The site did not answer the exit relay in time.",
  "remote-refused": "The site refused the connection.",
  "remote-host-not-found": "The exit relay cannot find a site of that name.",
  "storage-denied": "The browser gives this page no storage.",
  aborted: "Stopped.",
};

export function describePhase(phase: string): string {
  return PHASES[phase] ?? phase;
}

export function describeProblem(kind: string): string {
  return PROBLEMS[kind as TorErrorKind] ?? "Something went wrong.";
}
