// The benches' arithmetic: medians, ratios, turns, tables, and what the command line says.

import { memoryStore } from "@allium/core";
import { describe, expect, it } from "vitest";
import { parseConsensus } from "../../packages/core/src/directory/documents/consensus.ts";
import { applyConsensusDiff } from "../../packages/core/src/directory/documents/consensus-diff.ts";
import { parseMicrodescriptor } from "../../packages/core/src/directory/documents/microdescriptor.ts";
import { TestAuthority } from "../../packages/core/test/directory/builder.ts";
import type { Suite } from "../bench/context.ts";
import { documentsOf, makeDiff, syntheticConsensus } from "../bench/directory/documents.ts";
import { withPeak } from "../bench/directory/peak.ts";
import { bytesFor, microdescriptors, routerEntries } from "../bench/directory/relays.ts";
import { startFromStore, storeDirectory } from "../bench/directory/stored.ts";
import { longestPiece } from "../bench/directory/timing.ts";
import { formOptions } from "../bench/forms.ts";
import { CpuMeter, cpuSeconds, groupPids, residentBytes } from "../bench/machine.ts";
import { parseCommandLine, usage } from "../bench/options.ts";
import { median, orderOf, ratio, summarize } from "../bench/statistics.ts";
import { render, Sheet } from "../bench/table.ts";

describe("statistics", () => {
  it("takes the middle, or the mean of the two in the middle", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([10, 9])).toBe(9.5);
    expect(() => median([])).toThrow(RangeError);
  });

  it("takes the median of the rounds' medians, and the range of all samples", () => {
    expect(summarize([[1, 2, 300], [], [4], [3]])).toEqual({ median: 3, min: 1, max: 300, rounds: 3 });
    expect(summarize([[], []])).toBeUndefined();
  });

  it("compares within a round, so that a slow round changes nothing", () => {
    const baseline = [[10], [1], [10]];
    expect(ratio([[20], [2], [20]], baseline)).toBe(2);
    expect(ratio([[20], [], [30]], baseline)).toBe(2.5);
    expect(ratio([[1]], [])).toBeUndefined();
    expect(ratio([[1], [4]], [[0], [2]])).toBe(2);
  });

  it("gives everybody every place", () => {
    const orders = Array.from({ length: 6 }, (_, round) => orderOf(["a", "b", "c"], round).join(""));
    expect(orders).toEqual(["abc", "cba", "bca", "acb", "cab", "bac"]);
    for (const place of [0, 1, 2]) {
      const there = orders
        .map((order) => order[place])
        .sort()
        .join("");
      expect(there).toBe("aabbcc");
    }
    expect(orderOf([], 3)).toEqual([]);
  });
});

describe("a table", () => {
  it("shows medians, ranges and ratios, and a dash where nothing was measured", () => {
    const sheet = new Sheet();
    for (const [round, value] of [10, 30, 20].entries()) {
      sheet.add(round, "down", "MB/s", "C tor", [value]);
      sheet.add(round, "down", "MB/s", "Allium", [value / 2]);
    }
    sheet.add(0, "up", "MB/s", "Allium", [5], 0);
    expect(render([sheet.table("Transfer", ["C tor", "Allium"], "C tor")])).toBe(
      [
        "### Transfer (**x**: to C tor)",
        "",
        "| | C tor | Allium |",
        "|---|---|---|",
        "| down, MB/s | 20.0 (10.0-30.0) | 10.0 (5.0-15.0) **0.50x** |",
        "| up, MB/s | - | 5 |",
        "",
      ].join("\n"),
    );
  });

  it("leaves an empty place for a round that has no sample", () => {
    const sheet = new Sheet();
    sheet.add(2, "x", "ms", "a", [1, 2]);
    expect(sheet.table("t", ["a"]).rows[0]?.samples.a).toEqual([[], [], [1, 2]]);
  });
});

describe("forms", () => {
  it("turn conflux on only beside congestion control, and only for a client of its own", () => {
    expect(formOptions("legacy", true)).toMatchObject({
      consensusParams: { cc_alg: 0, cfx_enabled: 0 },
      confluxClient: false,
    });
    expect(formOptions("cc", false)).toMatchObject({
      consensusParams: { cc_alg: 2, cfx_enabled: 0 },
      withoutCgo: true,
      confluxClient: false,
    });
    expect(formOptions("cgo", true)).toEqual({
      consensusParams: { cc_alg: 2, cfx_enabled: 1 },
      confluxClient: true,
    });
  });
});

describe("CPU time", () => {
  it("is that of this process, and grows as it works", () => {
    const meter = new CpuMeter(() => ({ own: [process.pid], nobody: [] }));
    const before = process.cpuUsage();
    const until = performance.now() + 60;
    while (performance.now() < until);
    const { user, system } = process.cpuUsage(before);
    const { own = 0, nobody } = meter.read();
    expect(Math.abs(own - (user + system) / 1e6)).toBeLessThan(0.05);
    expect(own).toBeGreaterThan(0);
    expect(nobody).toBe(0);
  });

  it("of a process that is gone is none", () => {
    expect(cpuSeconds([2 ** 30])).toBe(0);
    expect(residentBytes([2 ** 30])).toBe(0);
    expect(residentBytes([process.pid])).toBeGreaterThan(2 ** 20);
    expect(groupPids(2 ** 30)).toEqual([]);
  });
});

describe("the directory that is measured", () => {
  const authorities = ["a", "b", "c"].map((name) => new TestAuthority(name));
  const consensus = syntheticConsensus(1100, authorities);

  it("is as long as the public network's of 2026-02-22, and has as many families", () => {
    const relays = Array.from({ length: 9678 }, (_, i) => ({
      rsaId: bytesFor(`${i}`).subarray(0, 20),
      isExit: i % 10 < 3,
    }));
    const documents = microdescriptors(relays);
    const mean = documents.reduce((sum, { length }) => sum + length, 0) / relays.length;
    expect(mean / (1_905_538 / 450)).toBeGreaterThan(0.9);
    expect(mean / (1_905_538 / 450)).toBeLessThan(1.1);
    const inFamilies = documents.filter((text) => /^family /m.test(text)).length;
    expect(inFamilies / relays.length).toBeCloseTo(274 / 450, 1);
    const some = documents.slice(0, 100).map((text) => parseMicrodescriptor(Buffer.from(text)));
    expect(new Set(some.map(({ family }) => family.names.size))).toEqual(new Set([2]));
    expect(routerEntries(9678).length / 3_475_175).toBeCloseTo(1, 1);
  });

  it("has a diff that gives the consensus it names, with a line changed by each command", async () => {
    const diff = makeDiff(consensus, 500);
    expect(diff.match(/^[0-9,]+c$/gm)).toHaveLength(500);
    const options = { maxLength: 2 ** 20 };
    const bytes = await applyConsensusDiff(Buffer.from(consensus), Buffer.from(diff), options);
    const lines = consensus.split("\n");
    const changed = Buffer.from(bytes).toString().split("\n");
    expect(changed.filter((line, i) => line !== lines[i])).toHaveLength(499);
    expect((await parseConsensus(bytes)).routers).toHaveLength(1100);
  });

  it("suffices for a start from the store, and not without some of its relays", async () => {
    const { files, pieces, ...rest } = documentsOf(consensus, authorities);
    const start = { ...rest, url: "", pieces: pieces.length };
    const document = async (name: string) =>
      files[name as keyof typeof files] ?? pieces[Number(name.split("/")[1])];
    const store = memoryStore();
    await storeDirectory(store, start, document);
    const { netdir, path } = await startFromStore(store, start);
    expect(netdir.relays).toHaveLength(1100);
    expect(new Set([path.guard, path.middle, path.exit]).size).toBe(3);
    const partly = memoryStore();
    await storeDirectory(partly, { ...start, pieces: 0 }, document);
    await expect(startFromStore(partly, start)).rejects.toThrow("does not suffice");
  });

  it("is watched for its longest piece, not for all pieces together", async () => {
    const busy = async () => {
      for (let i = 0; i < 5; i++) {
        const until = performance.now() + 30;
        while (performance.now() < until);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const longest = await longestPiece(busy, setImmediate);
    expect(longest).toBeGreaterThanOrEqual(30);
    expect(longest).toBeLessThan(150);
  });

  it("is watched for the memory that it takes for a while", async () => {
    const length = 2 ** 26;
    const { before, peak, value } = await withPeak([process.pid], async () => Buffer.alloc(length, 1));
    expect(value).toHaveLength(length);
    expect(peak - before).toBeGreaterThan(length / 2);
  });
});

describe("the command line", () => {
  const suites = ["one", "two"].map((name): Suite => ({ name, about: `${name}'s`, run: async () => [] }));
  const parse = (...args: string[]) => parseCommandLine(args, suites, "two");

  it("has sensible defaults", () => {
    const { suites: chosen, options } = parse();
    expect(chosen.map(({ name }) => name)).toEqual(["two"]);
    expect(options).toMatchObject({
      rounds: 5,
      schedulers: ["Vanilla"],
      streams: [1],
      downloadBytes: 2 ** 26,
    });
  });

  it("takes lists, and all", () => {
    expect(parse("--suite", "all").suites).toHaveLength(2);
    const { options } = parse("--scheduler", "KIST,Vanilla", "--form=cc", "--streams", "1,16", "--rounds=7");
    expect(options).toMatchObject({
      schedulers: ["KIST", "Vanilla"],
      forms: ["cc"],
      streams: [1, 16],
      rounds: 7,
    });
  });

  it("refuses what it does not know", () => {
    expect(() => parse("--suite", "three")).toThrow("three");
    expect(() => parse("--form", "toString")).toThrow("toString");
    expect(() => parse("--rounds", "0")).toThrow("whole");
    expect(() => parse("--streams", "1,x")).toThrow("whole");
    expect(() => parse("--nonsense")).toThrow();
    expect(usage(suites, "two")).toContain("one's");
  });
});
