// Parsers of what only a TLS 1.2 server sends (RFC 5246 7.4.2-7.4.5, RFC 8422 5.4). Each takes the body of one message.

import { decodeError } from "./alert.ts";
import { type HandshakeSignature, open, parseSignature, readCertificate } from "./server-messages.ts";

/** The chain in DER, the leaf first. */
export function parseCertificates(body: Uint8Array): Uint8Array[] {
  const reader = open(body);
  const list = open(reader.vector(3));
  reader.end();
  const chain: Uint8Array[] = [];
  while (list.remaining > 0) chain.push(readCertificate(list, chain.length));
  return chain;
}

/** The server's share of ECDHE, with its signature over `params`. */
export interface ServerKeyExchange extends HandshakeSignature {
  readonly group: number;
  readonly key: Uint8Array;
  /** The ServerECDHParams as they were signed. */
  readonly params: Uint8Array;
}

const NAMED_CURVE = 3;

export function parseServerKeyExchange(body: Uint8Array): ServerKeyExchange {
  const reader = open(body);
  if (reader.u8() !== NAMED_CURVE) throw decodeError("a curve without a name");
  const group = reader.u16();
  const key = reader.vector(1);
  const params = body.subarray(0, reader.offset);
  return { group, key, params, ...parseSignature(reader.rest()) };
}

/** Checks the form of a CertificateRequest, which is always answered alike (RFC 5246 7.4.4). */
export function checkCertificateRequest(body: Uint8Array): void {
  const reader = open(body);
  reader.vector(1); // certificate_types
  reader.vector(2); // supported_signature_algorithms
  reader.vector(2); // certificate_authorities
  reader.end();
}
