// path-spec 7 with C tor's counts, warnings and rule for disabling.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { guardParams } from "../../../src/path/guards/params.ts";
import type { CircuitOutcome } from "../../../src/path/guards/path-bias.ts";
import { countOutcome, failsTooMany, type PathBiasCounts } from "../../../src/path/guards/path-bias.ts";
import { Bench, confirmed, nickname, state, view } from "./support.ts";

const { pathBias } = guardParams(undefined);

/** A bench whose first guard has these counts. */
function counted(attempts: number, successes: number): Bench {
  const bench = new Bench();
  bench.sample.adopt(state(confirmed(0, 0, { pb_circ_attempts: attempts, pb_circ_successes: successes })));
  return bench;
}

/** The same on a network that has such guards dropped. */
function dropping(attempts: number, successes: number): Bench {
  const bench = counted(attempts, successes);
  bench.sample.update(view(400, { params: { pb_dropguards: 1 } }));
  return bench;
}

/** Circuits over the first guard. */
function note(bench: Bench, count: number, outcome: CircuitOutcome): void {
  for (let i = 0; i < count; i++) {
    const circuit = bench.select();
    bench.sample.noteCircuit(circuit, outcome);
    bench.sample.gaveUp(circuit);
  }
}

const counts = (bench: Bench) => {
  const { pb_circ_attempts, pb_circ_successes } = bench.stored(0) ?? {};
  return [pb_circ_attempts, pb_circ_successes];
};

describe("path bias", () => {
  it("disables none, however many fail, unless the network says so", () => {
    const bench = counted(200, 0);
    note(bench, 20, "failed-after-first-hop");
    expect(bench.heard("disabled")).toEqual([]);
    expect(bench.primary[0]).toBe("Relay0");
  });

  it("disables a guard where the network says so, below its percentage, after its number of circuits", () => {
    const bench = dropping(149, 45);
    note(bench, 1, "failed-after-first-hop");
    expect(bench.heard("disabled")).toEqual([]);
    note(bench, 1, "failed-after-first-hop");
    expect(bench.heard("disabled")).toEqual(["Relay0"]);
    expect(bench.stored(0)?.disabled).toBe(true);
    for (let i = 0; i < 50; i++) expect(nickname(bench.select())).not.toBe("Relay0");
  });

  it("disables it once, whatever becomes of circuits that it had", () => {
    const bench = dropping(150, 40);
    const circuits = [1, 2, 3].map(() => bench.select());
    for (const circuit of circuits) bench.sample.noteCircuit(circuit, "failed-after-first-hop");
    expect(bench.heard("disabled")).toEqual(["Relay0"]);
    expect(counts(bench)).toEqual([153, 40]);
  });

  it("disables none at the percentage exactly, nor for few circuits", () => {
    const drops = { ...pathBias, drops: true };
    expect(failsTooMany({ attempts: 200, successes: 60 }, drops)).toBe(false);
    expect(failsTooMany({ attempts: 200, successes: 59 }, drops)).toBe(true);
    expect(failsTooMany({ attempts: 200, successes: 59 }, pathBias)).toBe(false);
    expect(failsTooMany({ attempts: 150, successes: 0 }, drops)).toBe(false);
    expect(failsTooMany({ attempts: 0, successes: 0 }, drops)).toBe(false);
  });

  it("remembers it over a restart", () => {
    const before = dropping(151, 45);
    note(before, 1, "failed-after-first-hop");
    const after = new Bench();
    after.sample.adopt(before.sample.export());
    expect(after.sampled[0]).toBe("Relay0");
    expect(after.primary).not.toContain("Relay0");
  });

  it("warns once below each of the network's percentages, after 150 circuits", () => {
    const bench = counted(150, 100);
    expect(bench.heard("suspicious")).toEqual([]);
    note(bench, 1, "failed-after-first-hop");
    note(bench, 1, "failed-after-first-hop");
    const warnings = () =>
      bench.events.filter(({ type }) => type === "suspicious").map(({ belowPercent }) => belowPercent);
    expect(warnings()).toEqual([70]);
    note(bench, 60, "failed-after-first-hop");
    expect(warnings()).toEqual([70, 50]);
  });

  it("does not warn of 150 circuits or fewer", () => {
    const bench = counted(149, 60);
    note(bench, 1, "failed-after-first-hop");
    expect(bench.heard("suspicious")).toEqual([]);
  });

  it("counts a circuit once, and one that breaks after it was complete as a failure", () => {
    const bench = new Bench();
    const circuit = bench.select();
    for (let i = 0; i < 3; i++) bench.sample.noteCircuit(circuit, "success");
    expect(counts(bench)).toEqual([1, 1]);
    for (let i = 0; i < 3; i++) bench.sample.noteCircuit(circuit, "failed-after-first-hop");
    bench.sample.noteCircuit(circuit, "success");
    expect(counts(bench)).toEqual([1, 0]);
  });

  it("counts no directory circuits, which have one hop", () => {
    const bench = new Bench();
    bench.sample.noteCircuit(bench.select("directory"), "failed-after-first-hop");
    expect(bench.sample.export().guards.some((guard) => guard.pb_circ_attempts !== undefined)).toBe(false);
  });

  it("halves the counts beyond 300, so that old circuits fade", () => {
    const bench = counted(300, 200);
    note(bench, 1, "success");
    expect(counts(bench)).toEqual([301, 201]);
    note(bench, 1, "success");
    expect(counts(bench)).toEqual([151.5, 101.5]);
  });

  it("never counts more successes than attempts, nor more than a window of attempts", () => {
    const outcome = fc.constantFrom<CircuitOutcome>("success", "failed-after-first-hop");
    fc.assert(
      fc.property(fc.array(fc.tuple(outcome, fc.boolean()), { maxLength: 900 }), (circuits) => {
        let sum: PathBiasCounts = { attempts: 0, successes: 0 };
        for (const [first, breaks] of circuits) {
          sum = countOutcome(sum, first, undefined, pathBias);
          if (first === "success" && breaks)
            sum = countOutcome(sum, "failed-after-first-hop", first, pathBias);
          expect(sum.successes).toBeGreaterThanOrEqual(0);
          expect(sum.successes).toBeLessThanOrEqual(sum.attempts);
          expect(sum.attempts).toBeLessThanOrEqual(302);
        }
      }),
      { numRuns: 50 },
    );
  });
});
