// Which guard a circuit gets, and what its end says of the guard (guard-spec 4.6 to 4.8, 4.12). Most cases are those of
// C tor's test_entrynodes.c: select_for_circuit_*, select_and_cancel, correct_cascading_order, and TROVE-2017-006.

import { describe, expect, it } from "vitest";
import type { Restriction } from "../../../src/path/guards/guard.ts";
import {
  Bench,
  confirmed,
  DAY,
  except,
  GUARDS,
  HOUR,
  MINUTE,
  nickname,
  relays,
  state,
  view,
} from "./support.ts";

const NO_GUARD = { kind: "no-path", code: "ALLIUM_E_NO_GUARD" };
const toUse = (count: number) => view(400, { params: { "guard-n-primary-guards-to-use": count } });
const range = (count: number) => Array.from({ length: count }, (_, i) => i);

/** Ten confirmed guards, of which the first three are primary. */
function confirmedTen(): Bench {
  const bench = new Bench();
  bench.sample.adopt(state(...range(10).map((id) => confirmed(id, id))));
  return bench;
}

/** The guards that many circuits go through. */
function used(bench: Bench, use: "data" | "directory", restriction?: Restriction): string[] {
  return [...new Set(range(60).map(() => nickname(bench.select(use, restriction))))].sort();
}

describe("a circuit", () => {
  it("goes through the first primary guard, and may be used when it is complete", () => {
    const bench = new Bench();
    for (let i = 0; i < 5; i++) {
      const circuit = bench.select();
      expect(nickname(circuit)).toBe("Relay0");
      expect(circuit.state).toBe("usable-on-completion");
      expect(bench.sample.succeeded(circuit)).toBe("complete");
      expect(circuit.state).toBe("complete");
    }
    expect(bench.heard("confirmed")).toEqual(["Relay0"]);
    expect(bench.heard("reached")).toEqual(["Relay0"]);
  });

  it.each([
    [1, ["Relay0"]],
    [2, ["Relay0", "Relay1"]],
    [3, ["Relay0", "Relay1", "Relay2"]],
    [9, ["Relay0", "Relay1", "Relay2"]],
  ])("is spread over the first %i primary guards if the network says so", (count, expected) => {
    expect(used(new Bench(toUse(count)), "data")).toEqual(expected);
  });

  it("to a directory cache is spread over three, or as many as the network says", () => {
    expect(used(new Bench(), "directory")).toEqual(["Relay0", "Relay1", "Relay2"]);
    const params = { "guard-n-primary-dir-guards-to-use": 2 };
    expect(used(new Bench(view(400, { params })), "directory")).toEqual(["Relay0", "Relay1"]);
  });

  it("goes through the next primary guard when one fails, and comes back when that is tried again", () => {
    const bench = new Bench();
    expect(bench.fail()).toBe("Relay0");
    expect(bench.primaryGuards()[0]).toMatchObject({ reachable: "no", isConfirmed: false });
    expect(nickname(bench.succeed())).toBe("Relay1");
    bench.advance(10 * MINUTE);
    const again = bench.select();
    expect(nickname(again)).toBe("Relay0");
    expect(bench.primaryGuards()[0]?.reachable).toBe("maybe");
    bench.sample.succeeded(again);
    expect(bench.primaryGuards()[0]?.reachable).toBe("yes");
  });

  it("that fails beside others is one failure, and leaves a confirmed guard confirmed", () => {
    const bench = new Bench();
    bench.succeed();
    const circuits = range(5).map(() => bench.select());
    for (const circuit of circuits) bench.sample.failed(circuit);
    expect(bench.heard("failed")).toEqual(["Relay0"]);
    expect(bench.stored(0)?.confirmed).toBe(true);
  });

  it("goes through another guard only when all primary ones fail, and then waits", () => {
    const bench = confirmedTen();
    expect([bench.fail(), bench.fail(), bench.fail()]).toEqual(["Relay0", "Relay1", "Relay2"]);
    const circuit = bench.select();
    expect(nickname(circuit)).toBe("Relay3");
    expect(circuit.state).toBe("usable-if-no-better-guard");
    expect(bench.sample.succeeded(circuit)).toBe("waiting-for-better-guard");
  });

  it("goes through confirmed guards before others, each once while it is under way", () => {
    const bench = confirmedTen();
    for (let i = 0; i < 3; i++) bench.fail();
    expect([bench.select(), bench.select()].map(nickname)).toEqual(["Relay3", "Relay4"]);
    // The next one does not fit; it is passed over for this circuit only.
    expect(nickname(bench.select("data", except(...relays(5))))).toBe("Relay6");
    const rest = range(5).map(() => nickname(bench.select()));
    expect(rest.slice(0, 4)).toEqual(["Relay5", "Relay7", "Relay8", "Relay9"]);
    expect(bench.stored(Number(rest[4]?.slice(5)))?.confirmed).toBe(false);
  });

  it("goes through a guard that is under way already when there is no other", () => {
    const bench = new Bench(view(5));
    for (let i = 0; i < 3; i++) bench.fail();
    expect([bench.select(), bench.select(), bench.select()].map(nickname)).toEqual([
      "Relay3",
      "Relay4",
      "Relay3",
    ]);
  });

  it("through a guard that is confirmed by it may be used at once if that became primary", () => {
    const bench = new Bench();
    for (let i = 0; i < 3; i++) bench.fail();
    const circuit = bench.select();
    expect(circuit.state).toBe("usable-if-no-better-guard");
    expect(bench.sample.succeeded(circuit)).toBe("complete");
    expect(bench.primary).toEqual(["Relay0", "Relay1", "Relay3"]);
    expect(nickname(bench.select())).toBe("Relay3");
  });

  it("that was given up says nothing of its guard", () => {
    const bench = confirmedTen();
    for (let i = 0; i < 3; i++) bench.fail();
    const circuit = bench.select();
    const events = bench.events.length;
    bench.sample.gaveUp(circuit);
    expect(bench.events).toHaveLength(events);
    // It is not under way any more, and so the next to be tried.
    expect(nickname(bench.select())).toBe("Relay3");
  });

  it("says nothing any more once it has failed", () => {
    const bench = new Bench();
    const circuit = bench.select();
    bench.sample.failed(circuit);
    expect(() => bench.sample.succeeded(circuit)).toThrow(expect.objectContaining(NO_GUARD));
    bench.advance(10 * MINUTE);
    bench.succeed();
    bench.sample.failed(circuit);
    expect(bench.primaryGuards()[0]?.reachable).toBe("yes");
  });

  it("may not be used when its guard has left the sample meanwhile", () => {
    const bench = new Bench();
    const circuit = bench.select();
    bench.advance(121 * DAY);
    bench.sample.update(view());
    expect(bench.heard("removed")).toContain("Relay0");
    const events = bench.events.length;
    expect(() => bench.sample.succeeded(circuit)).toThrow(expect.objectContaining(NO_GUARD));
    bench.sample.failed(circuit);
    expect(bench.events).toHaveLength(events);
  });

  it("says that a new guard is to be saved before it is used", () => {
    const bench = new Bench(view(400, { params: { "guard-min-filtered-sample-size": 3 } }));
    bench.sample.takeDirty();
    for (let i = 0; i < 3; i++) bench.fail();
    expect(bench.sample.takeDirty()).toBe(false);
    expect(nickname(bench.select())).toBe("Relay3");
    expect(bench.sample.takeDirty()).toBe(true);
  });
});

describe("a restriction", () => {
  it("passes a guard over for this circuit only", () => {
    const bench = new Bench();
    expect(nickname(bench.select("data", except(...relays(0))))).toBe("Relay1");
    expect(nickname(bench.select())).toBe("Relay0");
    expect(bench.primary).toEqual(["Relay0", "Relay1", "Relay2"]);
  });

  it("of a path does not lead to a further primary guard while one in use fits", () => {
    expect(used(new Bench(toUse(2)), "data", except(...relays(0)))).toEqual(["Relay1"]);
    expect(used(new Bench(toUse(2)), "data", except(...relays(1)))).toEqual(["Relay0"]);
  });

  it("of a path leads to a further one when none in use fits", () => {
    expect(used(new Bench(toUse(2)), "data", except(...relays(0, 1)))).toEqual(["Relay2"]);
  });

  it("of a directory request leads on, for another cache may have what the first ones lack", () => {
    const params = { "guard-n-primary-dir-guards-to-use": 2 };
    const bench = new Bench(view(400, { params }));
    expect(used(bench, "directory", except(...relays(0)))).toEqual(["Relay1", "Relay2"]);
  });

  it("that no guard meets is an error, and changes nothing of the sample", () => {
    const bench = new Bench();
    const before = bench.sample.export();
    expect(() => bench.select("data", { allows: () => false })).toThrow(
      expect.objectContaining({ ...NO_GUARD, message: "none of the 20 guards fits the rest of the path" }),
    );
    expect(bench.sample.export()).toEqual(before);
  });

  it("does not make those be tried again that do not meet it", () => {
    const bench = new Bench();
    for (let i = 0; i < 3; i++) bench.fail();
    expect(() => bench.select("data", { allows: () => false })).toThrow(expect.objectContaining(NO_GUARD));
    expect(bench.primaryGuards().map(({ reachable }) => reachable)).toEqual(["no", "no", "no"]);
    const [first] = relays(0);
    const only: Restriction = { allows: (relay) => relay === first };
    expect(bench.select("data", only).relay).toBe(first);
    expect(bench.primaryGuards().map(({ reachable }) => reachable)).toEqual(["maybe", "no", "no"]);
  });
});

describe("when every guard fails", () => {
  it("all of them are tried anew, from the first, and no more are sampled", () => {
    const bench = new Bench(view(100));
    const tried = range(20).map(() => bench.fail());
    expect(new Set(tried).size).toBe(20);
    expect(bench.primaryGuards().map(({ reachable }) => reachable)).toEqual(["no", "no", "no"]);
    const circuit = bench.select();
    expect(nickname(circuit)).toBe("Relay0");
    expect(circuit.state).toBe("usable-on-completion");
    expect(bench.heard("retry")).toHaveLength(20);
    expect(bench.sampled).toHaveLength(20);
  });

  it("they keep failing since the first time", () => {
    const bench = new Bench(view(3));
    for (let i = 0; i < 3; i++) bench.fail();
    bench.advance(6 * HOUR + 1);
    for (let i = 0; i < 3; i++) bench.fail();
    bench.advance(89 * MINUTE);
    expect(bench.primaryGuards().map(({ reachable }) => reachable)).toEqual(["no", "no", "no"]);
  });

  it("the caller may say that the network is another one", () => {
    const bench = new Bench();
    for (let i = 0; i < 5; i++) bench.fail();
    bench.sample.markAllMaybeReachable();
    expect(nickname(bench.select())).toBe("Relay0");
    expect(bench.heard("retry")).toHaveLength(5);
  });
});

describe("after a long silence", () => {
  /** Three confirmed primary guards that fail, and a circuit through another guard. */
  function setup() {
    const bench = confirmedTen();
    bench.succeed();
    for (let i = 0; i < 3; i++) bench.fail();
    return { bench, circuit: bench.select() };
  }

  it("a circuit through another guard lets the primary ones be tried again", () => {
    const { bench, circuit } = setup();
    bench.advance(10 * MINUTE - 1);
    expect(bench.sample.succeeded(circuit)).toBe("waiting-for-better-guard");
    expect(bench.primaryGuards().map(({ reachable }) => reachable)).toEqual(["no", "no", "no"]);
  });

  it("of more than the network's interval, not of less", () => {
    const { bench, circuit } = setup();
    bench.sample.update(view(400, { params: { "guard-internet-likely-down-interval": 60 } }));
    bench.advance(MINUTE + 1);
    expect(bench.sample.succeeded(circuit)).toBe("waiting-for-better-guard");
    expect(bench.primaryGuards().map(({ reachable }) => reachable)).toEqual(["maybe", "maybe", "maybe"]);
    expect(bench.sample.updateWaiting()).toEqual([]);
    const better = bench.select();
    expect(nickname(better)).toBe("Relay0");
    expect(bench.sample.succeeded(better)).toBe("complete");
    expect(bench.sample.updateWaiting()).toEqual([]);
  });

  it("the first circuit of all is after one", () => {
    const bench = confirmedTen();
    for (let i = 0; i < 3; i++) bench.fail();
    bench.sample.succeeded(bench.select());
    expect(bench.primaryGuards().map(({ reachable }) => reachable)).toEqual(["maybe", "maybe", "maybe"]);
  });
});

describe("no circuit is built", () => {
  it("without a view of the network", () => {
    expect(() => new Bench(null).select()).toThrow(expect.objectContaining(NO_GUARD));
  });

  it("on a network without guards", () => {
    expect(() => new Bench(view(0)).select()).toThrow(expect.objectContaining(NO_GUARD));
  });

  it("while a first primary guard lacks its microdescriptor, except to fetch it", () => {
    const bench = new Bench();
    bench.sample.update(view(GUARDS.slice(1), { undescribed: relays(0) }));
    expect(bench.sample.needed()).toEqual(new Set([0, 1].map((id) => bench.stored(id)?.fingerprint)));
    expect(() => bench.select()).toThrow(expect.objectContaining(NO_GUARD));
    expect(used(bench, "directory")).toEqual(["Relay1", "Relay2"]);
    bench.sample.update(view());
    expect(nickname(bench.select())).toBe("Relay0");
  });

  it("over such a guard later in the list, or one that is down, which hold nobody up", () => {
    const bench = new Bench();
    bench.fail();
    bench.sample.update(view(GUARDS.slice(1), { undescribed: relays(0) }));
    expect(nickname(bench.select())).toBe("Relay1");
    const last = new Bench();
    last.sample.update(view([...relays(0, 1), ...GUARDS.slice(3)], { undescribed: relays(2) }));
    expect(nickname(last.select())).toBe("Relay0");
  });

  it("through guards that are all disabled, and the error says so", () => {
    const bench = new Bench(view(3));
    bench.sample.adopt(state(...range(3).map((id) => confirmed(id, id, { disabled: true }))));
    expect(() => bench.select()).toThrow(
      expect.objectContaining({
        ...NO_GUARD,
        message: "none of the 3 sampled guards may be used (3 are disabled)",
      }),
    );
  });

  it("when no microdescriptor of a guard is at hand", () => {
    const bench = new Bench(view(2));
    bench.sample.update(view([], { undescribed: relays(0, 1) }));
    expect(() => bench.select("directory")).toThrow(
      expect.objectContaining({ message: "none of the 2 guards has its microdescriptor at hand" }),
    );
  });
});
