// Parses X.509 certificates (RFC 5280 4.1) of versions 1 to 3 into their fields, in strict DER.
// Not here: whether a certificate is valid, who signed it, and what its extensions mean.

import { fromLatin1, fromUtf8 } from "../../base/encoding.ts";
import { protocolViolation, type TorError, toTorError } from "../../base/errors.ts";
import { DER, type DerElement, DerReader } from "../../crypto/der.ts";
import { readPublicKey, type SubjectPublicKey } from "./public-key.ts";

export type { SubjectPublicKey } from "./public-key.ts";

export interface DistinguishedName {
  /** The whole Name in DER: names are equal when these bytes are. */
  readonly raw: Uint8Array;
  /** The last common name, where there is one in a character set that is read. */
  readonly commonName: string | undefined;
}

export interface CertificateExtension {
  readonly oid: string;
  readonly critical: boolean;
  readonly value: Uint8Array;
}

export interface AlgorithmIdentifier {
  readonly oid: string;
  /** The whole AlgorithmIdentifier in DER, parameters included. */
  readonly raw: Uint8Array;
}

export interface Certificate {
  readonly der: Uint8Array;
  /** The TBSCertificate in DER: what is signed. */
  readonly tbs: Uint8Array;
  readonly version: 1 | 2 | 3;
  /** Contents of the INTEGER, as they stand. */
  readonly serial: Uint8Array;
  readonly issuer: DistinguishedName;
  readonly subject: DistinguishedName;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  /** Milliseconds since the epoch; the certificate holds to the end of this second. */
  readonly notAfter: number;
  readonly publicKey: SubjectPublicKey;
  /** In their order, each type at most once. */
  readonly extensions: readonly CertificateExtension[];
  readonly signatureAlgorithm: AlgorithmIdentifier;
  readonly signature: Uint8Array;
}

/** Largest certificate that is read; those in use are below 10 KiB. */
const MAX_CERTIFICATE = 2 ** 16;
/** RFC 5280 4.1.2.2 has 20; real ones with one byte more for the sign are common. */
const MAX_SERIAL = 21;

/** Context tags of TBSCertificate (RFC 5280 4.1). */
const TAG = { version: 0xa0, issuerUniqueId: 0x81, subjectUniqueId: 0x82, extensions: 0xa3 } as const;

const COMMON_NAME = "2.5.4.3";

function malformed(message: string, cause?: unknown): TorError {
  return protocolViolation("ALLIUM_E_X509", `malformed certificate: ${message}`, cause);
}

/** @throws TorError `ALLIUM_E_X509` for anything that is not one whole certificate in DER */
export function parseCertificate(der: Uint8Array): Certificate {
  try {
    if (der.length > MAX_CERTIFICATE) throw malformed(`${der.length} bytes`);
    return readCertificate(der);
  } catch (cause) {
    const error = toTorError(cause);
    throw error.code === "ALLIUM_E_X509" ? error : malformed(error.message, error);
  }
}

function readCertificate(der: Uint8Array): Certificate {
  const outer = new DerReader(der);
  const certificate = outer.enter();
  outer.end();
  const tbs = certificate.read(DER.sequence);
  const signatureAlgorithm = readAlgorithm(certificate);
  const signature = certificate.bitString();
  certificate.end();

  const fields = new DerReader(tbs.contents);
  const version = readVersion(fields);
  const serial = fields.read(DER.integer).contents;
  if (serial.length === 0 || serial.length > MAX_SERIAL) throw malformed("serial number");
  const inner = readAlgorithm(fields);
  // RFC 5280 4.1.1.2: what is signed must say how.
  if (!sameBytes(inner.raw, signatureAlgorithm.raw)) throw malformed("two different signature algorithms");
  const issuer = readName(fields);
  const validity = fields.enter();
  const notBefore = readTime(validity);
  const notAfter = readTime(validity);
  validity.end();
  const subject = readName(fields);
  const publicKey = readPublicKey(fields);
  const extensions = readTail(fields, version);
  return {
    der,
    tbs: tbs.raw,
    version,
    serial,
    issuer,
    subject,
    notBefore,
    notAfter,
    publicKey,
    extensions,
    signatureAlgorithm,
    signature,
  };
}

/** Public data on both sides, so no constant time is needed. */
function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function readVersion(fields: DerReader): 1 | 2 | 3 {
  const tagged = fields.readOptional(TAG.version);
  if (tagged === undefined) return 1;
  const reader = new DerReader(tagged.contents);
  const value = reader.unsigned();
  reader.end();
  // Version 1 is the default, which DER leaves out.
  if (value !== 1n && value !== 2n) throw malformed("version");
  return value === 1n ? 2 : 3;
}

function readAlgorithm(reader: DerReader): AlgorithmIdentifier {
  const { contents, raw } = reader.read(DER.sequence);
  const fields = new DerReader(contents);
  const oid = fields.oid();
  if (!fields.atEnd) fields.read();
  fields.end();
  return { oid, raw };
}

function readName(reader: DerReader): DistinguishedName {
  const { contents, raw } = reader.read(DER.sequence);
  const sets = new DerReader(contents);
  let commonName: string | undefined;
  while (!sets.atEnd) {
    const set = sets.enter(DER.set);
    if (set.atEnd) throw malformed("an empty part of a name");
    while (!set.atEnd) {
      const attribute = set.enter();
      const oid = attribute.oid();
      const value = attribute.read();
      attribute.end();
      if (oid === COMMON_NAME) commonName = readText(value);
    }
  }
  return { raw, commonName };
}

/** String types of X.520; the obsolete wide ones are not read. */
function readText({ tag, contents }: DerElement): string | undefined {
  if (tag === DER.utf8String) return fromUtf8(contents);
  const singleByte = tag === DER.printableString || tag === 0x14 /* Teletex */ || tag === 0x16; /* IA5 */
  return singleByte ? fromLatin1(contents) : undefined;
}

/** UTCTime or GeneralizedTime in the one form that RFC 5280 4.1.2.5 allows, in milliseconds since the epoch. */
function readTime(reader: DerReader): number {
  const { tag, contents } = reader.read();
  if (tag !== DER.utcTime && tag !== DER.generalizedTime) throw malformed("a time of an unknown type");
  const text = fromLatin1(contents);
  const yearDigits = tag === DER.utcTime ? 2 : 4;
  if (text.length !== yearDigits + 11 || !/^\d+Z$/.test(text)) throw malformed("a time in another form");
  const pairs = [...text.slice(yearDigits, -1).matchAll(/\d\d/g)].map(Number);
  const [month, day, hour, minute, second] = pairs as [number, number, number, number, number];
  let year = Number(text.slice(0, yearDigits));
  // RFC 5280 4.1.2.5.1: two digits mean 1950 to 2049.
  if (tag === DER.utcTime) year += year < 50 ? 2000 : 1900;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  const exists = date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  if (!exists || hour > 23 || minute > 59 || second > 59) throw malformed("a time that does not exist");
  return date.setUTCHours(hour, minute, second);
}

/** What may follow the key: unique identifiers, which are passed over, and extensions. */
function readTail(fields: DerReader, version: 1 | 2 | 3): CertificateExtension[] {
  if (version >= 2) {
    fields.readOptional(TAG.issuerUniqueId);
    fields.readOptional(TAG.subjectUniqueId);
  }
  const tagged = version === 3 ? fields.readOptional(TAG.extensions) : undefined;
  fields.end();
  return tagged === undefined ? [] : readExtensions(tagged.contents);
}

function readExtensions(contents: Uint8Array): CertificateExtension[] {
  const outer = new DerReader(contents);
  const list = outer.enter();
  outer.end();
  if (list.atEnd) throw malformed("an empty list of extensions");
  const extensions: CertificateExtension[] = [];
  const seen = new Set<string>();
  while (!list.atEnd) {
    const fields = list.enter();
    const oid = fields.oid();
    const critical = fields.readOptional(DER.boolean);
    // FALSE is the default, which DER leaves out.
    if (critical !== undefined && !sameBytes(critical.contents, TRUE)) throw malformed("a critical flag");
    const value = fields.read(DER.octetString).contents;
    fields.end();
    if (seen.has(oid)) throw malformed(`the extension ${oid} twice`);
    seen.add(oid);
    extensions.push({ oid, critical: critical !== undefined, value });
  }
  return extensions;
}

const TRUE = Uint8Array.of(0xff);
