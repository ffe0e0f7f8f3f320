// Consensus parameters (param-spec): those of a new network, and others voted in while it runs.
//
// How the forms of flow control and relay crypto come about, at C tor's client as at ours:
//   cc_alg=0                          fixed windows, ntor or ntor-v3 without extensions, tor1 at every hop
//   cc_alg=2 (Vegas)                  congestion control, and CGO at an exit whose line of protocols has Relay=5-6
//   cc_alg=2 with `withoutCgo` exits  congestion control with tor1
// tor 0.4.9 has no parameter and no option that turns CGO off.

import { setTimeout as sleep } from "node:timers/promises";
import { type Control, ControlError, withControl } from "./control.ts";
import type { ConsensusParams, NodeInfo } from "./types.ts";

const POLL_MS = 1000;
/** Two votes, a minute each, and the relays' fetch. */
const TIMEOUT_MS = 300_000;

/** A network's parameters where it is not told others. */
export const OWN_PARAMS: ConsensusParams = {
  cc_alg: 2,
  cfx_enabled: 1,
  circwindow: 1000,
  "publish-family-list": 1,
  "use-family-ids": 1,
};

/** As torrc and the consensus have them: sorted by name. */
export function paramsLine(params: ConsensusParams): string {
  return Object.entries(params)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");
}

/** Whether a consensus has them all; the authorities add some of their own. */
export function hasParams(consensus: string, params: ConsensusParams): boolean {
  const voted = new Set(/^params (.*?)\r?$/m.exec(consensus)?.[1]?.split(" "));
  return Object.entries(params).every(([name, value]) => voted.has(`${name}=${value}`));
}

async function holds(control: Control, params: ConsensusParams): Promise<boolean> {
  const reply = await control
    .send("GETINFO dir/status-vote/current/consensus-microdesc")
    .catch((error: unknown) => {
      if (error instanceof ControlError) return "";
      throw error;
    });
  return hasParams(reply, params);
}

/** Tells all authorities to vote `params`, and waits until every relay holds a consensus that has them. */
export async function voteParams(
  relays: readonly NodeInfo[],
  params: ConsensusParams,
  signal: AbortSignal,
): Promise<void> {
  const line = paramsLine(params);
  for (const { control: target } of relays.filter(({ role }) => role === "authority")) {
    await withControl(target, (control) => control.send(`SETCONF ConsensusParams="${line}"`));
  }
  const deadline = performance.now() + TIMEOUT_MS;
  let waiting = [...relays];
  while (waiting.length > 0) {
    const held = await Promise.all(
      waiting.map((node) => withControl(node.control, (control) => holds(control, params))),
    );
    waiting = waiting.filter((_, i) => held[i] === false);
    if (performance.now() > deadline) {
      throw new Error(`${waiting.map(({ nickname }) => nickname).join(", ")}: no consensus with ${line}`);
    }
    if (waiting.length > 0) await sleep(POLL_MS, undefined, { signal });
  }
}
