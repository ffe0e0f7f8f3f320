// A path through one of the client's guards: the choice of relays (select.ts) and that of the guard (guard-keeper.ts) joined.

import type { NetDir } from "../directory/api.ts";
import type { GuardKeeper } from "./guard-keeper.ts";
import type { GuardTicket } from "./guard-ticket.ts";
import type { ExitTarget, GuardSource, Path, PathSelector } from "./select.ts";

/** A path, and what tells the guard algorithm of its circuit. */
export interface GuardedPath extends Path {
  readonly ticket: GuardTicket;
}

/**
 * A fresh path to the target.
 * @param avoidExits RSA identities (hex) of exits that already failed this request
 * @throws TorError `no-path`, saying what left no relay
 */
export async function guardedPath(
  selector: PathSelector,
  guards: Pick<GuardKeeper, "choose">,
  target: ExitTarget,
  avoidExits: ReadonlySet<string>,
): Promise<GuardedPath> {
  const tickets: GuardTicket[] = [];
  const source: GuardSource = {
    async next(netdir: NetDir, allowed) {
      const ticket = await guards.choose(netdir, "data", allowed);
      tickets.push(ticket);
      return ticket.relay;
    },
  };
  try {
    const path = await selector.path(target, source, avoidExits);
    const ticket = tickets.pop() as GuardTicket;
    return { ...path, ticket };
  } finally {
    // Of exits that left no middle.
    for (const ticket of tickets) ticket.gaveUp();
  }
}
