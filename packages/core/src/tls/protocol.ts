// Numbers and limits of TLS 1.3 and 1.2 that several files of this room share (RFC 8446, RFC 5246; IANA's TLS registries).

import type { AeadKind } from "../crypto/aead.ts";
import type { KdfHash } from "../crypto/kdf.ts";

/** RFC 8446 5.1. */
export const ContentType = { changeCipherSpec: 20, alert: 21, handshake: 22, applicationData: 23 } as const;

/** RFC 8446 4; RFC 5246 7.4. */
export const HandshakeType = {
  helloRequest: 0,
  clientHello: 1,
  serverHello: 2,
  newSessionTicket: 4,
  encryptedExtensions: 8,
  certificate: 11,
  serverKeyExchange: 12,
  certificateRequest: 13,
  serverHelloDone: 14,
  certificateVerify: 15,
  clientKeyExchange: 16,
  finished: 20,
  keyUpdate: 24,
  messageHash: 254,
} as const;

/** RFC 8446 4.2; RFC 8422 5.1.2, RFC 7301 3.1, RFC 7627 5.1, RFC 5746 3.2. */
export const Extension = {
  serverName: 0,
  supportedGroups: 10,
  pointFormats: 11,
  signatureAlgorithms: 13,
  alpn: 16,
  extendedMasterSecret: 23,
  supportedVersions: 43,
  cookie: 44,
  keyShare: 51,
  renegotiationInfo: 0xff01,
} as const;

/** RFC 8446 5.1: the most content that one record may carry. */
export const MAX_CONTENT = 2 ** 14;
/** RFC 8446 5.2: the most that encryption (inner type, padding, tag) may add. */
export const MAX_EXPANSION = 256;
export const RECORD_HEADER = 5;

/** TLS 1.2, and what every hello and record of TLS 1.3 says in place of its version (RFC 8446 4.1.2, 5.1). */
export const LEGACY_VERSION = 0x0303;
export const TLS13 = 0x0304;

export type TlsVersion = "TLS 1.2" | "TLS 1.3";

/** A cipher suite of TLS 1.3 (RFC 8446 B.4); `hash` is that of its key schedule. */
export interface CipherSuite {
  readonly id: number;
  readonly name: string;
  readonly hash: KdfHash;
  readonly aead: AeadKind;
  readonly keyLength: number;
}

/** In the order in which they are offered: AES-GCM first, which WebCrypto has and ChaCha20-Poly1305 it has not. */
export const CIPHER_SUITES: readonly CipherSuite[] = [
  { id: 0x1301, name: "TLS_AES_128_GCM_SHA256", hash: "sha256", aead: "aes-128-gcm", keyLength: 16 },
  { id: 0x1302, name: "TLS_AES_256_GCM_SHA384", hash: "sha384", aead: "aes-256-gcm", keyLength: 32 },
  {
    id: 0x1303,
    name: "TLS_CHACHA20_POLY1305_SHA256",
    hash: "sha256",
    aead: "chacha20-poly1305",
    keyLength: 32,
  },
];

/** A cipher suite of TLS 1.2: ECDHE, and the same AEADs (RFC 5289 3.2, RFC 7905). */
export interface CipherSuite12 extends CipherSuite {
  /** What the server's key must be; "ecdsa" stands for Ed25519 too (RFC 8422 5.10). */
  readonly signer: "ecdsa" | "rsa";
}

function over(base: number, signer: "ecdsa" | "rsa", id: number): CipherSuite12 {
  const suite = CIPHER_SUITES[base] as CipherSuite;
  return { ...suite, signer, id, name: `TLS_ECDHE_${signer.toUpperCase()}_WITH_${suite.name.slice(4)}` };
}

/** In the order in which they are offered. */
export const CIPHER_SUITES_12: readonly CipherSuite12[] = [
  over(0, "ecdsa", 0xc02b),
  over(0, "rsa", 0xc02f),
  over(1, "ecdsa", 0xc02c),
  over(1, "rsa", 0xc030),
  over(2, "ecdsa", 0xcca9),
  over(2, "rsa", 0xcca8),
];

/** A group of (EC)DHE (RFC 8446 4.2.7). */
export type GroupName = "X25519" | "P-256" | "P-384";
export const GROUP_IDS: Readonly<Record<GroupName, number>> = {
  X25519: 0x001d,
  "P-256": 0x0017,
  "P-384": 0x0018,
};
