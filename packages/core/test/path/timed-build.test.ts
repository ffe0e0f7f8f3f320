import { describe, expect, it } from "vitest";
import { type Deferred, deferred } from "../../src/base/abort.ts";
import { TorError } from "../../src/base/errors.ts";
import type { Circuit } from "../../src/circuit/api.ts";
import { type BuildProgress, timedBuild } from "../../src/path/timed-build.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { fakeCircuit, settle } from "./fakes.ts";

function bench({ hops = 3, othersWork = true } = {}) {
  const clock = new ManualClock();
  const told: string[] = [];
  const limits = { timeout: 1000, abandon: 60_000 };
  const run: Deferred<Circuit> = deferred<Circuit>();
  let abandoned: AbortSignal | undefined;
  let progress: BuildProgress = { hops: 0 };
  const controller = new AbortController();
  const built = timedBuild({
    ...{ clock, hops, signal: controller.signal },
    times: {
      limits: () => limits,
      built: (ms, { late }) => told.push(`built ${ms}${late ? " late" : ""}`),
      timedOut: ({ firstHopDone }) => told.push(`timed out ${firstHopDone}`),
    },
    mayGiveUp: () => othersWork,
    onGiveUp: ({ code }, { hops }) => told.push(`gave up ${hops} ${code}`),
    run: (signal, counted) => {
      abandoned = signal;
      progress = counted;
      signal.addEventListener("abort", () => run.reject(signal.reason));
      return run.promise;
    },
  });
  built.catch(() => {});
  const pass = async (ms: number) => {
    clock.advance(ms);
    await settle();
  };
  const circuit = fakeCircuit([]);
  const isAbandoned = () => abandoned?.aborted;
  return {
    clock,
    told,
    limits,
    run,
    built,
    pass,
    circuit,
    controller,
    isAbandoned,
    at: (n: number) => (progress.hops = n),
  };
}

describe("a circuit", () => {
  it("that is built in time teaches its time, and leaves no timer", async () => {
    const { built, run, told, pass, circuit, clock } = bench();
    await pass(400);
    run.resolve(circuit);
    expect(await built).toBe(circuit);
    await pass(120_000);
    expect(told).toEqual(["built 400"]);
    expect(circuit.isClosed).toBe(false);
    expect(clock.monotonic()).toBe(120_400);
  });

  it("that is late is not waited for where others work; it is measured, and closed when it comes", async () => {
    const { built, run, told, pass, circuit, at } = bench();
    at(2);
    await pass(1000);
    await expect(built).rejects.toMatchObject({ kind: "circuit-collapse", code: "ALLIUM_E_CIRCUIT_TIMEOUT" });
    expect(told).toEqual(["timed out true", "gave up 2 ALLIUM_E_CIRCUIT_TIMEOUT"]);
    await pass(500);
    run.resolve(circuit);
    await settle();
    expect(told.at(-1)).toBe("built 1500 late");
    expect(circuit.isClosed).toBe(true);
  });

  it("that is late is waited for where nothing else works", async () => {
    const { built, run, told, pass, circuit } = bench({ othersWork: false });
    await pass(1500);
    run.resolve(circuit);
    expect(await built).toBe(circuit);
    expect(told).toEqual(["timed out false", "built 1500 late"]);
  });

  it("is abandoned in the end", async () => {
    const { built, told, pass, isAbandoned } = bench({ othersWork: false });
    await pass(1000);
    await pass(58_999);
    expect(isAbandoned()).toBe(false);
    await pass(1);
    expect(isAbandoned()).toBe(true);
    await expect(built).rejects.toMatchObject({ code: "ALLIUM_E_CIRCUIT_TIMEOUT" });
    expect(told).toEqual(["timed out false"]);
  });

  it("has the longer time that was learned meanwhile", async () => {
    const { told, pass, limits } = bench();
    await pass(999);
    limits.timeout = 5000;
    await pass(1);
    await pass(3999);
    expect(told).toEqual([]);
    await pass(1);
    expect(told[0]).toBe("timed out false");
  });

  it("of fewer than three hops teaches nothing", async () => {
    const { told, pass, run, circuit, built } = bench({ hops: 1, othersWork: false });
    await pass(1500);
    run.resolve(circuit);
    await built;
    expect(told).toEqual([]);
  });

  it("ends with its caller's signal, and with its own failure", async () => {
    const first = bench();
    first.controller.abort();
    await expect(first.built).rejects.toMatchObject({ kind: "aborted" });
    expect(first.isAbandoned()).toBe(true);
    const second = bench();
    second.run.reject(new TorError("circuit-collapse", "ALLIUM_E_TEST", "gone"));
    await expect(second.built).rejects.toMatchObject({ code: "ALLIUM_E_TEST" });
    await second.pass(120_000);
    expect(second.told).toEqual([]);
  });
});
