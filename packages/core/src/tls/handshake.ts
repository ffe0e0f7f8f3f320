// The client's side of the TLS 1.3 handshake (RFC 8446 2, 4, appendix A.1), from ClientHello to Finished.
// Not here: whom the certificate names and who vouches for it. Only that the peer holds the leaf's key is proved.

import { concat, equalBytes, Writer } from "../base/bytes.ts";
import { fromHex, utf8 } from "../base/encoding.ts";
import { toTorError } from "../base/errors.ts";
import type { Ciphers } from "../base/ports.ts";
import { illegalParameter, TlsError, unexpectedMessage } from "./alert.ts";
import type { ClientOffer } from "./client-hello.ts";
import type { HandshakeChannel } from "./handshake-channel.ts";
import type { HandshakeMessage } from "./handshake-reader.ts";
import { finishedMac, KeySchedule, type TrafficSecrets } from "./key-schedule.ts";
import {
  CIPHER_SUITES,
  type CipherSuite,
  Extension,
  GROUP_IDS,
  type GroupName,
  groupName,
  HandshakeType,
  LEGACY_VERSION,
  TLS13,
} from "./protocol.ts";
import { RecordProtection } from "./record-protection.ts";
import {
  parseCertificateMessage,
  parseCertificateRequest,
  parseCertificateVerify,
  parseCookie,
  parseEncryptedExtensions,
  parseKeyShare,
  parseSelectedGroup,
  parseSelectedVersion,
  parseServerHello,
  type ServerHello,
} from "./server-messages.ts";
import { verifyTranscriptSignature } from "./signature-schemes.ts";
import { Transcript } from "./transcript.ts";
import { type Certificate, parseCertificate } from "./x509/certificate.ts";

/** The random of a ServerHello that is a HelloRetryRequest (RFC 8446 4.1.3). */
const RETRY_RANDOM = fromHex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c");

/** Ends of the randoms of a TLS 1.3 server that was made to speak TLS 1.2, or an older version (RFC 8446 4.1.3). */
const DOWNGRADE_12 = fromHex("444f574e47524401");
const DOWNGRADE_11 = fromHex("444f574e47524400");

export interface HandshakeOptions {
  readonly offer: ClientOffer;
  readonly ciphers?: Ciphers | undefined;
  /** Shortest RSA key that may sign the handshake, in bits. */
  readonly minimumRsaBits: number;
}

export interface HandshakeResult {
  readonly suite: CipherSuite;
  readonly group: GroupName;
  /** As the server sent them, in DER; the first is the one whose key signed the handshake. */
  readonly certificates: readonly Uint8Array[];
  readonly inbound: RecordProtection;
  readonly outbound: RecordProtection;
}

/** What both sides agreed on with ServerHello. */
interface Agreed {
  readonly suite: CipherSuite;
  readonly schedule: KeySchedule;
  readonly secrets: TrafficSecrets;
}

/** Runs one handshake. The channel is the caller's: it sends the alert of a failure and destroys the keys. */
export async function runHandshake(
  channel: HandshakeChannel,
  options: HandshakeOptions,
): Promise<HandshakeResult> {
  return new Handshake(channel, options).run();
}

class Handshake {
  readonly #channel: HandshakeChannel;
  readonly #offer: ClientOffer;
  readonly #minimumRsaBits: number;
  readonly #ciphers: Ciphers | undefined;
  readonly #transcript = new Transcript();
  #changedCipherSpec: boolean;

  constructor(channel: HandshakeChannel, options: HandshakeOptions) {
    this.#channel = channel;
    this.#offer = options.offer;
    this.#minimumRsaBits = options.minimumRsaBits;
    this.#ciphers = options.ciphers;
    // Outside of compatibility mode none is sent (RFC 8446 D.4).
    this.#changedCipherSpec = options.offer.sessionId.length === 0;
  }

  async run(): Promise<HandshakeResult> {
    await this.#send(this.#offer.hello);
    const agreed = await this.#agree(await this.#receiveServerHello());
    try {
      await this.#protect(agreed);
      this.#checkExtensions(await this.#expect(HandshakeType.encryptedExtensions));
      const { request, message } = await this.#afterExtensions();
      const certificates = await this.#authenticate(agreed, message);
      await this.#receiveFinished(agreed);
      return await this.#finish(agreed, request, certificates);
    } finally {
      agreed.schedule.destroy();
      agreed.secrets.client.fill(0);
      agreed.secrets.server.fill(0);
    }
  }

  // ServerHello and HelloRetryRequest

  async #receiveServerHello(): Promise<ServerHello> {
    const first = await this.#serverHello();
    if (!equalBytes(first.hello.random, RETRY_RANDOM)) {
      this.#transcript.add(first.message.raw);
      return first.hello;
    }
    await this.#retry(first.message, first.hello);
    const second = await this.#serverHello();
    if (equalBytes(second.hello.random, RETRY_RANDOM)) throw unexpectedMessage("a second HelloRetryRequest");
    if (second.hello.suite !== first.hello.suite) {
      throw illegalParameter("ServerHello names another cipher suite than HelloRetryRequest did");
    }
    this.#transcript.add(second.message.raw);
    return second.hello;
  }

  /** A ServerHello or HelloRetryRequest with what both must have; not yet in the transcript. */
  async #serverHello(): Promise<{ message: HandshakeMessage; hello: ServerHello }> {
    const message = await this.#channel.receive();
    if (message.type !== HandshakeType.serverHello) {
      throw unexpectedMessage(`a handshake message of type ${message.type} in place of ServerHello`);
    }
    const hello = parseServerHello(message.body);
    checkVersion(hello);
    if (!equalBytes(hello.sessionId, this.#offer.sessionId)) {
      throw illegalParameter("ServerHello does not echo the session id");
    }
    if (hello.compression !== 0) throw illegalParameter("ServerHello names a compression");
    return { message, hello };
  }

  async #retry(message: HandshakeMessage, hello: ServerHello): Promise<void> {
    this.#channel.checkBoundary();
    const suite = suiteOf(hello);
    allowOnly(hello.extensions.keys(), [Extension.supportedVersions, Extension.keyShare, Extension.cookie]);
    const id = parseSelectedGroup(hello.extensions);
    const cookie = parseCookie(hello.extensions);
    if (id === undefined && cookie === undefined) {
      throw illegalParameter("a HelloRetryRequest that changes nothing");
    }
    const group = id === undefined ? undefined : groupName(id);
    if (id !== undefined && (group === undefined || group === this.#offer.share.group)) {
      throw illegalParameter(`HelloRetryRequest asks for the group ${id}`);
    }
    this.#transcript.replaceByHash(suite.hash);
    this.#transcript.add(message.raw);
    await this.#send(await this.#offer.retry(group, cookie), true);
  }

  /** Takes the cipher suite and the server's share, and derives the handshake's secrets. */
  async #agree(hello: ServerHello): Promise<Agreed> {
    const suite = suiteOf(hello);
    allowOnly(hello.extensions.keys(), [Extension.supportedVersions, Extension.keyShare]);
    const data = hello.extensions.get(Extension.keyShare);
    if (data === undefined) {
      throw new TlsError("missing_extension", "ALLIUM_E_TLS_PARAMETER", "ServerHello without a key share");
    }
    const peer = parseKeyShare(data);
    const share = this.#offer.share;
    if (peer.group !== GROUP_IDS[share.group]) {
      throw illegalParameter(`ServerHello has a key share of the group ${peer.group}`);
    }
    let secret: Uint8Array;
    try {
      secret = await share.diffieHellman(peer.key);
    } catch (cause) {
      throw new TlsError(
        "illegal_parameter",
        "ALLIUM_E_TLS_KEY_SHARE",
        "the server's key share is bad",
        cause,
      );
    }
    const schedule = new KeySchedule(suite.hash);
    const secrets = schedule.handshake(secret, this.#transcript.hash(suite.hash));
    secret.fill(0);
    return { suite, schedule, secrets };
  }

  /** Puts copies of the handshake's secrets into force; the originals are needed for Finished. */
  async #protect({ suite, secrets }: Agreed): Promise<void> {
    this.#channel.protectInbound(await this.#protection(suite, secrets.server.slice()));
    this.#channel.protectOutbound(await this.#protection(suite, secrets.client.slice()));
  }

  #protection(suite: CipherSuite, secret: Uint8Array): Promise<RecordProtection> {
    return RecordProtection.create(suite, secret, this.#ciphers);
  }

  // EncryptedExtensions to Finished

  #checkExtensions(message: HandshakeMessage): void {
    const extensions = parseEncryptedExtensions(message.body);
    allowOnly(extensions.keys(), this.#offer.extensions);
    for (const type of [Extension.signatureAlgorithms, Extension.supportedVersions, Extension.keyShare]) {
      if (extensions.has(type)) throw illegalParameter(`EncryptedExtensions with the extension ${type}`);
    }
    // The server says only that it used the name (RFC 6066 3).
    if ((extensions.get(Extension.serverName)?.length ?? 0) !== 0) {
      throw illegalParameter("a server_name that is not empty");
    }
  }

  /** The Certificate message, and whether one of ours was asked for before it. */
  async #afterExtensions(): Promise<{ request: boolean; message: HandshakeMessage }> {
    const message = await this.#receive();
    if (message.type === HandshakeType.certificate) return { request: false, message };
    if (message.type !== HandshakeType.certificateRequest) {
      throw unexpectedMessage(`a handshake message of type ${message.type} in place of Certificate`);
    }
    const request = parseCertificateRequest(message.body);
    // Both from RFC 8446 4.3.2.
    if (request.context.length !== 0) throw illegalParameter("a CertificateRequest with a context");
    if (!request.extensions.has(Extension.signatureAlgorithms)) {
      throw new TlsError(
        "missing_extension",
        "ALLIUM_E_TLS_PARAMETER",
        "a CertificateRequest without signature algorithms",
      );
    }
    return { request: true, message: await this.#expect(HandshakeType.certificate) };
  }

  /** Checks CertificateVerify with the leaf's key, and returns the chain. */
  async #authenticate({ suite }: Agreed, message: HandshakeMessage): Promise<Uint8Array[]> {
    const entries = parseCertificateMessage(message.body);
    const leaf = entries[0];
    if (leaf === undefined) {
      throw new TlsError("decode_error", "ALLIUM_E_TLS_CERTIFICATE", "the server sent no certificate");
    }
    // No extension of a hello that asks for one in an entry was offered (RFC 8446 4.4.2).
    for (const entry of entries) allowOnly(entry.extensions.keys(), []);
    const certificate = readLeaf(leaf.der);
    const transcriptHash = this.#transcript.hash(suite.hash);
    const verify = parseCertificateVerify((await this.#expect(HandshakeType.certificateVerify)).body);
    const signed = concat(SIGNATURE_PREFIX, transcriptHash);
    await verifyTranscriptSignature(certificate, verify, signed, this.#minimumRsaBits);
    return entries.map((entry) => entry.der);
  }

  async #receiveFinished({ suite, secrets }: Agreed): Promise<void> {
    const expected = finishedMac(suite.hash, secrets.server, this.#transcript.hash(suite.hash));
    const finished = await this.#expect(HandshakeType.finished);
    if (!equalBytes(finished.body, expected)) {
      throw new TlsError("decrypt_error", "ALLIUM_E_TLS_FINISHED", "the server's Finished is wrong");
    }
    this.#channel.checkBoundary();
  }

  /** Sends the last flight and hands over the application's keys. */
  async #finish(agreed: Agreed, request: boolean, certificates: Uint8Array[]): Promise<HandshakeResult> {
    const { suite, schedule, secrets } = agreed;
    const application = schedule.application(this.#transcript.hash(suite.hash));
    const flight: Uint8Array[] = [];
    if (request) {
      // No certificate is ever ours: an empty chain says so (RFC 8446 4.4.2).
      const empty = handshakeMessage(HandshakeType.certificate, Uint8Array.of(0, 0, 0, 0));
      this.#transcript.add(empty);
      flight.push(empty);
    }
    const mac = finishedMac(suite.hash, secrets.client, this.#transcript.hash(suite.hash));
    flight.push(handshakeMessage(HandshakeType.finished, mac));
    await this.#channel.send(flight, this.#takeChangeCipherSpec());
    return {
      suite,
      group: this.#offer.share.group,
      certificates,
      inbound: await this.#protection(suite, application.server),
      outbound: await this.#protection(suite, application.client),
    };
  }

  // Messages in and out, by way of the transcript

  async #send(message: Uint8Array, secondFlight = false): Promise<void> {
    this.#transcript.add(message);
    await this.#channel.send([message], secondFlight && this.#takeChangeCipherSpec());
  }

  /** True once: before our second flight, whichever it is (RFC 8446 D.4). */
  #takeChangeCipherSpec(): boolean {
    const first = !this.#changedCipherSpec;
    this.#changedCipherSpec = true;
    return first;
  }

  async #receive(): Promise<HandshakeMessage> {
    const message = await this.#channel.receive();
    this.#transcript.add(message.raw);
    return message;
  }

  async #expect(type: number): Promise<HandshakeMessage> {
    const message = await this.#receive();
    if (message.type !== type) {
      throw unexpectedMessage(`a handshake message of type ${message.type} where ${type} must come`);
    }
    return message;
  }
}

/** What a server's signature covers before the transcript's hash (RFC 8446 4.4.3). */
const SIGNATURE_PREFIX = concat(
  new Uint8Array(64).fill(0x20),
  utf8("TLS 1.3, server CertificateVerify"),
  Uint8Array.of(0),
);

function handshakeMessage(type: number, body: Uint8Array): Uint8Array {
  return new Writer().u8(type).vector(3, body).finish();
}

/** A server of TLS 1.2 or before stops here: a place for it is where this throws (a later version of Allium). */
function checkVersion(hello: ServerHello): void {
  const selected = parseSelectedVersion(hello.extensions);
  if (selected === undefined) {
    const end = hello.random.subarray(-8);
    if (equalBytes(end, DOWNGRADE_12) || equalBytes(end, DOWNGRADE_11)) {
      throw new TlsError(
        "illegal_parameter",
        "ALLIUM_E_TLS_DOWNGRADE",
        "someone on the way made the server speak an older TLS than it can",
      );
    }
    throw new TlsError("protocol_version", "ALLIUM_E_TLS_VERSION", "the server does not speak TLS 1.3");
  }
  if (selected !== TLS13 || hello.version !== LEGACY_VERSION) {
    throw illegalParameter(`ServerHello selects the version ${selected}, legacy ${hello.version}`);
  }
}

function suiteOf(hello: ServerHello): CipherSuite {
  const suite = CIPHER_SUITES.find(({ id }) => id === hello.suite);
  if (suite === undefined) throw illegalParameter(`the server chose the cipher suite ${hello.suite}`);
  return suite;
}

function allowOnly(types: Iterable<number>, allowed: readonly number[]): void {
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

function readLeaf(der: Uint8Array): Certificate {
  try {
    return parseCertificate(der);
  } catch (error) {
    const { code, message } = toTorError(error);
    throw new TlsError("bad_certificate", code, message, error);
  }
}
