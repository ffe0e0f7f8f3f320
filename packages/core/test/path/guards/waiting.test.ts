// Which circuits hold back which (guard-spec 4.9). The matrix is that of C tor's test_entrynodes.c (upgrade_*, should_expire).

import { describe, expect, it } from "vitest";
import type { GuardCircuit } from "../../../src/path/guards/circuit.ts";
import type { Restriction } from "../../../src/path/guards/guard.ts";
import {
  Bench,
  confirmed,
  DAY,
  except,
  MINUTE,
  nickname,
  relays,
  SECOND,
  state,
  view,
  without,
} from "./support.ts";

interface Setup {
  readonly bench: Bench;
  /** Through the better guard, begun 3 s before the other. */
  readonly better: GuardCircuit;
  readonly worse: GuardCircuit;
}

/** Three primary guards, which are down, and circuits through the next two, of which some are done. */
function setup(
  done: { better?: boolean; worse?: boolean },
  restrictions: { better?: Restriction; worse?: Restriction } = {},
): Setup {
  const bench = new Bench();
  bench.sample.adopt(state(...[0, 1, 2, 3, 4, 5].map((id) => confirmed(id, id))));
  bench.sample.gaveUp(bench.succeed());
  for (let i = 0; i < 3; i++) bench.fail();
  bench.advance(27 * SECOND);
  const better = bench.select("data", restrictions.better);
  bench.advance(3 * SECOND);
  const worse = bench.select("data", restrictions.worse);
  expect([better, worse].map(nickname)).toEqual(["Relay3", "Relay4"]);
  bench.advance(2 * SECOND);
  if (done.better === true) expect(bench.sample.succeeded(better)).toBe("waiting-for-better-guard");
  bench.advance(SECOND);
  if (done.worse === true) expect(bench.sample.succeeded(worse)).toBe("waiting-for-better-guard");
  return { bench, better, worse };
}

const BOTH = { better: true, worse: true };
const notBetter = except(...relays(3));

describe("a circuit that waits for a better guard", () => {
  it("may be used when no primary guard can be reached and it is the best", () => {
    const { bench, better, worse } = setup(BOTH);
    expect(bench.sample.updateWaiting()).toEqual([better]);
    expect(better.state).toBe("complete");
    expect(worse.state).toBe("waiting-for-better-guard");
  });

  it("waits while a primary guard might be reached", () => {
    const { bench, better } = setup(BOTH);
    bench.advance(10 * MINUTE);
    expect(bench.sample.updateWaiting()).toEqual([]);
    for (let i = 0; i < 3; i++) bench.fail();
    expect(bench.sample.updateWaiting()).toEqual([better]);
  });

  it("waits when a single primary guard has come back", () => {
    const { bench } = setup(BOTH);
    bench.sample.markAllMaybeReachable();
    bench.fail();
    bench.fail();
    expect(nickname(bench.succeed())).toBe("Relay2");
    expect(bench.sample.updateWaiting()).toEqual([]);
  });

  it("is none while none is done", () => {
    const { bench } = setup({});
    expect(bench.sample.updateWaiting()).toEqual([]);
    expect(bench.sample.nextWake()).toBeUndefined();
  });

  it("is held back by a better one that is complete, until that is gone", () => {
    const { bench, better, worse } = setup(BOTH);
    bench.sample.updateWaiting();
    expect(bench.sample.updateWaiting()).toEqual([]);
    bench.sample.gaveUp(better);
    expect(bench.sample.updateWaiting()).toEqual([worse]);
  });

  it("is not held back by a better one that is complete and does not fit it", () => {
    const { bench, better, worse } = setup(BOTH, { worse: notBetter });
    expect(bench.sample.updateWaiting()).toEqual([better, worse]);
  });

  it("is not held back by a worse one that is complete", () => {
    const { bench, better, worse } = setup({ worse: true });
    bench.advance(20 * SECOND);
    expect(bench.sample.updateWaiting()).toEqual([worse]);
    bench.sample.succeeded(better);
    expect(bench.sample.updateWaiting()).toEqual([better]);
  });

  it("is held back by a better one under way, for 15 seconds from its beginning", () => {
    const { bench, worse } = setup({ worse: true });
    expect(bench.sample.updateWaiting()).toEqual([]);
    // Six seconds of the better one's fifteen are over.
    expect(bench.sample.nextWake()).toBe(42 * SECOND);
    bench.advance(9 * SECOND - 1);
    expect(bench.sample.updateWaiting()).toEqual([]);
    bench.advance(1);
    expect(bench.sample.updateWaiting()).toEqual([worse]);
  });

  it("is looked at again when it is too old, once those under way have had their time", () => {
    const { bench } = setup({ worse: true });
    bench.sample.markAllMaybeReachable();
    bench.advance(9 * SECOND);
    expect(bench.sample.nextWake()).toBe(33 * SECOND + 10 * MINUTE);
  });

  it("is not held back by one under way through a primary guard that is down", () => {
    const { bench, better } = setup(BOTH);
    bench.sample.markAllMaybeReachable();
    const underWay = bench.select();
    for (let i = 0; i < 3; i++) bench.fail();
    expect(underWay.state).toBe("usable-on-completion");
    expect(bench.sample.updateWaiting()).toEqual([better]);
  });

  it("is held back for as long as the network says", () => {
    const { bench, worse } = setup({ worse: true });
    bench.sample.update(view(400, { params: { "guard-nonprimary-guard-connect-timeout": 6 } }));
    expect(bench.sample.updateWaiting()).toEqual([worse]);
  });

  it("is held back no more when the better one fails, or is given up", () => {
    for (const end of ["failed", "gaveUp"] as const) {
      const { bench, better, worse } = setup({ worse: true });
      bench.sample[end](better);
      expect(bench.sample.updateWaiting()).toEqual([worse]);
    }
  });

  it("is not held back by a better one under way that does not fit it", () => {
    const { bench, worse } = setup({ worse: true }, { worse: notBetter });
    expect(bench.sample.updateWaiting()).toEqual([worse]);
  });

  it("is held back by what fits it, be that restricted itself or not", () => {
    const { bench } = setup({ worse: true }, { better: except(...relays(4)) });
    expect(bench.sample.updateWaiting()).toEqual([]);
  });

  it("is not held back by a worse one under way", () => {
    const { bench, better } = setup({ better: true });
    expect(bench.sample.updateWaiting()).toEqual([better]);
  });

  it("is not held back by one through a guard that was never confirmed", () => {
    const bench = new Bench();
    bench.sample.adopt(state(...[1, 2, 3, 4].map((id) => confirmed(id, id))));
    bench.sample.gaveUp(bench.succeed());
    for (let i = 0; i < 3; i++) bench.fail();
    const [known, unknown] = [bench.select(), bench.select()];
    expect([known, unknown].map(nickname)).toEqual(["Relay4", "Relay0"]);
    bench.sample.succeeded(known);
    expect(bench.sample.updateWaiting()).toEqual([known]);
  });

  it("may be used together with another one through the same guard", () => {
    const { bench, better, worse } = setup({ better: true });
    const second = bench.select();
    expect(nickname(second)).toBe("Relay3");
    bench.sample.succeeded(second);
    expect(bench.sample.updateWaiting()).toEqual([better, second]);
    expect(worse.state).toBe("usable-if-no-better-guard");
  });

  it("may be used once its guard has become primary", () => {
    const { bench, better, worse } = setup(BOTH);
    bench.sample.markAllMaybeReachable();
    expect(bench.sample.updateWaiting()).toEqual([]);
    bench.sample.update(without(...relays(0)));
    expect(bench.primary).toEqual(["Relay1", "Relay2", "Relay3"]);
    expect(bench.sample.updateWaiting()).toEqual([better]);
    expect(worse.state).toBe("waiting-for-better-guard");
  });

  it("is to be closed after ten minutes, or what the network says, and not before", () => {
    const { bench, better, worse } = setup(BOTH);
    bench.sample.markAllMaybeReachable();
    expect(bench.sample.nextWake()).toBe(32 * SECOND + 10 * MINUTE);
    bench.advance(10 * MINUTE - SECOND - 1);
    expect(bench.sample.expireWaiting()).toEqual([]);
    bench.advance(1);
    expect(bench.sample.expireWaiting()).toEqual([better]);
    expect(bench.sample.expireWaiting()).toEqual([]);
    bench.sample.update(view(400, { params: { "guard-nonprimary-guard-idle-timeout": 30 } }));
    expect(bench.sample.expireWaiting()).toEqual([worse]);
    expect(bench.sample.nextWake()).toBeUndefined();
  });

  it("is to be closed when its guard leaves the sample, and holds nobody back then", () => {
    const { bench, better, worse } = setup(BOTH);
    bench.sample.adopt(state(...[0, 1, 2, 4, 5].map((id) => confirmed(id, id))));
    expect(bench.sample.updateWaiting()).toEqual([worse]);
    expect(better.state).toBe("waiting-for-better-guard");
    expect(bench.sample.expireWaiting()).toEqual([better]);
  });

  it("is unlike one that is complete or under way, which stays", () => {
    const { bench, better, worse } = setup({ better: true });
    bench.sample.updateWaiting();
    bench.advance(DAY);
    expect(bench.sample.expireWaiting()).toEqual([]);
    expect([better.state, worse.state]).toEqual(["complete", "usable-if-no-better-guard"]);
  });

  it("asks for another circuit while a primary guard might work and nobody tries it", () => {
    const { bench } = setup(BOTH);
    expect(bench.sample.needsCircuit()).toBe(false);
    bench.advance(10 * MINUTE);
    expect(bench.sample.needsCircuit()).toBe(true);
    const circuit = bench.select();
    expect(bench.sample.needsCircuit()).toBe(false);
    bench.sample.failed(circuit);
    expect(bench.sample.needsCircuit()).toBe(true);
    bench.fail();
    bench.fail();
    expect(bench.sample.needsCircuit()).toBe(false);
  });
});
