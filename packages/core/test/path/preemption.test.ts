import { describe, expect, it } from "vitest";
import { Preemption } from "../../src/path/preemption.ts";
import type { ExitTarget } from "../../src/path/select.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { settle } from "./fakes.ts";

const WEB: ExitTarget = { port: 443, family: 4 };
const MAIL: ExitTarget = { port: 993, family: 4 };
const MINUTE = 60_000;

function bench({ tests = () => undefined as { interval: number; maxOpen: number } | undefined } = {}) {
  const clock = new ManualClock();
  const built: { port: number; at: number }[] = [];
  const state = { fails: false, serves: (have: ExitTarget, wanted: ExitTarget) => have.port === wanted.port };
  let unused: ExitTarget[] = [];
  const preemption = new Preemption({
    ...{ clock, tests, relevance: () => 40 * MINUTE },
    pool: {
      unused: (target) => unused.filter((have) => target === undefined || state.serves(have, target)).length,
      async prepare(target) {
        built.push({ port: target.port, at: clock.monotonic() });
        if (state.fails) throw new Error("cannot be built");
        unused.push(target);
      },
    },
  });
  /** Passes time in steps of a second. */
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= 1000) {
      clock.advance(1000);
      await settle();
    }
  };
  const use = (target: ExitTarget) => {
    const at = unused.findIndex(({ port }) => port === target.port);
    unused = unused.filter((_, i) => i !== at);
    preemption.note(target);
  };
  return { clock, built, state, preemption, pass, use, unused: () => unused.length };
}

describe("circuits ahead of need", () => {
  it("are two for the web from the start, one a second", async () => {
    const { preemption, pass, built } = bench();
    preemption.start();
    await pass(1000);
    expect(built.length).toBe(1);
    await pass(20_000);
    expect(built.map(({ port }) => port)).toEqual([443, 443]);
  });

  it("are replaced as they are used, and made for each port that was used", async () => {
    const { preemption, pass, built, use } = bench();
    preemption.start();
    await pass(5000);
    use(WEB);
    use(MAIL);
    await pass(10_000);
    expect(built.map(({ port }) => port).sort()).toEqual([443, 443, 443, 993, 993]);
  });

  it("serve several ports where their exits do", async () => {
    const { preemption, pass, built, state } = bench();
    state.serves = () => true;
    preemption.start();
    preemption.note(MAIL);
    await pass(10_000);
    expect(built.length).toBe(2);
  });

  it("are not made any more when nothing was asked for in its time, until something is", async () => {
    const { preemption, pass, built, use } = bench();
    preemption.start();
    await pass(5000);
    await pass(40 * MINUTE);
    use(WEB);
    await pass(5000);
    expect(built.length).toBe(3);
    await pass(41 * MINUTE);
    use(WEB);
    use(WEB);
    expect(built.length).toBe(3);
    await pass(5000);
    expect(built.length).toBe(5);
  });

  it("are fourteen at the most", async () => {
    const { preemption, pass, built } = bench();
    preemption.start();
    for (let port = 1; port < 12; port++) preemption.note({ port, family: 4 });
    await pass(60_000);
    expect(built.length).toBe(14);
  });

  it("are begun less and less often while they fail", async () => {
    const { preemption, pass, built, state } = bench();
    state.fails = true;
    preemption.start();
    await pass(10 * MINUTE);
    expect(built.length).toBeGreaterThan(5);
    expect(built.length).toBeLessThan(20);
    state.fails = false;
    await pass(2 * MINUTE);
    expect(built.slice(-2).map(({ port }) => port)).toEqual([443, 443]);
  });

  it("end with stop", async () => {
    const { preemption, pass, built } = bench();
    preemption.start();
    preemption.start();
    await pass(1000);
    preemption.stop();
    preemption.note(MAIL);
    await pass(MINUTE);
    expect(built.length).toBe(1);
  });
});

describe("test circuits", () => {
  it("are made at their interval, up to so many unused ones, and only while ports are expected", async () => {
    let wanted = true;
    const tests = () => (wanted ? { interval: 10_000, maxOpen: 5 } : undefined);
    const { preemption, pass, built, use } = bench({ tests });
    preemption.start();
    await pass(MINUTE);
    expect(built.length).toBe(5);
    const [, , third, fourth, fifth] = built.map(({ at }) => at);
    expect([(fourth as number) - (third as number), (fifth as number) - (fourth as number)]).toEqual([
      10_000, 10_000,
    ]);
    use(WEB);
    await pass(MINUTE);
    expect(built.length).toBe(6);
    wanted = false;
    for (let i = 0; i < 3; i++) use(WEB);
    await pass(MINUTE);
    expect(built.length).toBe(6);
  });
});
