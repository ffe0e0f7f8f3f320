// Signed documents of a private network of 2020 and 2021, from arti's test data (crates/tor-dirmgr/testdata).

import { readFileSync } from "node:fs";

export function vector(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`vectors/${name}.txt`, import.meta.url)));
}

/** The time at which arti verifies mdconsensus1. */
export const VECTOR_TIME = Date.UTC(2020, 7, 7, 12, 42, 45);
