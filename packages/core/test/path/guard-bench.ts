// A GuardKeeper on a network of 40 guards, with what is seen of it and the usual ends of circuits.

import { toHex } from "../../src/base/encoding.ts";
import { TorError } from "../../src/base/errors.ts";
import { memoryStore } from "../../src/base/memory-store.ts";
import type { LogEvent, Store } from "../../src/base/ports.ts";
import type { NetDir, Relay } from "../../src/directory/api.ts";
import { type BridgeSuspicion, BridgeWatch } from "../../src/path/bridge-watch.ts";
import { GuardKeeper } from "../../src/path/guard-keeper.ts";
import type { GuardEvent } from "../../src/path/guards/sample.ts";
import { PathSelector } from "../../src/path/select.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { settle } from "./fakes.ts";
import { exitRelay, guardRelay, netdir } from "./synthetic.ts";

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const YEAR = 365 * 24 * HOUR;
export const ANY = (): boolean => true;
export const ONE: ReadonlySet<string> = new Set(["one"]);

export const NETWORK: NetDir = {
  ...netdir([...Array.from({ length: 40 }, (_, id) => guardRelay(id)), exitRelay(100)]),
  ...{ validAfter: 0, freshUntil: 100 * YEAR, validUntil: 101 * YEAR },
};

/** What a bridge can bring about. */
export const SILENT = new TorError("offline", "ALLIUM_E_LINK_TIMEOUT", "no answer");
/** What only the guard itself can say. */
export const DESTROYED = new TorError("circuit-collapse", "ALLIUM_E_TEST", "the relay refused");

export async function bench(store: Store = memoryStore(), clock = new ManualClock()) {
  const events: GuardEvent[] = [];
  const logs: LogEvent[] = [];
  const suspicions: BridgeSuspicion[] = [];
  const wanted: number[] = [];
  const watch = new BridgeWatch({ clock, onSuspicion: (suspicion) => suspicions.push(suspicion) });
  const guards = new GuardKeeper({
    ...{ store, key: "guards", clock, watch },
    sample: (view, allowed) => new PathSelector(view, true).sampleGuard(allowed),
    log: (event) => logs.push(event),
    onEvent: (event) => events.push(event),
    onWanted: () => void wanted.push(clock.monotonic()),
  });
  await guards.load();
  const choose = (allowed: (relay: Relay) => boolean = ANY) => guards.choose(NETWORK, "data", allowed);
  /** A circuit through the next guard that comes to nothing, as a channel through `bridges` would. */
  const fail = async (...bridges: string[]) => {
    const ticket = await choose();
    watch.failed(nameOf(ticket.relay), new Set(bridges));
    ticket.failed(SILENT, false);
    return nameOf(ticket.relay);
  };
  /** As after months of use: all primary guards are confirmed. */
  const confirmPrimaries = async () => {
    const seen = new Set<Relay>();
    for (let i = 0; i < 3; i++) {
      const ticket = await choose((relay) => !seen.has(relay));
      seen.add(ticket.relay);
      watch.reached(nameOf(ticket.relay), ONE);
      await ticket.built();
      ticket.closed(undefined);
    }
    return [...seen];
  };
  /** Circuits that path bias counts, and those of them that count as complete, for each guard that has any. */
  const counts = () =>
    guards
      .export()
      .guards.flatMap(({ pb_circ_attempts, pb_circ_successes }) =>
        pb_circ_attempts === undefined ? [] : [[pb_circ_attempts, pb_circ_successes]],
      );
  return {
    ...{ guards, clock, store, events, logs, watch, suspicions, wanted },
    ...{ choose, fail, confirmPrimaries, counts },
  };
}

export function nameOf(relay: Relay): string {
  return toHex(relay.rsaId).toUpperCase();
}

/** Whether a promise is fulfilled by now. */
export async function isDone(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  promise.then(
    () => {
      done = true;
    },
    () => {},
  );
  await settle();
  return done;
}
