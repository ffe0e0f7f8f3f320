// The ClientHello (RFC 8446 4.1.2) and the key shares behind it (4.2.8).
// A place for TLS 1.2 would be `supported_versions` and the suite list here, and the ServerHello's version in handshake.ts.

import { Writer } from "../base/bytes.ts";
import { utf8 } from "../base/encoding.ts";
import { badApiUsage } from "../base/errors.ts";
import { randomBytes } from "../base/random.ts";
import { generateP256 } from "../crypto/p256.ts";
import { generateX25519 } from "../crypto/x25519.ts";
import {
  CIPHER_SUITES,
  Extension,
  GROUP_IDS,
  type GroupName,
  HandshakeType,
  LEGACY_VERSION,
  TLS13,
} from "./protocol.ts";
import { CERTIFICATE_SCHEMES, VERIFY_SCHEMES } from "./signature-schemes.ts";

/** Our half of an (EC)DHE. */
export interface KeyShare {
  readonly group: GroupName;
  readonly publicKey: Uint8Array;
  /** The shared secret as the key schedule takes it (RFC 8446 7.4). @throws TorError for a bad peer key */
  diffieHellman(peer: Uint8Array): Promise<Uint8Array>;
}

/** What this client offered, and how it answers a HelloRetryRequest. */
export interface ClientOffer {
  /** The first ClientHello, a whole handshake message. */
  readonly hello: Uint8Array;
  /** legacy_session_id; not empty in middlebox compatibility mode (RFC 8446 D.4). */
  readonly sessionId: Uint8Array;
  /** Types of the extensions in the hello: the server may answer these and no other. */
  readonly extensions: readonly number[];
  /** The key share of the last hello made. */
  readonly share: KeyShare;
  /** The second ClientHello, with a share of `group` where given and `cookie` where given. */
  retry(group: GroupName | undefined, cookie: Uint8Array | undefined): Promise<Uint8Array>;
}

/**
 * Only P-256 in the first flight: every relay and nearly every other server takes it, while relays on older libraries
 * refuse X25519, and a second share would cost each handshake a key for nothing. X25519 is for servers that ask for it.
 */
const FIRST_GROUP: GroupName = "P-256";
const GROUPS: readonly GroupName[] = ["P-256", "X25519"];

/** RFC 6066 3: at most a DNS name's length; letters, digits, hyphens and dots (IDNs come as A-labels). */
const HOST_NAME =
  /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*$/;

function generateShare(group: GroupName): Promise<KeyShare> {
  const pair = group === "P-256" ? generateP256() : generateX25519();
  return pair.then((keys) => ({
    group,
    publicKey: keys.publicKey,
    diffieHellman: (peer) => keys.diffieHellman(peer),
  }));
}

/** A fresh offer. `serverName` is a DNS name and goes into SNI; without one there is no SNI. */
export async function createOffer(serverName: string | undefined): Promise<ClientOffer> {
  if (serverName !== undefined && !HOST_NAME.test(serverName)) {
    throw badApiUsage("ALLIUM_E_TLS_SERVER_NAME", "the TLS server name is not a DNS name");
  }
  const random = randomBytes(32);
  const sessionId = randomBytes(32);
  let share = await generateShare(FIRST_GROUP);
  const encode = (cookie?: Uint8Array) => {
    const extensions = encodeExtensions(serverName, share, cookie);
    return { hello: encodeHello(random, sessionId, extensions), types: extensions.map(([type]) => type) };
  };
  const first = encode();
  return {
    hello: first.hello,
    sessionId,
    extensions: first.types,
    get share() {
      return share;
    },
    async retry(group, cookie) {
      if (group !== undefined) share = await generateShare(group);
      return encode(cookie).hello;
    },
  };
}

type EncodedExtension = readonly [type: number, data: Uint8Array];

function encodeHello(
  random: Uint8Array,
  sessionId: Uint8Array,
  extensions: readonly EncodedExtension[],
): Uint8Array {
  const suites = new Writer();
  for (const suite of CIPHER_SUITES) suites.u16(suite.id);
  const list = new Writer(512);
  for (const [type, data] of extensions) list.u16(type).vector(2, data);
  const body = new Writer(512)
    .u16(LEGACY_VERSION)
    .bytes(random)
    .vector(1, sessionId)
    .vector(2, suites.finish())
    .vector(1, Uint8Array.of(0)) // compression: none
    .vector(2, list.finish());
  return new Writer(512).u8(HandshakeType.clientHello).vector(3, body.finish()).finish();
}

function encodeExtensions(
  serverName: string | undefined,
  share: KeyShare,
  cookie: Uint8Array | undefined,
): EncodedExtension[] {
  const list: EncodedExtension[] = [];
  if (serverName !== undefined) {
    const entry = new Writer().u8(0 /* host_name */).vector(2, utf8(serverName)).finish();
    list.push([Extension.serverName, new Writer().vector(2, entry).finish()]);
  }
  list.push([Extension.supportedGroups, u16List(GROUPS.map((group) => GROUP_IDS[group]))]);
  list.push([Extension.signatureAlgorithms, u16List([...VERIFY_SCHEMES, ...CERTIFICATE_SCHEMES])]);
  list.push([Extension.supportedVersions, new Writer().u8(2).u16(TLS13).finish()]);
  if (cookie !== undefined) list.push([Extension.cookie, new Writer().vector(2, cookie).finish()]);
  const entry = new Writer(80).u16(GROUP_IDS[share.group]).vector(2, share.publicKey).finish();
  list.push([Extension.keyShare, new Writer(80).vector(2, entry).finish()]);
  return list;
}

function u16List(values: readonly number[]): Uint8Array {
  const list = new Writer();
  for (const value of values) list.u16(value);
  return new Writer().vector(2, list.finish()).finish();
}
