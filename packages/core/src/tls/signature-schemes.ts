// The signature schemes of the handshake (RFC 8446 4.2.3) and the check of CertificateVerify (4.4.3).

import { type SignatureScheme, verifySignature } from "../crypto/signature.ts";
import { illegalParameter, TlsError } from "./alert.ts";
import type { Certificate, SubjectPublicKey } from "./x509/certificate.ts";

/** Shortest RSA key that may sign the handshake; relays' link keys have exactly this length (tor-spec 2.2). */
export const MINIMUM_RSA_BITS = 2048;

interface Scheme {
  readonly id: number;
  readonly name: SignatureScheme;
  /** Whether the key is of the kind, and on the curve, that the scheme is for. */
  readonly fits: (key: SubjectPublicKey) => boolean;
}

const rsa = (key: SubjectPublicKey) => key.algorithm === "rsa";
const onCurve = (curve: string) => (key: SubjectPublicKey) => key.algorithm === "ec" && key.curve === curve;

const SCHEMES: readonly Scheme[] = [
  { id: 0x0804, name: "rsa_pss_rsae_sha256", fits: rsa },
  { id: 0x0403, name: "ecdsa_secp256r1_sha256", fits: onCurve("P-256") },
  { id: 0x0805, name: "rsa_pss_rsae_sha384", fits: rsa },
  { id: 0x0503, name: "ecdsa_secp384r1_sha384", fits: onCurve("P-384") },
  { id: 0x0806, name: "rsa_pss_rsae_sha512", fits: rsa },
  { id: 0x0603, name: "ecdsa_secp521r1_sha512", fits: onCurve("P-521") },
  { id: 0x0807, name: "ed25519", fits: (key) => key.algorithm === "ed25519" },
];

/** Offered, and accepted in CertificateVerify. */
export const VERIFY_SCHEMES: readonly number[] = SCHEMES.map(({ id }) => id);

/**
 * rsa_pkcs1_sha256, 384 and 512. Offered because the same list tells a server what its certificates may be signed with,
 * and most are, relays' too; never accepted in CertificateVerify (RFC 8446 4.2.3).
 */
export const CERTIFICATE_SCHEMES: readonly number[] = [0x0401, 0x0501, 0x0601];

/**
 * Checks the server's signature over `signed` with its certificate's key.
 * @throws TlsError `ALLIUM_E_TLS_SIGNATURE`, `ALLIUM_E_TLS_WEAK_KEY`, `ALLIUM_E_TLS_PARAMETER`
 */
export async function verifyTranscriptSignature(
  { publicKey }: Certificate,
  { scheme: id, signature }: { scheme: number; signature: Uint8Array },
  signed: Uint8Array,
  minimumRsaBits: number,
): Promise<void> {
  const scheme = SCHEMES.find((candidate) => candidate.id === id);
  if (scheme === undefined || !scheme.fits(publicKey)) {
    const hex = id.toString(16).padStart(4, "0");
    throw illegalParameter(
      `a CertificateVerify of scheme 0x${hex} with a key of type ${publicKey.algorithm}`,
    );
  }
  if (publicKey.algorithm === "rsa" && publicKey.bits < minimumRsaBits) {
    throw new TlsError(
      "insufficient_security",
      "ALLIUM_E_TLS_WEAK_KEY",
      `the server signs with an RSA key of ${publicKey.bits} bits`,
    );
  }
  if (!(await verifySignature(scheme.name, publicKey.spki, signature, signed))) {
    throw new TlsError(
      "decrypt_error",
      "ALLIUM_E_TLS_SIGNATURE",
      "the server's signature does not fit the key of its certificate",
    );
  }
}
