// FormData as multipart/form-data (RFC 7578; HTML 4.10.21.8 for the escapes), streamed, its length known beforehand.

import { toHex, utf8 } from "../../base/encoding.ts";
import { randomBytes } from "../../base/random.ts";
import type { RequestBody } from "./upload.ts";

/** The body of a form; its boundary is random. */
export function formDataBody(form: FormData): RequestBody {
  const boundary = `----formboundary${toHex(randomBytes(16))}`;
  const parts: (Uint8Array | Blob)[] = [];
  for (const [name, value] of form) {
    const disposition = `--${boundary}\r\nContent-Disposition: form-data; name="${escapeName(crlf(name))}"`;
    if (typeof value === "string") {
      parts.push(utf8(`${disposition}\r\n\r\n${crlf(value)}\r\n`));
    } else {
      const type = value.type === "" ? "application/octet-stream" : value.type;
      parts.push(
        utf8(`${disposition}; filename="${escapeName(value.name)}"\r\nContent-Type: ${type}\r\n\r\n`),
      );
      parts.push(value, utf8("\r\n"));
    }
  }
  parts.push(utf8(`--${boundary}--\r\n`));
  return {
    length: parts.reduce((sum, part) => sum + (part instanceof Uint8Array ? part.length : part.size), 0),
    contentType: `multipart/form-data; boundary=${boundary}`,
    replayable: true,
    open: () => partsStream(parts),
    asBlob: () => new Blob(parts),
  };
}

function escapeName(name: string): string {
  return name.replaceAll("\n", "%0A").replaceAll("\r", "%0D").replaceAll('"', "%22");
}

/** Every line break as CRLF. */
function crlf(text: string): string {
  return text.replace(/\r\n|\r|\n/g, "\r\n");
}

function partsStream(parts: readonly (Uint8Array | Blob)[]): ReadableStream<Uint8Array> {
  let at = 0;
  let blob: ReadableStreamDefaultReader<Uint8Array> | undefined;
  async function next(): Promise<Uint8Array | undefined> {
    for (;;) {
      if (blob !== undefined) {
        const { done, value } = await blob.read();
        if (!done) return value;
        blob = undefined;
      }
      const part = parts[at++];
      if (part === undefined || part instanceof Uint8Array) return part;
      blob = part.stream().getReader();
    }
  }
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const bytes = await next();
        if (bytes === undefined) controller.close();
        else controller.enqueue(bytes);
      },
      cancel: (reason) => blob?.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}
