import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toHex } from "../../src/base/encoding.ts";
import { isTorError, type TorError } from "../../src/base/errors.ts";
import type { Relay } from "../../src/directory/api.ts";
import { type ExitCountries, exitsIn } from "../../src/path/geo.ts";
import { type ExitTarget, type Path, PathSelector } from "../../src/path/select.ts";
import {
  anyGuard,
  areApart,
  mayBeExit,
  mayBeGuard,
  mayBeMiddle,
  onlyGuard,
  PORTS,
  type Rules,
  rules,
  sketches,
  targets,
} from "./path-rules.ts";
import { netdir, relay } from "./synthetic.ts";

const NONE: ReadonlySet<string> = new Set();
const RUNS = 3000;

function viewOf(relays: readonly Relay[], { lists, ids }: Rules) {
  return netdir(relays, { params: { "use-family-lists": Number(lists), "use-family-ids": Number(ids) } });
}

function isLawful({ guard, middle, exit }: Path, target: ExitTarget, rules: Rules): boolean {
  return (
    mayBeGuard(guard) &&
    mayBeMiddle(middle, target) &&
    mayBeExit(exit, target) &&
    areApart(guard, middle, rules) &&
    areApart(guard, exit, rules) &&
    areApart(middle, exit, rules)
  );
}

/** The path, or why there is none, which is always a `no-path`. */
async function attempt(path: Promise<Path>): Promise<{ path?: Path; refusal?: TorError }> {
  try {
    return { path: await path };
  } catch (error) {
    if (!isTorError(error)) throw error;
    expect(error.kind).toBe("no-path");
    return { refusal: error };
  }
}

/** What is left when rules of the kind that a message names are dropped one after the other, from the last. */
const CONSTRAINT = new RegExp(
  `^no (exit|middle): none of \\d+ relays meets "(Valid|Fast|Stable|an exit policy for port (${PORTS.join("|")}) over IPv[46]|not failed before|not in the path already|another (subnet|family) than the other hops)"$`,
);

describe("a path through any network", () => {
  it("keeps every rule, or is refused for a rule by name", async () => {
    let [built, refused] = [0, 0];
    const property = fc.asyncProperty(sketches, targets, rules, async (list, target, rules) => {
      const selector = new PathSelector(viewOf(list.map(relay), rules), rules.distinctSubnets);
      const { path, refusal } = await attempt(selector.path(target, anyGuard(selector), NONE));
      if (path !== undefined) {
        built++;
        expect(isLawful(path, target, rules)).toBe(true);
        expect(path.stable).toBe(
          [path.guard, path.middle, path.exit].every((hop) => hop.flags.has("Stable")),
        );
      } else if (refusal?.code !== "ALLIUM_E_NO_GUARD") {
        refused++;
        expect(refusal?.code).toBe("ALLIUM_E_NO_RELAY");
        expect(refusal?.message).toMatch(CONSTRAINT);
      }
    });
    await fc.assert(property, { numRuns: RUNS });
    // The property says something only if there were many of both.
    expect(built).toBeGreaterThan(RUNS / 10);
    expect(refused).toBeGreaterThan(RUNS / 10);
  });

  it("is found through a given guard exactly when there is one", async () => {
    let [built, refused] = [0, 0];
    const property = fc.asyncProperty(sketches, targets, rules, async (list, target, rules) => {
      const relays = list.map(relay);
      const guard = relays.find(mayBeGuard);
      const exits = relays.filter((one) => mayBeExit(one, target));
      // Five exits are tried for a path; with more of them it may be refused too soon.
      fc.pre(guard !== undefined && exits.length <= 5);
      if (guard === undefined) return;
      const exists = exits.some(
        (exit) =>
          areApart(guard, exit, rules) &&
          relays.some(
            (middle) =>
              mayBeMiddle(middle, target) && areApart(middle, exit, rules) && areApart(middle, guard, rules),
          ),
      );
      const selector = new PathSelector(viewOf(relays, rules), rules.distinctSubnets);
      const { path } = await attempt(selector.path(target, onlyGuard(guard), NONE));
      expect(path !== undefined).toBe(exists);
      if (path === undefined) refused++;
      else built++;
      expect(path === undefined || isLawful(path, target, rules)).toBe(true);
    });
    await fc.assert(property, { numRuns: RUNS });
    expect(built).toBeGreaterThan(RUNS / 10);
    expect(refused).toBeGreaterThan(RUNS / 10);
  });

  it("is refused for the rule that left no exit", async () => {
    const seen = new Set<string>();
    const property = fc.asyncProperty(sketches, targets, rules, async (list, target, rules) => {
      const relays = list.map(relay);
      const name = exitRuleThatEmpties(relays, target);
      fc.pre(name !== undefined);
      const selector = new PathSelector(viewOf(relays, rules), rules.distinctSubnets);
      const { refusal } = await attempt(selector.path(target, anyGuard(selector), NONE));
      expect(refusal?.message).toMatch(new RegExp(`^no exit: none of \\d+ relays meets "${name}`));
      seen.add(name as string);
    });
    await fc.assert(property, { numRuns: 300 });
    expect(seen.has("an exit policy for port")).toBe(true);
  });

  it("never ends at an exit that failed", async () => {
    let built = 0;
    const property = fc.asyncProperty(sketches, targets, fc.nat(), async (list, target, mask) => {
      const relays = list.map(relay);
      const failed = new Set(relays.filter((_, i) => (mask >> (i % 31)) & 1).map((one) => toHex(one.rsaId)));
      const selector = new PathSelector(netdir(relays), true);
      const { path } = await attempt(selector.path(target, anyGuard(selector), failed));
      if (path === undefined) return;
      built++;
      expect(failed.has(toHex(path.exit.rsaId))).toBe(false);
    });
    await fc.assert(property, { numRuns: RUNS / 3 });
    expect(built).toBeGreaterThan(RUNS / 60);
  });
});

/** The first rule that no relay meets that meets those before it. */
function exitRuleThatEmpties(relays: readonly Relay[], target: ExitTarget): string | undefined {
  const valid = relays.filter(({ flags }) => flags.has("Valid") && !flags.has("NoEdConsensus"));
  if (valid.length === 0) return "Valid";
  const fast = valid.filter(({ flags }) => flags.has("Fast"));
  if (fast.length === 0) return "Fast";
  const stable = target.port === 22 ? fast.filter(({ flags }) => flags.has("Stable")) : fast;
  if (stable.length === 0) return "Stable";
  return stable.some((one) => mayBeExit(one, target)) ? undefined : "an exit policy for port";
}

describe("a path out of some countries", () => {
  /** The second byte of an IPv4 address, or the second group of an IPv6 one, is the country. */
  const countryOf: ExitCountries["countryOf"] = ({ address }) =>
    ["DE", "FR", "NL", undefined][((address.length === 4 ? address[1] : address[3]) as number) % 4];
  const countries = fc.subarray(["DE", "FR", "NL", "XX"], { minLength: 1 });

  it("ends in one of them, or is refused, or may end elsewhere and says so", async () => {
    const counts = { within: 0, elsewhere: 0, refused: 0 };
    const property = fc.asyncProperty(
      ...[sketches, targets, rules, countries, fc.boolean()],
      async (list, target, rules, names, strict) => {
        const exits: ExitCountries = { countries: new Set(names), strict, countryOf };
        const relays = list.map(relay);
        const reasons: TorError[] = [];
        const selector = new PathSelector(viewOf(relays, rules), rules.distinctSubnets, {
          exits,
          onElsewhere: (error) => reasons.push(error),
        });
        const { path, refusal } = await attempt(selector.path(target, anyGuard(selector), NONE));
        if (path !== undefined) {
          expect(isLawful(path, target, rules)).toBe(true);
          const isWithin = exitsIn(path.exit, target.family, exits);
          expect(isWithin || !strict).toBe(true);
          if (!isWithin) expect(reasons.map(({ kind }) => kind)).toEqual(["no-path"]);
          counts[isWithin ? "within" : "elsewhere"]++;
          return;
        }
        counts.refused++;
        expect(reasons).toEqual([]);
        const possible = relays.filter((one) => mayBeExit(one, target));
        const isForCountry =
          possible.length > 0 && !possible.some((one) => exitsIn(one, target.family, exits));
        expect(refusal?.code === "ALLIUM_E_NO_EXIT_IN_COUNTRY").toBe(isForCountry && strict);
      },
    );
    await fc.assert(property, { numRuns: RUNS });
    for (const count of Object.values(counts)) expect(count).toBeGreaterThan(RUNS / 50);
  });
});
