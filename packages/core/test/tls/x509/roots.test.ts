// `roots.bin`: that it is what Node's list says, that it is small, and what is refused.

import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import process from "node:process";
import { rootCertificates } from "node:tls";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concat } from "../../../src/base/bytes.ts";
import { latin1, toHex } from "../../../src/base/encoding.ts";
import { isTorError } from "../../../src/base/errors.ts";
import { loadRoots } from "../../../src/roots/index.ts";
import { parseCertificate } from "../../../src/tls/x509/certificate.ts";
import { checkKey } from "../../../src/tls/x509/signed.ts";
import { ca } from "./issue.ts";
import { rootsFile } from "./roots-file.ts";

const bytes = new Uint8Array(readFileSync(new URL("../../../data/roots.bin", import.meta.url)));
const { anchors, date, notice } = loadRoots(bytes);
const keyOf = (subject: Uint8Array, spki: Uint8Array) => `${toHex(subject)} ${toHex(spki)}`;

describe("roots.bin", () => {
  const ours = new Set(anchors.map(({ subject, spki }) => keyOf(subject, spki)));
  const nodes = rootCertificates.map((pem) => parseCertificate(new Uint8Array(new X509Certificate(pem).raw)));
  const theirs = new Set(nodes.map(({ subject, publicKey }) => keyOf(subject.raw, publicKey.spki)));

  it("has the roots of the Node that it was made from, and almost all of any other's", () => {
    const common = [...ours].filter((root) => theirs.has(root)).length;
    const isSame = notice.includes(`Node ${process.version} `);
    expect(common).toBeGreaterThanOrEqual(isSame ? Math.max(ours.size, theirs.size) : 0.8 * ours.size);
    expect(anchors.length).toBe(ours.size);
    expect(ours.size).toBeGreaterThan(100);
  });

  it("leaves out no constraint that a root's certificate has", () => {
    const bound = nodes.filter(({ extensions }) => extensions.some(({ oid }) => oid === "2.5.29.30"));
    const kept = anchors.filter(({ nameConstraints }) => nameConstraints !== undefined);
    expect(kept.length).toBe(
      bound.filter((root) => ours.has(keyOf(root.subject.raw, root.publicKey.spki))).length,
    );
  });

  it("has keys that are accepted", () => {
    for (const { publicKey } of nodes) expect(() => checkKey(publicKey)).not.toThrow();
  });

  it("has a day and a notice, and less than 100 KB gzipped", () => {
    expect(date).toMatch(/^20\d\d-\d\d-\d\d$/);
    expect(Date.parse(date)).toBeLessThan(Date.now());
    expect(notice).toMatch(/Mozilla.*NSS.*MPL-2.0/);
    expect(gzipSync(bytes).length).toBeLessThan(100_000);
  });
});

describe("a list of roots", () => {
  const one = rootsFile([ca({ name: "one" })]);
  const bad = expect.objectContaining({ kind: "bad-api-usage", code: "ALLIUM_E_BAD_ROOTS" });

  it("with anything else in it is refused", () => {
    expect(loadRoots(one).anchors).toHaveLength(1);
    expect(() => loadRoots(rootsFile([]))).toThrow(bad);
    expect(() => loadRoots(rootsFile([ca()], "yesterday"))).toThrow(bad);
    expect(() => loadRoots(concat(one, Uint8Array.of(0)))).toThrow(bad);
    expect(() => loadRoots(one.slice(0, -1))).toThrow(bad);
    expect(() => loadRoots(latin1("ALLIUMROOTS2"))).toThrow(bad);
    expect(() => loadRoots("text" as unknown as Uint8Array)).toThrow(bad);
  });

  it("never gives anything but TorError", () => {
    fc.assert(
      fc.property(fc.nat(one.length - 1), fc.nat(255), fc.nat(one.length), (at, value, end) => {
        const bent = one.slice(0, end);
        if (at < end) bent[at] = value;
        try {
          loadRoots(bent);
        } catch (error) {
          if (!isTorError(error)) throw error;
        }
      }),
      { numRuns: 1000 },
    );
  });
});
