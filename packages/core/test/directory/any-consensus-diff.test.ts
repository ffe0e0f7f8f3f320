// Consensus diffs that are made up, damaged or as large as the public network's (dir-spec 4.5.1, appendix E).

import { existsSync, readFileSync } from "node:fs";
import { brotliDecompressSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromLatin1, latin1, toHex } from "../../src/base/encoding.ts";
import { applyConsensusDiff, signedPartDigest } from "../../src/directory/documents/consensus-diff.ts";
import { apply, diffOf, FIVE, ROOM } from "./consensus-diff-rig.ts";
import * as vectors from "./vectors/consensus-diff.ts";
import { commandsOf, joined, naively, scriptOf, someEdits } from "./vectors/consensus-diff-edits.ts";

const anyLine = fc.oneof(
  fc.constantFrom("", ".", "..", ". ", "1d", "2,3c", "directory-signature x", "r a b", "\r", "\0", "\u00ff"),
  fc.stringMatching(/^[ -~]{0,12}$/),
);
const anyDocument = fc
  .tuple(fc.array(anyLine, { maxLength: 30 }), fc.array(anyLine, { maxLength: 8 }))
  .map(([signed, rest]) => ["network-status-version 3", ...signed, "directory-signature y", ...rest]);
const anyEdits = fc.array(
  fc.record({
    keep: fc.nat(6),
    remove: fc.nat(4),
    insert: fc.array(
      anyLine.filter((line) => line !== "."),
      { maxLength: 3 },
    ),
    longForm: fc.boolean(),
  }),
  { maxLength: 12 },
);

describe("any consensus diff", () => {
  it("does what ed does to an array of lines", async () => {
    const actions = new Set<string>();
    await fc.assert(
      fc.asyncProperty(anyDocument, anyEdits, async (lines, edits) => {
        const commands = commandsOf(lines.length, edits);
        const script = scriptOf(lines.length, commands);
        const expected = joined(naively(lines, commands));
        expect(await apply(joined(lines), diffOf(joined(lines), script, expected))).toBe(expected);
        for (const [, range, action] of script.matchAll(/^\d+(,\$|,\d+|)([acd])$/gm)) {
          actions.add((range === ",$" ? range : (range?.[0] ?? "")) + action);
        }
      }),
      { seed: 5, numRuns: 1000 },
    );
    expect([...actions].sort()).toEqual([",$d", ",c", ",d", "a", "c", "d"]);
  });

  it("that is cut or changed anywhere is refused, or gives the same", async () => {
    const { ARTI_BASE, ARTI_DIFF } = vectors;
    const expected = await apply(ARTI_BASE, ARTI_DIFF);
    const refused = expect.objectContaining({ code: "ALLIUM_E_BAD_CONSENSUS_DIFF" });
    for (let length = 0; length < ARTI_DIFF.length; length += 7) {
      await expect(apply(ARTI_BASE, ARTI_DIFF.slice(0, length))).rejects.toEqual(refused);
    }
    let same = 0;
    await fc.assert(
      fc.asyncProperty(fc.nat(ARTI_DIFF.length - 1), fc.nat(255), async (at, byte) => {
        const changed = ARTI_DIFF.slice(0, at) + String.fromCharCode(byte) + ARTI_DIFF.slice(at + 1);
        const result = await apply(ARTI_BASE, changed).catch((error: unknown) => error);
        if (result === expected) same++;
        else expect(result).toEqual(refused);
      }),
      { seed: 6, numRuns: 1000 },
    );
    expect(same).toBeLessThan(20);
  });

  it("that is any bytes below its head is refused", async () => {
    const head = latin1(diffOf(FIVE, "", "x"));
    const refused = expect.objectContaining({ code: "ALLIUM_E_BAD_CONSENSUS_DIFF" });
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), async (tail) => {
        const diff = Uint8Array.of(...head, ...tail);
        await expect(applyConsensusDiff(latin1(FIVE), diff, ROOM)).rejects.toEqual(refused);
      }),
      { seed: 7, numRuns: 500 },
    );
  });
});

async function applyEdited(text: string): Promise<number> {
  const lines = text.slice(0, -1).split("\n");
  const commands = commandsOf(lines.length, someEdits(lines.length));
  const expected = joined(naively(lines, commands));
  const [base, diff] = [latin1(text), latin1(diffOf(text, scriptOf(lines.length, commands), expected))];
  const result = await applyConsensusDiff(base, diff, ROOM);
  // As strings, a difference of megabytes would be printed.
  expect(toHex(result.subarray(0, 64))).toBe(toHex(latin1(expected.slice(0, 64))));
  expect(fromLatin1(result) === expected).toBe(true);
  return commands.length;
}

describe("a consensus diff of real size", () => {
  const real = new URL("../../../../../shared/data/consensus-microdesc-2026-02-22.br", import.meta.url);
  it.skipIf(!existsSync(real))("is applied to the public network's consensus", async () => {
    const text = brotliDecompressSync(readFileSync(real)).toString("latin1");
    expect(await applyEdited(text)).toBeGreaterThan(3000);
  });

  it("lets other tasks run", async () => {
    const text = `network-status-version 3\n${"r abc def\n".repeat(300_000)}directory-signature x\n`;
    let turns = 0;
    let isDone = false;
    const others = () => {
      turns++;
      if (!isDone) setImmediate(others);
    };
    setImmediate(others);
    await signedPartDigest(latin1(text));
    isDone = true;
    // The microtasks of one long task would let none of them run.
    expect(turns).toBeGreaterThan(3);
  });

  it("takes time in proportion to its length", async () => {
    const time = async (count: number) => {
      const script = `${"0a\n0d\n.\n".repeat(count)}`;
      const expected = "0d\n".repeat(count) + FIVE;
      const diff = latin1(diffOf(FIVE, script, expected));
      const began = performance.now();
      await applyConsensusDiff(latin1(FIVE), diff, ROOM);
      return performance.now() - began;
    };
    await time(20_000);
    let best = Number.POSITIVE_INFINITY;
    // Sixteen times as much: a quadratic reader takes 256 times as long each time, however busy the machine is.
    for (let tries = 0; tries < 10 && best >= 80; tries++)
      best = Math.min(best, (await time(160_000)) / Math.max(await time(10_000), 1));
    expect(best).toBeLessThan(80);
  });
});
