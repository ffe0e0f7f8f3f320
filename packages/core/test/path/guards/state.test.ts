import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SAMPLE_LIMIT } from "../../../src/path/guards/params.ts";
import { parseGuardState } from "../../../src/path/guards/state.ts";
import { Bench, confirmed, record, START, state } from "./support.ts";

const BAD = { kind: "bad-api-usage", code: "ALLIUM_E_BAD_GUARD_STATE" };

/** As the first form of guards exported it. */
const FIRST_FORM = {
  last_updated: "2026-01-02T00:00:00.000Z",
  guards: [
    {
      fingerprint: "AB".repeat(20),
      nickname: "a",
      address: "192.0.2.1:9001",
      first_used: "2026-01-01T00:00:00.000Z",
      last_used: "2026-01-01T10:00:00.000Z",
      confirmed: true,
    },
    {
      fingerprint: "CD".repeat(20),
      nickname: "b",
      address: "[2001:db8::1]:443",
      first_used: "2026-01-01T01:00:00.000Z",
      last_used: "2026-01-01T01:00:00.000Z",
      confirmed: false,
      unlisted_since: "2026-01-02T00:00:00.000Z",
    },
  ],
};

describe("a guard state", () => {
  it("of the first form is understood: a guard was added and confirmed when it was first used", () => {
    const { guards } = parseGuardState(FIRST_FORM);
    const [a, b] = FIRST_FORM.guards;
    expect(guards).toEqual([
      { ...a, added_on: a?.first_used, confirmed_on: a?.first_used, confirmed_index: 0 },
      { ...b, added_on: b?.first_used },
    ]);
  });

  it("goes through JSON and the sample unchanged", () => {
    const before = state(
      confirmed(3, 1),
      record(1, { unlisted_since: "2024-09-01T00:00:00.000Z" }),
      confirmed(2, 0, { pb_circ_attempts: 20.5, pb_circ_successes: 7.25, disabled: true }),
    );
    const { sample } = new Bench(null);
    sample.adopt(parseGuardState(JSON.parse(JSON.stringify(before))));
    expect(sample.export()).toEqual(before);
    expect(sample.takeDirty()).toBe(false);
  });

  it("has times in one form, whatever their offset", () => {
    const odd = { ...FIRST_FORM.guards[0], added_on: "2026-01-01T01:00:00+01:00" };
    expect(parseGuardState({ ...FIRST_FORM, guards: [odd] }).guards[0]?.added_on).toBe(
      "2026-01-01T00:00:00.000Z",
    );
  });

  it("keeps the order of confirmation, and mends its indices", () => {
    const indices = (...given: (number | undefined)[]) =>
      parseGuardState({
        ...FIRST_FORM,
        guards: given.map((confirmed_index, id) => ({ ...confirmed(id, 0), confirmed_index })),
      }).guards.map(({ confirmed_index }) => confirmed_index);
    expect(indices(10, 0, 100)).toEqual([1, 0, 2]);
    expect(indices(999, 999, 999)).toEqual([0, 1, 2]);
    expect(indices(undefined, 5, undefined)).toEqual([1, 0, 2]);
  });

  it("has no confirmation of a guard that is not confirmed", () => {
    const { guards } = parseGuardState(state({ ...confirmed(1, 0), confirmed: false }));
    expect(guards).toEqual([record(1)]);
  });

  it("ignores what it does not know", () => {
    const { guards } = parseGuardState(state({ ...record(1), ...{ extra: { a: 1 }, __proto__: {} } }));
    expect(guards).toEqual([record(1)]);
  });

  const [good] = FIRST_FORM.guards;
  const one = (wrong: object) => ({ ...FIRST_FORM, guards: [{ ...good, ...wrong }] });
  it.each<[string, unknown]>([
    ["nothing", undefined],
    ["null", null],
    ["a number", 7],
    ["a list", []],
    ["an empty object", {}],
    ["guards that are no list", { ...FIRST_FORM, guards: {} }],
    ["a guard that is no object", { ...FIRST_FORM, guards: [null] }],
    ["a wrong time", { ...FIRST_FORM, last_updated: "yesterday" }],
    ["a time before 1970 in UTC", { ...FIRST_FORM, last_updated: "1970-01-01T00:00:00+01:00" }],
    ["a time after the year 9999", { ...FIRST_FORM, last_updated: "9999-12-31T23:59:59-01:00" }],
    ["a guard twice", { ...FIRST_FORM, guards: [good, { ...good, fingerprint: "ab".repeat(20) }] }],
    ["too many guards", state(...Array.from({ length: SAMPLE_LIMIT + 1 }, (_, id) => record(id)))],
    ["a short fingerprint", one({ fingerprint: "AB".repeat(19) })],
    ["a nickname with a space", one({ nickname: "no good" })],
    ["an address that is no text", one({ address: 7 })],
    ["an address without end", one({ address: "1".repeat(65) })],
    ["confirmed as text", one({ confirmed: "yes" })],
    ["a wrong added_on", one({ added_on: 5 })],
    ["a wrong confirmed_on", one({ confirmed_on: "" })],
    ["a wrong unlisted_since", one({ unlisted_since: null })],
    ["a negative index", one({ confirmed_index: -1 })],
    ["an index that is no number", one({ confirmed_index: "1" })],
    ["counts that are no numbers", one({ pb_circ_attempts: "4" })],
    ["counts that are not finite", one({ pb_circ_attempts: Number.NaN })],
    ["more successes than attempts", one({ pb_circ_attempts: 4, pb_circ_successes: 5 })],
    ["disabled as a number", one({ disabled: 1 })],
  ])("with %s is refused", (_, value) => {
    expect(() => parseGuardState(value)).toThrow(expect.objectContaining(BAD));
  });

  it("of any JSON is read or refused, and what is read is read again", () => {
    const anyRecord = fc.record(
      {
        fingerprint: fc.oneof(fc.constant("ab".repeat(20)), fc.string()),
        nickname: fc.oneof(fc.constant("a"), fc.string()),
        address: fc.constant("192.0.2.1:1"),
        first_used: fc.constant(FIRST_FORM.last_updated),
        last_used: fc.constant(FIRST_FORM.last_updated),
        confirmed: fc.boolean(),
        confirmed_index: fc.oneof(fc.nat(), fc.double(), fc.constant(null)),
        confirmed_on: fc.oneof(fc.constant(FIRST_FORM.last_updated), fc.anything()),
        pb_circ_attempts: fc.oneof(fc.nat(), fc.double()),
        pb_circ_successes: fc.nat(),
        disabled: fc.oneof(fc.boolean(), fc.anything()),
      },
      { requiredKeys: ["fingerprint", "nickname", "address", "first_used", "last_used", "confirmed"] },
    );
    const anyState = fc.record({
      last_updated: fc.constant(FIRST_FORM.last_updated),
      guards: fc.array(anyRecord),
    });
    let read = 0;
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), anyState), (value) => {
        try {
          const parsed = parseGuardState(value);
          expect(parseGuardState(JSON.parse(JSON.stringify(parsed)))).toEqual(parsed);
          read++;
        } catch (error) {
          expect(error).toMatchObject(BAD);
        }
      }),
      { numRuns: 500 },
    );
    expect(read).toBeGreaterThan(0);
  });
});

describe("a sample that adopts a state", () => {
  it("goes on with its guards, and keeps what it knows of those it had", () => {
    const bench = new Bench();
    bench.fail();
    const { sample } = bench;
    sample.adopt(state(record(0), confirmed(350, 0)));
    expect(bench.sampled.slice(0, 2)).toEqual(["Relay0", "Relay350"]);
    expect(bench.primaryGuards()).toMatchObject([
      { record: { nickname: "Relay0" }, reachable: "no" },
      { record: { nickname: "Relay350" }, reachable: "maybe", isConfirmed: true },
      { record: { nickname: "Relay1" }, reachable: "maybe" },
    ]);
  });

  it("has its last change as last_updated, and says once that it is to be saved", () => {
    const bench = new Bench();
    expect(bench.sample.takeDirty()).toBe(true);
    expect(bench.sample.takeDirty()).toBe(false);
    bench.sample.adopt(state(...Array.from({ length: 20 }, (_, id) => record(id))));
    bench.advance(5000);
    bench.select();
    expect(bench.sample.takeDirty()).toBe(false);
    expect(Date.parse(bench.sample.export().last_updated)).toBe(START);
    bench.succeed();
    expect(bench.sample.takeDirty()).toBe(true);
    expect(Date.parse(bench.sample.export().last_updated)).toBe(START + 5000);
  });

  it("forgets all of them at a reset, and takes others when one is needed", () => {
    const bench = new Bench();
    const circuit = bench.select();
    bench.sample.takeDirty();
    bench.sample.reset();
    expect(bench.sampled).toEqual([]);
    expect(bench.sample.has(confirmed(0, 0).fingerprint)).toBe(false);
    expect(bench.sample.takeDirty()).toBe(true);
    expect(() => bench.sample.succeeded(circuit)).toThrow(
      expect.objectContaining({ kind: "no-path", code: "ALLIUM_E_NO_GUARD" }),
    );
    expect(bench.select().state).toBe("usable-on-completion");
    expect(bench.sample.has(confirmed(0, 0).fingerprint)).toBe(true);
  });
});
