// ServerHello, after a HelloRetryRequest where the server wants one (RFC 8446 4.1.3, 4.1.4): which version the server chose.

import { equalBytes } from "../base/bytes.ts";
import { fromHex } from "../base/encoding.ts";
import { illegalParameter, oldVersion, TlsError, unexpectedMessage } from "./alert.ts";
import type { ClientOffer } from "./client-hello.ts";
import { type Dialogue, expectType } from "./dialogue.ts";
import type { HandshakeMessage } from "./handshake-reader.ts";
import {
  CIPHER_SUITES,
  type CipherSuite,
  Extension,
  GROUP_IDS,
  type GroupName,
  HandshakeType,
  LEGACY_VERSION,
  TLS13,
  type TlsVersion,
} from "./protocol.ts";
import {
  allowOnly,
  parseCookie,
  parseSelectedGroup,
  parseSelectedVersion,
  parseServerHello,
  type ServerHello,
} from "./server-messages.ts";

/** The random of a ServerHello that is a HelloRetryRequest (RFC 8446 4.1.3). */
const RETRY_RANDOM = fromHex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c");

/** Ends of the randoms of a TLS 1.3 server that was made to speak TLS 1.2, or an older version (RFC 8446 4.1.3). */
const DOWNGRADES = ["444f574e47524401", "444f574e47524400"].map(fromHex);

export interface Greeting {
  readonly version: TlsVersion;
  readonly hello: ServerHello;
}

/** Follows a HelloRetryRequest once. The ServerHello is in the transcript then. */
export async function receiveServerHello(dialogue: Dialogue, offer: ClientOffer): Promise<Greeting> {
  let { message, ...greeting } = await receiveHello(dialogue, offer);
  if (greeting.retry) {
    const { suite } = greeting.hello;
    await answerRetry(dialogue, offer, message, greeting.hello);
    ({ message, ...greeting } = await receiveHello(dialogue, offer));
    if (greeting.retry) throw unexpectedMessage("a second HelloRetryRequest");
    if (greeting.version !== "TLS 1.3" || greeting.hello.suite !== suite) {
      throw illegalParameter("ServerHello names another cipher suite or version than HelloRetryRequest did");
    }
  }
  dialogue.transcript.add(message.raw);
  dialogue.channel.settle(greeting.version);
  return greeting;
}

/** A ServerHello or HelloRetryRequest with what both must have; not yet in the transcript. */
async function receiveHello(
  { channel }: Dialogue,
  offer: ClientOffer,
): Promise<Greeting & { retry: boolean; message: HandshakeMessage }> {
  const message = await channel.receive();
  expectType(message, HandshakeType.serverHello);
  const hello = parseServerHello(message.body);
  const version = versionOf(hello, offer.tls12);
  const retry = equalBytes(hello.random, RETRY_RANDOM);
  const echoed = equalBytes(hello.sessionId, offer.sessionId);
  // What a server of TLS 1.2 echoes it resumes, and there is nothing to resume (RFC 8446 D.4).
  if (version === "TLS 1.3" ? !echoed : echoed || retry || hello.sessionId.length > 32) {
    throw illegalParameter("ServerHello with a session id or a random that it may not have");
  }
  if (hello.compression !== 0) throw illegalParameter("ServerHello names a compression");
  return { version, hello, retry, message };
}

function versionOf(hello: ServerHello, tls12: boolean): TlsVersion {
  const selected = parseSelectedVersion(hello.extensions);
  if (selected === undefined) {
    const end = hello.random.subarray(-8);
    if (DOWNGRADES.some((mark) => equalBytes(end, mark))) {
      throw new TlsError(
        "illegal_parameter",
        "ALLIUM_E_TLS_DOWNGRADE",
        "someone on the way made the server speak an older TLS than it can",
      );
    }
    if (tls12 && hello.version === LEGACY_VERSION) return "TLS 1.2";
    throw oldVersion("protocol_version", "");
  }
  if (selected !== TLS13 || hello.version !== LEGACY_VERSION) {
    throw illegalParameter(`ServerHello selects the version ${selected}, legacy ${hello.version}`);
  }
  return "TLS 1.3";
}

async function answerRetry(
  dialogue: Dialogue,
  offer: ClientOffer,
  message: HandshakeMessage,
  hello: ServerHello,
): Promise<void> {
  dialogue.channel.checkBoundary();
  const suite = chosenSuite(CIPHER_SUITES, hello);
  allowOnly(hello.extensions.keys(), [Extension.supportedVersions, Extension.keyShare, Extension.cookie]);
  const id = parseSelectedGroup(hello.extensions);
  const cookie = parseCookie(hello.extensions);
  if (id === undefined && cookie === undefined) {
    throw illegalParameter("a HelloRetryRequest that changes nothing");
  }
  const group = id === undefined ? undefined : chosenGroup(offer, id);
  if (offer.shares.some((share) => share.group === group)) {
    throw illegalParameter(`HelloRetryRequest asks for the group ${group}, which it had`);
  }
  dialogue.transcript.replaceByHash(suite.hash);
  dialogue.transcript.add(message.raw);
  await dialogue.sendNext(await offer.retry(group, cookie));
}

export function chosenSuite<Suite extends CipherSuite>(suites: readonly Suite[], hello: ServerHello): Suite {
  const suite = suites.find(({ id }) => id === hello.suite);
  if (suite === undefined) throw illegalParameter(`the server chose the cipher suite ${hello.suite}`);
  return suite;
}

export function chosenGroup(offer: ClientOffer, id: number): GroupName {
  const group = offer.groups.find((name) => GROUP_IDS[name] === id);
  if (group === undefined) throw illegalParameter(`the server chose the group ${id}`);
  return group;
}
