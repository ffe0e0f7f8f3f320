// What a client does by itself while it is in use, and what it leaves alone.

import { describe, expect, it } from "vitest";
import { settle } from "../path/fakes.ts";
import { bench, HOUR, viewAt } from "./engine-rig.ts";

describe("waiting for readiness", () => {
  it("ends with the caller's signal, while the bootstrap goes on", async () => {
    const { engine, updates, clock } = bench();
    const controller = new AbortController();
    const ready = engine.ready(controller.signal);
    await settle();
    controller.abort();
    await expect(ready).rejects.toMatchObject({ kind: "aborted" });
    updates[0]?.resolve(viewAt(clock.now()));
    await settle();
    expect(engine.status.ready).toBe(true);
  });

  it("ends after three minutes", async () => {
    const { engine, clock } = bench();
    const ready = engine.ready(undefined);
    ready.catch(() => {});
    await settle();
    clock.advance(180_001);
    await expect(ready).rejects.toMatchObject({ kind: "offline", code: "ALLIUM_E_NOT_READY" });
  });

  it("does not begin for a signal that has aborted", async () => {
    const { engine, updates } = bench();
    await expect(engine.ready(AbortSignal.abort())).rejects.toMatchObject({ kind: "aborted" });
    expect(updates).toHaveLength(0);
  });
});

describe("after a long sleep", () => {
  it("an expired view is fetched anew before use", async () => {
    const { engine, clock, start, updates } = bench();
    await start();
    clock.advance(2 * HOUR);
    await engine.ready(undefined);
    expect(updates).toHaveLength(1);
    clock.advance(2 * HOUR);
    const stream = engine.opener.openStream({ hostname: "example.com", port: 443 });
    await settle();
    expect(updates).toHaveLength(2);
    expect(engine.status.ready).toBe(false);
    updates[1]?.resolve(viewAt(clock.now()));
    await stream;
  });

  it("a clock that was set back makes no expired view usable for good", async () => {
    const { engine, clock, start, updates } = bench();
    await start(viewAt(clock.now() - 10 * HOUR));
    clock.set(clock.now() - 2 * HOUR);
    void engine.ready(undefined).catch(() => {});
    await settle();
    expect(updates).toHaveLength(2);
  });

  it("a view that the directory allows although it has expired is not asked for at every call", async () => {
    const { engine, clock, start, updates } = bench();
    await start(viewAt(clock.now() - 10 * HOUR));
    clock.advance(HOUR / 2);
    await engine.ready(undefined);
    expect(updates).toHaveLength(1);
    clock.advance(HOUR);
    void engine.ready(undefined).catch(() => {});
    await settle();
    expect(updates).toHaveLength(2);
  });
});

describe("a new identity", () => {
  const PATH = {
    ...{ maxCircuitDirtiness: 600_000, circuitBuildTimeout: undefined, preemptive: false },
    ...{ rotateEvery: 10_000, exits: undefined },
  };
  const ask = async ({ engine }: ReturnType<typeof bench>) => {
    const stream = await engine.opener.openStream({ hostname: "example.com", port: 443, isolation: "" });
    await settle();
    stream.close();
  };

  it("is no circuit of before, and is told", async () => {
    const rig = bench();
    await rig.start();
    await ask(rig);
    rig.engine.newIdentity();
    expect([rig.state.rotations, rig.state.left]).toEqual([1, 1]);
    expect(rig.built[0]?.circuit.isClosed).toBe(true);
    await ask(rig);
    expect(rig.built.map(({ circuit }) => circuit.asked.length)).toEqual([1, 1]);
  });

  it("comes by itself at each interval, if it is meant to, and keeps streams that are open", async () => {
    const { clock, start, built, state, engine } = bench({ path: PATH });
    await start();
    await engine.opener.openStream({ hostname: "example.com", port: 443, isolation: "" });
    clock.advance(9999);
    await settle();
    expect(state.rotations).toBe(0);
    clock.advance(1);
    await settle();
    expect(state.rotations).toBe(1);
    expect(built[0]?.circuit.isClosed).toBe(false);
    await engine.opener.openStream({ hostname: "example.com", port: 443, isolation: "" });
    expect(built).toHaveLength(2);
    clock.advance(10_000);
    await settle();
    expect(state.rotations).toBe(2);
  });

  it("does not come by itself where nobody asked for a circuit since the interval before", async () => {
    const rig = bench({ path: PATH });
    const { clock, start, state } = rig;
    const intervals = async (count: number) => {
      for (let i = 0; i < count; i++) {
        clock.advance(10_000);
        await settle();
      }
      return state.rotations;
    };
    await start();
    expect(await intervals(6)).toBe(0);
    await ask(rig);
    expect(await intervals(2)).toBe(2);
    expect(await intervals(60)).toBe(2);
    await ask(rig);
    expect(await intervals(1)).toBe(3);
  });

  it("never comes by itself otherwise", async () => {
    const { clock, start, state } = bench();
    await start();
    for (let i = 0; i < 100; i++) {
      clock.advance(30_000);
      await settle();
    }
    expect([state.rotations, state.ticks]).toEqual([0, 100]);
  });

  it("comes neither from a client that is dormant nor from one that is closed", async () => {
    const rig = bench({ path: { ...PATH, rotateEvery: 23 * HOUR } });
    const { clock, start, state, engine } = rig;
    const pass = async (ms: number) => {
      for (let left = ms; left > 0; left -= 30_000) {
        clock.advance(30_000);
        await settle();
      }
    };
    await start();
    await ask(rig);
    await pass(23 * HOUR);
    expect(state.rotations).toBe(1);
    await pass(HOUR);
    expect(engine.isDormant).toBe(true);
    await pass(23 * HOUR);
    expect(state.rotations).toBe(1);
    await start(viewAt(clock.now()));
    await ask(rig);
    await pass(23 * HOUR);
    expect(state.rotations).toBe(2);
    await engine.close();
    await pass(23 * HOUR);
    expect(state.rotations).toBe(2);
  });
});
