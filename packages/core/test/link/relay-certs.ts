// Makes the certificates of a relay with its CERTS cell, so that a test can break each field of them.

import { constants, privateEncrypt } from "node:crypto";
import { ed25519 } from "@noble/curves/ed25519.js";
import { concat, Writer } from "../../src/base/bytes.ts";
import { utf8 } from "../../src/base/encoding.ts";
import { randomBytes } from "../../src/base/random.ts";
import { sha1, sha256 } from "../../src/crypto/hash.ts";
import type { RelayIdentity } from "../../src/link/api.ts";
import { parseCertificate } from "../../src/tls/x509/certificate.ts";
import { makeCertificate, makeKey, type TestKey } from "../tls/make-certificate.ts";

const HOUR = 3600_000;
/** When the certificates that are made here were made. */
export const NOW = Date.UTC(2026, 5, 1);

export interface Ed25519Key {
  readonly secret: Uint8Array;
  readonly id: Uint8Array;
}

export function ed25519Key(): Ed25519Key {
  const secret = randomBytes(32);
  return { secret, id: ed25519.getPublicKey(secret) };
}

export interface Extension {
  readonly type: number;
  readonly flags: number;
  readonly data: Uint8Array;
}

export interface Ed25519CertFields {
  version: number;
  certType: number;
  expires: number;
  keyType: number;
  certifiedKey: Uint8Array;
  extensions: readonly Extension[];
}

export function signedWith(key: Ed25519Key): Extension {
  return { type: 4, flags: 0, data: key.id };
}

/** cert-spec 2.1 */
export function ed25519Cert(fields: Ed25519CertFields, signer: Ed25519Key): Uint8Array {
  const writer = new Writer()
    .u8(fields.version)
    .u8(fields.certType)
    .u32(Math.floor(fields.expires / HOUR))
    .u8(fields.keyType)
    .bytes(fields.certifiedKey)
    .u8(fields.extensions.length);
  for (const { type, flags, data } of fields.extensions) {
    writer.u16(data.length).u8(type).u8(flags).bytes(data);
  }
  const signed = writer.finish();
  return concat(signed, ed25519.sign(signed, signer.secret));
}

/** cert-spec 2.3 */
export function crossCert(
  rsa: TestKey,
  ed25519Id: Uint8Array,
  expires: number,
  prefix = "Tor TLS RSA/Ed25519 cross-certificate",
): Uint8Array {
  const signed = new Writer()
    .bytes(ed25519Id)
    .u32(Math.floor(expires / HOUR))
    .finish();
  const key = { key: rsa.privateKey, padding: constants.RSA_PKCS1_PADDING };
  const signature = new Uint8Array(privateEncrypt(key, sha256(concat(utf8(prefix), signed))));
  return concat(signed, new Writer().vector(1, signature).finish());
}

/** A CERTS cell's body. */
export function certsBody(certs: readonly (readonly [type: number, cert: Uint8Array])[]): Uint8Array {
  const writer = new Writer().u8(certs.length);
  for (const [type, cert] of certs) writer.u8(type).vector(2, cert);
  return writer.finish();
}

/** A relay's keys with a good certificate of each type; any may be replaced. */
export class RelayKeys {
  readonly ed25519 = ed25519Key();
  readonly signing = ed25519Key();
  readonly rsa = makeKey("rsa", 1024);
  readonly tlsKey: TestKey;
  /** The TLS certificate, signed by the RSA identity. */
  readonly leaf: Uint8Array;

  constructor(tlsKey: TestKey = makeKey("ec", "prime256v1")) {
    this.tlsKey = tlsKey;
    this.leaf = makeCertificate(tlsKey, this.rsa);
  }

  get identity(): RelayIdentity {
    const { publicKey } = parseCertificate(makeCertificate(this.rsa));
    if (publicKey.algorithm !== "rsa") throw new Error("no RSA key");
    return { rsaId: sha1(publicKey.key), ed25519Id: this.ed25519.id };
  }

  signingCert(fields: Partial<Ed25519CertFields> = {}, signer = this.ed25519): Uint8Array {
    const expires = NOW + 30 * 24 * HOUR;
    const extensions = [signedWith(this.ed25519)];
    const certifiedKey = this.signing.id;
    return ed25519Cert(
      { version: 1, certType: 4, expires, keyType: 1, certifiedKey, extensions, ...fields },
      signer,
    );
  }

  linkCert(fields: Partial<Ed25519CertFields> = {}, signer = this.signing): Uint8Array {
    const expires = NOW + 2 * 24 * HOUR;
    const certifiedKey = sha256(this.leaf);
    return ed25519Cert(
      { version: 1, certType: 5, expires, keyType: 3, certifiedKey, extensions: [], ...fields },
      signer,
    );
  }

  rsaCert(parts: Parameters<typeof makeCertificate>[2] = {}, signer = this.rsa): Uint8Array {
    return makeCertificate(this.rsa, signer, parts);
  }

  crossCert(expires = NOW + 180 * 24 * HOUR): Uint8Array {
    return crossCert(this.rsa, this.ed25519.id, expires);
  }

  /** The CERTS cell's body, with any certificate replaced. */
  certs(replaced: { 2?: Uint8Array; 4?: Uint8Array; 5?: Uint8Array; 7?: Uint8Array } = {}): Uint8Array {
    return certsBody([
      [2, replaced[2] ?? this.rsaCert()],
      [4, replaced[4] ?? this.signingCert()],
      [5, replaced[5] ?? this.linkCert()],
      [7, replaced[7] ?? this.crossCert()],
    ]);
  }
}
