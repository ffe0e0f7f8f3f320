// Numbers and limits of TLS 1.3 that several files of this room share (RFC 8446; IANA's TLS registries).

import type { AeadKind } from "../crypto/aead.ts";
import type { KdfHash } from "../crypto/kdf.ts";

/** RFC 8446 5.1. */
export const ContentType = { changeCipherSpec: 20, alert: 21, handshake: 22, applicationData: 23 } as const;

/** RFC 8446 4. */
export const HandshakeType = {
  clientHello: 1,
  serverHello: 2,
  newSessionTicket: 4,
  encryptedExtensions: 8,
  certificate: 11,
  certificateRequest: 13,
  certificateVerify: 15,
  finished: 20,
  keyUpdate: 24,
  messageHash: 254,
} as const;

/** RFC 8446 4.2. */
export const Extension = {
  serverName: 0,
  supportedGroups: 10,
  signatureAlgorithms: 13,
  supportedVersions: 43,
  cookie: 44,
  keyShare: 51,
} as const;

/** RFC 8446 5.1: the most content that one record may carry. */
export const MAX_CONTENT = 2 ** 14;
/** RFC 8446 5.2: the most that encryption (inner type, padding, tag) may add. */
export const MAX_EXPANSION = 256;
export const RECORD_HEADER = 5;

/** What every hello says in place of its version (RFC 8446 4.1.2). */
export const LEGACY_VERSION = 0x0303;
export const TLS13 = 0x0304;

/** A cipher suite of TLS 1.3 (RFC 8446 B.4). */
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

/** A group of (EC)DHE (RFC 8446 4.2.7). */
export type GroupName = "P-256" | "X25519";
export const GROUP_IDS: Readonly<Record<GroupName, number>> = { "P-256": 0x0017, X25519: 0x001d };

/** The group with this number, if it is one of ours. */
export function groupName(id: number): GroupName | undefined {
  if (id === GROUP_IDS["P-256"]) return "P-256";
  return id === GROUP_IDS.X25519 ? "X25519" : undefined;
}
