// Circuit extensions: what client and relay say to each other within ntor-v3 (proposal 332, A.2; proposal 324, 10.3;
// proposal 346). The list begins with the number of its entries, which 332 leaves out: C tor and arti have it.
// Not here: which extensions are sent, and what an answer may say (negotiation.ts).

import { Reader, Writer } from "../../base/bytes.ts";
import { circuitViolation } from "../violation.ts";

/** EXT_FIELD_TYPE of what a client asks; 2 is the proof of work of onion services. */
export const RequestExtension = { CC_REQUEST: 1, SUBPROTOCOL_REQUEST: 3 } as const;
/** EXT_FIELD_TYPE of what a relay answers. */
export const ResponseExtension = { CC_RESPONSE: 2 } as const;

export interface Extension {
  readonly type: number;
  /** At most 255 bytes. */
  readonly body: Uint8Array;
}

/** Ids of the subprotocols, as SUBPROTOCOL_REQUEST has them (proposal 346; C tor's protover.h). */
const SUBPROTOCOL_ID = {
  Link: 0,
  LinkAuth: 1,
  Relay: 2,
  DirCache: 3,
  HSDir: 4,
  HSIntro: 5,
  HSRend: 6,
  Desc: 7,
  Microdesc: 8,
  Cons: 9,
  Padding: 10,
  FlowCtrl: 11,
  Conflux: 12,
} as const;

/** A capability such as Relay=6. */
export type Subprotocol = readonly [protocol: keyof typeof SUBPROTOCOL_ID, version: number];

/** A capability as it is on the wire. */
export interface SubprotocolCode {
  readonly id: number;
  readonly version: number;
}

/** Asks the relay to enable congestion control at this hop (proposal 324, 10.3). */
export const CC_REQUEST: Extension = { type: RequestExtension.CC_REQUEST, body: new Uint8Array(0) };

/** Asks the relay to enable capabilities, or else to refuse the handshake; the order given does not matter. */
export function subprotocolRequest(wanted: readonly Subprotocol[]): Extension {
  const codes = wanted.map(([protocol, version]) => ({ id: SUBPROTOCOL_ID[protocol], version }));
  const writer = new Writer();
  let last: SubprotocolCode | undefined;
  for (const code of codes.sort(byCode)) {
    if (last === undefined || byCode(last, code) < 0) writer.u8(code.id).u8(code.version);
    last = code;
  }
  return { type: RequestExtension.SUBPROTOCOL_REQUEST, body: writer.finish() };
}

/** The relay's side of `subprotocolRequest`: strictly ascending pairs, of ids that need not be known. */
export function decodeSubprotocolRequest(body: Uint8Array): SubprotocolCode[] {
  const reader = new Reader(body, malformed);
  const codes: SubprotocolCode[] = [];
  let last: SubprotocolCode | undefined;
  while (reader.remaining > 0) {
    const code = { id: reader.u8(), version: reader.u8() };
    if (last !== undefined && byCode(last, code) >= 0) throw malformed("subprotocols in the wrong order");
    codes.push(code);
    last = code;
  }
  return codes;
}

/** The relay's consent to congestion control, with the cells that one SENDME acknowledges. */
export function ccResponse(sendmeInc: number): Extension {
  return { type: ResponseExtension.CC_RESPONSE, body: new Writer(1).u8(sendmeInc).finish() };
}

/** sendme_inc of CC_RESPONSE. */
export function decodeCcResponse(body: Uint8Array): number {
  const reader = new Reader(body, malformed);
  const sendmeInc = reader.u8();
  reader.end();
  return sendmeInc;
}

/** The list as a handshake message, in ascending order of types. */
export function encodeExtensions(extensions: readonly Extension[]): Uint8Array {
  if (new Set(extensions.map(({ type }) => type)).size !== extensions.length) {
    throw new RangeError("an extension that is given twice");
  }
  const writer = new Writer().u8(extensions.length);
  for (const { type, body } of [...extensions].sort((a, b) => a.type - b.type)) {
    writer.u8(type).vector(1, body);
  }
  return writer.finish();
}

/**
 * The list of a handshake message, of unknown types too and in any order.
 * @throws TorError `ALLIUM_E_CIRCUIT_HANDSHAKE` when it ends too soon or goes on after its last entry
 */
export function decodeExtensions(message: Uint8Array): Extension[] {
  const reader = new Reader(message, malformed);
  const extensions: Extension[] = [];
  for (let left = reader.u8(); left > 0; left--) {
    extensions.push({ type: reader.u8(), body: reader.vector(1) });
  }
  reader.end();
  return extensions;
}

/**
 * The body of the extension of this type, where there is one. Proposal 332 has all but the first ignored; two are refused
 * here, since no relay sends them, and what a message means must not hang on who reads it.
 * @throws TorError `ALLIUM_E_CIRCUIT_HANDSHAKE` when there are two
 */
export function findExtension(extensions: readonly Extension[], type: number): Uint8Array | undefined {
  const [first, second] = extensions.filter((extension) => extension.type === type);
  if (second !== undefined) throw malformed(`two of type ${type}`);
  return first?.body;
}

function byCode(a: SubprotocolCode, b: SubprotocolCode): number {
  return a.id - b.id || a.version - b.version;
}

function malformed(message: string) {
  return circuitViolation("HANDSHAKE", `circuit extensions: ${message}`);
}
