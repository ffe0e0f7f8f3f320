// The ClientHello (RFC 8446 4.1.2), in two forms of which neither varies from user to user: one for relays, with TLS 1.3
// alone, and one for web servers, with TLS 1.2 and ALPN.

import { parseIpv4, parseIpv6 } from "../base/address.ts";
import { Writer } from "../base/bytes.ts";
import { utf8 } from "../base/encoding.ts";
import { badApiUsage } from "../base/errors.ts";
import { randomBytes } from "../base/random.ts";
import type { TlsVersions } from "./api.ts";
import { generateShare, type KeyShare } from "./key-share.ts";
import {
  CIPHER_SUITES,
  CIPHER_SUITES_12,
  type CipherSuite,
  Extension,
  GROUP_IDS,
  type GroupName,
  HandshakeType,
  LEGACY_VERSION,
  TLS13,
} from "./protocol.ts";
import { OFFERED_SCHEMES } from "./signature-schemes.ts";

/** What this client offered, and how it answers a HelloRetryRequest. */
export interface ClientOffer {
  /** The first ClientHello, a whole handshake message. */
  readonly hello: Uint8Array;
  /** legacy_session_id; not empty in middlebox compatibility mode (RFC 8446 D.4). */
  readonly sessionId: Uint8Array;
  /** Types of the extensions in the hello: the server may answer these and no other. */
  readonly extensions: readonly number[];
  readonly groups: readonly GroupName[];
  /** Protocols of ALPN; empty where none are offered. */
  readonly alpn: readonly string[];
  /** Whether TLS 1.2 will do. */
  readonly tls12: boolean;
  /** The key shares of the last hello made. */
  readonly shares: readonly KeyShare[];
  /** The second ClientHello, with a share of `group` alone where given and `cookie` where given. */
  retry(group: GroupName | undefined, cookie: Uint8Array | undefined): Promise<Uint8Array>;
}

export interface OfferOptions {
  /** A DNS name, which goes into SNI, or an IP literal, which may not (RFC 6066 3). */
  readonly serverName?: string | undefined;
  readonly versions?: TlsVersions | undefined;
  readonly alpn?: readonly string[] | undefined;
}

interface Form {
  readonly suites: readonly CipherSuite[];
  readonly versions: readonly number[];
  readonly groups: readonly GroupName[];
  /** Those of which the first flight has a share. */
  readonly shares: readonly GroupName[];
}

const FORMS: Readonly<Record<TlsVersions, Form>> = {
  /**
   * Only P-256 in the first flight: every relay takes it, while relays on older libraries refuse X25519, and a second
   * share would cost each handshake a key for nothing. X25519 is for relays that ask for it.
   */
  "1.3": { suites: CIPHER_SUITES, versions: [TLS13], groups: ["P-256", "X25519"], shares: ["P-256"] },
  /** Two shares, as browsers send: another round trip through Tor costs more than a key. */
  "1.2 and 1.3": {
    suites: [...CIPHER_SUITES, ...CIPHER_SUITES_12],
    versions: [TLS13, LEGACY_VERSION],
    groups: ["X25519", "P-256", "P-384"],
    shares: ["X25519", "P-256"],
  },
};

/** RFC 6066 3: at most a DNS name's length; letters, digits, hyphens and dots (IDNs come as A-labels). */
const HOST_NAME =
  /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*$/;

/** The name that SNI may carry: without the dot of the root, and none of an IP address. */
function sniOf(serverName: string | undefined): string | undefined {
  if (serverName === undefined || parseIpv4(serverName) || parseIpv6(serverName)) return undefined;
  const name = serverName.replace(/\.$/, "");
  if (!HOST_NAME.test(name)) {
    throw badApiUsage("ALLIUM_E_TLS_SERVER_NAME", "the TLS server name is not a DNS name");
  }
  return name;
}

/** A fresh offer. */
export async function createOffer(options: OfferOptions): Promise<ClientOffer> {
  const { alpn = [], versions = "1.3" } = options;
  const form = FORMS[versions];
  const serverName = sniOf(options.serverName);
  const random = randomBytes(32);
  const sessionId = randomBytes(32);
  let shares = await Promise.all(form.shares.map(generateShare));
  const encode = (cookie?: Uint8Array) => {
    const extensions = encodeExtensions(form, { serverName, alpn, shares, cookie });
    const hello = encodeHello(form, random, sessionId, extensions);
    return { hello, extensions: extensions.map(([type]) => type) };
  };
  return {
    ...encode(),
    sessionId,
    groups: form.groups,
    alpn,
    tls12: versions !== "1.3",
    get shares() {
      return shares;
    },
    async retry(group, cookie) {
      if (group !== undefined) shares = [await generateShare(group)];
      return encode(cookie).hello;
    },
  };
}

type EncodedExtension = readonly [type: number, data: Uint8Array];

function encodeHello(
  form: Form,
  random: Uint8Array,
  sessionId: Uint8Array,
  extensions: readonly EncodedExtension[],
): Uint8Array {
  const list = new Writer(512);
  for (const [type, data] of extensions) list.u16(type).vector(2, data);
  const body = new Writer(512)
    .u16(LEGACY_VERSION)
    .bytes(random)
    .vector(1, sessionId)
    .vector(2, u16s(form.suites.map(({ id }) => id)))
    .vector(1, Uint8Array.of(0)) // compression: none
    .vector(2, list.finish());
  return new Writer(512).u8(HandshakeType.clientHello).vector(3, body.finish()).finish();
}

interface Contents {
  readonly serverName: string | undefined;
  readonly alpn: readonly string[];
  readonly shares: readonly KeyShare[];
  readonly cookie: Uint8Array | undefined;
}

function encodeExtensions(form: Form, { serverName, alpn, shares, cookie }: Contents): EncodedExtension[] {
  const list: EncodedExtension[] = [];
  const listed = (type: number, data: Uint8Array) => list.push([type, new Writer().vector(2, data).finish()]);
  const tls12 = form.versions.includes(LEGACY_VERSION);
  if (serverName !== undefined) {
    listed(Extension.serverName, new Writer().u8(0 /* host_name */).vector(2, utf8(serverName)).finish());
  }
  if (tls12) {
    list.push([Extension.extendedMasterSecret, new Uint8Array(0)]);
    list.push([Extension.renegotiationInfo, Uint8Array.of(0)]);
  }
  listed(Extension.supportedGroups, u16s(form.groups.map((group) => GROUP_IDS[group])));
  if (tls12) list.push([Extension.pointFormats, Uint8Array.of(1, 0 /* uncompressed */)]);
  if (alpn.length > 0) {
    const names = new Writer();
    for (const name of alpn) names.vector(1, utf8(name));
    listed(Extension.alpn, names.finish());
  }
  listed(Extension.signatureAlgorithms, u16s(OFFERED_SCHEMES));
  list.push([Extension.supportedVersions, new Writer().vector(1, u16s(form.versions)).finish()]);
  if (cookie !== undefined) listed(Extension.cookie, cookie);
  const entries = new Writer(256);
  for (const share of shares) entries.u16(GROUP_IDS[share.group]).vector(2, share.publicKey);
  listed(Extension.keyShare, entries.finish());
  return list;
}

function u16s(values: readonly number[]): Uint8Array {
  const list = new Writer();
  for (const value of values) list.u16(value);
  return list.finish();
}
