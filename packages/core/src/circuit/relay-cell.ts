// Relay cells of format V0 (tor-spec 6.1): header, data, padding.

import { randomBytes } from "../base/random.ts";
import { CELL_BODY_LENGTH } from "../link/api.ts";
import { circuitViolation } from "./errors.ts";

/** Command 1, recognized 2, stream id 2, digest 4, length 2. */
const HEADER_LENGTH = 11;
/** Largest payload of a relay cell, RELAY_PAYLOAD_SIZE. */
export const RELAY_DATA_LENGTH = CELL_BODY_LENGTH - HEADER_LENGTH;
/** Zero bytes before the random padding (tor-spec 6.1). */
const ZERO_PADDING = 4;

/** tor-spec 6.1 */
export const RELAY = {
  begin: 1,
  data: 2,
  end: 3,
  connected: 4,
  sendme: 5,
  truncated: 9,
  drop: 10,
  beginDir: 13,
  extend2: 14,
  extended2: 15,
} as const;

export interface RelayCell {
  readonly command: number;
  /** 0 for messages of the circuit itself. */
  readonly streamId: number;
  /** A view into the cell. */
  readonly data: Uint8Array;
}

/** Writes a relay cell with empty recognized and digest fields into a body of 509 bytes. */
export function encodeRelayCell(command: number, streamId: number, data: Uint8Array): Uint8Array {
  const body = new Uint8Array(CELL_BODY_LENGTH);
  body[0] = command;
  body[3] = streamId >> 8;
  body[4] = streamId;
  body[9] = data.length >> 8;
  body[10] = data.length;
  body.set(data, HEADER_LENGTH);
  const padding = paddingOf(data.length);
  // Random bytes behind the four zeros keep SENDME digests unpredictable (proposal 289).
  if (padding > 0) body.set(randomBytes(padding), CELL_BODY_LENGTH - padding);
  return body;
}

/** How many random bytes a cell with this much data ends in. */
export function paddingOf(dataLength: number): number {
  return Math.max(0, RELAY_DATA_LENGTH - dataLength - ZERO_PADDING);
}

/** Reads a recognised relay cell; its data shares memory with `body`. */
export function decodeRelayCell(body: Uint8Array): RelayCell {
  const length = ((body[9] as number) << 8) | (body[10] as number);
  if (length > RELAY_DATA_LENGTH) throw circuitViolation("a relay cell longer than itself");
  return {
    command: body[0] as number,
    streamId: ((body[3] as number) << 8) | (body[4] as number),
    data: body.subarray(HEADER_LENGTH, HEADER_LENGTH + length),
  };
}
