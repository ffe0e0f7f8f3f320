// Relay messages as typed values (tor-spec 5.1.2, 5.4, 6.2 to 6.4, 7.3.1; proposal 324 4.1 for XOFF and XON).
// Not here: the messages of onion services, conflux and circuit padding.

import { formatIp, parseIpv6 } from "../../base/address.ts";
import { Reader, Writer } from "../../base/bytes.ts";
import { fromLatin1, utf8 } from "../../base/encoding.ts";
import { type HandshakeData, readHandshake, writeHandshake } from "../handshake/create-cells.ts";
import { circuitViolation, malformedMessage } from "../violation.ts";
import { RelayCommand } from "./command.ts";
import { type LinkSpecifier, readLinkSpecifiers, writeLinkSpecifiers } from "./link-specifiers.ts";
import { EndReason } from "./reasons.ts";

/** Flags of BEGIN (tor-spec 6.2). */
export const BeginFlag = { IPV6_OKAY: 1, IPV4_NOT_OKAY: 2, IPV6_PREFERRED: 4 } as const;

export interface Begin {
  readonly command: typeof RelayCommand.BEGIN;
  /** A host name or an IP literal, IPv6 without brackets. */
  readonly hostname: string;
  readonly port: number;
  /** BeginFlag bits. */
  readonly flags: number;
}

export interface Data {
  readonly command: typeof RelayCommand.DATA;
  readonly data: Uint8Array;
}

export interface End {
  readonly command: typeof RelayCommand.END;
  readonly reason: number;
  /** With EXITPOLICY, where the exit told it: 4 or 16 bytes, and seconds. */
  readonly address?: Uint8Array;
  readonly ttl?: number;
}

export interface Connected {
  readonly command: typeof RelayCommand.CONNECTED;
  /** 4 or 16 bytes, where the relay told it, and seconds. */
  readonly address?: Uint8Array;
  readonly ttl?: number;
}

/** A circuit-level SENDME; those of streams have no body. */
export interface Sendme {
  readonly command: typeof RelayCommand.SENDME;
  readonly version: number;
  /** The digest that version 1 carries; empty in version 0. */
  readonly tag: Uint8Array;
}

export interface Truncated {
  readonly command: typeof RelayCommand.TRUNCATED;
  /** As in DESTROY (tor-spec 5.4). */
  readonly reason: number;
}

export interface Extend2 {
  readonly command: typeof RelayCommand.EXTEND2;
  readonly linkSpecifiers: readonly LinkSpecifier[];
  readonly handshake: HandshakeData;
}

export interface Extended2 {
  readonly command: typeof RelayCommand.EXTENDED2;
  readonly handshake: Uint8Array;
}

export interface Resolve {
  readonly command: typeof RelayCommand.RESOLVE;
  readonly hostname: string;
}

export interface ResolvedAnswer {
  /** An AnswerType, or one that we do not know. */
  readonly type: number;
  readonly value: Uint8Array;
  /** Seconds. */
  readonly ttl: number;
}

export interface Resolved {
  readonly command: typeof RelayCommand.RESOLVED;
  /** One cell holds 83 at the most. */
  readonly answers: readonly ResolvedAnswer[];
}

/** Its body is ignored, as is BEGIN_DIR's. */
export interface Drop {
  readonly command: typeof RelayCommand.DROP;
}

export interface BeginDir {
  readonly command: typeof RelayCommand.BEGIN_DIR;
}

/** Both are of version 0, the only one there is. */
export interface Xoff {
  readonly command: typeof RelayCommand.XOFF;
}

export interface Xon {
  readonly command: typeof RelayCommand.XON;
  /** How fast the stream is read, in kilobytes (1000 bytes) a second; 0 is no limit. */
  readonly kbpsEwma: number;
}

export type RelayMessage =
  | Begin
  | Data
  | End
  | Connected
  | Sendme
  | Truncated
  | Resolve
  | Resolved
  | Extend2
  | Extended2
  | Drop
  | BeginDir
  | Xoff
  | Xon;

/** Types of answers in RESOLVED (tor-spec 6.4). */
export const AnswerType = { HOSTNAME: 0, IPV4: 4, IPV6: 6, TRANSIENT_ERROR: 0xf0, ERROR: 0xf1 } as const;

/** TTL of an END or CONNECTED that names none (tor-spec 6.3). */
const NO_TTL = 0xffffffff;
/** SENDME version 1: authenticated (tor-spec 7.3.1). */
export const SENDME_V1 = 1;
/** The version of XOFF and XON (proposal 324 4.1). */
const FLOW_CONTROL_V0 = 0;
/** Address type in CONNECTED's IPv6 form (tor-spec 6.2). */
const CONNECTED_IPV6 = 6;

/** The data of the relay cell that carries this message. */
export function encodeMessage(message: RelayMessage): Uint8Array {
  const writer = new Writer();
  switch (message.command) {
    case RelayCommand.BEGIN:
      return encodeBegin(message);
    case RelayCommand.DATA:
      return message.data;
    case RelayCommand.END:
      writer.u8(message.reason);
      if (message.address !== undefined) writer.bytes(message.address).u32(message.ttl ?? NO_TTL);
      return writer.finish();
    case RelayCommand.CONNECTED:
      return encodeConnected(message);
    case RelayCommand.SENDME:
      return message.version === 0
        ? new Uint8Array(0)
        : writer.u8(message.version).vector(2, message.tag).finish();
    case RelayCommand.TRUNCATED:
      return writer.u8(message.reason).finish();
    case RelayCommand.RESOLVE:
      return writer.bytes(utf8(message.hostname)).u8(0).finish();
    case RelayCommand.RESOLVED:
      for (const { type, value, ttl } of message.answers) writer.u8(type).vector(1, value).u32(ttl);
      return writer.finish();
    case RelayCommand.EXTEND2:
      return writeHandshake(writeLinkSpecifiers(writer, message.linkSpecifiers), message.handshake).finish();
    case RelayCommand.EXTENDED2:
      return writer.vector(2, message.handshake).finish();
    case RelayCommand.XOFF:
      return writer.u8(FLOW_CONTROL_V0).finish();
    case RelayCommand.XON:
      return writer.u8(FLOW_CONTROL_V0).u32(message.kbpsEwma).finish();
    default:
      return new Uint8Array(0);
  }
}

/** @throws TorError `protocol-violation` on bytes that are no such message, and on other commands */
export function decodeMessage(command: number, data: Uint8Array): RelayMessage {
  const reader = new Reader(data, malformedMessage);
  switch (command) {
    case RelayCommand.BEGIN:
      return decodeBegin(data);
    case RelayCommand.DATA:
      return { command, data };
    case RelayCommand.END:
      return decodeEnd(data);
    case RelayCommand.CONNECTED:
      return decodeConnected(data);
    case RelayCommand.SENDME:
      return decodeSendme(data);
    case RelayCommand.TRUNCATED:
      return { command, reason: reader.u8() };
    case RelayCommand.RESOLVE:
      return { command, hostname: fromLatin1(data.subarray(0, data.indexOf(0))) };
    case RelayCommand.RESOLVED:
      return decodeResolved(reader);
    case RelayCommand.EXTEND2: {
      const linkSpecifiers = readLinkSpecifiers(reader);
      return { command, linkSpecifiers, handshake: readHandshake(reader) };
    }
    case RelayCommand.EXTENDED2:
      return { command, handshake: reader.vector(2) };
    case RelayCommand.DROP:
    case RelayCommand.BEGIN_DIR:
      return { command };
    case RelayCommand.XOFF:
      readFlowControlVersion(reader);
      return { command };
    case RelayCommand.XON:
      readFlowControlVersion(reader);
      return { command, kbpsEwma: reader.u32() };
    default:
      throw circuitViolation("UNKNOWN_COMMAND", `relay command ${command}`);
  }
}

function encodeBegin({ hostname, port, flags }: Begin): Uint8Array {
  const host = parseIpv6(hostname) === undefined ? hostname : `[${hostname}]`;
  const writer = new Writer().bytes(utf8(`${host}:${port}`)).u8(0);
  // C tor leaves the flags out when none is set, and so must whoever does not want to stand out.
  if (flags !== 0) writer.u32(flags);
  return writer.finish();
}

function decodeBegin(data: Uint8Array): Begin {
  const end = data.indexOf(0);
  const text = fromLatin1(end < 0 ? data : data.subarray(0, end));
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([\x21-\x39\x3b-\x7e]+)):([1-9][0-9]{0,4})$/.exec(text);
  const hostname = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (hostname === undefined || port > 65535) throw malformedMessage("a BEGIN without address and port");
  const flags = data.length - end - 1 >= 4 && end >= 0 ? new Reader(data.subarray(end + 1)).u32() : 0;
  return { command: RelayCommand.BEGIN, hostname, port, flags };
}

function decodeEnd(data: Uint8Array): End {
  const command = RelayCommand.END;
  const reason = data[0] ?? EndReason.MISC;
  const rest = data.length - 1;
  // An address of any other length is ignored, the message is not (tor-spec 6.3).
  const length = rest >= 16 ? 16 : 4;
  if (reason !== EndReason.EXITPOLICY || ![4, 8, 16, 20].includes(rest)) return { command, reason };
  const reader = new Reader(data.subarray(1));
  const address = reader.take(length);
  return { command, reason, address, ttl: reader.remaining === 4 ? reader.u32() : NO_TTL };
}

function encodeConnected({ address, ttl }: Connected): Uint8Array {
  const writer = new Writer();
  if (address === undefined) return writer.finish();
  if (address.length === 16) writer.zeros(4).u8(CONNECTED_IPV6);
  return writer
    .bytes(address)
    .u32(ttl ?? NO_TTL)
    .finish();
}

function decodeConnected(data: Uint8Array): Connected {
  const command = RelayCommand.CONNECTED;
  if (data.length === 0) return { command };
  const reader = new Reader(data, malformedMessage);
  let address = reader.take(4);
  if (formatIp(address) === "0.0.0.0") {
    if (reader.u8() !== CONNECTED_IPV6) throw malformedMessage("a CONNECTED with an unknown address type");
    address = reader.take(16);
  }
  return { command, address, ttl: reader.remaining >= 4 ? reader.u32() : NO_TTL };
}

function decodeResolved(reader: Reader): Resolved {
  const answers: ResolvedAnswer[] = [];
  while (reader.remaining > 0) {
    const answer = { type: reader.u8(), value: reader.vector(1), ttl: reader.u32() };
    const { length } = answer.value;
    if (
      (answer.type === AnswerType.IPV4 && length !== 4) ||
      (answer.type === AnswerType.IPV6 && length !== 16)
    ) {
      throw malformedMessage(`a RESOLVED with an address of ${length} bytes`);
    }
    answers.push(answer);
  }
  return { command: RelayCommand.RESOLVED, answers };
}

function decodeSendme(data: Uint8Array): Sendme {
  const command = RelayCommand.SENDME;
  // An empty body is version 0 (proposal 289 3.2); version 0's data are ignored.
  if ((data[0] ?? 0) === 0) return { command, version: 0, tag: new Uint8Array(0) };
  const reader = new Reader(data, malformedMessage);
  const version = reader.u8();
  return { command, version, tag: reader.vector(2) };
}

function readFlowControlVersion(reader: Reader): void {
  const version = reader.u8();
  if (version !== FLOW_CONTROL_V0) throw malformedMessage(`XOFF or XON of version ${version}`);
}
