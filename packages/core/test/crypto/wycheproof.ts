// Project Wycheproof's vectors, read from beside the repository where they are present.

import { existsSync, readFileSync } from "node:fs";
import { describe } from "vitest";

const DIRECTORY = new URL("../../../../../shared/data/wycheproof/", import.meta.url);

export interface WycheproofCase {
  readonly tcId: number;
  readonly comment: string;
  readonly flags: readonly string[];
  readonly result: "valid" | "acceptable" | "invalid";
  readonly [field: string]: unknown;
}
export interface WycheproofGroup {
  readonly tests: readonly WycheproofCase[];
  readonly [field: string]: unknown;
}

/** Declares a suite over the groups of a vector file; not run where the file is absent. */
export function describeWycheproof(
  file: string,
  suite: (groups: () => readonly WycheproofGroup[]) => void,
): void {
  const url = new URL(file, DIRECTORY);
  describe.skipIf(!existsSync(url))(`Wycheproof ${file}`, () =>
    suite(() => JSON.parse(readFileSync(url, "utf8")).testGroups as WycheproofGroup[]),
  );
}

export function bytes(hex: unknown): Uint8Array {
  return Uint8Array.from(Buffer.from(hex as string, "hex"));
}
