// The text of documents and style sheets, in whatever encoding a site serves it (Encoding; HTML 13.2.3.2), as UTF-8.

import { TorError } from "@allium/core";
import { concat } from "@allium/core/internal";

export interface Rewriter {
  push(text: string): string;
  end(): string;
}

/** Where a document may name its own encoding. */
const PRESCAN = 1024;

function labelIn(text: string): string | undefined {
  return /charset\s*=\s*["']?([\w:.-]+)/i.exec(text)?.[1];
}

function decoderOf(label: string | undefined, fallback: string): TextDecoder {
  try {
    return new TextDecoder(label ?? fallback);
  } catch {
    return new TextDecoder(fallback);
  }
}

/** By a byte order mark, the header, or the document itself. */
function documentDecoder(head: Uint8Array, contentType: string): TextDecoder {
  if (head[0] === 0xfe && head[1] === 0xff) return new TextDecoder("utf-16be");
  if (head[0] === 0xff && head[1] === 0xfe) return new TextDecoder("utf-16le");
  if (head[0] === 0xef && head[1] === 0xbb) return new TextDecoder();
  const inside = /<meta\s[^>]*>/gi;
  const start = new TextDecoder("latin1").decode(head);
  const label =
    labelIn(contentType) ?? labelIn((start.match(inside) ?? []).find((tag) => labelIn(tag)) ?? "");
  return decoderOf(label, "windows-1252");
}

/** Bytes of a document to UTF-8, rewritten on the way. */
export function decoderFor(
  contentType: string,
  rewriter?: Rewriter,
): TransformStream<Uint8Array, Uint8Array<ArrayBuffer>> {
  const encoder = new TextEncoder();
  let head: Uint8Array = new Uint8Array();
  let decoder: TextDecoder | undefined;
  const write = (text: string, isLast: boolean): Uint8Array<ArrayBuffer> => {
    if (rewriter === undefined) return encoder.encode(text);
    return encoder.encode(rewriter.push(text) + (isLast ? rewriter.end() : ""));
  };
  return new TransformStream<Uint8Array, Uint8Array<ArrayBuffer>>({
    transform(chunk, controller) {
      let bytes = chunk;
      if (decoder === undefined) {
        bytes = head = concat(head, chunk);
        if (head.length < PRESCAN) return;
        decoder = documentDecoder(head.subarray(0, PRESCAN), contentType);
      }
      controller.enqueue(write(decoder.decode(bytes, { stream: true }), false));
    },
    flush(controller) {
      const rest = decoder === undefined ? documentDecoder(head, contentType).decode(head) : decoder.decode();
      controller.enqueue(write(rest, true));
    },
  });
}

/** The whole text of a style sheet. @throws TorError `limit` */
export async function decodedText(
  body: ReadableStream<Uint8Array>,
  contentType: string,
  maxBytes: number,
): Promise<string> {
  const decoder = decoderOf(labelIn(contentType), "utf-8");
  const reader = body.getReader();
  let text = "";
  for (let bytes = 0; ; ) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.length;
    if (bytes > maxBytes) {
      const error = new TorError("limit", "ALLIUM_E_VIEWER_LIMIT", "the style sheet is too large");
      reader.cancel(error).catch(() => {});
      throw error;
    }
    text += decoder.decode(value, { stream: true });
  }
}
