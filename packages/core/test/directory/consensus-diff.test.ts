// Consensus diffs: C tor's and arti's vectors, each command, each rule of the head (dir-spec 4.5.1, 4.5.2, appendix E).

import { describe, expect, it } from "vitest";
import { latin1 } from "../../src/base/encoding.ts";
import { isConsensusDiff, signedPartDigest } from "../../src/directory/documents/consensus-diff.ts";
import { apply, diffOf, FIVE, ROOM, refusedFor, sha3, signedDigest } from "./consensus-diff-rig.ts";
import * as vectors from "./vectors/consensus-diff.ts";

const otherConsensus = refusedFor(/for another consensus/);
const otherResult = refusedFor(/does not give what it says/);

describe("a consensus diff of others", () => {
  it("of a real network gives the consensus whose digest it names (arti)", async () => {
    expect(isConsensusDiff(latin1(vectors.ARTI_DIFF))).toBe(true);
    expect(await signedPartDigest(latin1(vectors.ARTI_BASE))).toBe(
      "b03da3aca1d3c1d083e3ff97873002416ebd81a058b406d5c5946eab53a79663",
    );
    const result = await apply(vectors.ARTI_BASE, vectors.ARTI_DIFF);
    expect(sha3(result)).toBe("f6789f35b6b3ba58bb23d29e53a8ed6cbb995543dbe075dd5671481c4ba677fb");
    expect(result.split("\n").length).toBe(71);
    expect(result).toContain("\nvalid-after 2020-12-16 19:17:20\n");
  });

  it("does not depend on the signatures of the base (appendix E)", async () => {
    const expected = await apply(vectors.ARTI_BASE, vectors.ARTI_DIFF);
    const [signed] = vectors.ARTI_BASE.split(/(?<=\ndirectory-signature )/, 1);
    for (const rest of ["sha1 A B\nx\n", "unusual\n", "\n".repeat(500)]) {
      expect(await apply(signed + rest, vectors.ARTI_DIFF)).toBe(expected);
    }
  });

  it("is for the base whose digest the caller gives, which is not computed again", async () => {
    const base = vectors.ARTI_BASE;
    const result = await apply(base, vectors.ARTI_DIFF);
    const options = { ...ROOM, baseDigest: "00".repeat(32) };
    await expect(apply(base, vectors.ARTI_DIFF, options)).rejects.toEqual(otherConsensus);
    const renamed = vectors.ARTI_DIFF.replace(/hash [0-9A-F]+/i, `hash ${options.baseDigest}`);
    expect(await apply(base, renamed, options)).toBe(result);
    await expect(apply(base, renamed)).rejects.toEqual(otherConsensus);
  });

  it("of two small documents is applied (C tor)", async () => {
    const { TOR_BASE, TOR_BASE_DIGEST, TOR_TARGET_DIGEST, TOR_SCRIPT, TOR_TARGET } = vectors;
    const hashes = `network-status-diff-version 1\nhash ${TOR_BASE_DIGEST} ${TOR_TARGET_DIGEST}\n`;
    expect(await apply(TOR_BASE, hashes + TOR_SCRIPT)).toBe(TOR_TARGET);
    expect(await signedPartDigest(latin1(TOR_BASE))).toBe(TOR_BASE_DIGEST.toLowerCase());
  });

  it.each([
    ["upper", (hex: string) => hex.toUpperCase()],
    ["lower", (hex: string) => hex.toLowerCase()],
  ])("may write its digests in %s case (C tor)", async (_, inCase) => {
    const { TOR_BASE, TOR_BASE_DIGEST, TOR_SAMPLE_DIGEST, TOR_SAMPLE_SCRIPT } = vectors;
    const hashes = `hash ${inCase(TOR_BASE_DIGEST)} ${inCase(TOR_SAMPLE_DIGEST)}\n`;
    const result = await apply(TOR_BASE, `network-status-diff-version 1\n${hashes}${TOR_SAMPLE_SCRIPT}`);
    expect(result).toBe(TOR_BASE.replace("foo\nr name e", "sample\nr name e"));
  });

  it.each(vectors.TOR_ED_APPLIED)("with the commands %j is applied (C tor)", async (script, letters) => {
    const lines = [...letters].map((letter) => {
      if (letter === "A") return "network-status-version 3\n";
      return letter === "E" ? "directory-signature E\n" : `${letter}\n`;
    });
    const expected = lines.join("");
    expect(await apply(FIVE, diffOf(FIVE, script, expected))).toBe(expected);
  });

  it.each([...vectors.TOR_ED_REFUSED, ...vectors.ARTI_ED_REFUSED])(
    "with the commands %j is refused (C tor, arti)",
    async (script, reason) => {
      await expect(apply(FIVE, diffOf(FIVE, script, FIVE))).rejects.toEqual(refusedFor(reason));
    },
  );
});

describe("the commands of a consensus diff (appendix E)", () => {
  const [A, B, C, D, E] = FIVE.split(/(?<=\n)/) as [string, string, string, string, string];

  it.each([
    ["", FIVE],
    ["1,$d\n", ""],
    ["5,$d\n", A + B + C + D],
    ["5,5d\n2,2c\nx\n.\n", `${A}x\n${C}${D}`],
    ["3,$d\n2a\nx\n.\n0a\ny\n.\n", `y\n${A}${B}x\n`],
    ["5a\nx\n.\n", `${FIVE}x\n`],
    ["3a\nx\n.\n3a\ny\n.\n3d\n2a\nz\n.\n", `${A}${B}z\ny\nx\n${D}${E}`],
    ["3a\n\n..\n. \n.x\n1d\n.\n", `${A}${B}${C}\n..\n. \n.x\n1d\n${D}${E}`],
    ["4d\n3d\n2d\n", A + E],
  ])("%j are applied", async (script, expected) => {
    expect(await apply(FIVE, diffOf(FIVE, script, expected))).toBe(expected);
  });

  it.each([
    ["6,$d\n", /upside down or outside/],
    ["6a\nx\n.\n", /outside what/],
    ["6d\n", /outside what/],
    ["4,6c\nx\n.\n", /outside what/],
    ["0c\nx\n.\n", /line 0/],
    ["0d\n", /line 0/],
    ["0,$d\n", /line 0/],
    ["1,0d\n", /known ed command/],
    ["01d\n", /known ed command/],
    ["1234567890d\n", /known ed command/],
    ["1\u00b2d\n", /known ed command/],
    [`${"1".repeat(100_000)}d\n`, /known ed command/],
    ["$d\n", /known ed command/],
    ["1,$a\nx\n.\n", /a range to append after/],
    ["1,2,$d\n", /known ed command/],
    ["1d \n", /known ed command/],
    [" 1d\n", /known ed command/],
    ["1d\r\n", /known ed command/],
    ["1D\n", /known ed command/],
    ["1i\nx\n.\n", /known ed command/],
    ["1,2p\n", /known ed command/],
    ["w\n", /known ed command/],
    ["!ls\n", /known ed command/],
    ["s/.//\n", /known ed command/],
    // "$" would mean one line before the first command and another after it.
    ["5a\nx\n.\n2,$d\n", /"\$" after the first command/],
    ["5d\n4,$d\n", /"\$" after the first command/],
    // Ascending, overlapping, twice the same.
    ["1a\nx\n.\n2a\ny\n.\n", /outside what/],
    ["3,4d\n2,3d\n", /outside what/],
    ["3c\nx\n.\n3c\ny\n.\n", /outside what/],
    ["3d\n3a\nx\n.\n", /outside what/],
    ["4,$d\n4a\nx\n.\n", /outside what/],
    // Blocks without their end, and what follows them.
    ["3c\n.\n", /inserts nothing/],
    ["3c\nx\n. \n", /ends inside/],
    ["3c\nx\n.\r\n", /ends inside/],
    ["3c\nx\n.", /ends inside/],
    ["3c\nx", /ends inside/],
    ["3d", /ends inside/],
    ["3d\n\n", /known ed command/],
    ["3c\nx\n.\n.\n", /known ed command/],
    ["3c\nx\n.\nthe end\n", /known ed command/],
    ["3d\nnetwork-status-diff-version 1\n", /known ed command/],
  ])("%j are refused", async (script, reason) => {
    await expect(apply(FIVE, diffOf(FIVE, script, FIVE))).rejects.toEqual(refusedFor(reason));
  });

  it("give a result of the greatest length that is allowed, and of no more", async () => {
    const expected = `${A}${B}${C}${D}${E}12345\n`;
    const diff = diffOf(FIVE, "5a\n12345\n.\n", expected);
    expect(await apply(FIVE, diff, { maxLength: expected.length })).toBe(expected);
    const refused = refusedFor(/too long/);
    await expect(apply(FIVE, diff, { maxLength: expected.length - 1 })).rejects.toEqual(refused);
    await expect(apply(FIVE, diff, { maxLength: FIVE.length - 1 })).rejects.toEqual(refused);
  });
});

describe("the head of a consensus diff (dir-spec 4.5.1)", () => {
  const from = signedDigest(FIVE);
  const to = sha3(FIVE);
  const version = "network-status-diff-version 1\n";

  it("is told from that of a consensus", () => {
    expect(isConsensusDiff(latin1(version))).toBe(true);
    for (const text of ["", version.slice(0, -1), ` ${version}`, version.replace("1", "2"), FIVE]) {
      expect(isConsensusDiff(latin1(text))).toBe(false);
    }
    expect(isConsensusDiff(latin1(version.replace("1\n", "10\n")))).toBe(false);
    expect(isConsensusDiff(latin1(version.replace("\n", "\r\n")))).toBe(false);
  });

  it("is accepted without any command", async () => {
    expect(await apply(FIVE, `${version}hash ${from} ${to}\n`)).toBe(FIVE);
  });

  it.each([
    "",
    "foo-bar\nheader-line\n",
    "network-status-diff-version 2\n",
    "network-status-diff-version 1 \n",
  ])("is refused with the first line %j", async (line) => {
    const refused = refusedFor(/another version/);
    await expect(apply(FIVE, `${line}hash ${from} ${to}\n`)).rejects.toEqual(refused);
  });

  it.each([
    "",
    "\n",
    "word a b\nx\n",
    "hash a b c\n",
    "hash aaa bbb\n",
    `hash ${"?".repeat(64)} ${"-".repeat(64)}\n`,
    `hash ${from}\n`,
    `hash ${from} ${to}`,
    `hash ${from} ${to} \n`,
    `hash ${from} ${to} more\n`,
    `hash ${from} ${to}\r\n`,
    `hash  ${from} ${to}\n`,
    `hash ${from}\t${to}\n`,
    `Hash ${from} ${to}\n`,
    `hash ${from}0 ${to.slice(1)}\n`,
    `hash ${from.slice(1)} ${to}\n`,
    `hash ${from} ${to.slice(1)}\n`,
    `5,$d\n1,2d\n`,
  ])("is refused with the second line %j", async (line) => {
    await expect(apply(FIVE, version + line)).rejects.toEqual(refusedFor(/hash line is malformed/));
  });

  it("must name the base by its signed part", async () => {
    for (const wrong of [
      "3".repeat(64),
      sha3(FIVE),
      from.replace(/^./, (digit) => (digit === "0" ? "1" : "0")),
    ]) {
      await expect(apply(FIVE, `${version}hash ${wrong} ${to}\n`)).rejects.toEqual(otherConsensus);
    }
    const diff = diffOf(FIVE, "", FIVE);
    await expect(apply(FIVE.replace("C", "c"), diff)).rejects.toEqual(otherConsensus);
  });

  it("must name the whole result, signatures included", async () => {
    const script = "5,$d\n4a\ndirectory-signature F\n.\n";
    const result = FIVE.replace("E", "F");
    expect(await apply(FIVE, diffOf(FIVE, script, result))).toBe(result);
    await expect(apply(FIVE, diffOf(FIVE, script, FIVE))).rejects.toEqual(otherResult);
    const bySignedPart = `${version}hash ${from} ${signedDigest(result)}\n${script}`;
    await expect(apply(FIVE, bySignedPart)).rejects.toEqual(otherResult);
  });

  it("must be of a base that is lines and has a signed part", async () => {
    const cut = FIVE.slice(0, -1);
    await expect(apply(cut, diffOf(cut, "", cut))).rejects.toEqual(refusedFor(/ends inside a line/));
    for (const base of ["", "\n", ` ${FIVE}`, FIVE.replace("directory-", ""), FIVE.replace(" E", "\tE")]) {
      await expect(apply(base, diffOf(FIVE, "", base))).rejects.toEqual(otherConsensus);
    }
  });
});

describe("the digest of a signed part (dir-spec 4.5.2)", () => {
  it("goes through the space of the first signature only", async () => {
    const text =
      "network-status-version 3\nx directory-signature \ndirectory-signature 1\ndirectory-signature 2\n";
    const signed = "network-status-version 3\nx directory-signature \ndirectory-signature ";
    expect(await signedPartDigest(latin1(text))).toBe(sha3(signed));
    expect(await signedPartDigest(latin1(signed))).toBe(sha3(signed));
  });

  it.each([
    "",
    "network-status-version 3\n",
    "vote-status consensus\nnetwork-status-version 3\ndirectory-signature x\n",
    "network-status-version 3\ndirectory-signature\tx\n",
    "network-status-version 3\ndirectory-signature",
    "network-status-version 3\n directory-signature x\n",
    "network-status-versions 3\ndirectory-signature x\n",
  ])("is refused of %j", async (text) => {
    const refused = expect.objectContaining({ kind: "protocol-violation", code: "ALLIUM_E_BAD_DOCUMENT" });
    await expect(signedPartDigest(latin1(text))).rejects.toEqual(refused);
  });
});
