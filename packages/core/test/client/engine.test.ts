// The client's life: bootstrap, readiness, dormancy, sleep, other networks, the end.

import { describe, expect, it } from "vitest";
import { TorError } from "../../src/base/errors.ts";
import type { ManualClock } from "../../src/testing/manual-clock.ts";
import { settle } from "../path/fakes.ts";
import { exitRelay, guardRelay, relay } from "../path/synthetic.ts";
import { bench, COLLAPSE, HOUR, UNSIGNED, viewAt } from "./engine-rig.ts";

describe("the bootstrap", () => {
  it("begins with the first use, not before", async () => {
    const { engine, updates } = bench();
    await settle();
    expect(updates).toHaveLength(0);
    void engine.ready(undefined).catch(() => {});
    await settle();
    expect(updates).toHaveLength(1);
  });

  it("ends with a verified view and one circuit of three hops, which the first request gets", async () => {
    const { engine, built, start, seen } = bench();
    await start();
    expect(engine.status).toEqual({ fraction: 1, phase: "ready", ready: true });
    expect(seen.map(({ phase }) => phase)).toEqual(["circuit", "ready"]);
    expect(built).toHaveLength(1);
    expect(built[0]?.request.others).toHaveLength(2);
    await engine.opener.openStream({ hostname: "example.com", port: 443, isolation: "any" });
    expect(built).toHaveLength(1);
    expect(built[0]?.circuit.asked).toEqual(["example.com:443"]);
  });

  it("is one for all who wait", async () => {
    const { engine, updates, clock } = bench();
    const waiting = [engine.ready(undefined), engine.ready(undefined)];
    const stream = engine.opener.openStream({ hostname: "example.com", port: 443 });
    await settle();
    expect(updates).toHaveLength(1);
    updates[0]?.resolve(viewAt(clock.now()));
    await Promise.all(waiting);
    await stream;
  });

  it("shows how far the network got", async () => {
    const { engine, state, seen } = bench();
    void engine.ready(undefined).catch(() => {});
    state.progress?.advance("link");
    state.progress?.advance("microdescriptors", 0.5);
    expect(seen.map(({ phase }) => phase)).toEqual(["link", "microdescriptors"]);
  });

  it("shows what is wrong while it is tried again, until it gets on", async () => {
    const { engine, state } = bench();
    void engine.ready(undefined).catch(() => {});
    state.progress?.trouble(new TorError("bridge-unreachable", "ALLIUM_E_TEST", "no bridge"));
    expect(engine.status).toMatchObject({ phase: "bridge", blocked: { kind: "bridge-unreachable" } });
    state.progress?.advance("link");
    expect(engine.status).toEqual({ fraction: 0.05, phase: "link", ready: false });
  });

  it("that is over is not troubled by later failures", async () => {
    const { engine, start, state } = bench();
    await start();
    state.progress?.trouble(UNSIGNED);
    expect(engine.status).toEqual({ fraction: 1, phase: "ready", ready: true });
  });

  it("that fails tells why to all who wait, and the next call tries again", async () => {
    const { engine, updates, start, logs } = bench();
    const waiting = [engine.ready(undefined), engine.ready(undefined)];
    await settle();
    updates[0]?.reject(UNSIGNED);
    for (const one of waiting) await expect(one).rejects.toBe(UNSIGNED);
    expect(engine.status).toMatchObject({ ready: false, blocked: { kind: "consensus-unverified" } });
    expect(logs).toMatchObject([
      { level: "warn", code: "client.blocked", data: { kind: "consensus-unverified" } },
    ]);
    await start();
    expect(engine.status).toEqual({ fraction: 1, phase: "ready", ready: true });
    expect(updates).toHaveLength(2);
  });

  it("fails when no circuit can be built, after three tries", async () => {
    const { engine, updates, clock, state, retried } = bench();
    state.refuse = COLLAPSE;
    const ready = engine.ready(undefined);
    ready.catch(() => {});
    await settle();
    updates[0]?.resolve(viewAt(clock.now()));
    for (const delay of [1000, 2000]) {
      await settle();
      clock.advance(delay);
    }
    await expect(ready).rejects.toBe(COLLAPSE);
    expect(engine.status.blocked?.kind).toBe("circuit-collapse");
    expect(retried).toEqual([COLLAPSE, COLLAPSE]);
  });

  it("succeeds on a network without an exit for the web: another port may have one", async () => {
    const { engine, start, built, clock } = bench();
    await start(viewAt(clock.now(), [guardRelay(1), relay({ id: 2 }), exitRelay(3, { ports: [7000] })]));
    expect(engine.status.ready).toBe(true);
    await engine.opener.openStream({ hostname: "example.com", port: 7000 });
    expect(built).toHaveLength(1);
  });

  it("starts the loop that keeps the view fresh, once", async () => {
    const { start, state, clock } = bench();
    await start();
    await start();
    expect(state.freshSignals).toHaveLength(1);
    // After a sleep it begins anew, as its times are those of the clock before.
    clock.advance(4 * HOUR);
    await start();
    expect(state.freshSignals.filter(({ aborted }) => !aborted)).toHaveLength(1);
    expect(state.freshSignals).toHaveLength(2);
  });
});

describe("a client that is left alone", () => {
  /** Passes time as a device does that is awake. */
  const pass = async (clock: ManualClock, ms: number) => {
    for (let left = ms; left > 0; left -= 30_000) {
      clock.advance(30_000);
      await settle();
    }
  };

  it("does nothing by itself after a day, until it is used again", async () => {
    const { engine, clock, start, state } = bench();
    await start(viewAt(clock.now()));
    await pass(clock, 24 * HOUR - 60_000);
    expect(engine.isDormant).toBe(false);
    await pass(clock, 60_000);
    expect(engine.isDormant).toBe(true);
    expect(state.freshSignals[0]?.aborted).toBe(true);
    await start(viewAt(clock.now()));
    expect(engine.isDormant).toBe(false);
    expect(state.freshSignals).toHaveLength(2);
    expect(state.freshSignals[1]?.aborted).toBe(false);
  });

  it("is in use as long as a stream is open, be there no bytes on it", async () => {
    const { engine, clock, start, state } = bench();
    await start(viewAt(clock.now()));
    const stream = await engine.opener.openStream({ hostname: "example.com", port: 443 });
    await pass(clock, 25 * HOUR);
    expect(engine.isDormant).toBe(false);
    expect(state.freshSignals[0]?.aborted).toBe(false);
    stream.close();
    await pass(clock, 24 * HOUR);
    expect(engine.isDormant).toBe(true);
  });

  it("builds no circuits ahead while it is dormant", async () => {
    const path = {
      ...{ maxCircuitDirtiness: 600_000, circuitBuildTimeout: undefined, preemptive: true },
      ...{ rotateEvery: undefined, exits: undefined },
    };
    const { engine, clock, start, built } = bench({ path });
    await start(viewAt(clock.now()));
    await pass(clock, 24 * HOUR);
    expect(engine.isDormant).toBe(true);
    const before = built.length;
    for (const { circuit } of built) circuit.close();
    await pass(clock, HOUR);
    expect(built).toHaveLength(before);
  });

  it("has circuits at hand, if it is meant to", async () => {
    const path = {
      maxCircuitDirtiness: 600_000,
      circuitBuildTimeout: undefined,
      preemptive: true,
      rotateEvery: undefined,
      exits: undefined,
    };
    const { clock, start, built, engine } = bench({ path });
    await start();
    expect(built).toHaveLength(1);
    for (let i = 0; i < 10; i++) {
      clock.advance(1000);
      await settle();
    }
    expect(built).toHaveLength(2);
    await engine.close();
    await pass(clock, 60_000);
    expect(built).toHaveLength(2);
  });
});

describe("another network", () => {
  it("means that guards are tried again, and that what was built ahead is closed", async () => {
    const { engine, start, built, state } = bench();
    await start();
    engine.networkChanged();
    expect([state.changes, state.left]).toEqual([1, 1]);
    expect(built[0]?.circuit.isClosed).toBe(true);
  });

  it("is likely after a sleep, and after the clock was set", async () => {
    const { clock, start, state, logs } = bench();
    await start();
    clock.advance(30_000);
    await settle();
    expect(state.changes).toBe(0);
    clock.advance(HOUR);
    await settle();
    expect(state.changes).toBe(1);
    clock.set(clock.now() - HOUR);
    clock.advance(30_000);
    await settle();
    expect(state.changes).toBe(2);
    expect(logs.filter(({ code }) => code === "client.clock-jumped")).toHaveLength(2);
  });
});

describe("a page that was frozen", () => {
  it("does what a sleep asks for as soon as it runs again, and only then", async () => {
    const { clock, engine, start, state } = bench();
    await start();
    engine.resumed();
    expect(state.changes).toBe(0);
    // The wall clock went on, and no timer has fired.
    clock.set(clock.now() + HOUR);
    engine.resumed();
    expect(state.changes).toBe(1);
    engine.resumed();
    clock.advance(30_000);
    await settle();
    expect(state.changes).toBe(1);
  });
});

describe("a client that the network does not want any more", () => {
  it("stops, says why, and is not dormant", async () => {
    const { engine, start, state, built, logs } = bench();
    await start();
    const obsolete = new TorError("limit", "ALLIUM_E_OBSOLETE", "update it");
    state.stop?.(obsolete);
    await settle();
    expect(engine.status).toMatchObject({ ready: false, blocked: { code: "ALLIUM_E_OBSOLETE" } });
    expect(engine.isDormant).toBe(false);
    expect(built[0]?.circuit.isClosed).toBe(true);
    expect(logs.map(({ code }) => code)).toEqual(["client.stopped"]);
  });
});

describe("a failure", () => {
  it("that a wrong clock explains is told as that", async () => {
    const { engine, updates, state } = bench();
    state.explained = new TorError("clock-skew", "ALLIUM_E_CLOCK_WRONG", "the clock is wrong");
    const ready = engine.ready(undefined);
    ready.catch(() => {});
    await settle();
    updates[0]?.reject(new TorError("directory-expired", "ALLIUM_E_CONSENSUS_EXPIRED", "expired"));
    await expect(ready).rejects.toBe(state.explained);
    expect(engine.status.blocked).toMatchObject({ kind: "clock-skew", code: "ALLIUM_E_CLOCK_WRONG" });
  });

  it("of the store is told, and the store is read again with the next call", async () => {
    const { engine, state, start } = bench();
    state.unreadable = new TorError("storage-denied", "ALLIUM_E_TEST", "denied");
    await expect(engine.ready(undefined)).rejects.toBe(state.unreadable);
    delete state.unreadable;
    await start();
    expect(state.loads).toBe(2);
  });
});

describe("closing", () => {
  it("ends what waits, the circuits, the loop and the network, and refuses new calls", async () => {
    const { engine, built, start, state } = bench();
    await start();
    await engine.close();
    expect(built[0]?.circuit.isClosed).toBe(true);
    expect([state.closed, state.closedWith]).toEqual([true, ["ALLIUM_E_CLOSED"]]);
    expect(engine.status.ready).toBe(false);
    expect(engine.isDormant).toBe(false);
    expect(state.freshSignals[0]?.aborted).toBe(true);
    await expect(engine.ready(undefined)).rejects.toMatchObject({ code: "ALLIUM_E_CLOSED" });
    await engine.close();
  });

  it("in the middle of a bootstrap is no failure of the network", async () => {
    const { engine, logs } = bench();
    const ready = engine.ready(undefined);
    await settle();
    await engine.close();
    await expect(ready).rejects.toMatchObject({ kind: "aborted", code: "ALLIUM_E_CLOSED" });
    expect(engine.status.blocked).toBeUndefined();
    expect(logs).toEqual([]);
  });

  it("comes with the client's signal", async () => {
    const controller = new AbortController();
    const { engine, state } = bench({ signal: controller.signal });
    controller.abort();
    await settle();
    expect(state.closed).toBe(true);
    await expect(engine.ready(undefined)).rejects.toMatchObject({ code: "ALLIUM_E_CLOSED" });
  });
});
