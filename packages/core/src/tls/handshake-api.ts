// What a handshake of either version is given, and what it gives.

import type { Ciphers } from "../base/ports.ts";
import type { VerifyChain } from "./api.ts";
import type { ClientOffer } from "./client-hello.ts";
import type { CipherSuite, GroupName, TlsVersion } from "./protocol.ts";
import type { RecordProtection } from "./record-protection.ts";

export interface HandshakeOptions {
  readonly offer: ClientOffer;
  readonly ciphers?: Ciphers | undefined;
  /** Shortest RSA key that may sign the handshake, in bits. */
  readonly minimumRsaBits: number;
  /** Asked before our Finished is sent; without it, only that the peer holds the leaf's key is proved. */
  readonly verify?: VerifyChain | undefined;
}

export interface HandshakeResult {
  readonly version: TlsVersion;
  readonly suite: CipherSuite;
  readonly group: GroupName;
  readonly applicationProtocol: string | undefined;
  /** As the server sent them, in DER; the first is the one whose key signed the handshake. */
  readonly certificates: readonly Uint8Array[];
  readonly inbound: RecordProtection;
  readonly outbound: RecordProtection;
}
