// What extensions say of a certificate, and the many ways in which they can say it wrongly.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concat } from "../../../src/base/bytes.ts";
import { utf8 } from "../../../src/base/encoding.ts";
import { isTorError } from "../../../src/base/errors.ts";
import { parseCertificate } from "../../../src/tls/x509/certificate.ts";
import { readUsage } from "../../../src/tls/x509/usage.ts";
import { der, oid, SEQUENCE } from "../make-certificate.ts";
import {
  basicConstraints,
  dns,
  extension,
  issue,
  keyUsage,
  nameConstraints,
  names,
  purposes,
} from "./issue.ts";

const bits = (...bytes: readonly number[]) => der(0x03, Uint8Array.from(bytes));
const flag = (value: number) => der(0x01, Uint8Array.of(value));
const integer = (...bytes: readonly number[]) => der(0x02, Uint8Array.from(bytes));
const usageOf = (...extensions: readonly Uint8Array[]) =>
  readUsage(parseCertificate(issue({ extensions }).certificate));

describe("usage", () => {
  it("is anything where nothing is said, but not that of a CA", () => {
    const nothing = { isCa: false, pathLength: Number.POSITIVE_INFINITY, keyUsage: 0xff, names: [] };
    expect(usageOf()).toEqual({ ...nothing, purposes: undefined, constraints: undefined });
  });

  it("is read from its extensions", () => {
    const usage = usageOf(
      basicConstraints(true, 3),
      keyUsage(0x86),
      purposes("1.2.3", "1.2.4"),
      names(dns("a.example"), dns("b.example")),
      nameConstraints({ permitted: [dns("a.example")], excluded: [dns("b.example"), dns("c.example")] }),
      extension("2.5.29.32", der(SEQUENCE, der(SEQUENCE, oid("1.2.3"))), true),
    );
    expect(usage).toMatchObject({ isCa: true, pathLength: 3, keyUsage: 0x86, purposes: ["1.2.3", "1.2.4"] });
    expect(usage.names).toEqual([
      { tag: 0x82, contents: utf8("a.example") },
      { tag: 0x82, contents: utf8("b.example") },
    ]);
    expect(usage.constraints).toMatchObject({ permitted: [{}], excluded: [{}, {}] });
  });

  it.each<[string, string, Uint8Array]>([
    ["key usage without bits", "2.5.29.15", bits(0)],
    ["key usage that is empty", "2.5.29.15", bits()],
    ["key usage of zeros", "2.5.29.15", bits(7, 0)],
    ["key usage with a needless zero", "2.5.29.15", bits(0, 0x80)],
    ["key usage with unused bits set", "2.5.29.15", bits(7, 0xc0)],
    ["key usage with eight unused bits", "2.5.29.15", bits(8, 0x80, 0)],
    ["key usage with 32 unused bits", "2.5.29.15", bits(32, 1)],
    ["key usage with more after it", "2.5.29.15", concat(bits(7, 0x80), der(0x05))],
    ["no names", "2.5.29.17", der(SEQUENCE)],
    ["a name of a universal type", "2.5.29.17", der(SEQUENCE, der(0x16, utf8("a.example")))],
    ["a name of kind 9", "2.5.29.17", der(SEQUENCE, der(0x89, utf8("a.example")))],
    ["names with more after them", "2.5.29.17", concat(der(SEQUENCE, dns("a.example")), der(0x05))],
    ["basic constraints with FALSE", "2.5.29.19", der(SEQUENCE, flag(0))],
    ["basic constraints with another TRUE", "2.5.29.19", der(SEQUENCE, flag(1))],
    [
      "basic constraints with a flag of two bytes",
      "2.5.29.19",
      der(SEQUENCE, der(0x01, Uint8Array.of(255, 255))),
    ],
    ["a path length without CA", "2.5.29.19", der(SEQUENCE, integer(0))],
    ["a negative path length", "2.5.29.19", der(SEQUENCE, flag(255), integer(255))],
    ["a path length with a needless zero", "2.5.29.19", der(SEQUENCE, flag(255), integer(0, 1))],
    ["basic constraints with more", "2.5.29.19", der(SEQUENCE, flag(255), integer(0), integer(0))],
    ["no purposes", "2.5.29.37", der(SEQUENCE)],
    ["a purpose that is no OID", "2.5.29.37", der(SEQUENCE, integer(1))],
    ["policies that are no list", "2.5.29.32", der(0x05)],
    ["nothing", "2.5.29.30", new Uint8Array(0)],
  ])("with %s is refused", (_name, id, value) => {
    const fault = expect.objectContaining({ kind: "remote-tls", code: "ALLIUM_E_CERT_MALFORMED" });
    expect(() => usageOf(basicConstraintsBut(id), extension(id, value))).toThrow(fault);
  });

  it("that nobody knows is refused where it is critical, whatever it is", () => {
    // Key identifiers, policy constraints, and one of our own.
    for (const id of ["2.5.29.35", "2.5.29.36", "2.5.29.54", "1.2.3.4"]) {
      expect(usageOf(extension(id, Uint8Array.of(5, 0)))).toBeDefined();
      const fault = expect.objectContaining({ code: "ALLIUM_E_CERT_CONSTRAINT" });
      expect(() => usageOf(extension(id, Uint8Array.of(5, 0), true))).toThrow(fault);
    }
  });

  it("never throws anything but TorError", () => {
    const ids = fc.constantFrom("2.5.29.15", "2.5.29.17", "2.5.29.19", "2.5.29.30", "2.5.29.32", "2.5.29.37");
    const originals = fc.constantFrom(
      der(SEQUENCE, flag(255), integer(3)),
      der(SEQUENCE, dns("a.example"), dns("b.example")),
      der(SEQUENCE, der(0xa0, der(SEQUENCE, dns("a.example")))),
      bits(1, 0x86),
    );
    const bent = fc
      .tuple(originals, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }))
      .map(([original, edits]) => {
        const bytes = original.slice();
        for (const [at, value] of edits) bytes[at % bytes.length] = value;
        return bytes;
      });
    const base = parseCertificate(issue({}).certificate);
    fc.assert(
      fc.property(ids, fc.oneof(bent, fc.uint8Array({ maxLength: 40 })), (id, value) => {
        try {
          readUsage({ ...base, extensions: [{ oid: id, critical: false, value }] });
        } catch (error) {
          if (!isTorError(error) || error.kind !== "remote-tls") throw error;
        }
      }),
      { numRuns: 3000 },
    );
  });
});

/** Name constraints belong to CAs; nothing else needs to be one. */
function basicConstraintsBut(id: string): Uint8Array {
  return id === "2.5.29.19" ? keyUsage(0x80) : basicConstraints(true);
}
