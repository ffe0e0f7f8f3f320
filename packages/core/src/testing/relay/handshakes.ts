// The relay's side of ntor (tor-spec 5.1.4) and ntor-v3 (proposal 332), and how a relay answers circuit extensions (C tor's
// negotiate_v3_ntor_server_circ_params), for test relays. They throw on what C tor's relays refuse.
// Not here: CREATE_FAST, cells.

import { concat, equalBytes, Reader } from "../../base/bytes.ts";
import {
  ccResponse,
  decodeExtensions,
  decodeSubprotocolRequest,
  type Extension,
  encodeExtensions,
  findExtension,
  RequestExtension,
} from "../../circuit/handshake/extensions.ts";
import type { NegotiatedHop } from "../../circuit/handshake/negotiation.ts";
import { ntorSecrets } from "../../circuit/handshake/ntor.ts";
import {
  CIRCUIT_VERIFICATION,
  NTOR_V3_LENGTH,
  type NtorV3Options,
  ntorV3MessageKeys,
  ntorV3Secrets,
} from "../../circuit/handshake/ntor-v3.ts";
import { generateX25519, type X25519KeyPair } from "../../crypto/x25519.ts";

/** A relay's identities, and both halves of its onion key. */
export interface RelayKeys {
  readonly rsaId: Uint8Array;
  readonly ed25519Id: Uint8Array;
  readonly onionKey: X25519KeyPair;
}

export interface RelayAnswer {
  /** HDATA of CREATED2 and EXTENDED2. */
  readonly reply: Uint8Array;
  readonly keyMaterial: Uint8Array;
}

/** The answer to an ntor onionskin. It need not be for this relay: an impostor would answer too. */
export async function answerNtor(
  relay: RelayKeys,
  onionskin: Uint8Array,
  length: number,
  ephemeral?: X25519KeyPair,
): Promise<RelayAnswer> {
  const reader = new Reader(onionskin);
  const id = reader.take(20);
  const B = reader.take(32);
  const X = reader.take(32);
  const y = ephemeral ?? (await generateX25519());
  const [xy, xb] = await Promise.all([y.diffieHellman(X), relay.onionKey.diffieHellman(X)]);
  const secrets = ntorSecrets({ xy, xb }, id, { B, X, Y: y.publicKey });
  return { reply: concat(y.publicKey, secrets.auth), keyMaterial: secrets.keyMaterial(length) };
}

/** What a relay says to the client's message; `length` is that of the key material. */
export interface RelayResponse {
  readonly message: Uint8Array;
  readonly length: number;
}

/** The answer to an ntor-v3 onionskin. @throws Error when it is for another relay, or its MAC is wrong */
export async function answerNtorV3(
  relay: RelayKeys,
  onionskin: Uint8Array,
  respond: (clientMessage: Uint8Array) => RelayResponse,
  options: NtorV3Options = {},
): Promise<RelayAnswer> {
  const { ed25519Id: id, onionKey } = relay;
  const B = onionKey.publicKey;
  const reader = new Reader(onionskin);
  if (!equalBytes(reader.take(NTOR_V3_LENGTH), id)) throw new Error("an ntor-v3 onionskin for another relay");
  if (!equalBytes(reader.take(NTOR_V3_LENGTH), B)) throw new Error("an ntor-v3 onionskin for another key");
  const X = reader.take(NTOR_V3_LENGTH);
  const encrypted = reader.take(reader.remaining - NTOR_V3_LENGTH);
  const mac = reader.take(NTOR_V3_LENGTH);
  const seen = { id, B, X, verification: options.verification ?? CIRCUIT_VERIFICATION };

  const xb = await onionKey.diffieHellman(X);
  const messageKeys = ntorV3MessageKeys(xb, seen);
  if (!equalBytes(messageKeys.mac(encrypted), mac)) throw new Error("an ntor-v3 onionskin with a wrong MAC");
  const { message, length } = respond(messageKeys.crypt(encrypted));

  const y = options.ephemeral ?? (await generateX25519());
  const secrets = ntorV3Secrets({ xy: await y.diffieHellman(X), xb }, seen, y.publicKey);
  const keys = secrets.keys(message, length);
  return {
    reply: concat(y.publicKey, secrets.auth(mac, keys.message), keys.message),
    keyMaterial: keys.keyMaterial,
  };
}

/** A relay's view of the network, as far as it matters to extensions. */
export interface RelayPolicy {
  /** Undefined where its consensus has cc_alg=0. */
  readonly congestionControl: { readonly sendmeInc: number } | undefined;
}

/**
 * What a relay answers to the client's extensions, and what it does from then on.
 * @throws Error when it must refuse: an unknown subprotocol, or Counter Galois Onion without congestion control
 */
export function answerExtensions(
  clientMessage: Uint8Array,
  policy: RelayPolicy,
): { readonly message: Uint8Array; readonly hop: NegotiatedHop } {
  const asked = decodeExtensions(clientMessage);
  const ccAsked = findExtension(asked, RequestExtension.CC_REQUEST) !== undefined;
  const congestionControl = ccAsked ? policy.congestionControl : undefined;
  const cgo = asksForCgo(asked);
  if (cgo && congestionControl === undefined) throw new Error("CGO without congestion control");
  const answer = congestionControl === undefined ? [] : [ccResponse(congestionControl.sendmeInc)];
  return { message: encodeExtensions(answer), hop: { congestionControl, cgo } };
}

function asksForCgo(asked: readonly Extension[]): boolean {
  const body = findExtension(asked, RequestExtension.SUBPROTOCOL_REQUEST);
  if (body === undefined) return false;
  const wanted = decodeSubprotocolRequest(body);
  // Whatever is asked for and not known to be negotiable must be refused (proposal 346).
  if (!wanted.every(({ id, version }) => id === RELAY && version === CGO)) {
    throw new Error("SUBPROTOCOL_REQUEST for something that cannot be negotiated");
  }
  return wanted.length > 0;
}

/** Relay=6 as SUBPROTOCOL_REQUEST has it. */
const RELAY = 2;
const CGO = 6;
