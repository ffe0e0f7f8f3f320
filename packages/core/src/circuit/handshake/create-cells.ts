// Bodies of CREATE_FAST, CREATED_FAST, CREATE2 and CREATED2 (tor-spec 5.1).

import { Reader, Writer } from "../../base/bytes.ts";
import { CELL_BODY_LENGTH } from "../../link/api.ts";
import { malformedMessage } from "../violation.ts";
import { FAST_LENGTH } from "./fast.ts";

/** HTYPE, HLEN, HDATA; the same bytes end an EXTEND2. */
export interface HandshakeData {
  readonly type: number;
  readonly data: Uint8Array;
}

export function writeHandshake(writer: Writer, { type, data }: HandshakeData): Writer {
  return writer.u16(type).vector(2, data);
}

export function readHandshake(reader: Reader): HandshakeData {
  const type = reader.u16();
  return { type, data: reader.vector(2) };
}

/** Pads a cell's payload with zeros to the fixed length. */
export function cellBody(payload: Uint8Array): Uint8Array {
  const body = new Uint8Array(CELL_BODY_LENGTH);
  body.set(payload);
  return body;
}

export function encodeCreate2(handshake: HandshakeData): Uint8Array {
  return cellBody(writeHandshake(new Writer(), handshake).finish());
}

export function decodeCreate2(body: Uint8Array): HandshakeData {
  return readHandshake(new Reader(body, malformedMessage));
}

/** The relay's handshake data in CREATED2. */
export function decodeCreated2(body: Uint8Array): Uint8Array {
  return new Reader(body, malformedMessage).vector(2);
}

/** Y and the derivative key data in CREATED_FAST. */
export function decodeCreatedFast(body: Uint8Array): Uint8Array {
  return new Reader(body, malformedMessage).take(2 * FAST_LENGTH);
}
