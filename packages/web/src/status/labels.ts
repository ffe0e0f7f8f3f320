// All that the status element says. English unless told otherwise; every text can be replaced.

import type { Phase, TorErrorKind } from "@allium/core";

/** `none`: no client is set; `idle`: it has not reached a bridge, or is closed. */
export type StatusState = "none" | "idle" | "starting" | "ready" | "blocked";

export interface StatusLabels {
  /** Name of the whole. */
  readonly title: string;
  /** Name of the progress bar. */
  readonly progress: string;
  /** In a word or two. */
  readonly states: Readonly<Record<StatusState, string>>;
  /** What is being done; announced to screen readers. */
  readonly phases: Readonly<Record<Phase, string>>;
  /** What is wrong and what helps, in one sentence; announced to screen readers. */
  readonly problems: Readonly<Record<TorErrorKind, string>>;
  /** Name of the list of stations. */
  readonly circuit: string;
  /** The list's ends. */
  readonly here: string;
  readonly site: string;
  /** What the relays are: the first, those between, the last. */
  readonly roles: readonly [guard: string, middle: string, exit: string];
  readonly newIdentity: string;
  /** Announced when the button was used. */
  readonly renewed: string;
}

/** Texts to be replaced; of the tables, single ones. */
export type StatusLabelChanges = Partial<Omit<StatusLabels, "states" | "phases" | "problems">> & {
  readonly states?: Partial<StatusLabels["states"]>;
  readonly phases?: Partial<StatusLabels["phases"]>;
  readonly problems?: Partial<StatusLabels["problems"]>;
};

export const englishLabels: StatusLabels = {
  title: "Tor connection",
  progress: "Connecting to Tor",
  states: {
    none: "No client",
    idle: "Not connected",
    starting: "Connecting",
    ready: "Connected",
    blocked: "Blocked",
  },
  phases: {
    bridge: "No bridge is connected.",
    link: "Opening a verified link to a relay…",
    consensus: "Fetching the network's consensus…",
    certificates: "Checking the authorities' certificates…",
    microdescriptors: "Learning about the relays…",
    circuit: "Building a circuit through three relays…",
    ready: "Connected: circuits leave through three relays.",
  },
  problems: {
    "bridge-unreachable": "The bridge does not answer: check that it runs and that its address is right.",
    "bridge-refused": "The bridge refuses for now: wait a little, or use another bridge.",
    offline: "There is no connection to the network: connect this device, then try again.",
    "clock-skew": "This device's clock is wrong: set it, then try again.",
    "directory-expired":
      "The network's directory is too old to be trusted: check this device's clock, or try later.",
    "consensus-unverified":
      "The directory is not signed by enough authorities and is refused: use another bridge.",
    "relay-identity-mismatch":
      "Somebody else answered in a relay's place and is refused: use another bridge.",
    "no-path": "No relays fit, perhaps because no exit allows this port: try another port, or later.",
    "circuit-collapse": "The circuit broke on its way: try again.",
    "exit-policy": "No exit relay is willing to connect there: try another address or port.",
    "exit-timeout": "The site did not answer the exit relay in time: try again.",
    "remote-refused": "The site refused: check the address.",
    "remote-host-not-found": "The exit relay cannot find a site of that name: check the address.",
    "remote-tls": "The site could not prove that it is the one named, and is refused: check the address.",
    "onion-not-found": "No onion service answers at that address: check it, or try later.",
    "onion-auth-required": "That onion service wants a key: ask whoever runs it.",
    "storage-denied": "The browser lets this page store nothing: allow it to store data.",
    "bad-api-usage": "This was asked for in a way that cannot be: check the address or the page's settings.",
    "protocol-violation": "The other side broke the protocol and is refused: try again.",
    limit: "A limit is reached: try later, or update this page.",
    aborted: "It was stopped: start it again if you still want it.",
    internal: "Something failed that should not: reload this page.",
  },
  circuit: "Circuit",
  here: "This page",
  site: "The site",
  roles: ["Guard", "Middle", "Exit"],
  newIdentity: "New identity",
  renewed: "New identity: what is asked for from now on goes through new circuits.",
};

export function mergeLabels(changes: StatusLabelChanges): StatusLabels {
  return {
    ...englishLabels,
    ...changes,
    states: { ...englishLabels.states, ...changes.states },
    phases: { ...englishLabels.phases, ...changes.phases },
    problems: { ...englishLabels.problems, ...changes.problems },
  };
}
