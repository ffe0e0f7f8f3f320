// Which handshake a hop is made with, for every combination of subprotocols, uses and parameters, against a table that was
// read off C tor 0.4.9 (versions.c, extendinfo.c, circuitbuild.c); what a relay sees of each.

import { describe, expect, test } from "vitest";
import { toHex } from "../../src/base/encoding.ts";
import { requestMessage } from "../../src/circuit/handshake/negotiation.ts";
import {
  type HopUse,
  hopRequest,
  type NegotiationParams,
  negotiationParams,
} from "../../src/path/negotiation.ts";

const PROTOCOLS = ["FlowCtrl=2", "Relay=4", "Relay=5", "Relay=6"] as const;

function relay(protocols: readonly string[]) {
  return { supports: (protocol: string, version: number) => protocols.includes(`${protocol}=${version}`) };
}

/** A consensus as NetDir reads it. */
function consensus(params: Record<string, number>) {
  return {
    param: (name: string, fallback: number, min = -(2 ** 31), max = 2 ** 31 - 1) =>
      Math.min(max, Math.max(min, params[name] ?? fallback)),
  };
}

/** What a relay sees: the handshake, and the client's message. */
function seen(protocols: readonly string[], use: HopUse, params: NegotiationParams): string {
  const request = hopRequest(relay(protocols), use, params);
  return request.handshake === "ntor" ? "ntor" : `ntor-v3 ${toHex(requestMessage(request))}`;
}

const NOTHING = "ntor-v3 00";
const CC = "ntor-v3 010100";
const CC_CGO = "ntor-v3 02010003020206";

/** By the four protocols in the order of PROTOCOLS; columns: not an exit, exit without cc, exit with cc, also with CGO. */
const TABLE: Record<string, readonly [other: string, ccOff: string, cgoOff: string, all: string]> = {
  "0000": ["ntor", "ntor", "ntor", "ntor"],
  "0001": ["ntor", "ntor", "ntor", "ntor"],
  "0010": ["ntor", "ntor", "ntor", "ntor"],
  "0011": ["ntor", "ntor", "ntor", "ntor"],
  "0100": ["ntor", "ntor", "ntor", "ntor"],
  "0101": ["ntor", "ntor", "ntor", "ntor"],
  "0110": ["ntor", "ntor", "ntor", "ntor"],
  "0111": ["ntor", "ntor", "ntor", "ntor"],
  "1000": ["ntor", "ntor", "ntor", "ntor"],
  "1001": ["ntor", "ntor", "ntor", "ntor"],
  "1010": ["ntor", "ntor", "ntor", "ntor"],
  // C tor chooses ntor-v3 here and then builds no circuit, since the relay does not have it.
  "1011": ["ntor", "ntor", "ntor", "ntor"],
  "1100": ["ntor", "ntor", CC, CC],
  "1101": ["ntor", "ntor", CC, CC],
  "1110": ["ntor", "ntor", CC, CC],
  "1111": [NOTHING, NOTHING, CC, CC_CGO],
};

const flags = [false, true];
const cases = Object.keys(TABLE).flatMap((bits) =>
  flags.flatMap((congestionControl) => flags.flatMap((cgo) => [{ bits, congestionControl, cgo }])),
);

describe("hopRequest", () => {
  test("the table is whole", () => {
    expect(cases.length).toBe(64);
    expect(new Set(Object.keys(TABLE)).size).toBe(16);
  });

  test.each(cases)("$bits, cc $congestionControl, cgo $cgo", ({ bits, congestionControl, cgo }) => {
    const cc_alg = congestionControl ? 2 : 0;
    const params = negotiationParams(consensus({ cc_alg }), { cgo });
    const protocols = PROTOCOLS.filter((_, i) => bits[i] === "1");
    const [other, ccOff, cgoOff, all] = TABLE[bits] as (typeof TABLE)[string];
    const exit = !congestionControl ? ccOff : cgo ? all : cgoOff;
    expect(seen(protocols, "guard-or-middle", params)).toBe(other);
    expect(seen(protocols, "exit", params)).toBe(exit);
    expect(seen(protocols, "directory", params)).toBe(exit);
  });

  test("the consensus's sendme_inc goes along, for the check of the answer", () => {
    const params = negotiationParams(consensus({ cc_sendme_inc: 17 }));
    expect(hopRequest(relay(PROTOCOLS), "exit", params).congestionControl).toEqual({ sendmeInc: 17 });
    expect(hopRequest(relay(PROTOCOLS), "guard-or-middle", params).congestionControl).toBeUndefined();
  });
});

describe("negotiationParams", () => {
  test("C tor's defaults", () => {
    expect(negotiationParams(consensus({}))).toMatchObject({
      congestion: { alg: 2, sendmeInc: 31 },
      cgo: true,
    });
  });

  test.each([
    [-7, 0],
    [0, 0],
    [1, 2],
    [2, 2],
    [3, 2],
    [99, 2],
  ])("cc_alg=%d counts as %d: what is not known counts as Vegas, as in C tor", (cc_alg, alg) => {
    expect(negotiationParams(consensus({ cc_alg })).congestion.alg).toBe(alg);
  });

  test.each([
    [1, undefined, true],
    [1, true, true],
    [1, false, false],
    [0, undefined, false],
    [0, true, false],
    [0, false, false],
  ])("cgo_enabled=%d and the option %s", (cgo_enabled, cgo, expected) => {
    expect(negotiationParams(consensus({ cgo_enabled }), { cgo }).cgo).toBe(expected);
  });
});
