// Whether a key signed a certificate, by which algorithms and with which keys: RSA of 2048 bits and more (PKCS#1 v1.5 and
// PSS), ECDSA on P-256, P-384 and P-521 (as far as the platform has it), Ed25519; with SHA-2 only (RFC 4055, RFC 5758,
// RFC 8410). Algorithms are compared whole, parameters included.

import { toHex } from "../../base/encoding.ts";
import { type SignatureScheme, verifySignature } from "../../crypto/signature.ts";
import type { Certificate } from "./certificate.ts";
import { certificateError } from "./errors.ts";
import type { SubjectPublicKey } from "./public-key.ts";

type Kind = "rsa_pkcs1" | "rsa_pss_rsae" | "ecdsa";
type Hash = "sha256" | "sha384" | "sha512";

const MINIMUM_RSA_BITS = 2048;

const CURVES = { "P-256": "secp256r1", "P-384": "secp384r1", "P-521": "secp521r1" } as const;

/** RSASSA-PSS with MGF1 of the same hash and a salt as long (RFC 4055 3.1): the OID's last arc, and the salt. */
function pss(hash: string, salt: string): string {
  const digest = `300d06096086480165030402${hash}0500`;
  return `304106092a864886f70d01010a3034a00f${digest}a11c301a06092a864886f70d010108${digest}a2030201${salt}`;
}

/** By AlgorithmIdentifier in hexadecimal. */
const ALGORITHMS: Readonly<Record<string, readonly [Kind, Hash]>> = {
  "300d06092a864886f70d01010b0500": ["rsa_pkcs1", "sha256"],
  "300d06092a864886f70d01010c0500": ["rsa_pkcs1", "sha384"],
  "300d06092a864886f70d01010d0500": ["rsa_pkcs1", "sha512"],
  [pss("01", "20")]: ["rsa_pss_rsae", "sha256"],
  [pss("02", "30")]: ["rsa_pss_rsae", "sha384"],
  [pss("03", "40")]: ["rsa_pss_rsae", "sha512"],
  "300a06082a8648ce3d040302": ["ecdsa", "sha256"],
  "300a06082a8648ce3d040303": ["ecdsa", "sha384"],
  "300a06082a8648ce3d040304": ["ecdsa", "sha512"],
};
const ED25519 = "300506032b6570";

/** @throws TorError `ALLIUM_E_CERT_WEAK` for keys that nobody should have */
export function checkKey(key: SubjectPublicKey): void {
  if (key.algorithm === "unknown") throw certificateError("WEAK", "a key of an unknown kind");
  if (key.algorithm === "rsa" && key.bits < MINIMUM_RSA_BITS)
    throw certificateError("WEAK", `an RSA key of ${key.bits} bits`);
}

/** @throws TorError `ALLIUM_E_CERT_WEAK`, `ALLIUM_E_CERT_SIGNATURE` */
export async function checkSignature(certificate: Certificate, key: SubjectPublicKey): Promise<void> {
  checkKey(key);
  const scheme = schemeOf(toHex(certificate.signatureAlgorithm.raw), key);
  if (
    scheme === undefined ||
    !(await verifySignature(scheme, key.spki, certificate.signature, certificate.tbs))
  )
    throw certificateError("SIGNATURE", "a certificate's signature is not its issuer's");
}

/** Undefined where the key is of another kind. */
function schemeOf(algorithm: string, key: SubjectPublicKey): SignatureScheme | undefined {
  if (algorithm === ED25519) return key.algorithm === "ed25519" ? "ed25519" : undefined;
  const [kind, hash] = ALGORITHMS[algorithm] ?? [];
  if (kind === undefined || hash === undefined)
    throw certificateError(
      "WEAK",
      "a certificate signed with SHA-1, MD5 or another algorithm that nobody should use",
    );
  if (kind === "ecdsa") return key.algorithm === "ec" ? `ecdsa_${CURVES[key.curve]}_${hash}` : undefined;
  return key.algorithm === "rsa" ? `${kind}_${hash}` : undefined;
}
