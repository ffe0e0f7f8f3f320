// Frames on the wire (RFC 9113 4 and 6): cut from the stream, with the rules that each type has for itself; and written.

import { concat, Reader, Writer } from "../../base/bytes.ts";
import { truncated } from "../http/errors.ts";
import type { HttpInput } from "../http/input.ts";
import { http2Error } from "./errors.ts";

export const DATA = 0;
export const HEADERS = 1;
export const PRIORITY = 2;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PUSH_PROMISE = 5;
export const PING = 6;
export const GOAWAY = 7;
export const WINDOW_UPDATE = 8;
export const CONTINUATION = 9;

/** Of SETTINGS and PING. */
export const ACK = 1;
export const END_STREAM = 1;
export const END_HEADERS = 4;
const PADDED = 8;
const PRIORITIZED = 0x20;

/** The largest payload either side sends: SETTINGS_MAX_FRAME_SIZE as it is unless somebody says otherwise. */
export const MAX_FRAME = 16_384;
/** Of windows and stream identifiers. */
export const MAX_INT31 = 0x7fff_ffff;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  /** Not copied: shares memory with what the stream delivered. */
  readonly payload: Uint8Array;
}

/** By type: whether it belongs to a stream, to the connection, or to either; and how long it must be, if that is fixed. */
const RULES: readonly { readonly on: "stream" | "connection" | "either"; readonly length?: number }[] = [
  { on: "stream" },
  { on: "stream" },
  { on: "stream", length: 5 },
  { on: "stream", length: 4 },
  { on: "connection" },
  { on: "stream" },
  { on: "connection", length: 8 },
  { on: "connection" },
  { on: "either", length: 4 },
  { on: "stream" },
];

/** The next frame, or undefined where the stream ends between two. @throws TorError that ends the connection */
export async function readFrame(input: HttpInput): Promise<Frame | undefined> {
  const first = await input.some(9);
  if (first === undefined) return undefined;
  const head = new Reader(concat(first, await exactly(input, 9 - first.length)));
  const length = head.u24();
  const [type, flags, streamId] = [head.u8(), head.u8(), head.u32() & MAX_INT31];
  if (length > MAX_FRAME) throw http2Error("FRAME_SIZE", `a frame of ${length} bytes`);
  const rule = RULES[type];
  if (rule?.length !== undefined && rule.length !== length) {
    throw http2Error("FRAME_SIZE", `a frame of type ${type} with ${length} bytes`);
  }
  if (rule !== undefined && rule.on === (streamId === 0 ? "stream" : "connection")) {
    throw http2Error("PROTOCOL", `a frame of type ${type} on stream ${streamId}`);
  }
  return { type, flags, streamId, payload: await exactly(input, length) };
}

async function exactly(input: HttpInput, length: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (let left = length; left > 0; ) {
    const part = await input.some(left);
    if (part === undefined) throw truncated("a frame");
    parts.push(part);
    left -= part.length;
  }
  return parts.length === 1 ? (parts[0] as Uint8Array) : concat(...parts);
}

/** What a DATA or HEADERS frame carries, without padding and priority (6.1, 6.2). */
export function contentOf({ type, flags, payload }: Frame): Uint8Array {
  const fail = () => http2Error("PROTOCOL", "a frame with more padding than it has bytes");
  const reader = new Reader(payload, fail);
  const padding = (flags & PADDED) === 0 ? 0 : reader.u8();
  if (type === HEADERS && (flags & PRIORITIZED) !== 0) reader.take(5);
  return reader.take(reader.remaining - padding);
}

export function frame(type: number, flags: number, streamId: number, payload: Uint8Array): Uint8Array {
  const head = new Writer(9).u24(payload.length).u8(type).u8(flags).u32(streamId);
  return concat(head.finish(), payload);
}

/** A HEADERS frame with the whole field block, and CONTINUATION frames where it does not fit into one. */
export function headersFrames(streamId: number, block: Uint8Array, isLast: boolean): Uint8Array {
  const frames: Uint8Array[] = [];
  for (let at = 0; at === 0 || at < block.length; at += MAX_FRAME) {
    const flags = (at === 0 && isLast ? END_STREAM : 0) | (at + MAX_FRAME >= block.length ? END_HEADERS : 0);
    const part = block.subarray(at, at + MAX_FRAME);
    frames.push(frame(at === 0 ? HEADERS : CONTINUATION, flags, streamId, part));
  }
  return concat(...frames);
}

/** A frame whose payload is one or two numbers: WINDOW_UPDATE, RST_STREAM, GOAWAY. */
export function numbersFrame(type: number, streamId: number, ...numbers: readonly number[]): Uint8Array {
  const payload = new Writer(8);
  for (const number of numbers) payload.u32(number);
  return frame(type, 0, streamId, payload.finish());
}
