// Frames as a client sends them (RFC 6455 5.2): always masked, each with a mask of its own.

import { Writer } from "../../base/bytes.ts";
import { utf8 } from "../../base/encoding.ts";
import { randomBytes } from "../../base/random.ts";

export const CONTINUATION = 0;
export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

/** Bytes of the largest payload of a control frame (RFC 6455 5.5). */
export const MAX_CONTROL = 125;

/** One frame with a masked copy of `payload`. */
export function encodeFrame(opcode: number, payload: Uint8Array, isLast = true): Uint8Array {
  const { length } = payload;
  const head = new Writer(14).u8((isLast ? 0x80 : 0) | opcode);
  if (length <= MAX_CONTROL) head.u8(0x80 | length);
  else if (length < 65_536) head.u8(0xfe).u16(length);
  else head.u8(0xff).u64(BigInt(length));
  const mask = randomBytes(4);
  const from = head.bytes(mask).length;
  const frame = new Uint8Array(from + length);
  frame.set(head.finish());
  for (let i = 0; i < length; i++) frame[from + i] = (payload[i] as number) ^ (mask[i & 3] as number);
  return frame;
}

/** A Close frame's payload: a code and a reason, or nothing. */
export function closePayload(code: number | undefined, reason = ""): Uint8Array {
  return code === undefined ? new Uint8Array(0) : new Writer().u16(code).bytes(utf8(reason)).finish();
}
