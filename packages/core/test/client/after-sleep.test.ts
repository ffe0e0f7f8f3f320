// After a sleep.

import { describe, expect, it } from "vitest";
import { defaultRetryPolicy } from "../../src/base/backoff.ts";
import { TorError } from "../../src/base/errors.ts";
import { memoryStore } from "../../src/base/memory-store.ts";
import { Engine, type Network } from "../../src/client/engine.ts";
import type { NetDir } from "../../src/directory/api.ts";
import { PathSelector } from "../../src/path/select.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { type FakeCircuit, fakeCircuit, fakeTicket, settle } from "../path/fakes.ts";
import { exitRelay, guardRelay, netdir, relay } from "../path/synthetic.ts";

const HOUR = 3_600_000;
const GUARD = guardRelay(1);

describe("after a sleep", () => {
  it("requests are not put on a circuit from before (C tor marks those in use as well)", async () => {
    const clock = new ManualClock();
    const now = clock.now();
    const view: NetDir = {
      ...netdir([GUARD, relay({ id: 2 }), exitRelay(3), exitRelay(4)]),
      ...{ validAfter: now, freshUntil: now + HOUR, validUntil: now + 30 * HOUR },
    };
    const built: FakeCircuit[] = [];
    const network: Network = {
      guards: { choose: async () => fakeTicket(GUARD) },
      networkChanged: () => {},
      buildTimeouts: { tests: undefined, unusedLifetime: undefined },
      clockSkew: { explain: (error) => error },
      load: async () => {},
      selectorFor: (one) => new PathSelector(one, true),
      builder: {
        async build() {
          const circuit = fakeCircuit([]);
          built.push(circuit);
          return circuit;
        },
      },
      directory: { netdir: view, bootstrap: async () => view, keepFresh: () => new Promise(() => {}) },
      close: async () => {},
    };
    const nothing = () => {};
    const engine = new Engine(
      {
        dialer: { dial: () => Promise.reject(new TorError("offline", "ALLIUM_E_TEST", "no")) },
        ...{ store: memoryStore(), clock, log: undefined, network: { authorities: [], fallbacks: [] } },
        path: {
          ...{ maxCircuitDirtiness: 10 * HOUR, circuitBuildTimeout: undefined, preemptive: false },
          ...{ rotateEvery: undefined, exits: undefined },
        },
        ...{ snapshots: undefined, circuits: { cgo: true } },
        streams: { optimisticData: true, connectTimeout: 15_000 },
        ...{ ciphers: undefined, memoryLimit: 1 << 26, padding: "normal" },
        ...{ retry: { ...defaultRetryPolicy, jitter: 0 }, signal: undefined },
      },
      {
        ...{ status: nothing, stream: nothing, circuitRetried: nothing, rotated: nothing, tick: nothing },
        ...{ circuitsLeft: nothing, closed: nothing },
      },
      () => network,
    );
    await engine.opener.openStream({ hostname: "example.com", port: 443 });
    expect(built).toHaveLength(1);
    clock.advance(HOUR);
    await settle();
    await engine.opener.openStream({ hostname: "example.com", port: 443 });
    expect(built).toHaveLength(2);
    await engine.close();
  });
});
