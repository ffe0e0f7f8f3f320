import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { NetDir, Relay } from "../../src/directory/api.ts";
import { PathSelector } from "../../src/path/select.ts";
import { deviation, seedRandomness } from "./frequencies.ts";
import { anyGuard, onlyGuard } from "./path-rules.ts";
import { hasRealConsensus, realNetdir } from "./real-consensus.ts";

const DRAWS = 100_000;
const FAR = 5.4;
const WEB = { port: 443, family: 4 } as const;
const NONE: ReadonlySet<string> = new Set();
const ANY = () => true;

afterEach(() => void vi.unstubAllGlobals());

/** The weights of dir-spec 3.8.3 as the consensus has them; its factors for V2Dir are all 1. */
function weightsOf(view: NetDir, relays: readonly Relay[], position: "g" | "m" | "e" | "b"): number[] {
  return relays.map(({ flags, bandwidth, unmeasured }) => {
    const isExit = flags.has("Exit") && !flags.has("BadExit");
    const kind = flags.has("Guard") ? (isExit ? "d" : "g") : isExit ? "e" : "m";
    return (unmeasured ? 0 : bandwidth) * (view.bandwidthWeights.get(`W${position}${kind}`) ?? 0);
  });
}

async function countsOf(relays: readonly Relay[], draw: () => Relay | Promise<Relay>): Promise<number[]> {
  const counts = new Map<Relay, number>();
  for (let i = 0; i < DRAWS; i++) {
    const drawn = await draw();
    counts.set(drawn, (counts.get(drawn) ?? 0) + 1);
  }
  const known = relays.map((relay) => counts.get(relay) ?? 0);
  expect(known.reduce((sum, count) => sum + count, 0)).toBe(DRAWS);
  return known;
}

describe.skipIf(!hasRealConsensus)("on the public network", () => {
  let view: NetDir;
  let selector: PathSelector;
  let usable: readonly Relay[];

  beforeAll(async () => {
    view = await realNetdir();
    selector = new PathSelector(view, true);
    usable = view.relays.filter(({ flags }) => flags.has("Valid") && !flags.has("NoEdConsensus"));
    for (const name of ["Wgb", "Wmb", "Web", "Wdb"]) expect(view.bandwidthWeights.get(name)).toBe(10_000);
    expect(view.relays.length).toBe(9678);
  });

  const has = (relay: Relay, ...flags: Parameters<Relay["flags"]["has"]>[0][]) =>
    flags.every((flag) => relay.flags.has(flag)) && !relay.flags.has("MiddleOnly");

  it("guards are sampled in their shares", async () => {
    seedRandomness(11);
    const guards = usable.filter((relay) => has(relay, "Guard", "Fast", "Stable", "V2Dir"));
    const counts = await countsOf(guards, () => selector.sampleGuard(ANY) as Relay);
    expect(guards.length).toBeGreaterThan(1000);
    expect(Math.abs(deviation(counts, weightsOf(view, guards, "g")))).toBeLessThan(FAR);
  });

  it("directory caches are chosen in their shares", async () => {
    seedRandomness(12);
    const caches = usable.filter((relay) => has(relay, "V2Dir"));
    const counts = await countsOf(caches, () => selector.directoryCache(NONE));
    expect(Math.abs(deviation(counts, weightsOf(view, caches, "b")))).toBeLessThan(FAR);
  });

  it("exits and middles of paths are chosen in their shares", async () => {
    seedRandomness(13);
    const free = new PathSelector(view, false);
    // One guard, and no rule but that no relay comes twice, so that the shares are easily told.
    const guard = view.relays.find((relay) => has(relay, "Guard", "Fast") && !has(relay, "Exit")) as Relay;
    const exits = usable.filter((relay) => has(relay, "Exit", "Fast") && !has(relay, "BadExit"));
    const middles = usable.filter((relay) => relay.flags.has("Fast") && relay !== guard);
    const ofMiddle = new Map<Relay, number>();
    const counts = await countsOf(exits, async () => {
      const { exit, middle } = await free.path(WEB, onlyGuard(guard), NONE);
      ofMiddle.set(middle, (ofMiddle.get(middle) ?? 0) + 1);
      return exit;
    });
    expect(Math.abs(deviation(counts, weightsOf(view, exits, "e")))).toBeLessThan(FAR);
    // The exit of the path is no middle of it.
    const [exitWeights, weights] = [weightsOf(view, exits, "e"), weightsOf(view, middles, "m")];
    const allExits = exitWeights.reduce((sum, weight) => sum + weight, 0);
    const shareAsExit = new Map(exits.map((exit, i) => [exit, (exitWeights[i] ?? 0) / allExits]));
    const expected = middles.map((relay, i) => (weights[i] ?? 0) * (1 - (shareAsExit.get(relay) ?? 0)));
    const observed = middles.map((relay) => ofMiddle.get(relay) ?? 0);
    expect(middles.length).toBeGreaterThan(8000);
    expect(Math.abs(deviation(observed, expected))).toBeLessThan(FAR);
  });

  it("a path costs a look at a few relays, not at all of them", async () => {
    let looks = 0;
    const counted = await realNetdir((relay) =>
      Object.defineProperty({ ...relay }, "flags", {
        get: () => {
          looks++;
          return relay.flags;
        },
      }),
    );
    const watched = new PathSelector(counted, true);
    await watched.path(WEB, anyGuard(watched), NONE);
    looks = 0;
    for (let i = 0; i < 100; i++) await watched.path(WEB, anyGuard(watched), NONE);
    expect(looks / 100).toBeLessThan(200);
  });
});
