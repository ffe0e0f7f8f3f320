// Whether to believe a consensus (dir-spec 1.3, 3.4.1 "directory-signature", 3.9.2): more than half of the
// configured authorities must have signed it, each with a key that its own certificate vouches for.

import { TorError } from "../base/errors.ts";
import { verifyRsaBare } from "../crypto/rsa.ts";
import type { NetworkConfig } from "./api.ts";
import type { Consensus } from "./documents/consensus.ts";
import type { KeyCertificate } from "./documents/key-certificate.ts";

/** How far a certificate may be published ahead of our clock: the consensus's own tolerance on the public network. */
const PUBLISHED_AHEAD = 24 * 3600_000;

/** An authority and one of its signing keys, both as 40 upper-case hex digits. */
export interface SigningKeyName {
  readonly identity: string;
  readonly signingKeyId: string;
}

export function signingKeyText(name: SigningKeyName): string {
  return `${name.identity}-${name.signingKeyId}`;
}

/** The configured authorities' v3idents, upper-case, each once. */
export function configuredAuthorities(network: NetworkConfig): ReadonlySet<string> {
  return new Set(network.authorities.map(({ v3ident }) => v3ident.toUpperCase()));
}

/** How many authorities must have signed: more than half. */
export function signaturesNeeded(authorities: ReadonlySet<string>): number {
  return Math.floor(authorities.size / 2) + 1;
}

/** Whether a certificate may be used at this time. */
function isCertified(certificate: KeyCertificate, now: number): boolean {
  return now <= certificate.expires && certificate.published <= now + PUBLISHED_AHEAD;
}

/** The signing keys of configured authorities that a consensus names and no certificate at hand vouches for now. */
export function missingCertificates(
  consensus: Consensus,
  authorities: ReadonlySet<string>,
  certificates: Iterable<KeyCertificate>,
  now: number,
): SigningKeyName[] {
  const missing = new Map<string, SigningKeyName>();
  for (const signature of consensus.signatures) {
    if (authorities.has(signature.identity)) missing.set(signingKeyText(signature), signature);
  }
  for (const certificate of certificates) {
    if (isCertified(certificate, now)) missing.delete(signingKeyText(certificate));
  }
  return [...missing.values()];
}

/** How many configured authorities signed this consensus with a key that is certified now. Each counts once. */
export function countSignatures(
  consensus: Consensus,
  authorities: ReadonlySet<string>,
  certificates: Iterable<KeyCertificate>,
  now: number,
): number {
  const byKey = new Map<string, KeyCertificate>();
  for (const certificate of certificates) {
    if (isCertified(certificate, now)) byKey.set(signingKeyText(certificate), certificate);
  }
  const signers = new Set<string>();
  for (const signature of consensus.signatures) {
    if (!authorities.has(signature.identity) || signers.has(signature.identity)) continue;
    const certificate = byKey.get(signingKeyText(signature));
    if (certificate === undefined) continue;
    if (verifyRsaBare(certificate.signingKey, consensus.digest, signature.signature)) {
      signers.add(signature.identity);
    }
  }
  return signers.size;
}

/** @throws TorError `consensus-unverified` unless more than half of the configured authorities signed. */
export function requireSignatures(
  consensus: Consensus,
  authorities: ReadonlySet<string>,
  certificates: Iterable<KeyCertificate>,
  now: number,
): void {
  const needed = signaturesNeeded(authorities);
  const count = countSignatures(consensus, authorities, certificates, now);
  if (count >= needed) return;
  throw new TorError(
    "consensus-unverified",
    "ALLIUM_E_CONSENSUS_SIGNATURES",
    `the consensus has valid signatures of ${count} of ${authorities.size} authorities; ${needed} are needed`,
  );
}
