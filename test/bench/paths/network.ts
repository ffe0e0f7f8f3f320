// The network on which paths are compared: relays of unequal weights, families of both kinds, shared /16, exits that are guards as
// well, exits for few ports with and without the Exit flag, a BadExit and a MiddleOnly relay.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startTornet } from "../../tornet/tornet.ts";
import type { NodeSpec, Tornet, Voting } from "../../tornet/types.ts";
import type { Context } from "../context.ts";
import { formOptions } from "../forms.ts";

/** Ports to which paths are chosen; which exits allow them differs. */
export const PORTS = [443, 8443] as const;

/**
 * Weights in the public network's proportions: exits are scarce, exits that are guards serve in every place, guards in the
 * middle as well. No exit rules out more than two guards, so that one of the three primary ones always fits.
 */
export const NODES: readonly NodeSpec[] = [
  { nickname: "auth1", role: "authority", subnet: 0 },
  { nickname: "auth2", role: "authority", subnet: 0 },
  { nickname: "auth3", role: "authority", subnet: 0 },
  { nickname: "guard1", role: "guard", subnet: 1, weight: 14_000 },
  { nickname: "guard2", role: "guard", subnet: 2, weight: 9000, family: "listed" },
  { nickname: "guard3", role: "guard", subnet: 3, weight: 6000 },
  { nickname: "guard4", role: "guard", subnet: 4, weight: 5000, familyKey: "keyed" },
  { nickname: "guard5", role: "guard", subnet: 1, weight: 4000 },
  { nickname: "guard6", role: "guard", subnet: 6, weight: 2500 },
  { nickname: "both1", role: "exit", subnet: 7, weight: 12_000, isGuard: true },
  { nickname: "both2", role: "exit", subnet: 5, weight: 8000, isGuard: true, familyKey: "keyed" },
  { nickname: "middle1", role: "middle", subnet: 8, weight: 6000, familyKey: "keyed" },
  { nickname: "middle2", role: "middle", subnet: 9, weight: 3500, family: "listed" },
  { nickname: "exit1", role: "exit", subnet: 11, weight: 7000, family: "listed" },
  { nickname: "exit2", role: "exit", subnet: 12, weight: 4000, familyKey: "keyed" },
  { nickname: "exit3", role: "exit", subnet: 3, weight: 3000 },
  { nickname: "webexit", role: "exit", subnet: 13, weight: 2500, exitPorts: [80, 443] },
  { nickname: "oddexit", role: "exit", subnet: 13, weight: 6000, exitPorts: [8443] },
  { nickname: "badexit", role: "exit", subnet: 9, weight: 5000, verdict: "BadExit" },
  { nickname: "middleonly", role: "exit", subnet: 10, weight: 4000, verdict: "MiddleOnly" },
  { nickname: "client", role: "client", subnet: 0 },
];

/** As the public network has them (February 2026). */
const GUARD_PARAMS = { "guard-n-primary-guards-to-use": 2, "guard-n-primary-dir-guards-to-use": 2 };

/** One consensus for the whole run: both clients choose from the same. */
const VOTING: Voting = { interval: 1800, validFor: 10 };

/** Starts the network, lets it be used, and stops it. Without conflux, whose circuits avoid one another's relays. */
export async function withPathNetwork<T>(
  { say, signal }: Context,
  use: (tornet: Tornet) => Promise<T>,
): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), "allium-bench-paths-"));
  say(`network: ${NODES.length - 1} relays of unequal weights`);
  const options = formOptions("cgo", false);
  const tornet = await startTornet({
    ...{ ...options, consensusParams: { ...options.consensusParams, ...GUARD_PARAMS } },
    ...{ dir, signal, nodes: NODES, voting: VOTING, scheduler: "Vanilla" },
  });
  try {
    return await use(tornet);
  } finally {
    await tornet.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}
