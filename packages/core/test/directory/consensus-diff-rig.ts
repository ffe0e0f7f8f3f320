// What tests of consensus diffs have in common: documents, digests found in another way, errors (dir-spec 4.5.1, appendix E).

import { createHash } from "node:crypto";
import { expect } from "vitest";
import { fromLatin1, latin1 } from "../../src/base/encoding.ts";
import { applyConsensusDiff } from "../../src/directory/documents/consensus-diff.ts";

export const ROOM = { maxLength: 64 * 1024 * 1024 };

/** Five lines, as C tor's and arti's scripts want them. */
export const FIVE = "network-status-version 3\nB\nC\nD\ndirectory-signature E\n";

export function sha3(text: string): string {
  return createHash("sha3-256").update(text, "latin1").digest("hex");
}

/** Found in another way than the code under test finds it. */
export function signedDigest(consensus: string): string {
  const parts = consensus.split(/(?<=\ndirectory-signature )/, 2);
  expect(parts).toHaveLength(2);
  return sha3(parts[0] ?? "");
}

export function diffOf(base: string, script: string, result: string): string {
  return `network-status-diff-version 1\nhash ${signedDigest(base)} ${sha3(result)}\n${script}`;
}

export async function apply(
  base: string,
  diff: string,
  options: Parameters<typeof applyConsensusDiff>[2] = ROOM,
): Promise<string> {
  return fromLatin1(await applyConsensusDiff(latin1(base), latin1(diff), options));
}

export function refusedFor(message: RegExp): unknown {
  return expect.objectContaining({
    kind: "protocol-violation",
    code: "ALLIUM_E_BAD_CONSENSUS_DIFF",
    message: expect.stringMatching(message),
  });
}
