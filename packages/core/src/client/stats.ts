// `TorClient.stats()`: what the client did and has, as JSON for dashboards and tests. It names relays, as `circuits()` does:
// the first hops that were used. Nothing here names a destination. Counts are since the client was made.

import type { Traffic } from "../circuit/api.ts";
import type { NetDir } from "../directory/api.ts";
import type { BridgeUse } from "../path/bridge-watch.ts";
import { type GuardState, timeText } from "../path/guards/state.ts";
import type { Activity } from "./activity.ts";
import type { LinkStep } from "./link-outcome.ts";
import type { RelayHealth } from "./relay-health.ts";
import type { NetworkStack } from "./stack.ts";

export interface ClientStats {
  /** Channels to relays that are open. */
  readonly channels: number;
  /** Attempts to open a channel: to reach a relay and to have it prove its identity. */
  readonly handshakes: {
    readonly completed: number;
    /** By the step that failed: see LinkStep. */
    readonly failed: Readonly<Record<LinkStep, number>>;
  };
  readonly circuits: {
    readonly open: number;
    readonly building: number;
    readonly built: number;
    /** Ended before they were complete, for whatever reason; `timedOut` of these because their time was over. */
    readonly failed: number;
    readonly timedOut: number;
    /** How often a request for a circuit was tried again. */
    readonly retried: number;
  };
  /** Of circuits of three hops, from the dial on. */
  readonly buildTimes: {
    readonly count: number;
    /** Milliseconds, of the last 100; absent before the first. */
    readonly median?: number;
  };
  readonly streams: {
    readonly open: number;
    readonly opened: number;
    readonly failed: number;
  };
  /** Bytes of cells on circuits that became complete, those that are gone included. */
  readonly traffic: Traffic & {
    /** Of each circuit that is open, by its `id` in `circuits()`. */
    readonly circuits: readonly ({ readonly id: number } & Traffic)[];
  };
  /** Bytes that wait for readers of all streams together, and how many may. */
  readonly memory: { readonly used: number; readonly limit: number };
  readonly guards: {
    readonly total: number;
    readonly confirmed: number;
    /** When the oldest guard was first used and any was last used, RFC 3339. */
    readonly oldest?: string;
    readonly lastUsed?: string;
    /** How often a guard was confirmed, and how often one that worked could not be reached any more. */
    readonly confirmations: number;
    readonly failures: number;
  };
  /** First hops of the last circuits, the one used last at first; 32 at the most. */
  readonly relays: readonly RelayHealth[];
  /** Bridges that guards were tried through within a day, and how many guards. */
  readonly bridges: readonly BridgeUse[];
  readonly directory: {
    /** Requests to a directory cache that failed, and which another one was or will be asked. */
    readonly failures: number;
    /** Absent until there is a verified one. */
    readonly consensus?: ConsensusStats;
  };
  /** New identities: `newIdentity()` and `path.rotateEvery`. */
  readonly rotations: number;
  /** Whether nobody used the client for a day, so that it does nothing until it is used again. */
  readonly dormant: boolean;
}

interface ConsensusStats {
  /** RFC 3339. */
  readonly validAfter: string;
  readonly freshUntil: string;
  readonly validUntil: string;
  /** Milliseconds since it became valid, by this device's clock. */
  readonly age: number;
  /** Relays that it lists, and those whose descriptors are at hand as well. */
  readonly listed: number;
  readonly usable: number;
}

type StatsNetwork = Pick<
  NetworkStack,
  "bridges" | "channels" | "directory" | "guards" | "memory" | "registry"
>;

/** @param now milliseconds since the epoch */
export function clientStats(
  network: StatsNetwork,
  activity: Activity,
  { dormant, now }: { readonly dormant: boolean; readonly now: number },
): ClientStats {
  const { bridges, channels, directory, guards, memory } = network;
  const { links, streams, buildTimes, rotations } = activity;
  const { count, median } = buildTimes;
  const { netdir } = directory;
  return {
    channels: channels.size,
    handshakes: { completed: links.completed, failed: { ...links.failed } },
    circuits: circuitStats(network, activity),
    buildTimes: { count, ...(median !== undefined && { median }) },
    streams: { ...streams },
    traffic: trafficStats(network),
    memory: { used: memory.used, limit: memory.limit },
    guards: { ...guardStats(guards.export()), ...activity.guards },
    relays: activity.relays.list(),
    bridges: bridges.list(),
    directory: {
      failures: activity.directoryFailures,
      ...(netdir !== undefined && { consensus: consensusStats(netdir, now) }),
    },
    ...{ rotations, dormant },
  };
}

function circuitStats(
  { registry }: Pick<StatsNetwork, "registry">,
  { circuitsTimedOut: timedOut, circuitsRetried: retried }: Activity,
): ClientStats["circuits"] {
  const all = registry.list();
  const open = all.filter(({ state }) => state === "open").length;
  return { open, building: all.length - open, ...registry.counts, timedOut, retried };
}

function trafficStats({ registry }: Pick<StatsNetwork, "registry">): ClientStats["traffic"] {
  const { general, directory } = registry.totalTraffic();
  return {
    received: general.received + directory.received,
    sent: general.sent + directory.sent,
    circuits: [...registry.traffic()].map(([id, traffic]) => ({ id, ...traffic })),
  };
}

function consensusStats(netdir: NetDir, now: number): ConsensusStats {
  const { validAfter, freshUntil, validUntil, listed, relays } = netdir;
  return {
    validAfter: timeText(validAfter),
    freshUntil: timeText(freshUntil),
    validUntil: timeText(validUntil),
    age: now - validAfter,
    listed,
    usable: relays.length,
  };
}

function guardStats({ guards }: GuardState) {
  const oldest = guards.map(({ first_used }) => first_used).sort()[0];
  const lastUsed = guards
    .map(({ last_used }) => last_used)
    .sort()
    .at(-1);
  return {
    total: guards.length,
    confirmed: guards.filter(({ confirmed }) => confirmed).length,
    ...(oldest === undefined ? {} : { oldest }),
    ...(lastUsed === undefined ? {} : { lastUsed }),
  };
}
