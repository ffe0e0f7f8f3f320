import { describe, expect, it } from "vitest";
import { concat } from "../../src/base/bytes.ts";
import { utf8 } from "../../src/base/encoding.ts";
import { sha256 } from "../../src/crypto/hash.ts";
import type { RelayIdentity } from "../../src/link/api.ts";
import { parseCertsCell, verifyCerts } from "../../src/link/certs/certs-cell.ts";
import { checkLifetimes } from "../../src/link/certs/timeliness.ts";
import { der, makeCertificate, makeKey, oid, SEQUENCE } from "../tls/make-certificate.ts";
import { certsBody, crossCert, ed25519Key, NOW, RelayKeys, signedWith } from "./relay-certs.ts";
import * as recorded from "./vectors.ts";

const DAY = 24 * 3600_000;
const keys = new RelayKeys();
const stranger = new RelayKeys();
const code = (rule: string) =>
  expect.objectContaining({ kind: "protocol-violation", code: `ALLIUM_E_CERT_${rule}` });

interface Seen {
  certs: Uint8Array;
  leaf: Uint8Array;
  identity: RelayIdentity;
  now: number;
}

/** Whether a relay that shows this is believed, apart from what clocks say. */
function verify(seen: Partial<Seen>): void {
  const { certs, leaf, identity, now } = {
    ...{ certs: keys.certs(), leaf: keys.leaf, identity: keys.identity, now: NOW },
    ...seen,
  };
  checkLifetimes(verifyCerts(certs, leaf, identity), now, 0);
}

const all = () => [...parseCertsCell(keys.certs())];
const without = (type: number) => certsBody(all().filter(([found]) => found !== type));
const flipLast = (bytes: Uint8Array) => {
  const changed = bytes.slice();
  changed[changed.length - 1] = (changed.at(-1) as number) ^ 1;
  return changed;
};
const validity = (from: string, until: string) => ({
  validity: der(SEQUENCE, der(0x18, utf8(from)), der(0x18, utf8(until))),
});

it("believes a relay that shows all certificates", () => {
  verify({});
});

it("believes the relay of a recorded CERTS cell, bound to its recorded TLS certificate", () => {
  const identity = { rsaId: recorded.recordedRsaId, ed25519Id: recorded.recordedEd25519Id };
  const [certs, leaf, now] = [recorded.recordedCertsCell, recorded.recordedCerts[1], recorded.recordedTime];
  verify({ certs, leaf, identity, now });
});

it("refuses a recorded CERTS cell when any byte of a certificate that counts is changed", () => {
  const identity = { rsaId: recorded.recordedRsaId, ed25519Id: recorded.recordedEd25519Id };
  for (const type of [2, 4, 5, 7] as const) {
    for (let i = 0; i < recorded.recordedCerts[type].length; i += 3) {
      const changed = recorded.recordedCerts[type].slice();
      changed[i] = (changed[i] as number) ^ 0x10;
      const certs = certsBody(
        ([2, 4, 5, 7] as const).map((t) => [t, t === type ? changed : recorded.recordedCerts[t]]),
      );
      const now = recorded.recordedTime;
      expect(() => verify({ certs, leaf: recorded.recordedCerts[1], identity, now })).toThrow(
        expect.objectContaining({ kind: "protocol-violation" }),
      );
    }
  }
});

it("ignores certificates of other types, and bytes behind the last one", () => {
  const certs: [number, Uint8Array][] = [1, 3, 6, 200].map((type) => [type, Uint8Array.of(1, 2, 3)]);
  verify({ certs: concat(certsBody([...certs, ...all()]), Uint8Array.of(9, 9, 9)) });
});

describe("the cell", () => {
  const cases: [name: string, rule: string, certs: () => Uint8Array][] = [
    ["is empty", "CELL", () => new Uint8Array(0)],
    ["ends within a certificate", "CELL", () => keys.certs().slice(0, -1)],
    ["holds no certificate", "SIGNING_MISSING", () => Uint8Array.of(0)],
    ["holds a type twice", "DUPLICATE", () => certsBody([...all(), [2, keys.rsaCert()]])],
    ["holds an unknown type twice", "DUPLICATE", () => certsBody([[9, keys.leaf], [9, keys.leaf], ...all()])],
    ["lacks the RSA identity", "RSA_ID_MISSING", () => without(2)],
    ["lacks the signing key's certificate", "SIGNING_MISSING", () => without(4)],
    ["lacks the link certificate", "LINK_MISSING", () => without(5)],
    ["lacks the cross-certificate", "CROSSCERT_MISSING", () => without(7)],
  ];
  it.each(cases)("is refused when it %s", (_name, rule, certs) => {
    expect(() => verify({ certs: certs() })).toThrow(code(rule));
  });
});

describe("the signing key's certificate", () => {
  const other = ed25519Key();
  const cases: [name: string, rule: string, cert: () => Uint8Array][] = [
    ["names no identity key", "SIGNING_SIGNER", () => keys.signingCert({ extensions: [] })],
    ["is signed by another key than it names", "SIGNING_SIGNATURE", () => keys.signingCert({}, other)],
    ["is of another type", "SIGNING_TYPE", () => keys.signingCert({ certType: 5 })],
    ["certifies something else than a key", "SIGNING_KEY_TYPE", () => keys.signingCert({ keyType: 3 })],
    ["is of another version", "ED25519_VERSION", () => keys.signingCert({ version: 2 })],
    ["has a changed signature", "SIGNING_SIGNATURE", () => flipLast(keys.signingCert())],
    ["has expired", "SIGNING_EXPIRED", () => keys.signingCert({ expires: NOW - DAY })],
    [
      "has an extension that must be understood",
      "CRITICAL_EXTENSION",
      () =>
        keys.signingCert({
          extensions: [signedWith(keys.ed25519), { type: 5, flags: 1, data: Uint8Array.of() }],
        }),
    ],
  ];
  it.each(cases)("is refused when it %s", (_name, rule, cert) => {
    expect(() => verify({ certs: keys.certs({ 4: cert() }) })).toThrow(code(rule));
  });
});

describe("the link certificate", () => {
  const cases: [name: string, rule: string, cert: () => Uint8Array][] = [
    ["is signed by the identity itself", "LINK_SIGNATURE", () => keys.linkCert({}, keys.ed25519)],
    ["names another signer", "LINK_SIGNER", () => keys.linkCert({ extensions: [signedWith(keys.ed25519)] })],
    ["is of another type", "LINK_TYPE", () => keys.linkCert({ certType: 6 })],
    ["says that it certifies a key", "LINK_KEY_TYPE", () => keys.linkCert({ keyType: 1 })],
    ["has a changed signature", "LINK_SIGNATURE", () => flipLast(keys.linkCert())],
    ["has expired", "LINK_EXPIRED", () => keys.linkCert({ expires: NOW - DAY })],
    [
      "is for another TLS certificate",
      "LINK_TLS",
      () => keys.linkCert({ certifiedKey: sha256(stranger.leaf) }),
    ],
  ];
  it.each(cases)("is refused when it %s", (_name, rule, cert) => {
    expect(() => verify({ certs: keys.certs({ 5: cert() }) })).toThrow(code(rule));
  });

  it("does not hold for the TLS session of somebody in the middle", () => {
    expect(() => verify({ leaf: stranger.leaf })).toThrow(code("LINK_TLS"));
  });
});

describe("the RSA identity", () => {
  const rsa2048 = makeKey("rsa", 2048);
  const sha1WithRsa = der(SEQUENCE, oid("1.2.840.113549.1.1.5"), der(0x05));
  const cases: [name: string, rule: string, cert: () => Uint8Array][] = [
    ["is no certificate", "RSA_ID_MALFORMED", () => utf8("not DER")],
    ["goes on behind its end", "RSA_ID_MALFORMED", () => concat(keys.rsaCert(), Uint8Array.of(0))],
    ["has 2048 bits", "RSA_ID_KEY", () => makeCertificate(rsa2048)],
    ["is no RSA key", "RSA_ID_KEY", () => makeCertificate(makeKey("ec", "prime256v1"))],
    ["is signed by another key", "RSA_ID_SIGNATURE", () => keys.rsaCert({}, stranger.rsa)],
    ["has a changed signature", "RSA_ID_SIGNATURE", () => flipLast(keys.rsaCert())],
    [
      "is signed with another algorithm",
      "RSA_ID_ALGORITHM",
      () => keys.rsaCert({ signatureAlgorithm: sha1WithRsa, outerAlgorithm: sha1WithRsa }),
    ],
    ["has expired", "RSA_ID_EXPIRED", () => keys.rsaCert(validity("20250101000000Z", "20260531235959Z"))],
    [
      "holds from tomorrow",
      "RSA_ID_EXPIRED",
      () => keys.rsaCert(validity("20260602000000Z", "20270101000000Z")),
    ],
  ];
  it.each(cases)("is refused when it %s", (_name, rule, cert) => {
    expect(() => verify({ certs: keys.certs({ 2: cert() }) })).toThrow(code(rule));
  });
});

describe("the cross-certificate", () => {
  const { rsa } = keys;
  const id = keys.ed25519.id;
  const cases: [name: string, rule: string, cert: () => Uint8Array][] = [
    ["is cut", "CROSSCERT_MALFORMED", () => keys.crossCert().slice(0, -1)],
    ["goes on behind its end", "CROSSCERT_MALFORMED", () => concat(keys.crossCert(), Uint8Array.of(0))],
    [
      "is for another Ed25519 identity",
      "CROSSCERT_KEY",
      () => crossCert(rsa, stranger.ed25519.id, NOW + DAY),
    ],
    ["is signed by another RSA key", "CROSSCERT_SIGNATURE", () => crossCert(stranger.rsa, id, NOW + DAY)],
    ["is signed for another purpose", "CROSSCERT_SIGNATURE", () => crossCert(rsa, id, NOW + DAY, "Tor")],
    ["has a changed signature", "CROSSCERT_SIGNATURE", () => flipLast(keys.crossCert())],
    ["has expired", "CROSSCERT_EXPIRED", () => keys.crossCert(NOW - DAY)],
  ];
  it.each(cases)("is refused when it %s", (_name, rule, cert) => {
    expect(() => verify({ certs: keys.certs({ 7: cert() }) })).toThrow(code(rule));
  });
});

describe("the identities", () => {
  const mismatch = (which: string) =>
    expect.objectContaining({ kind: "relay-identity-mismatch", code: `ALLIUM_E_LINK_${which}_IDENTITY` });

  it("are refused when the relay is another than was asked for", () => {
    expect(() => verify({ certs: stranger.certs(), leaf: stranger.leaf })).toThrow(mismatch("ED25519"));
  });

  it("must both be the expected ones", () => {
    const { rsaId, ed25519Id } = keys.identity;
    const other = stranger.identity;
    expect(() => verify({ identity: { rsaId, ed25519Id: other.ed25519Id } })).toThrow(mismatch("ED25519"));
    expect(() => verify({ identity: { rsaId: other.rsaId, ed25519Id } })).toThrow(mismatch("RSA"));
  });

  it("are not proved by certificates of two relays", () => {
    const certs = keys.certs({ 2: stranger.rsaCert(), 7: stranger.crossCert() });
    const identity = { rsaId: stranger.identity.rsaId, ed25519Id: keys.ed25519.id };
    expect(() => verify({ certs, identity })).toThrow(code("CROSSCERT_KEY"));
  });
});

describe("the time", () => {
  const lifetimes = [
    { role: "SIGNING", notBefore: 0, notAfter: 5000 },
    { role: "RSA_ID", notBefore: 1000, notAfter: 9000 },
  ] as const;
  const skewed = expect.objectContaining({ kind: "clock-skew", code: "ALLIUM_E_CLOCK_SKEW" });

  it("is right from the latest begin to the earliest end", () => {
    for (const now of [1000, 3000, 5000]) checkLifetimes(lifetimes, now, 0);
  });

  it("is wrong by the relay's fault when its own clock does not explain it", () => {
    expect(() => checkLifetimes(lifetimes, 5001, 0)).toThrow(code("SIGNING_EXPIRED"));
    expect(() => checkLifetimes(lifetimes, 999, 0)).toThrow(code("RSA_ID_EXPIRED"));
    expect(() => checkLifetimes(lifetimes, 8000, -1000)).toThrow(code("SIGNING_EXPIRED"));
    expect(() => checkLifetimes(lifetimes, 8000, 5000)).toThrow(code("SIGNING_EXPIRED"));
  });

  it("is wrong by our clock when the certificates hold by the relay's", () => {
    expect(() => checkLifetimes(lifetimes, 8000, -5000)).toThrow(skewed);
    expect(() => checkLifetimes(lifetimes, 0, 2000)).toThrow(skewed);
  });

  it("is not asked for certificates that are forged", () => {
    const forged = flipLast(keys.linkCert({ expires: NOW - DAY }));
    expect(() => verify({ certs: keys.certs({ 5: forged }) })).toThrow(code("LINK_SIGNATURE"));
  });
});
