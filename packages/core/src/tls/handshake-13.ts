// The handshake of TLS 1.3 after ServerHello (RFC 8446 2, 4, appendix A.1).

import { concat } from "../base/bytes.ts";
import { utf8 } from "../base/encoding.ts";
import { illegalParameter, TlsError } from "./alert.ts";
import { judge, leafOf } from "./certificates.ts";
import { checkFinished, type Dialogue, expectType, handshakeMessage } from "./dialogue.ts";
import type { HandshakeOptions, HandshakeResult } from "./handshake-api.ts";
import type { HandshakeMessage } from "./handshake-reader.ts";
import { finishedMac, KeySchedule, type TrafficSecrets } from "./key-schedule.ts";
import { agreeOn } from "./key-share.ts";
import { Protection13 } from "./protection-13.ts";
import {
  CIPHER_SUITES,
  type CipherSuite,
  Extension,
  GROUP_IDS,
  type GroupName,
  HandshakeType,
} from "./protocol.ts";
import { chosenSuite } from "./server-hello.ts";
import {
  allowOnly,
  checkServerName,
  parseAlpn,
  parseCertificateMessage,
  parseCertificateRequest,
  parseEncryptedExtensions,
  parseKeyShare,
  parseSignature,
  type ServerHello,
} from "./server-messages.ts";
import { verifyHandshakeSignature } from "./signature-schemes.ts";

/** What both sides agreed on with ServerHello. */
interface Agreed {
  readonly suite: CipherSuite;
  readonly group: GroupName;
  readonly schedule: KeySchedule;
  readonly secrets: TrafficSecrets;
}

/** What a server's signature covers before the transcript's hash (RFC 8446 4.4.3). */
const SIGNATURE_PREFIX = concat(
  new Uint8Array(64).fill(0x20),
  utf8("TLS 1.3, server CertificateVerify"),
  Uint8Array.of(0),
);

export async function handshake13(
  dialogue: Dialogue,
  hello: ServerHello,
  options: HandshakeOptions,
): Promise<HandshakeResult> {
  return new Handshake13(dialogue, options).run(hello);
}

class Handshake13 {
  readonly #dialogue: Dialogue;
  readonly #options: HandshakeOptions;

  constructor(dialogue: Dialogue, options: HandshakeOptions) {
    this.#dialogue = dialogue;
    this.#options = options;
  }

  async run(hello: ServerHello): Promise<HandshakeResult> {
    const agreed = await this.#agree(hello);
    try {
      await this.#protect(agreed);
      const extensions = await this.#dialogue.expect(HandshakeType.encryptedExtensions);
      const applicationProtocol = this.#checkExtensions(extensions);
      const { request, message } = await this.#afterExtensions();
      const certificates = await this.#authenticate(agreed, message);
      await this.#receiveFinished(agreed);
      const protections = await this.#finish(agreed, request);
      const { suite, group } = agreed;
      return { version: "TLS 1.3", suite, group, applicationProtocol, certificates, ...protections };
    } finally {
      agreed.schedule.destroy();
      agreed.secrets.client.fill(0);
      agreed.secrets.server.fill(0);
    }
  }

  /** Takes the cipher suite and the server's share, and derives the handshake's secrets. */
  async #agree(hello: ServerHello): Promise<Agreed> {
    const suite = chosenSuite(CIPHER_SUITES, hello);
    allowOnly(hello.extensions.keys(), [Extension.supportedVersions, Extension.keyShare]);
    const data = hello.extensions.get(Extension.keyShare);
    if (data === undefined) {
      throw new TlsError("missing_extension", "ALLIUM_E_TLS_PARAMETER", "ServerHello without a key share");
    }
    const peer = parseKeyShare(data);
    const share = this.#options.offer.shares.find(({ group }) => GROUP_IDS[group] === peer.group);
    if (share === undefined) throw illegalParameter(`ServerHello has a key share of the group ${peer.group}`);
    const secret = await agreeOn(share, peer.key);
    const schedule = new KeySchedule(suite.hash);
    const secrets = schedule.handshake(secret, this.#hash(suite));
    secret.fill(0);
    return { suite, group: share.group, schedule, secrets };
  }

  #hash(suite: CipherSuite): Uint8Array {
    return this.#dialogue.transcript.hash(suite.hash);
  }

  /** Puts copies of the handshake's secrets into force; the originals are needed for Finished. */
  async #protect({ suite, secrets }: Agreed): Promise<void> {
    const { channel } = this.#dialogue;
    channel.protectInbound(await this.#protection(suite, secrets.server.slice()));
    channel.protectOutbound(await this.#protection(suite, secrets.client.slice()));
  }

  #protection(suite: CipherSuite, secret: Uint8Array): Promise<Protection13> {
    return Protection13.create(suite, secret, this.#options.ciphers);
  }

  // EncryptedExtensions to Finished

  /** Gives what ALPN settled on. */
  #checkExtensions(message: HandshakeMessage): string | undefined {
    const extensions = parseEncryptedExtensions(message.body);
    const { offer } = this.#options;
    allowOnly(extensions.keys(), offer.extensions);
    for (const type of NOT_ENCRYPTED) {
      if (extensions.has(type)) throw illegalParameter(`EncryptedExtensions with the extension ${type}`);
    }
    checkServerName(extensions);
    return parseAlpn(extensions, offer.alpn);
  }

  /** The Certificate message, and whether one of ours was asked for before it. */
  async #afterExtensions(): Promise<{ request: boolean; message: HandshakeMessage }> {
    const message = await this.#dialogue.receive();
    if (message.type === HandshakeType.certificate) return { request: false, message };
    expectType(message, HandshakeType.certificateRequest);
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
    return { request: true, message: await this.#dialogue.expect(HandshakeType.certificate) };
  }

  /** Checks CertificateVerify with the leaf's key, has the chain judged, and returns it. */
  async #authenticate({ suite }: Agreed, message: HandshakeMessage): Promise<Uint8Array[]> {
    const entries = parseCertificateMessage(message.body);
    // No extension of a hello that asks for one in an entry was offered (RFC 8446 4.4.2).
    for (const entry of entries) allowOnly(entry.extensions.keys(), []);
    const chain = entries.map(({ der }) => der);
    const leaf = leafOf(chain);
    const signed = concat(SIGNATURE_PREFIX, this.#hash(suite));
    const verify = parseSignature((await this.#dialogue.expect(HandshakeType.certificateVerify)).body);
    const { minimumRsaBits } = this.#options;
    await verifyHandshakeSignature(leaf, verify, signed, { version: "TLS 1.3", minimumRsaBits });
    await judge(this.#options.verify, chain);
    return chain;
  }

  async #receiveFinished({ suite, secrets }: Agreed): Promise<void> {
    const expected = finishedMac(suite.hash, secrets.server, this.#hash(suite));
    checkFinished(await this.#dialogue.expect(HandshakeType.finished), expected);
    this.#dialogue.channel.checkBoundary();
  }

  /** Sends the last flight and hands over the application's keys. */
  async #finish({ suite, schedule, secrets }: Agreed, request: boolean) {
    const { transcript } = this.#dialogue;
    const application = schedule.application(this.#hash(suite));
    const flight: Uint8Array[] = [];
    if (request) {
      // No certificate is ever ours: an empty chain says so (RFC 8446 4.4.2).
      flight.push(handshakeMessage(HandshakeType.certificate, Uint8Array.of(0, 0, 0, 0)));
    }
    const mac = finishedMac(suite.hash, secrets.client, transcript.hash(suite.hash, ...flight));
    flight.push(handshakeMessage(HandshakeType.finished, mac));
    await this.#dialogue.sendNext(...flight);
    return {
      inbound: await this.#protection(suite, application.server),
      outbound: await this.#protection(suite, application.client),
    };
  }
}

/** Extensions of ours that a server answers elsewhere, or not at all (RFC 8446 4.2). */
const NOT_ENCRYPTED = [
  Extension.signatureAlgorithms,
  Extension.supportedVersions,
  Extension.keyShare,
  Extension.pointFormats,
  Extension.extendedMasterSecret,
  Extension.renegotiationInfo,
];
