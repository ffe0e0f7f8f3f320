// A field block put together from HEADERS and its CONTINUATION frames (RFC 9113 4.3, 6.10), which nothing may interrupt.

import { concat } from "../../base/bytes.ts";
import { headLimit } from "../http/errors.ts";
import { MAX_SECTION_BYTES } from "../http/fields.ts";
import { http2Error } from "./errors.ts";
import { CONTINUATION, contentOf, END_HEADERS, END_STREAM, type Frame, HEADERS } from "./frames.ts";

/** CONTINUATION frames of one block; eight full ones hold all that is taken. */
const MAX_CONTINUATIONS = 32;

export interface FieldBlock {
  readonly streamId: number;
  /** Whether the stream ends with it. */
  readonly isLast: boolean;
  readonly bytes: Uint8Array;
}

export class FieldBlocks {
  #first: Frame | undefined;
  #parts: Uint8Array[] = [];
  #size = 0;

  /**
   * Takes every frame that comes.
   * @returns the block that the frame completes; true where it was part of one, or false where it is none of our affair
   */
  take(frame: Frame): FieldBlock | boolean {
    if (frame.type === CONTINUATION ? frame.streamId !== this.#first?.streamId : this.#first !== undefined) {
      throw http2Error("PROTOCOL", "a field block is interrupted, or continues none");
    }
    if (frame.type !== HEADERS && frame.type !== CONTINUATION) return false;
    this.#first ??= frame;
    // Copied, for it is kept while others come; of CONTINUATION all of the payload counts.
    const part = (frame.type === HEADERS ? contentOf(frame) : frame.payload).slice();
    this.#parts.push(part);
    this.#size += part.length;
    if (this.#size > MAX_SECTION_BYTES || this.#parts.length > 1 + MAX_CONTINUATIONS) {
      throw headLimit(
        `a field block of more than ${MAX_SECTION_BYTES} bytes or ${MAX_CONTINUATIONS} continuations`,
      );
    }
    return (frame.flags & END_HEADERS) === 0 ? true : this.#finish(this.#first);
  }

  #finish({ streamId, flags }: Frame): FieldBlock {
    const bytes = concat(...this.#parts);
    this.#first = undefined;
    this.#parts = [];
    this.#size = 0;
    return { streamId, isLast: (flags & END_STREAM) !== 0, bytes };
  }
}
