// Messages and control frames as a server sends them (RFC 6455 5 and 6.2), put together and checked: reserved bits, opcodes,
// masks, lengths, the order of fragments, UTF-8 as it comes, close codes. No extension is ever agreed on.

import { Reader, Writer } from "../../base/bytes.ts";
import { badFrame, badUtf8, broken, tooMuch } from "./errors.ts";
import { CLOSE, CONTINUATION, MAX_CONTROL, PING, PONG, TEXT } from "./frame.ts";

export type Incoming =
  | { readonly kind: "message"; readonly data: string | Uint8Array }
  | { readonly kind: "ping" | "pong"; readonly payload: Uint8Array }
  /** Without a code where the frame has none. */
  | { readonly kind: "close"; readonly code: number | undefined; readonly reason: string };

/** What bytes come from: at least one and at most `max`, or undefined at the end. */
export interface Source {
  some(max: number): Promise<Uint8Array | undefined>;
}

interface FrameHead {
  readonly opcode: number;
  readonly isLast: boolean;
  readonly length: number;
}

interface Message {
  readonly isText: boolean;
  /** Grows with what has come, not with what a frame says will come. */
  readonly bytes: Writer;
}

/** Frames of one message: an empty one costs the server little and us a turn. */
const MAX_FRAGMENTS = 262_144;

export class MessageReader {
  readonly #source: Source;
  readonly #limit: number;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  #message: Message | undefined;
  #fragments = 0;

  /** @param limit bytes of the largest message */
  constructor(source: Source, limit: number) {
    this.#source = source;
    this.#limit = limit;
  }

  /** The next message or control frame. @throws TorError, and then not called again; `closeCodeOf` says what to answer */
  async next(): Promise<Incoming> {
    for (;;) {
      const head = await this.#head();
      if (head.opcode >= CLOSE) return this.#control(head.opcode, await this.#exactly(head.length));
      const message = await this.#fragment(head);
      if (message !== undefined) return message;
    }
  }

  async #head(): Promise<FrameHead> {
    const [first = 0, second = 0] = await this.#exactly(2);
    const opcode = first & 15;
    const isLast = first >= 0x80;
    const short = second & 127;
    if ((first & 0x70) !== 0) throw badFrame("a reserved bit is set");
    if (opcode > PONG || (opcode > 2 && opcode < CLOSE)) throw badFrame(`opcode ${opcode} has no meaning`);
    if (second >= 0x80) throw badFrame("a server's frame is masked");
    if (opcode >= CLOSE) {
      if (!isLast || short > MAX_CONTROL) throw badFrame("a control frame is fragmented or too long");
    } else if ((opcode === CONTINUATION) === (this.#message === undefined)) {
      throw badFrame("a fragment is out of place");
    }
    return { opcode, isLast, length: short > MAX_CONTROL ? await this.#longLength(short === 127) : short };
  }

  async #longLength(is64: boolean): Promise<number> {
    const bytes = new Reader(await this.#exactly(is64 ? 8 : 2));
    const length = is64 ? bytes.u64() : BigInt(bytes.u16());
    if (length >= 1n << 63n || length < (is64 ? 65_536n : 126n))
      throw badFrame("a length is not in its shortest form");
    return Number(length);
  }

  /** Takes a data frame's payload. @returns the message that it completes */
  async #fragment({ opcode, isLast, length }: FrameHead): Promise<Incoming | undefined> {
    this.#message ??= { isText: opcode === TEXT, bytes: new Writer(Math.min(length, 65_536)) };
    this.#fragments = opcode === CONTINUATION ? this.#fragments + 1 : 1;
    const { isText, bytes } = this.#message;
    if (bytes.length + length > this.#limit || this.#fragments > MAX_FRAGMENTS)
      throw tooMuch("the server's message is too large");
    for (let left = length; left > 0; ) {
      const part = await this.#some(left);
      left -= part.length;
      if (isText) this.#decode(part, true);
      bytes.bytes(part);
    }
    if (!isLast) return undefined;
    this.#message = undefined;
    const data = bytes.finish();
    if (!isText) return { kind: "message", data };
    // What came was checked as it came; had its last character been cut short, it would not go on like this.
    return { kind: "message", data: this.#decode(data, false) };
  }

  #control(opcode: number, payload: Uint8Array): Incoming {
    if (opcode !== CLOSE) return { kind: opcode === PING ? "ping" : "pong", payload };
    if (payload.length === 0) return { kind: "close", code: undefined, reason: "" };
    if (payload.length === 1) throw badFrame("a Close frame with half a code");
    const code = new Reader(payload).u16();
    if (!isCloseCode(code)) throw badFrame(`close code ${code} may not be sent`);
    try {
      // A decoder of its own: a message may be half read.
      const reason = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(payload.subarray(2));
      return { kind: "close", code, reason };
    } catch (cause) {
      throw badUtf8(cause);
    }
  }

  #decode(bytes: Uint8Array, stream: boolean): string {
    try {
      return this.#decoder.decode(bytes, { stream });
    } catch (cause) {
      throw badUtf8(cause);
    }
  }

  async #exactly(length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const part = await this.#some(length - at);
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }

  async #some(max: number): Promise<Uint8Array> {
    const bytes = await this.#source.some(max);
    if (bytes === undefined) throw broken();
    return bytes;
  }
}

/** Those that RFC 6455 7.4 and the registry let be sent: 1004 to 1006 and 1015 are reserved. */
function isCloseCode(code: number): boolean {
  if (code < 3000) return code >= 1000 && code <= 1014 && (code < 1004 || code > 1006);
  return code < 5000;
}
