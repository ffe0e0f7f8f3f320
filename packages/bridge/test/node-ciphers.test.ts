// Node's ciphers keep the rules of the Ciphers port.

import { cipherCases } from "@allium/core/testing";
import { describe, it } from "vitest";
import { nodeCiphers } from "../src/index.ts";

describe("nodeCiphers", () => {
  for (const { name, run } of cipherCases(nodeCiphers())) it(name, run);
});
