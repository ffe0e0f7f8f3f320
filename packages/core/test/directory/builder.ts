// Authorities of our own and the documents that they sign, so that every rule about them can be broken.

import { constants, createHash, generateKeyPairSync, type KeyObject, privateEncrypt } from "node:crypto";
import { utf8 } from "../../src/base/encoding.ts";
import type { NetworkConfig } from "../../src/directory/api.ts";

export const HOUR = 3600_000;
/** The time at which the documents here are valid: half an hour into the first interval. */
export const NOW = Date.UTC(2026, 7, 1, 12, 30, 0);

export interface KeyPair {
  readonly privateKey: KeyObject;
  /** PKCS#1 DER. */
  readonly der: Uint8Array;
  readonly pem: string;
  /** SHA-1 of the DER, 40 upper-case hex digits. */
  readonly id: string;
}

export function rsaKey(bits = 1024): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: bits });
  const der = new Uint8Array(publicKey.export({ type: "pkcs1", format: "der" }));
  const pem = publicKey.export({ type: "pkcs1", format: "pem" }) as string;
  return { privateKey, der, pem, id: hash("sha1", der).toString("hex").toUpperCase() };
}

function hash(algorithm: string, data: Uint8Array | string): Buffer {
  return createHash(algorithm).update(data).digest();
}

/** A PKCS#1 v1.5 signature of a bare digest as a PEM object. */
export function signatureObject(key: KeyPair, digest: Uint8Array, tag = "SIGNATURE"): string {
  const signature = privateEncrypt({ key: key.privateKey, padding: constants.RSA_PKCS1_PADDING }, digest);
  return pemObject(tag, signature);
}

export function pemObject(tag: string, bytes: Uint8Array): string {
  const lines = Buffer.from(bytes)
    .toString("base64")
    .replace(/(.{64})(?=.)/g, "$1\n");
  return `-----BEGIN ${tag}-----\n${lines}\n-----END ${tag}-----\n`;
}

/** `YYYY-MM-DD HH:MM:SS`. */
export function time(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replace("T", " ");
}

export interface CertificateOptions {
  readonly published?: number;
  readonly expires?: number;
  readonly fingerprint?: string;
  /** Signs the identity key's digest in place of the signing key. */
  readonly crossSigner?: KeyPair;
  /** Signs the certificate in place of the identity key. */
  readonly signer?: KeyPair;
  readonly extra?: string;
  readonly crossTag?: string;
}

export class TestAuthority {
  readonly nickname: string;
  readonly identity: KeyPair;
  readonly signing: KeyPair;

  constructor(nickname: string, identity = rsaKey(), signing = rsaKey()) {
    this.nickname = nickname;
    this.identity = identity;
    this.signing = signing;
  }

  certificate(options: CertificateOptions = {}): string {
    const { identity, signing } = this;
    const cross = hash("sha1", identity.der);
    const signed = [
      "dir-key-certificate-version 3\n",
      `fingerprint ${options.fingerprint ?? identity.id}\n`,
      `dir-key-published ${time(options.published ?? NOW - 24 * HOUR)}\n`,
      `dir-key-expires ${time(options.expires ?? NOW + 90 * 24 * HOUR)}\n`,
      `dir-identity-key\n${identity.pem}`,
      `dir-signing-key\n${signing.pem}`,
      `dir-key-crosscert\n${signatureObject(options.crossSigner ?? signing, cross, options.crossTag ?? "ID SIGNATURE")}`,
      options.extra ?? "",
      "dir-key-certification\n",
    ].join("");
    return signed + signatureObject(options.signer ?? identity, hash("sha1", signed));
  }

  /** One directory-signature item over a consensus's unsigned text. */
  sign(text: string, options: SignatureOptions = {}): string {
    const digest = hash(options.algorithm ?? "sha256", `${options.over ?? text}directory-signature `);
    const name = options.algorithm === "sha1" ? "" : `${options.name ?? "sha256"} `;
    const identity = options.identity ?? this.identity.id;
    const key = options.key ?? this.signing;
    return `directory-signature ${name}${identity} ${key.id}\n${signatureObject(key, digest)}`;
  }
}

export interface SignatureOptions {
  readonly algorithm?: "sha1" | "sha256";
  readonly name?: string;
  readonly identity?: string;
  readonly key?: KeyPair;
  /** Another text to sign. */
  readonly over?: string;
}

export function networkOf(authorities: readonly TestAuthority[]): NetworkConfig {
  return {
    authorities: authorities.map(({ nickname, identity }) => ({ nickname, v3ident: identity.id })),
    fallbacks: [],
    allowPrivateAddresses: true,
  };
}

export interface TestRelay {
  readonly nickname: string;
  readonly rsaId: Uint8Array;
  readonly microdescriptor: string;
  readonly flags?: string;
  readonly w?: string;
}

/** A deterministic relay with its microdescriptor; `revision` changes the latter. */
export function testRelay(number: number, revision = 0, extra = "p accept 80,443\n"): TestRelay {
  const ed = hash("sha256", `ed ${number}`).toString("base64").replace(/=+$/, "");
  const ntor = hash("sha256", `ntor ${number} ${revision}`).toString("base64").replace(/=+$/, "");
  return {
    nickname: `relay${number}`,
    rsaId: Uint8Array.of(number >> 8, number & 255, ...hash("sha1", `rsa ${number}`).subarray(0, 18)),
    microdescriptor: `onion-key\nntor-onion-key ${ntor}\n${extra}id ed25519 ${ed}\n`,
  };
}

export function digestOf(microdescriptor: string): string {
  return hash("sha256", microdescriptor).toString("base64").replace(/=+$/, "");
}

export function routerEntry(relay: TestRelay): string {
  const id = Buffer.from(relay.rsaId).toString("base64").replace(/=+$/, "");
  const [high, low] = relay.rsaId;
  return [
    `r ${relay.nickname} ${id} 2038-01-01 00:00:00 10.1.${high}.${low} 9001 0\n`,
    `m ${digestOf(relay.microdescriptor)}\n`,
    `s ${relay.flags ?? "Exit Fast Guard Running Stable V2Dir Valid"}\n`,
    "v Tor 0.4.9.11\n",
    "pr Cons=1-2 Desc=1-4 FlowCtrl=1-2 Link=3-5 Relay=2-6\n",
    `w ${relay.w ?? "Bandwidth=1000"}\n`,
  ].join("");
}

export interface ConsensusOptions {
  readonly validAfter?: number;
  readonly freshUntil?: number;
  readonly validUntil?: number;
  readonly relays?: readonly TestRelay[];
  readonly params?: string;
  readonly required?: string;
  readonly header?: string;
}

/** A consensus up to, and without, its signatures. */
export function unsignedConsensus(options: ConsensusOptions = {}): string {
  const validAfter = options.validAfter ?? NOW - HOUR / 2;
  return [
    "network-status-version 3 microdesc\n",
    "vote-status consensus\n",
    "consensus-method 35\n",
    `valid-after ${time(validAfter)}\n`,
    `fresh-until ${time(options.freshUntil ?? validAfter + HOUR)}\n`,
    `valid-until ${time(options.validUntil ?? validAfter + 3 * HOUR)}\n`,
    "voting-delay 300 300\n",
    "known-flags Authority BadExit Exit Fast Guard HSDir MiddleOnly NoEdConsensus Running Stable V2Dir Valid\n",
    `required-client-protocols ${options.required ?? "Cons=2 Desc=2 FlowCtrl=1 Link=4 Microdesc=2 Relay=2"}\n`,
    `params ${options.params ?? "circwindow=1000 cc_alg=2"}\n`,
    options.header ?? "",
    ...(options.relays ?? []).map(routerEntry),
    "directory-footer\n",
    "bandwidth-weights Wbd=3333 Wee=10000 Wgg=10000\n",
  ].join("");
}

/** A consensus signed by all of `signers`. */
export function signedConsensus(
  signers: readonly TestAuthority[],
  options: ConsensusOptions = {},
): Uint8Array {
  const text = unsignedConsensus(options);
  return utf8(text + signers.map((signer) => signer.sign(text)).join(""));
}
