// The handshake of TLS 1.2 after ServerHello: ECDHE with an AEAD and nothing else (RFC 5246 7.3, 7.4; RFC 8422; RFC 7627;
// RFC 5746 3.4). Not here: resumption, renegotiation, certificates of ours; no secret outlives one connection, so a server
// without extended_master_secret does no harm (RFC 7627 1).

import { concat } from "../base/bytes.ts";
import { illegalParameter, TlsError } from "./alert.ts";
import { judge, leafOf } from "./certificates.ts";
import { checkFinished, type Dialogue, expectType, handshakeMessage } from "./dialogue.ts";
import type { HandshakeOptions, HandshakeResult } from "./handshake-api.ts";
import { masterSecret, type Randoms, recordKeys, verifyData } from "./key-schedule-12.ts";
import { agreeOn, generateShare, type KeyShare } from "./key-share.ts";
import { checkCertificateRequest, parseCertificates, parseServerKeyExchange } from "./messages-12.ts";
import { Protection12 } from "./protection-12.ts";
import { CIPHER_SUITES_12, type CipherSuite12, Extension, HandshakeType } from "./protocol.ts";
import { chosenGroup, chosenSuite } from "./server-hello.ts";
import { allowOnly, checkServerName, parseAlpn, type ServerHello } from "./server-messages.ts";
import { verifyHandshakeSignature } from "./signature-schemes.ts";

/** What a ServerHello may answer (RFC 5246 7.4.1.4); supported_groups some servers send by mistake, to no effect. */
const ANSWERS = [
  Extension.serverName,
  Extension.supportedGroups,
  Extension.pointFormats,
  Extension.alpn,
  Extension.extendedMasterSecret,
  Extension.renegotiationInfo,
];

/** Where the random stands in a ClientHello: behind its header and version. */
const RANDOM_AT = 6;

export async function handshake12(
  dialogue: Dialogue,
  hello: ServerHello,
  options: HandshakeOptions,
): Promise<HandshakeResult> {
  return new Handshake12(dialogue, hello, options).run();
}

class Handshake12 {
  readonly #dialogue: Dialogue;
  readonly #hello: ServerHello;
  readonly #options: HandshakeOptions;
  readonly #suite: CipherSuite12;
  readonly #clientRandom: Uint8Array;

  constructor(dialogue: Dialogue, hello: ServerHello, options: HandshakeOptions) {
    this.#dialogue = dialogue;
    this.#hello = hello;
    this.#options = options;
    this.#suite = chosenSuite(CIPHER_SUITES_12, hello);
    this.#clientRandom = options.offer.hello.subarray(RANDOM_AT, RANDOM_AT + 32);
  }

  async run(): Promise<HandshakeResult> {
    const applicationProtocol = this.#checkExtensions();
    const certificates = parseCertificates((await this.#dialogue.expect(HandshakeType.certificate)).body);
    const { share, peer } = await this.#keyExchange(certificates);
    const request = await this.#helloDone();
    await judge(this.#options.verify, certificates);
    const shared = await agreeOn(share, peer);
    const protections = await this.#finish(share, shared, request);
    const { suite, group } = { suite: this.#suite, group: share.group };
    return { version: "TLS 1.2", suite, group, applicationProtocol, certificates, ...protections };
  }

  #checkExtensions(): string | undefined {
    const { extensions } = this.#hello;
    const { offer } = this.#options;
    allowOnly(
      extensions.keys(),
      ANSWERS.filter((type) => offer.extensions.includes(type)),
    );
    checkServerName(extensions);
    const renegotiation = extensions.get(Extension.renegotiationInfo);
    // Without it, what an attacker has sent may stand before what we send (RFC 5746 1, 4.1).
    if (renegotiation === undefined || renegotiation.length !== 1 || renegotiation[0] !== 0) {
      throw new TlsError(
        "handshake_failure",
        "ALLIUM_E_TLS_RENEGOTIATION",
        "the server does not have secure renegotiation",
      );
    }
    if ((extensions.get(Extension.extendedMasterSecret)?.length ?? 0) !== 0) {
      throw illegalParameter("an extended_master_secret that is not empty");
    }
    return parseAlpn(extensions, offer.alpn);
  }

  /** Checks the signature over the server's share, and makes ours (RFC 8422 5.4). */
  async #keyExchange(chain: readonly Uint8Array[]): Promise<{ share: KeyShare; peer: Uint8Array }> {
    const leaf = leafOf(chain);
    const { algorithm } = leaf.publicKey;
    if ((algorithm === "rsa") !== (this.#suite.signer === "rsa")) {
      throw illegalParameter(`a key of type ${algorithm} with the cipher suite ${this.#suite.name}`);
    }
    const { body } = await this.#dialogue.expect(HandshakeType.serverKeyExchange);
    const exchange = parseServerKeyExchange(body);
    const { offer, minimumRsaBits } = this.#options;
    const group = chosenGroup(offer, exchange.group);
    const signed = concat(this.#clientRandom, this.#hello.random, exchange.params);
    await verifyHandshakeSignature(leaf, exchange, signed, { version: "TLS 1.2", minimumRsaBits });
    const share = offer.shares.find((made) => made.group === group) ?? (await generateShare(group));
    return { share, peer: exchange.key };
  }

  /** Whether a certificate of ours was asked for. */
  async #helloDone(): Promise<boolean> {
    let message = await this.#dialogue.receive();
    const request = message.type === HandshakeType.certificateRequest;
    if (request) {
      checkCertificateRequest(message.body);
      message = await this.#dialogue.receive();
    }
    expectType(message, HandshakeType.serverHelloDone);
    if (message.body.length > 0) throw illegalParameter("a ServerHelloDone that is not empty");
    this.#dialogue.channel.checkBoundary();
    return request;
  }

  /** ClientKeyExchange to the server's Finished; takes over the shared secret. The keys stay in force. */
  async #finish(share: KeyShare, shared: Uint8Array, request: boolean) {
    const { channel, transcript } = this.#dialogue;
    const { hash } = this.#suite;
    const flight: Uint8Array[] = [];
    // No certificate is ever ours: an empty chain says so (RFC 5246 7.4.6).
    if (request) flight.push(handshakeMessage(HandshakeType.certificate, Uint8Array.of(0, 0, 0)));
    const point = concat(Uint8Array.of(share.publicKey.length), share.publicKey);
    flight.push(handshakeMessage(HandshakeType.clientKeyExchange, point));
    await this.#dialogue.send(...flight);
    const extended = this.#hello.extensions.has(Extension.extendedMasterSecret);
    const session = extended ? transcript.hash(hash) : undefined;
    const randoms = { client: this.#clientRandom, server: this.#hello.random, session };
    const master = masterSecret(hash, shared, randoms);
    shared.fill(0);
    try {
      const { inbound, outbound } = await this.#protections(master, randoms);
      channel.protectOutbound(outbound);
      const mine = verifyData(hash, master, "client", transcript.hash(hash));
      await this.#dialogue.sendNext(handshakeMessage(HandshakeType.finished, mine));
      await channel.receiveChangeCipherSpec();
      channel.protectInbound(inbound);
      const expected = verifyData(hash, master, "server", transcript.hash(hash));
      checkFinished(await this.#dialogue.expect(HandshakeType.finished), expected);
      channel.checkBoundary();
      channel.release();
      return { inbound, outbound };
    } finally {
      master.fill(0);
    }
  }

  async #protections(master: Uint8Array, randoms: Randoms) {
    const keys = recordKeys(this.#suite, master, randoms);
    const { ciphers } = this.#options;
    return {
      outbound: await Protection12.create(this.#suite, keys.client, ciphers),
      inbound: await Protection12.create(this.#suite, keys.server, ciphers),
    };
  }
}
