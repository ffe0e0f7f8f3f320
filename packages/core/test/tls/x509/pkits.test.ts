// NIST's path validation suite (PKITS 1.0.1): every test of its sections about signatures, times, names, key rollover,
// basic constraints, key usage, name constraints and unknown extensions. Its certificates have no names of hosts, so the
// rules for paths run alone.

import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { parseCertificate } from "../../../src/tls/x509/certificate.ts";
import { checkTime, findPath, readLink } from "../../../src/tls/x509/path.ts";

interface Suite {
  readonly certificates: Readonly<Record<string, string>>;
  readonly tests: readonly { name: string; section: string; valid: boolean; others: readonly string[] }[];
}

const file = new URL("vectors/pkits.json.gz", import.meta.url);
const suite = JSON.parse(gunzipSync(readFileSync(file)).toString()) as Suite;

function certificate(name: string): Uint8Array {
  return Uint8Array.from(Buffer.from(suite.certificates[name] as string, "base64"));
}

const root = parseCertificate(certificate("TrustAnchorRootCertificate"));
const anchors = [{ subject: root.subject.raw, spki: root.publicKey.spki }];
const now = Date.UTC(2026, 5, 1);

/** `fine`, or the code. */
async function outcome(name: string, others: readonly string[]): Promise<string> {
  try {
    const leaf = readLink(certificate(name));
    checkTime(leaf.certificate, now);
    await findPath(leaf, others.map(certificate), { anchors, now, judge: () => {} });
    return "fine";
  } catch (error) {
    return (error as { code: string }).code;
  }
}

/** Valid paths that are refused, each with the reason. No invalid one is accepted. */
const REFUSED: Readonly<Record<string, string>> = {
  "4.1.4": "DSA",
  "4.1.5": "DSA",
  "4.3.3": "names are compared byte for byte",
  "4.3.4": "names are compared byte for byte",
  "4.3.5": "names are compared byte for byte",
  "4.3.10": "names are compared byte for byte",
  "4.3.11": "names are compared byte for byte",
  "4.13.6": "excluded directory names refuse every subject",
  "4.13.11": "excluded directory names refuse every subject",
  "4.13.18": "excluded directory names refuse every subject",
  "4.13.21": "constrained mail addresses refuse every mail address",
  "4.13.23": "constrained mail addresses refuse every mail address",
  "4.13.25": "constrained mail addresses refuse every mail address",
  "4.13.27": "constrained mail addresses refuse every mail address",
  "4.13.34": "constrained URIs refuse every URI",
  "4.13.36": "constrained URIs refuse every URI",
};

describe("PKITS", () => {
  it.each(suite.tests)("$section $name", async ({ section, name, valid, others }) => {
    const result = await outcome(name, others);
    if (valid && REFUSED[section] === undefined) expect(result).toBe("fine");
    else expect(result).toMatch(/^ALLIUM_E_CERT_(?!LIMIT)/);
  });

  it("has 43 valid paths and 45 that are not", () => {
    expect(suite.tests.filter(({ valid }) => valid)).toHaveLength(43);
    expect(suite.tests).toHaveLength(88);
  });
});
