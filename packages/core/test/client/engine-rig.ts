// An engine on a network of the test's own: what it builds, asks for and says.

import { type Deferred, deferred } from "../../src/base/abort.ts";
import { defaultRetryPolicy } from "../../src/base/backoff.ts";
import { TorError } from "../../src/base/errors.ts";
import { memoryStore } from "../../src/base/memory-store.ts";
import type { LogEvent } from "../../src/base/ports.ts";
import { Engine, type EngineOptions, type Network, type Progress } from "../../src/client/engine.ts";
import type { ClientStatus } from "../../src/client/status.ts";
import type { NetDir } from "../../src/directory/api.ts";
import type { BuildRequest } from "../../src/path/builder.ts";
import { isListedGuard } from "../../src/path/guards/guard.ts";
import { PathSelector } from "../../src/path/select.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { type FakeCircuit, fakeCircuit, fakeTicket, settle } from "../path/fakes.ts";
import { exitRelay, guardRelay, netdir, relay } from "../path/synthetic.ts";

export const HOUR = 3_600_000;
export const RELAYS = [guardRelay(1), relay({ id: 2 }), exitRelay(3), exitRelay(4)];
export const UNSIGNED = new TorError("consensus-unverified", "ALLIUM_E_TEST", "too few signatures");
export const COLLAPSE = new TorError("circuit-collapse", "ALLIUM_E_TEST", "collapsed");

/** A view of the network that begins to be valid now. */
export function viewAt(now: number, relays = RELAYS): NetDir {
  return { ...netdir(relays), validAfter: now, freshUntil: now + HOUR, validUntil: now + 3 * HOUR };
}

export function bench(change: Partial<EngineOptions> = {}) {
  const clock = new ManualClock();
  const logs: LogEvent[] = [];
  const seen: ClientStatus[] = [];
  const retried: TorError[] = [];
  const updates: Deferred<NetDir>[] = [];
  const built: { request: BuildRequest; circuit: FakeCircuit }[] = [];
  const state: {
    view?: NetDir;
    refuse?: TorError;
    closed: boolean;
    freshSignals: AbortSignal[];
    progress?: Progress;
    explained?: TorError;
    unreadable?: TorError;
    changes: number;
    loads: number;
    rotations: number;
    /** How often connections of before were to be let go. */
    left: number;
    closedWith: string[];
    ticks: number;
    /** Ends the loop that keeps the view fresh. */
    stop?: (error: TorError) => void;
  } = {
    ...{ closed: false, freshSignals: [], changes: 0, loads: 0, rotations: 0, ticks: 0, left: 0 },
    closedWith: [],
  };
  const store = memoryStore();
  const network: Network = {
    guards: {
      choose: async (view, _use, allowed) => {
        const guard = view.relays.find((one) => isListedGuard(one) && allowed(one));
        if (guard === undefined) throw new TorError("no-path", "ALLIUM_E_NO_GUARD", "none fits");
        return fakeTicket(guard);
      },
    },
    networkChanged: () => void state.changes++,
    buildTimeouts: { tests: undefined, unusedLifetime: undefined },
    clockSkew: { explain: (error) => state.explained ?? error },
    load: async () => {
      state.loads++;
      if (state.unreadable !== undefined) throw state.unreadable;
    },
    selectorFor: (view) => new PathSelector(view, true),
    builder: {
      async build(request) {
        if (state.refuse !== undefined) throw state.refuse;
        const circuit = fakeCircuit([]);
        built.push({ request, circuit });
        return circuit;
      },
    },
    directory: {
      get netdir() {
        return state.view;
      },
      async bootstrap() {
        const update = deferred<NetDir>();
        updates.push(update);
        state.view = await update.promise;
        return state.view;
      },
      keepFresh(signal) {
        state.freshSignals.push(signal);
        return new Promise((_, reject) => {
          state.stop = reject;
          signal.addEventListener("abort", () => reject(signal.reason));
        });
      },
    },
    async close() {
      state.closed = true;
    },
  };
  const options: EngineOptions = {
    ...{ dialer: { dial: () => Promise.reject(COLLAPSE) }, store, clock, log: (event) => logs.push(event) },
    network: { authorities: [], fallbacks: [] },
    path: {
      maxCircuitDirtiness: 600_000,
      circuitBuildTimeout: undefined,
      preemptive: false,
      rotateEvery: undefined,
      exits: undefined,
    },
    snapshots: undefined,
    ...{ circuits: { cgo: true }, streams: { optimisticData: true, connectTimeout: 15_000 } },
    ...{ ciphers: undefined, memoryLimit: 64 * 1024 * 1024, padding: "normal" },
    retry: { ...defaultRetryPolicy, jitter: 0 },
    signal: undefined,
    ...change,
  };
  const engine = new Engine(
    options,
    {
      ...{ status: (status) => seen.push(status), stream: () => {} },
      circuitRetried: (error) => retried.push(error),
      rotated: () => void state.rotations++,
      circuitsLeft: () => void state.left++,
      closed: (error) => void state.closedWith.push(error.code),
      tick: () => void state.ticks++,
    },
    (progress) => {
      state.progress = progress;
      return network;
    },
  );
  /** Becomes ready with a view that begins now. */
  const start = async (view = viewAt(clock.now())) => {
    const ready = engine.ready(undefined);
    await settle();
    updates.at(-1)?.resolve(view);
    await ready;
    return view;
  };
  return { engine, clock, logs, seen, updates, built, state, start, retried };
}
