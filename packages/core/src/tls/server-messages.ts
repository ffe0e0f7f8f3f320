// Parsers of what a server sends in its handshake (RFC 8446 4.1.3-4.6). Each takes the body of one message.
// Not here: whether a value is acceptable in this handshake; what TLS 1.2 alone has.

import { Reader } from "../base/bytes.ts";
import { fromLatin1 } from "../base/encoding.ts";
import { decodeError, illegalParameter, TlsError } from "./alert.ts";
import { Extension } from "./protocol.ts";

/** Extensions by type, each at most once (RFC 8446 4.2). */
export type Extensions = ReadonlyMap<number, Uint8Array>;

export const open = (bytes: Uint8Array) => new Reader(bytes, decodeError);

function parseExtensions(bytes: Uint8Array): Extensions {
  const reader = open(bytes);
  const extensions = new Map<number, Uint8Array>();
  while (reader.remaining > 0) {
    const type = reader.u16();
    if (extensions.has(type)) throw illegalParameter(`the extension ${type} comes twice`);
    extensions.set(type, reader.vector(2));
  }
  return extensions;
}

/** Fails for an extension of a type that may not stand here. */
export function allowOnly(types: Iterable<number>, allowed: readonly number[]): void {
  for (const type of types) {
    if (!allowed.includes(type)) {
      throw new TlsError(
        "unsupported_extension",
        "ALLIUM_E_TLS_EXTENSION",
        `the server sent the extension ${type}, which may not stand here`,
      );
    }
  }
}

/** The protocol that the server chose; one that was not offered is refused (RFC 7301 3.1, 3.2). */
export function parseAlpn(extensions: Extensions, offered: readonly string[]): string | undefined {
  const data = extensions.get(Extension.alpn);
  if (data === undefined) return undefined;
  const reader = open(data);
  const list = open(reader.vector(2));
  reader.end();
  const name = fromLatin1(list.vector(1));
  list.end();
  if (!offered.includes(name)) throw illegalParameter("the server chose a protocol that was not offered");
  return name;
}

/** In its answer the server says only that it used the name (RFC 6066 3). */
export function checkServerName(extensions: Extensions): void {
  if ((extensions.get(Extension.serverName)?.length ?? 0) !== 0) {
    throw illegalParameter("a server_name that is not empty");
  }
}

/** A ServerHello, or a HelloRetryRequest, which has the same form (RFC 8446 4.1.3, 4.1.4). */
export interface ServerHello {
  readonly version: number;
  readonly random: Uint8Array;
  readonly sessionId: Uint8Array;
  readonly suite: number;
  readonly compression: number;
  readonly extensions: Extensions;
}

export function parseServerHello(body: Uint8Array): ServerHello {
  const reader = open(body);
  const hello = {
    version: reader.u16(),
    random: reader.take(32),
    sessionId: reader.vector(1),
    suite: reader.u16(),
    compression: reader.u8(),
    // Before TLS 1.3 there need not be a list (RFC 5246 7.4.1.3).
    extensions: parseExtensions(reader.remaining === 0 ? new Uint8Array(0) : reader.vector(2)),
  };
  reader.end();
  return hello;
}

/** supported_versions of a ServerHello (RFC 8446 4.2.1). */
export function parseSelectedVersion(extensions: Extensions): number | undefined {
  const data = extensions.get(Extension.supportedVersions);
  return data === undefined ? undefined : parseU16(data);
}

/** selected_group of a HelloRetryRequest (RFC 8446 4.2.8). */
export function parseSelectedGroup(extensions: Extensions): number | undefined {
  const data = extensions.get(Extension.keyShare);
  return data === undefined ? undefined : parseU16(data);
}

function parseU16(data: Uint8Array): number {
  const reader = open(data);
  const value = reader.u16();
  reader.end();
  return value;
}

/** The cookie of a HelloRetryRequest (RFC 8446 4.2.2). */
export function parseCookie(extensions: Extensions): Uint8Array | undefined {
  const data = extensions.get(Extension.cookie);
  if (data === undefined) return undefined;
  const reader = open(data);
  const cookie = reader.vector(2);
  reader.end();
  if (cookie.length === 0) throw decodeError("an empty cookie");
  return cookie;
}

/** The server's share (RFC 8446 4.2.8). */
export function parseKeyShare(data: Uint8Array): { group: number; key: Uint8Array } {
  const reader = open(data);
  const share = { group: reader.u16(), key: reader.vector(2) };
  reader.end();
  return share;
}

export function parseEncryptedExtensions(body: Uint8Array): Extensions {
  const reader = open(body);
  const extensions = parseExtensions(reader.vector(2));
  reader.end();
  return extensions;
}

export interface CertificateRequest {
  readonly context: Uint8Array;
  readonly extensions: Extensions;
}

export function parseCertificateRequest(body: Uint8Array): CertificateRequest {
  const reader = open(body);
  const request = { context: reader.vector(1), extensions: parseExtensions(reader.vector(2)) };
  reader.end();
  return request;
}

/** One certificate of the chain, in DER, with the types of its extensions (RFC 8446 4.4.2). */
export interface CertificateEntry {
  readonly der: Uint8Array;
  readonly extensions: Extensions;
}

/** Most certificates that are read: real chains have two to four. */
const MAX_CHAIN = 16;

/** The next certificate of a chain that has `count` before it. */
export function readCertificate(list: Reader, count: number): Uint8Array {
  if (count === MAX_CHAIN) throw decodeError(`a chain of more than ${MAX_CHAIN} certificates`);
  const der = list.vector(3);
  if (der.length === 0) throw decodeError("an empty certificate");
  return der;
}

export function parseCertificateMessage(body: Uint8Array): CertificateEntry[] {
  const reader = open(body);
  // The context is empty in a server's answer to a hello (RFC 8446 4.4.2).
  if (reader.vector(1).length !== 0)
    throw illegalParameter("a certificate_request_context that was never sent");
  const list = open(reader.vector(3));
  reader.end();
  const entries: CertificateEntry[] = [];
  while (list.remaining > 0) {
    const der = readCertificate(list, entries.length);
    entries.push({ der, extensions: parseExtensions(list.vector(2)) });
  }
  return entries;
}

export interface HandshakeSignature {
  readonly scheme: number;
  readonly signature: Uint8Array;
}

/** What the server signed with; a CertificateVerify is nothing else. */
export function parseSignature(body: Uint8Array): HandshakeSignature {
  const reader = open(body);
  const verify = { scheme: reader.u16(), signature: reader.vector(2) };
  reader.end();
  return verify;
}

/** Checks the form of a NewSessionTicket (RFC 8446 4.6.1), which is then dropped: nothing is ever resumed. */
export function checkNewSessionTicket(body: Uint8Array): void {
  const reader = open(body);
  reader.take(8); // ticket_lifetime, ticket_age_add
  reader.vector(1);
  if (reader.vector(2).length === 0) throw decodeError("an empty session ticket");
  parseExtensions(reader.vector(2));
  reader.end();
}

/** Whether the peer asks for a KeyUpdate in return (RFC 8446 4.6.3). */
export function parseKeyUpdate(body: Uint8Array): boolean {
  if (body.length !== 1) throw decodeError(`a KeyUpdate of ${body.length} bytes`);
  const requested = body[0] as number;
  if (requested > 1) throw illegalParameter(`request_update is ${requested}`);
  return requested === 1;
}
