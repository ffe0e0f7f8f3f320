// From a server's certificate to a trust anchor (RFC 5280 6.1, RFC 4158): tries the paths that the certificates at hand
// allow, in any order, until one holds. The work is bounded, whatever is sent. Anchors are a name and a key (6.1.1 d); how
// long a root's certificate is valid plays no part. Not here: policies, revocation, and what makes a certificate one for
// a server of this name (server.ts).

import { equalBytes } from "../../base/bytes.ts";
import { toHex } from "../../base/encoding.ts";
import { isTorError, type TorError, toTorError } from "../../base/errors.ts";
import { DerReader } from "../../crypto/der.ts";
import type { TrustAnchor } from "./anchors.ts";
import { type Certificate, parseCertificate } from "./certificate.ts";
import { certificateError } from "./errors.ts";
import { type GeneralName, NAME } from "./general-name.ts";
import { allowsNames, type NameConstraints, readNameConstraints } from "./name-constraints.ts";
import { readPublicKey, type SubjectPublicKey } from "./public-key.ts";
import { checkSignature } from "./signed.ts";
import { KEY_USAGE, readUsage, type Usage } from "./usage.ts";

export interface PathRules {
  readonly anchors: readonly TrustAnchor[];
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Judges the keys of a path that holds (SPKI in DER, the server's first, the anchor's last); throws a TorError if not. */
  readonly judge: (spkis: readonly Uint8Array[]) => void;
}

/** A certificate with what its extensions say. */
export interface Link {
  readonly certificate: Certificate;
  readonly usage: Usage;
}

/** Certificates that are looked at; servers send up to five. */
const MAX_CERTIFICATES = 64;
/** CAs between server and anchor; up to three are in use. */
const MAX_CAS = 8;
/** What is tried at the most: signatures, next steps of a path, and names against constraints. */
const MAX_WORK = { signatures: 100, steps: 500, names: 100_000 };

export const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
const ANY_PURPOSE = "2.5.29.37.0";
/** The OID 1.2.840.113549.1.9.1 in DER. */
const EMAIL_ADDRESS = "06092a864886f70d010901";

/** @throws TorError `remote-tls` */
export function readLink(der: Uint8Array): Link {
  try {
    const certificate = parseCertificate(der);
    return { certificate, usage: readUsage(certificate) };
  } catch (cause) {
    const error = toTorError(cause);
    throw error.kind === "remote-tls" ? error : certificateError("MALFORMED", error.message, error);
  }
}

/** @throws TorError `ALLIUM_E_CERT_EXPIRED`, `ALLIUM_E_CERT_NOT_YET_VALID` */
export function checkTime({ notBefore, notAfter }: Certificate, now: number): void {
  const day = (ms: number) => new Date(ms).toISOString().slice(0, 10);
  const clock = `the clock says ${Number.isFinite(now) ? day(now) : "nothing"}; if that is wrong, set it right`;
  if (!(now >= notBefore))
    throw certificateError("NOT_YET_VALID", `a certificate is valid from ${day(notBefore)} on; ${clock}`);
  // The whole of the last second counts.
  if (now >= notAfter + 1000)
    throw certificateError("EXPIRED", `a certificate was valid until ${day(notAfter)}; ${clock}`);
}

/**
 * Finds a path that holds from `leaf` over some of `others`.
 * @throws TorError `remote-tls`: the first thing that was wrong with a path, or `ALLIUM_E_CERT_UNKNOWN_ISSUER`
 */
export async function findPath(leaf: Link, others: readonly Uint8Array[], rules: PathRules): Promise<void> {
  await new PathSearch(others, rules).run(leaf);
}

class PathSearch {
  readonly #pool: Certificate[] = [];
  readonly #rules: PathRules;
  readonly #usages = new Map<Certificate, Usage>();
  /** Whether a key made a certificate's signature, by certificate and SPKI in hexadecimal. */
  readonly #signed = new Map<Certificate, Map<string, Promise<void>>>();
  readonly #left = { ...MAX_WORK };
  #failure: TorError | undefined;

  constructor(others: readonly Uint8Array[], rules: PathRules) {
    this.#rules = rules;
    for (const der of others.slice(0, MAX_CERTIFICATES)) {
      if (this.#pool.some((known) => equalBytes(known.der, der))) continue;
      try {
        this.#pool.push(parseCertificate(der));
      } catch {
        // What servers send besides their chain is nobody's business.
      }
    }
  }

  async run(leaf: Link): Promise<void> {
    if (await this.#extend([leaf])) return;
    throw (
      this.#failure ??
      certificateError("UNKNOWN_ISSUER", "no trusted root vouches for the server's certificate")
    );
  }

  /** Whether a path that begins so holds. */
  async #extend(path: readonly Link[]): Promise<boolean> {
    const { issuer } = (path.at(-1) as Link).certificate;
    for (const anchor of this.#rules.anchors) {
      if (!equalBytes(anchor.subject, issuer.raw)) continue;
      if (await this.#holds(() => this.#checkAnchor(path, anchor))) return true;
    }
    for (const next of this.#pool) {
      if (
        !equalBytes(next.subject.raw, issuer.raw) ||
        path.some((link) => isSameEntity(link.certificate, next))
      )
        continue;
      if (!(await this.#holds(() => this.#checkCa(path, next)))) continue;
      const usage = this.#usages.get(next) as Usage;
      if (await this.#extend([...path, { certificate: next, usage }])) return true;
    }
    return false;
  }

  /** Whether the check passes; the first failure of all is kept. One that is for lack of work ends the search. */
  async #holds(check: () => Promise<void>): Promise<boolean> {
    this.#spend("steps", 1);
    try {
      await check();
      return true;
    } catch (error) {
      if (!isTorError(error) || error.code === "ALLIUM_E_CERT_LIMIT") throw error;
      this.#failure ??= error;
      return false;
    }
  }

  async #checkAnchor(path: readonly Link[], { spki, nameConstraints }: TrustAnchor): Promise<void> {
    if (nameConstraints !== undefined)
      this.#checkNames(path, readNameConstraints(new DerReader(nameConstraints)));
    await this.#checkSigned(path, readPublicKey(new DerReader(spki)));
    this.#rules.judge([...path.map(({ certificate }) => certificate.publicKey.spki), spki]);
  }

  /** RFC 5280 6.1.4, with 6.1.3 of the certificate below. */
  async #checkCa(path: readonly Link[], ca: Certificate): Promise<void> {
    const usage = this.#usages.get(ca) ?? readUsage(ca);
    this.#usages.set(ca, usage);
    checkTime(ca, this.#rules.now);
    const { isCa, keyUsage, pathLength, purposes, constraints } = usage;
    const below = path.slice(1).filter(({ certificate }) => !isSelfIssued(certificate)).length;
    if (!isCa || (keyUsage & KEY_USAGE.keyCertSign) === 0)
      throw certificateError("CONSTRAINT", "an issuer is not a CA");
    if (below > pathLength || path.length > MAX_CAS)
      throw certificateError("CONSTRAINT", "more CAs than are allowed");
    if (purposes?.some((purpose) => purpose === SERVER_AUTH || purpose === ANY_PURPOSE) === false)
      throw certificateError("CONSTRAINT", "a CA is not one for servers");
    if (constraints !== undefined) this.#checkNames(path, constraints);
    await this.#checkSigned(path, ca.publicKey);
  }

  #checkNames(path: readonly Link[], constraints: NameConstraints): void {
    const bases = constraints.permitted.length + constraints.excluded.length;
    for (const [i, { certificate, usage }] of path.entries()) {
      // 6.1.3 b: a CA that changes its key is not bound by them, except as the last.
      if (i > 0 && isSelfIssued(certificate)) continue;
      const names = [...usage.names, ...namesOfSubject(certificate.subject.raw)];
      this.#spend("names", names.length * bases);
      if (!allowsNames(constraints, names))
        throw certificateError("CONSTRAINT", "a CA may not vouch for this name");
    }
  }

  async #checkSigned(path: readonly Link[], key: SubjectPublicKey): Promise<void> {
    const { certificate } = path.at(-1) as Link;
    const known = this.#signed.get(certificate) ?? new Map<string, Promise<void>>();
    this.#signed.set(certificate, known);
    const id = toHex(key.spki);
    const check = known.get(id) ?? this.#signatureCheck(certificate, key);
    known.set(id, check);
    await check;
  }

  #signatureCheck(certificate: Certificate, key: SubjectPublicKey): Promise<void> {
    this.#spend("signatures", 1);
    return checkSignature(certificate, key);
  }

  #spend(kind: keyof typeof MAX_WORK, count: number): void {
    this.#left[kind] -= count;
    if (this.#left[kind] < 0)
      throw certificateError("LIMIT", `the server's certificates need too many ${kind}`);
  }
}

/** A subject is a directory name, and a mail address where it has that attribute (RFC 5280 4.2.1.10). */
function namesOfSubject(contents: Uint8Array): GeneralName[] {
  if (contents.length === 2) return [];
  const directory = { tag: NAME.directory, contents };
  return toHex(contents).includes(EMAIL_ADDRESS) ? [directory, { tag: NAME.mail, contents }] : [directory];
}

/** RFC 5280 3.2. */
function isSelfIssued({ issuer, subject }: Certificate): boolean {
  return equalBytes(issuer.raw, subject.raw);
}

/** A path that comes to the same name and key twice only goes round (RFC 4158 5.2). */
function isSameEntity(a: Certificate, b: Certificate): boolean {
  return equalBytes(a.subject.raw, b.subject.raw) && equalBytes(a.publicKey.spki, b.publicKey.spki);
}
