import { describe, expect, it } from "vitest";
import { deferred } from "../../../src/base/abort.ts";
import { utf8 } from "../../../src/base/encoding.ts";
import { memoryStore } from "../../../src/base/memory-store.ts";
import type { LogEvent, Store } from "../../../src/base/ports.ts";
import { BuildTimeouts } from "../../../src/path/build-timeout/keeper.ts";
import { settle } from "../fakes.ts";
import { netdir } from "../synthetic.ts";

function setup({ store = memoryStore() as Store, fixed = undefined as number | undefined } = {}) {
  const logs: LogEvent[] = [];
  const timeouts = new BuildTimeouts({ store, key: "times", fixed, log: (event) => logs.push(event) });
  return { store, logs, timeouts };
}

function learn(timeouts: BuildTimeouts, count = 100): void {
  for (let i = 0; i < count; i++) timeouts.built(200 + 5 * i, { late: false });
}

describe("build timeouts", () => {
  it("are a minute until a hundred circuits were built, then what they took", () => {
    const { timeouts } = setup();
    expect(timeouts.limits(3)).toEqual({ timeout: 60_000, abandon: 60_000 });
    expect(timeouts.tests).toEqual({ interval: 10_000, maxOpen: 10 });
    expect(timeouts.unusedLifetime).toBe(180_000);
    learn(timeouts);
    expect(timeouts.limits(3).timeout).toBeLessThan(1000);
    expect(timeouts.limits(3).abandon).toBe(60_000);
    expect(timeouts.tests).toBeUndefined();
    expect(timeouts.unusedLifetime).toBeUndefined();
  });

  it("of one hop are a link's", () => {
    expect(setup().timeouts.limits(1)).toEqual({ timeout: 20_000, abandon: 20_000 });
  });

  it("are kept between runs", async () => {
    const { timeouts, store } = setup();
    learn(timeouts, 103);
    await timeouts.flush();
    const next = setup({ store });
    await next.timeouts.load();
    // Bins are 10 ms wide.
    expect(Math.abs(next.timeouts.limits(3).timeout - timeouts.limits(3).timeout)).toBeLessThan(20);
  });

  it("are written when no other tab writes them", async () => {
    const { timeouts, store } = setup();
    const held = deferred();
    void store.lock("times", () => held.promise);
    learn(timeouts, 10);
    const flushed = timeouts.flush();
    await settle();
    expect(await store.get("times")).toBeUndefined();
    held.resolve();
    await flushed;
    expect(await store.get("times")).toBeDefined();
  });

  it("that are damaged in the store are learned anew", async () => {
    for (const text of [
      "",
      "{",
      '{"version":2,"histogram":[]}',
      '{"version":1,"histogram":[[1,1]]}',
      "null",
    ]) {
      const { store, timeouts, logs } = setup();
      await store.set(new Map([["times", utf8(text)]]));
      await timeouts.load();
      expect(timeouts.limits(3).timeout).toBe(60_000);
      expect(logs.map(({ code }) => code)).toEqual(["build-times.corrupt"]);
    }
  });

  it("do without a store that fails", async () => {
    const { timeouts, logs } = setup({
      store: { ...memoryStore(), set: () => Promise.reject(new Error("full")) },
    });
    learn(timeouts, 10);
    await timeouts.flush();
    expect(logs.map(({ code }) => code)).toEqual(["build-times.not-saved"]);
    expect(timeouts.tests).toBeDefined();
  });

  it("follow the network's parameters", () => {
    const { timeouts } = setup();
    timeouts.update(netdir([], { params: { cbtdisabled: 1, cbtinitialtimeout: 20_000 } }));
    expect(timeouts.limits(3).timeout).toBe(20_000);
    expect(timeouts.tests).toBeUndefined();
  });

  it("that the user fixed are not learned", async () => {
    const { timeouts, store } = setup({ fixed: 5000 });
    await timeouts.load();
    learn(timeouts, 200);
    for (let i = 0; i < 20; i++) timeouts.timedOut({ firstHopDone: true });
    expect(timeouts.limits(3)).toEqual({ timeout: 5000, abandon: 5000 });
    expect(timeouts.limits(1).timeout).toBe(5000);
    expect(timeouts.tests).toBeUndefined();
    await timeouts.flush();
    expect(await store.get("times")).toBeUndefined();
  });
});
