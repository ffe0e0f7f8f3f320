// The signature schemes of the handshake (RFC 8446 4.2.3) and the check of what the server signed: its CertificateVerify
// (4.4.3), or its ServerKeyExchange in TLS 1.2 (RFC 8422 5.4). SHA-1 is neither offered nor taken.

import { type SignatureHash, type SignatureScheme, verifySignature } from "../crypto/signature.ts";
import { illegalParameter, TlsError } from "./alert.ts";
import type { TlsVersion } from "./protocol.ts";
import type { HandshakeSignature } from "./server-messages.ts";
import type { Certificate, SubjectPublicKey } from "./x509/certificate.ts";

/** Shortest RSA key that may sign the handshake; relays' link keys have exactly this length (tor-spec 2.2). */
export const MINIMUM_RSA_BITS = 2048;

interface Scheme {
  readonly id: number;
  readonly name: SignatureScheme;
}

const SCHEMES: readonly Scheme[] = [
  { id: 0x0804, name: "rsa_pss_rsae_sha256" },
  { id: 0x0403, name: "ecdsa_secp256r1_sha256" },
  { id: 0x0805, name: "rsa_pss_rsae_sha384" },
  { id: 0x0503, name: "ecdsa_secp384r1_sha384" },
  { id: 0x0806, name: "rsa_pss_rsae_sha512" },
  { id: 0x0603, name: "ecdsa_secp521r1_sha512" },
  { id: 0x0807, name: "ed25519" },
  // Also for what certificates are signed with, and most are, relays' too; never for the handshake of TLS 1.3 (4.2.3).
  { id: 0x0401, name: "rsa_pkcs1_sha256" },
  { id: 0x0501, name: "rsa_pkcs1_sha384" },
  { id: 0x0601, name: "rsa_pkcs1_sha512" },
];

export const OFFERED_SCHEMES: readonly number[] = SCHEMES.map(({ id }) => id);

const CURVES = { "P-256": "secp256r1", "P-384": "secp384r1", "P-521": "secp521r1" } as const;

/** The scheme with this number, as a key of this kind uses it; undefined where it may not. */
function schemeFor(id: number, key: SubjectPublicKey, version: TlsVersion): SignatureScheme | undefined {
  const name = SCHEMES.find((scheme) => scheme.id === id)?.name;
  if (name === undefined || (version === "TLS 1.3" && name.startsWith("rsa_pkcs1"))) return undefined;
  if (key.algorithm !== "ec") return name.startsWith(key.algorithm) ? name : undefined;
  if (!name.startsWith("ecdsa")) return undefined;
  const fitting = `ecdsa_${CURVES[key.curve]}_${name.slice(-6) as SignatureHash}` as const;
  // In TLS 1.2 the number says the hash alone (RFC 8446 4.2.3).
  return version === "TLS 1.2" || name === fitting ? fitting : undefined;
}

/**
 * Checks the server's signature over `signed` with its certificate's key.
 * @throws TlsError `ALLIUM_E_TLS_SIGNATURE`, `ALLIUM_E_TLS_WEAK_KEY`, `ALLIUM_E_TLS_PARAMETER`
 */
export async function verifyHandshakeSignature(
  { publicKey }: Certificate,
  { scheme: id, signature }: HandshakeSignature,
  signed: Uint8Array,
  { version, minimumRsaBits }: { version: TlsVersion; minimumRsaBits: number },
): Promise<void> {
  const scheme = schemeFor(id, publicKey, version);
  if (scheme === undefined) {
    const hex = id.toString(16).padStart(4, "0");
    throw illegalParameter(`a signature of scheme 0x${hex} with a key of type ${publicKey.algorithm}`);
  }
  if (publicKey.algorithm === "rsa" && publicKey.bits < minimumRsaBits) {
    throw new TlsError(
      "insufficient_security",
      "ALLIUM_E_TLS_WEAK_KEY",
      `the server signs with an RSA key of ${publicKey.bits} bits`,
    );
  }
  if (!(await verifySignature(scheme, publicKey.spki, signature, signed))) {
    throw new TlsError(
      "decrypt_error",
      "ALLIUM_E_TLS_SIGNATURE",
      "the server's signature does not fit the key of its certificate",
    );
  }
}
