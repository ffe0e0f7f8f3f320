// What the compliance suites are made of: named cases, and checks that throw.

import { equalBytes } from "../base/bytes.ts";
import { isTorError, type TorErrorKind } from "../base/errors.ts";

/** One rule of a port. */
export interface Case {
  readonly name: string;
  /** Rejects when the implementation breaks the rule. */
  run(): Promise<void>;
}

export function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

export function checkBytes(actual: Uint8Array | undefined, expected: Uint8Array, what: string): void {
  check(actual !== undefined, `${what} is missing`);
  check(
    equalBytes(actual, expected),
    `${what}: ${actual.length} bytes differ from the ${expected.length} expected`,
  );
}

/** Checks that `promise` rejects with a TorError, of one of `kinds` when any are given. */
export async function checkRejects(
  promise: Promise<unknown>,
  what: string,
  kinds: readonly TorErrorKind[] = [],
): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason ?? new Error("rejected with nothing"),
  );
  check(error !== undefined, `${what} succeeds`);
  check(isTorError(error), `${what} fails with something else than a TorError: ${String(error)}`);
  check(kinds.length === 0 || kinds.includes(error.kind), `${what} fails with the kind ${error.kind}`);
}

/** Lets everything run that is ready to. */
export async function turn(): Promise<void> {
  await new Promise<void>((resolve) => setTimeout(resolve, 1));
}

/** `length` bytes in which a lost, doubled or swapped chunk shows. */
export function numberedBytes(length: number, seed = 0): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed + 1;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    bytes[i] = state >>> 16;
  }
  return bytes;
}
