// guard-spec 2, B: the case of C tor's test_entrynodes.c (choose_selection_initial), and its thresholds.

import { describe, expect, it } from "vitest";
import { chooseSample } from "../../../src/path/guards/instances.ts";
import { Bench, GUARDS, view } from "./support.ts";

const firsts = (count: number) => {
  const left = new Set(GUARDS.slice(0, count));
  return (relay: (typeof GUARDS)[number]) => left.has(relay);
};

describe("the sample in use", () => {
  it.each([
    [400, "default", false],
    [80, "default", false],
    [79, "restricted", false],
    [4, "restricted", false],
    [3, "restricted", true],
    [0, "restricted", true],
  ] as const)("with %i of 400 guards allowed is the %s one", (left, name, isExtreme) => {
    expect(chooseSample(view(), firsts(left))).toEqual({ name, isExtreme });
  });

  it("changes only when the allowed part is 5 % beyond the threshold", () => {
    const name = (left: number, previous: "default" | "restricted") =>
      chooseSample(view(), firsts(left), previous).name;
    expect([76, 75].map((left) => name(left, "default"))).toEqual(["default", "restricted"]);
    expect([84, 83].map((left) => name(left, "restricted"))).toEqual(["default", "restricted"]);
  });

  it("follows the network's thresholds", () => {
    const netdir = view(400, {
      params: { "guard-meaningful-restriction-percent": 50, "guard-extreme-restriction-percent": 40 },
    });
    expect(chooseSample(netdir, firsts(199))).toEqual({ name: "restricted", isExtreme: false });
    expect(chooseSample(netdir, firsts(159))).toEqual({ name: "restricted", isExtreme: true });
  });

  it("does not warn where there are no guards at all", () => {
    expect(chooseSample(view(0), () => true)).toEqual({ name: "default", isExtreme: false });
  });
});

describe("a filter", () => {
  it("is applied after sampling, so that it shows only in what is used", () => {
    const bench = new Bench(view(), { filter: (relay) => !["Relay0", "Relay2"].includes(relay.nickname) });
    expect(bench.sampled).toHaveLength(22);
    expect(bench.primary).toEqual(["Relay1", "Relay3", "Relay4"]);
  });

  it("that leaves next to nothing does not let the sample exceed its bound", () => {
    const bench = new Bench(view(), { filter: (relay) => Number(relay.nickname.slice(5)) % 32 === 0 });
    expect(bench.sampled).toHaveLength(60);
    expect(bench.primary).toEqual(["Relay0", "Relay32"]);
  });

  it("is applied before sampling in the restricted sample, which it bounds", () => {
    const filter = (relay: { nickname: string }) => Number(relay.nickname.slice(5)) % 32 === 0;
    const bench = new Bench(view(), { filter, isRestricted: true });
    expect(bench.sampled).toHaveLength(13);
    expect(bench.primary).toEqual(["Relay0", "Relay32", "Relay64"]);
  });

  it("that changes takes effect with the next update, and the sample stays", () => {
    let refused = "";
    const bench = new Bench(view(), { filter: (relay) => relay.nickname !== refused });
    refused = "Relay1";
    bench.sample.update(view());
    expect(bench.primary).toEqual(["Relay0", "Relay2", "Relay3"]);
    expect(bench.sampled.slice(0, 3)).toEqual(["Relay0", "Relay1", "Relay2"]);
    refused = "";
    bench.sample.update(view());
    expect(bench.sampled[1]).toBe("Relay1");
  });
});
