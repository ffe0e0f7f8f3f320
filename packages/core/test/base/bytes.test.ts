import { expect, it } from "vitest";
import { Reader } from "../../src/base/bytes.ts";
it("reads", () => { expect(new Reader(Uint8Array.of(1,2)).u16()).toBe(258); });
