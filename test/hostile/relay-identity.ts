// The keys and certificates of a relay of our own, as C tor's make them (tor-spec 4.2, cert-spec): what a scriptable relay
// shows in its CERTS cell. Every part can be replaced before it is shown.

import { execFileSync } from "node:child_process";
import {
  constants,
  createHash,
  createPrivateKey,
  privateEncrypt,
  randomBytes,
  X509Certificate,
} from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ed25519 } from "@noble/curves/ed25519.js";

const HOURS = Math.floor(Date.now() / 3600_000) + 24 * 30;

export interface RelayIdentityKeys {
  /** PEM of the TLS key and certificate. */
  readonly tls: { readonly key: string; readonly cert: string };
  /** 40 hex digits. */
  readonly rsaId: string;
  /** Unpadded base64. */
  readonly ed25519Id: string;
  /** Body of the CERTS cell. */
  readonly certs: Uint8Array;
}

function selfSigned(bits: number): { key: string; cert: string } {
  const dir = mkdtempSync(join(tmpdir(), "allium-relay-"));
  const key = join(dir, "key.pem");
  const cert = join(dir, "cert.pem");
  const args = [
    "req",
    "-x509",
    "-newkey",
    `rsa:${bits}`,
    "-nodes",
    "-sha256",
    "-days",
    "30",
    "-subj",
    "/CN=www.relay.test",
  ];
  execFileSync("openssl", [...args, "-keyout", key, "-out", cert], { stdio: "ignore" });
  const made = { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
  rmSync(dir, { recursive: true });
  return made;
}

function ed25519Cert(
  type: number,
  keyType: number,
  certified: Uint8Array,
  secret: Uint8Array,
  withKey: boolean,
): Buffer {
  const expires = Buffer.alloc(4);
  expires.writeUInt32BE(HOURS);
  const extension = withKey
    ? [Buffer.from([1, 0, 32, 4, 0]), ed25519.getPublicKey(secret)]
    : [Buffer.from([0])];
  const signed = Buffer.concat([
    Buffer.from([1, type]),
    expires,
    Buffer.from([keyType]),
    certified,
    ...extension,
  ]);
  return Buffer.concat([signed, ed25519.sign(signed, secret)]);
}

function crossCert(ed25519Id: Uint8Array, rsaKey: string): Buffer {
  const expires = Buffer.alloc(4);
  expires.writeUInt32BE(HOURS);
  const signed = Buffer.concat([ed25519Id, expires]);
  const digest = createHash("sha256").update("Tor TLS RSA/Ed25519 cross-certificate").update(signed).digest();
  const signature = privateEncrypt(
    { key: createPrivateKey(rsaKey), padding: constants.RSA_PKCS1_PADDING },
    digest,
  );
  return Buffer.concat([signed, Buffer.from([signature.length]), signature]);
}

function certsCell(entries: readonly (readonly [type: number, body: Uint8Array])[]): Uint8Array {
  const parts = entries.flatMap(([type, body]) => [
    Buffer.from([type, body.length >> 8, body.length & 255]),
    body,
  ]);
  return Buffer.concat([Buffer.from([entries.length]), ...parts]);
}

/** Fresh keys for one relay. */
export function makeRelayIdentity(): RelayIdentityKeys {
  const tls = selfSigned(2048);
  const rsa = selfSigned(1024);
  const rsaCert = new X509Certificate(rsa.cert);
  const rsaPublic = rsaCert.publicKey.export({ type: "pkcs1", format: "der" });
  const identity = randomBytes(32);
  const signing = randomBytes(32);
  const ed25519Id = ed25519.getPublicKey(identity);
  const tlsDigest = createHash("sha256").update(new X509Certificate(tls.cert).raw).digest();
  return {
    tls,
    rsaId: createHash("sha1").update(rsaPublic).digest("hex").toUpperCase(),
    ed25519Id: Buffer.from(ed25519Id).toString("base64").replace(/=+$/, ""),
    certs: certsCell([
      [2, rsaCert.raw],
      [4, ed25519Cert(4, 1, ed25519.getPublicKey(signing), identity, true)],
      [5, ed25519Cert(5, 3, tlsDigest, signing, false)],
      [7, crossCert(ed25519Id, rsa.key)],
    ]),
  };
}
