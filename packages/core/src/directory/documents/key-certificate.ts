// Authorities' key certificates (dir-spec 3.1): a long-term identity key vouches for a signing key.
// A certificate that this file returns is well formed and both its signatures hold; whose it is and when it is
// valid is for signatures.ts to judge.

import { parseIpv4 } from "../../base/address.ts";
import { toHex } from "../../base/encoding.ts";
import { sha1 } from "../../crypto/hash.ts";
import { parseRsaPublicKey, type RsaPublicKey, rsaId, verifyRsaBare } from "../../crypto/rsa.ts";
import { badDocument, type Item, itemArguments, noArguments, Tokenizer } from "./tokenizer.ts";
import { itemTime, parseFingerprint, required, setOnce } from "./values.ts";

/** dir-spec 3.1: neither key may be shorter. */
const MIN_KEY_BITS = 1024;
/** The public network's nine authorities have one or two each; each one costs two RSA operations. */
const MAX_CERTIFICATES = 64;
/** Lines of a certificate: eight are known. */
const MAX_LINES = 100;

export interface KeyCertificate {
  /** SHA-1 of the identity key, 40 upper-case hex digits: the authority's v3ident. */
  readonly identity: string;
  /** SHA-1 of the signing key, 40 upper-case hex digits. */
  readonly signingKeyId: string;
  readonly signingKey: RsaPublicKey;
  /** Milliseconds since the epoch. */
  readonly published: number;
  readonly expires: number;
  /** The certificate itself. */
  readonly bytes: Uint8Array;
}

const ONCE: ReadonlySet<string> = new Set([
  "dir-address",
  "fingerprint",
  "dir-identity-key",
  "dir-key-published",
  "dir-key-expires",
  "dir-signing-key",
  "dir-key-crosscert",
]);

/** The certificates of a document that holds any number of them, one after the other. */
export function parseKeyCertificates(bytes: Uint8Array): KeyCertificate[] {
  const tokens = new Tokenizer(bytes);
  const certificates: KeyCertificate[] = [];
  while (tokens.peek() !== undefined) {
    if (certificates.length === MAX_CERTIFICATES) throw badDocument("too many key certificates");
    certificates.push(parseOne(tokens));
  }
  return certificates;
}

function parseOne(tokens: Tokenizer): KeyCertificate {
  const first = tokens.next() as Item;
  if (first.keyword !== "dir-key-certificate-version") {
    throw badDocument("a key certificate does not begin with its version");
  }
  if (itemArguments(first, 1)[0] !== "3") throw badDocument("a key certificate of an unknown version");
  const items = new Map<string, Item>();
  let count = 0;
  for (let item = tokens.next(); item !== undefined; item = tokens.next()) {
    if (item.keyword === "dir-key-certification") return verified(tokens, first, items, item);
    if (item.keyword === first.keyword || ++count > MAX_LINES) break;
    if (ONCE.has(item.keyword)) setOnce(items, item, item);
  }
  throw badDocument('a key certificate has no "dir-key-certification"');
}

function verified(
  tokens: Tokenizer,
  first: Item,
  items: ReadonlyMap<string, Item>,
  certification: Item,
): KeyCertificate {
  const identityKey = rsaKey(tokens, required(items, "dir-identity-key"));
  const signingKey = rsaKey(tokens, required(items, "dir-signing-key"));
  const identityId = rsaId(identityKey);
  const identity = toHex(identityId).toUpperCase();
  if (parseFingerprint(itemArguments(required(items, "fingerprint"), 1)[0] as string) !== identity) {
    throw badDocument("a key certificate's fingerprint is not that of its identity key");
  }
  const crosscert = signature(tokens, required(items, "dir-key-crosscert"), "ID SIGNATURE", "SIGNATURE");
  if (!verifyRsaBare(signingKey, identityId, crosscert)) {
    throw badDocument("a key certificate's signing key does not confirm the identity key");
  }
  const signed = tokens.bytes.subarray(first.start, certification.lineEnd);
  if (!verifyRsaBare(identityKey, sha1(signed), signature(tokens, certification, "SIGNATURE"))) {
    throw badDocument("a key certificate's signature does not hold");
  }
  checkAddress(items.get("dir-address"));
  const published = itemTime(required(items, "dir-key-published"));
  const expires = itemTime(required(items, "dir-key-expires"));
  if (expires < published) throw badDocument("a key certificate expires before it is published");
  return {
    identity,
    signingKeyId: toHex(rsaId(signingKey)).toUpperCase(),
    signingKey,
    published,
    expires,
    // A copy, so that one certificate does not keep a whole response in memory.
    bytes: tokens.bytes.slice(first.start, tokens.offset),
  };
}

/** "dir-address" is of no use to a client; it must be an IPv4 address and a port. */
function checkAddress(item: Item | undefined): void {
  if (item === undefined) return;
  const match = /^([0-9.]{7,15}):([0-9]{1,5})$/.exec(itemArguments(item, 1)[0] as string);
  if (match === null || parseIpv4(match[1] as string) === undefined || Number(match[2]) > 65535) {
    throw badDocument("a key certificate's address is malformed");
  }
}

function rsaKey(tokens: Tokenizer, item: Item): RsaPublicKey {
  noArguments(item);
  const key = parseRsaPublicKey(tokens.object(item, "RSA PUBLIC KEY"));
  if (key.bits < MIN_KEY_BITS) throw badDocument("a key certificate holds a key that is too short");
  return key;
}

function signature(tokens: Tokenizer, item: Item, ...tags: readonly string[]): Uint8Array {
  noArguments(item);
  return tokens.object(item, ...tags);
}
