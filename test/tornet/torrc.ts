// The configuration of every node (tor(1)). Containment: each tor has its own DirAuthority lines with
// TestingTorNetwork, no fallback directories, and OutboundBindAddress 127.x, from which Linux connects to nothing
// but loopback.

import { familyLines } from "./families.ts";
import type { NodeKeys } from "./keys.ts";
import {
  BEHIND_PORT,
  CONTROL_PORT,
  DIR_PORT,
  type Layout,
  type NodePlan,
  OR_PORT,
  SOCKS_PORT,
} from "./layout.ts";
import { paramsLine } from "./params.ts";
import type { ConsensusParams, Scheduler, Voting } from "./types.ts";

/**
 * Seconds until the first consensus, by which every relay must have published: a relay that misses it waits for the next,
 * a minute later. On a busy machine some do miss six seconds. tor wants a divisor of 1800.
 */
const INITIAL_VOTING_INTERVAL = { quiet: 6, busy: 15 };
/** Where a network is not told otherwise. */
export const OWN_VOTING: Voting = { interval: 60, validFor: 10 };

/** A testing network's onion time period is 24 voting intervals, and starts 12 of them late. */
export function onionTimePeriod({ interval }: Voting): { minutes: number; offsetMinutes: number } {
  return { minutes: (24 * interval) / 60, offsetMinutes: (12 * interval) / 60 };
}

/** The same for all nodes. */
export interface Timing {
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** Whether others want the processors. */
  readonly isBusy: boolean;
}

export interface TorrcContext {
  readonly layout: Layout;
  readonly keys: ReadonlyMap<string, NodeKeys>;
  readonly scheduler: Scheduler;
  /** Data directory of the node. */
  readonly dataDirectory: string;
  readonly resolvConf: string;
  readonly bandwidthFile: string;
  /** Process whose end is the end of the node. */
  readonly ownerPid: number;
  readonly timing: Timing;
  readonly consensusParams: ConsensusParams;
  readonly voting: Voting;
  readonly everyRelayIsGuard: boolean;
  /** Whether the slow path's proxy has the relay's ORPort. */
  readonly isBehindProxy: boolean;
  /** Clients only; tor's own choice unless told otherwise. */
  readonly conflux?: boolean | undefined;
}

function keysOf(context: TorrcContext, nickname: string): NodeKeys {
  const keys = context.keys.get(nickname);
  if (keys === undefined) throw new Error(`no keys for ${nickname}`);
  return keys;
}

function authorityLines(context: TorrcContext): string[] {
  return context.layout.nodes
    .filter((node) => node.role === "authority")
    .map(({ nickname, address }) => {
      const { rsaId, v3ident } = keysOf(context, nickname);
      return `DirAuthority ${nickname} orport=${OR_PORT} no-v2 v3ident=${v3ident} ${address}:${DIR_PORT} ${rsaId}`;
    });
}

function commonLines(node: NodePlan, context: TorrcContext): string[] {
  const directory = context.dataDirectory;
  return [
    "TestingTorNetwork 1",
    "UseDefaultFallbackDirs 0",
    ...authorityLines(context),
    `OutboundBindAddress ${node.address}`,
    `__OwningControllerProcess ${context.ownerPid}`,
    "AssumeReachable 1",
    "PathsNeededToBuildCircuits 0.67",
    `DataDirectory ${directory}`,
    `Nickname ${node.nickname}`,
    `PidFile ${directory}/pid`,
    `ControlPort ${node.address}:${CONTROL_PORT}`,
    "CookieAuthentication 1",
    `Log notice file ${directory}/notice.log`,
    "SafeLogging 0",
    "ProtocolWarnings 1",
    "ShutdownWaitLength 0",
    "AvoidDiskWrites 1",
    `Schedulers ${context.scheduler}`,
  ];
}

function orPortLines({ address }: NodePlan, { isBehindProxy }: TorrcContext): string[] {
  if (!isBehindProxy) return [`ORPort ${address}:${OR_PORT} IPv4Only`];
  return [
    `ORPort ${address}:${OR_PORT} NoListen IPv4Only`,
    `ORPort ${address}:${BEHIND_PORT} NoAdvertise IPv4Only`,
  ];
}

function clientLines(node: NodePlan, { conflux }: TorrcContext): string[] {
  const lines = [`SocksPort ${node.address}:${SOCKS_PORT}`];
  if (conflux !== undefined) lines.push(`ConfluxEnabled ${conflux ? 1 : 0}`);
  return lines;
}

function relayLines(node: NodePlan, context: TorrcContext): string[] {
  return [
    `Address ${node.address}`,
    ...orPortLines(node, context),
    "AddressDisableIPv6 1",
    "SocksPort 0",
    "ContactInfo tornet@test.invalid",
    "NumCPUs 1",
    "ServerDNSDetectHijacking 0",
    "ServerDNSTestAddresses",
    `ServerDNSResolvConfFile ${context.resolvConf}`,
    "ServerDNSAllowBrokenConfig 1",
    "BandwidthRate 1 GBytes",
    "BandwidthBurst 1 GBytes",
    ...familyLines(node, context.layout, context.keys),
  ];
}

/** Who gets the flag Guard. */
function guardsLine(context: TorrcContext): string {
  if (context.everyRelayIsGuard) return "TestingDirAuthVoteGuard *";
  const guards = context.layout.nodes.filter(({ role, isGuard = role === "guard" }) => isGuard);
  return `TestingDirAuthVoteGuard ${guards.map(({ nickname }) => keysOf(context, nickname).rsaId).join(",")}`;
}

function votingLines(context: TorrcContext): string[] {
  const { voting } = context;
  const first = INITIAL_VOTING_INTERVAL[context.timing.isBusy ? "busy" : "quiet"];
  const interval = Math.min(first, voting.interval);
  const offset = Math.floor(context.timing.startedAt / 1000) % interval;
  return [
    "AuthoritativeDirectory 1",
    "V3AuthoritativeDirectory 1",
    `TestingV3AuthInitialVotingInterval ${interval}`,
    "TestingV3AuthInitialVoteDelay 2",
    "TestingV3AuthInitialDistDelay 2",
    `TestingV3AuthVotingStartOffset ${offset}`,
    `V3AuthVotingInterval ${voting.interval}`,
    "V3AuthVoteDelay 2",
    "V3AuthDistDelay 2",
    `V3AuthNIntervalsValid ${voting.validFor}`,
    guardsLine(context),
    "TestingDirAuthVoteGuardIsStrict 1",
    "TestingDirAuthVoteHSDir *",
    "TestingMinExitFlagThreshold 0",
    "TestingMinFastFlagThreshold 0",
    // Without these two a guard now and then is not Stable, and no client finds a first hop.
    "AuthDirVoteStableGuaranteeMinUptime 0",
    "AuthDirVoteStableGuaranteeMTBF 0",
    "AuthDirMaxServersPerAddr 0",
    "AuthDirTestEd25519LinkKeys 0",
    `V3BandwidthsFile ${context.bandwidthFile}`,
    `ConsensusParams ${paramsLine(context.consensusParams)}`,
    ...verdictLines(context.layout),
  ];
}

/** The flags are known to the consensus only where they are listed. */
function verdictLines({ nodes }: Layout): string[] {
  return nodes.flatMap(({ verdict, address }) =>
    verdict === undefined
      ? []
      : [`AuthDirList${verdict === "BadExit" ? "BadExits" : verdict} 1`, `AuthDir${verdict} ${address}`],
  );
}

/** The microdescriptor says "p accept 1-65535" only where nearly all of IPv4 is accepted. */
function exitLines({ exitPorts }: NodePlan): string[] {
  const ports: readonly (number | "*")[] = exitPorts ?? ["*"];
  return [
    "ExitRelay 1",
    "ExitPolicyRejectPrivate 0",
    ...ports.flatMap((port) => [`ExitPolicy accept 127.0.0.0/8:${port}`, `ExitPolicy accept *:${port}`]),
    ...(exitPorts === undefined ? [] : ["ExitPolicy reject *:*"]),
    "IPv6Exit 0",
  ];
}

export function torrc(node: NodePlan, context: TorrcContext): string {
  const lines = commonLines(node, context);
  if (node.role === "client") lines.push(...clientLines(node, context));
  else lines.push(...relayLines(node, context));
  if (node.role === "authority") {
    lines.push(`DirPort ${node.address}:${DIR_PORT}`, ...votingLines(context));
  }
  if (node.role === "exit") lines.push(...exitLines(node));
  else if (node.role !== "client") lines.push("ExitPolicy reject *:*");
  return `${lines.join("\n")}\n`;
}

/** Measured bandwidths (bandwidth-file-spec 1.0.0); without them every weight is "Unmeasured". */
export function bandwidthFile(layout: Layout, keys: ReadonlyMap<string, NodeKeys>, now: number): string {
  const lines = [String(Math.floor(now / 1000))];
  for (const node of layout.nodes) {
    const rsaId = keys.get(node.nickname)?.rsaId;
    const weight = node.weight ?? (node.role === "authority" ? 10 : 10_000);
    if (rsaId !== undefined) lines.push(`node_id=$${rsaId} bw=${weight} nick=${node.nickname}`);
  }
  return `${lines.join("\n")}\n`;
}
