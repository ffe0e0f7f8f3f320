// What both ends tell each other first (RFC 9113 3.4, 6.5). What we say is the same for everybody, byte for byte.

import { concat, Reader, Writer } from "../../base/bytes.ts";
import { utf8 } from "../../base/encoding.ts";
import { MAX_SECTION_BYTES } from "../http/fields.ts";
import { http2Error } from "./errors.ts";
import { frame, MAX_FRAME, MAX_INT31, numbersFrame, SETTINGS, WINDOW_UPDATE } from "./frames.ts";
import { TABLE_SIZE } from "./hpack.ts";

const HEADER_TABLE_SIZE = 1;
const ENABLE_PUSH = 2;
const MAX_CONCURRENT_STREAMS = 3;
const INITIAL_WINDOW_SIZE = 4;
const MAX_FRAME_SIZE = 5;
const MAX_HEADER_LIST_SIZE = 6;

/** Every window's size before anybody says otherwise (6.9.2). */
export const DEFAULT_WINDOW = 65_535;
/** Bytes of a body that may be on their way before its reader has taken any. */
export const STREAM_WINDOW = 131_072;
/** Bytes that may be on their way in all; given back when they arrive, so that no unread body holds up another. */
export const CONNECTION_WINDOW = 12_582_912;

/** The client's preface: the magic text, our settings, and the larger window of the connection. */
export function preface(): Uint8Array {
  const settings = new Writer(18).u16(ENABLE_PUSH).u32(0);
  settings.u16(INITIAL_WINDOW_SIZE).u32(STREAM_WINDOW);
  settings.u16(MAX_HEADER_LIST_SIZE).u32(MAX_SECTION_BYTES);
  return concat(
    utf8("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    frame(SETTINGS, 0, 0, settings.finish()),
    numbersFrame(WINDOW_UPDATE, 0, CONNECTION_WINDOW - DEFAULT_WINDOW),
  );
}

/** What a server may say that we heed. Our frames are as small as any server takes them, our tables empty. */
export interface PeerSettings {
  maxStreams: number;
  streamWindow: number;
  /** The server's table is smaller than it is unless somebody says otherwise: the next block must mention it (RFC 7541 4.2). */
  hasSmallTable: boolean;
}

/** Changes `settings` as the payload of a SETTINGS frame says. @throws TorError that ends the connection */
export function applySettings(payload: Uint8Array, settings: PeerSettings): void {
  if (payload.length % 6 !== 0) throw http2Error("FRAME_SIZE", "SETTINGS cut short");
  for (const reader = new Reader(payload); reader.remaining > 0; ) {
    const [id, value] = [reader.u16(), reader.u32()];
    if (id === HEADER_TABLE_SIZE && value < TABLE_SIZE) settings.hasSmallTable = true;
    if (id === MAX_CONCURRENT_STREAMS) settings.maxStreams = value;
    // A server may say that it does not push, and nothing else.
    if (id === ENABLE_PUSH && value !== 0)
      throw http2Error("PROTOCOL", `ENABLE_PUSH of ${value} from a server`);
    if (id === MAX_FRAME_SIZE && (value < MAX_FRAME || value > 0xff_ffff)) {
      throw http2Error("PROTOCOL", `MAX_FRAME_SIZE of ${value}`);
    }
    if (id !== INITIAL_WINDOW_SIZE) continue;
    if (value > MAX_INT31) throw http2Error("FLOW_CONTROL", `INITIAL_WINDOW_SIZE of ${value}`);
    settings.streamWindow = value;
  }
}
