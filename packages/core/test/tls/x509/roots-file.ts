// Makes a list of roots as `roots.bin` is one (packages/core/data/README.md), of any CAs.

import { Writer } from "../../../src/base/bytes.ts";
import { latin1 } from "../../../src/base/encoding.ts";
import type { Entity } from "./issue.ts";

export function rootsFile(
  roots: readonly Entity[],
  date = "2026-01-01",
  constraints: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const writer = new Writer()
    .bytes(latin1("ALLIUMROOTS1"))
    .vector(1, latin1(date))
    .vector(1, latin1("for tests"));
  for (const { name, key } of roots) writer.vector(2, name).vector(2, key.spki).vector(2, constraints);
  return writer.finish();
}
