// Two public suites for certificate paths, x509-limbo (C2SP) and BetterTLS (Netflix), read from beside the repository where
// they are present. Every case is run; those that end otherwise than the suite says are listed here, with the reason.

import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { parseCertificate } from "../../../src/tls/x509/certificate.ts";
import { findPath, readLink } from "../../../src/tls/x509/path.ts";
import { TrustStore } from "../../../src/tls/x509/trust.ts";
import { clockAt } from "./issue.ts";

const DIRECTORY = new URL("../../../../../../shared/data/x509/", import.meta.url);

function describeSuite<T>(name: string, file: string, suite: (read: () => T) => void): void {
  const url = new URL(file, DIRECTORY);
  const read = () => JSON.parse(gunzipSync(readFileSync(url)).toString()) as T;
  describe.skipIf(!existsSync(url))(name, () => suite(read));
}

const bytes = (base64: string) => Uint8Array.from(Buffer.from(base64, "base64"));

interface LimboCase {
  readonly id: string;
  readonly valid: boolean;
  readonly time: string | null;
  /** Null where the suite looks for a path only. */
  readonly host: string | null;
  readonly roots: readonly string[];
  readonly chain: readonly string[];
}

const REASONS = {
  ca: "the certificate of a CA is not taken for a server's, as browsers do",
  depth: "the number of CAs cannot be chosen: it is eight",
  anchor:
    "an anchor is a name and a key: what else its certificate says, or how long it is valid, plays no part",
  identifiers: "key identifiers are not read: a path is found by names and signatures",
  profile: "what CAs are forbidden to issue, and does no harm, is accepted",
  cn: "common names are not read",
  suffix: "there is no list of public suffixes: a wildcard needs two labels after it",
  underscore: "hosts with an underscore exist",
} as const;

/** Cases that end otherwise; those under `ca` are refused, all others accepted. */
const DEVIATIONS: Readonly<Record<string, keyof typeof REASONS>> = {
  "pathlen::validation-ignores-pathlen-in-leaf": "ca",
  "rfc5280::ca-as-leaf": "ca",
  "pathlen::max-chain-depth-0-exhausted": "depth",
  "pathlen::max-chain-depth-1-exhausted": "depth",
  "rfc5280::aki::leaf-missing-aki": "identifiers",
  "rfc5280::aki::intermediate-missing-aki": "identifiers",
  "rfc5280::aki::cross-signed-root-missing-aki": "identifiers",
  "rfc5280::ski::root-missing-ski": "identifiers",
  "rfc5280::ski::intermediate-missing-ski": "identifiers",
  "webpki::aki::root-with-aki-missing-keyidentifier": "identifiers",
  "webpki::aki::root-with-aki-authoritycertissuer": "identifiers",
  "webpki::aki::root-with-aki-authoritycertserialnumber": "identifiers",
  "webpki::aki::root-with-aki-all-fields": "identifiers",
  "webpki::aki::root-with-aki-ski-mismatch": "identifiers",
  "rfc5280::validity::expired-root": "anchor",
  "rfc5280::root-non-critical-basic-constraints": "anchor",
  "webpki::eku::root-has-eku": "anchor",
  "rfc5280::nc::permitted-dns-match-noncritical": "profile",
  "rfc5280::pc::ica-noncritical-pc": "profile",
  "rfc5280::serial::zero": "profile",
  "rfc5280::leaf-ku-keycertsign": "profile",
  "webpki::eku::ee-anyeku": "profile",
  "webpki::eku::ee-critical-eku": "profile",
  "webpki::eku::ee-without-eku": "profile",
  "webpki::san::san-critical-with-nonempty-subject": "profile",
  "webpki::malformed-aia": "profile",
  "webpki::forbidden-rsa-not-divisible-by-8-in-root": "profile",
  "webpki::forbidden-rsa-key-not-divisible-by-8-in-leaf": "profile",
  "rfc5280::san::underscore-dns": "underscore",
  "webpki::san::public-suffix-multi-label-wildcard-san": "suffix",
  "webpki::san::public-suffix-private-namespace-wildcard-san": "suffix",
  "webpki::cn::ipv4-hex-mismatch": "cn",
  "webpki::cn::ipv4-leading-zeros-mismatch": "cn",
  "webpki::cn::ipv6-uppercase-mismatch": "cn",
  "webpki::cn::ipv6-uncompressed-mismatch": "cn",
  "webpki::cn::ipv6-non-rfc5952-mismatch": "cn",
  "webpki::cn::punycode-not-in-san": "cn",
  "webpki::cn::utf8-vs-punycode-mismatch": "cn",
  "webpki::cn::not-in-san": "cn",
  "webpki::cn::case-mismatch": "cn",
};

async function isAccepted({ roots, chain, time, host }: LimboCase): Promise<boolean> {
  const now = time === null ? Date.now() : Date.parse(time);
  const [leaf, ...others] = chain.map(bytes) as [Uint8Array, ...Uint8Array[]];
  const anchors = roots.map(bytes).filter(isAnchor);
  try {
    if (host !== null) {
      const store = new TrustStore({ extraAnchors: anchors });
      await store.verifier(host, clockAt(now))([leaf, ...others]);
    } else {
      const names = anchors.map(parseCertificate).map(({ subject, publicKey, extensions }) => ({
        subject: subject.raw,
        spki: publicKey.spki,
        nameConstraints: extensions.find(({ oid }) => oid === "2.5.29.30")?.value,
      }));
      await findPath(readLink(leaf), others, { anchors: names, now, judge: () => {} });
    }
    return true;
  } catch (error) {
    expect((error as { kind: string }).kind).toMatch(/^(remote-tls|bad-api-usage)$/);
    return false;
  }
}

/** A root that is refused when it is given vouches for nobody. */
function isAnchor(der: Uint8Array): boolean {
  try {
    new TrustStore({ extraAnchors: [der] });
    return true;
  } catch {
    return false;
  }
}

describeSuite<readonly LimboCase[]>("x509-limbo", "x509-limbo.json.gz", (read) => {
  const cases = existsSync(new URL("x509-limbo.json.gz", DIRECTORY)) ? read() : [];

  it.each(cases)("$id", async (entry) => {
    expect((await isAccepted(entry)) === entry.valid).toBe(DEVIATIONS[entry.id] === undefined);
  });

  it.each(cases.filter(({ id }) => id.startsWith("online::")))("$id with Mozilla's roots", async (entry) => {
    const file = new URL("../../../data/roots.bin", import.meta.url);
    const store = new TrustStore({ roots: async () => new Uint8Array(readFileSync(file)) });
    await store.verifier(
      entry.host as string,
      clockAt(Date.parse(entry.time as string)),
    )(entry.chain.map(bytes));
  });

  it("has all the cases that deviate, each for one of the reasons", () => {
    const ids = cases.map(({ id }) => id);
    expect(Object.keys(DEVIATIONS).filter((id) => !ids.includes(id))).toEqual([]);
    expect(new Set(Object.values(DEVIATIONS))).toEqual(new Set(Object.keys(REASONS)));
  });
});

interface BetterTls {
  readonly root: string;
  readonly time: number;
  readonly tests: readonly { id: string; valid: boolean; host: string; chain: readonly string[] }[];
}

describeSuite<BetterTls>("BetterTLS", "bettertls.json.gz", (read) => {
  it("ends as the suite says, every case of it", async () => {
    const { root, time, tests } = read();
    const store = new TrustStore({ extraAnchors: [bytes(root)] });
    const wrong: string[] = [];
    for (const { id, valid, host, chain } of tests) {
      const accepted = await store
        .verifier(
          host,
          clockAt(time),
        )(chain.map(bytes))
        .then(
          () => true,
          (error: { kind: string }) => error.kind !== "remote-tls",
        );
      if (accepted !== valid) wrong.push(id);
    }
    expect(wrong).toEqual([]);
    expect(tests.length).toBeGreaterThan(500);
  }, 60_000);
});
