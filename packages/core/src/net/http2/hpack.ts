// Header compression (RFC 7541): a decoder for whatever a server sends, an encoder that remembers nothing.
// Bounds: the dynamic table has at most TABLE_SIZE bytes, a list MAX_SECTION_BYTES as RFC 9113 6.5.2 counts them.
// The encoder uses the static table only: what one request carried never shows in the length of the next.

import { Reader, Writer } from "../../base/bytes.ts";
import { fromLatin1, latin1 } from "../../base/encoding.ts";
import { headLimit } from "../http/errors.ts";
import { type Fields, MAX_SECTION_BYTES } from "../http/fields.ts";
import { http2Error } from "./errors.ts";
import { huffmanDecode } from "./huffman.ts";

type Field = readonly [name: string, value: string];

/** Appendix A: names, with their values behind "=". */
const STATIC: readonly Field[] = /* @__PURE__ */ (
  ":authority|:method=GET|:method=POST|:path=/|:path=/index.html|:scheme=http|:scheme=https|:status=200|" +
  ":status=204|:status=206|:status=304|:status=400|:status=404|:status=500|accept-charset|" +
  "accept-encoding=gzip, deflate|accept-language|accept-ranges|accept|access-control-allow-origin|age|allow|" +
  "authorization|cache-control|content-disposition|content-encoding|content-language|content-length|" +
  "content-location|content-range|content-type|cookie|date|etag|expect|expires|from|host|if-match|" +
  "if-modified-since|if-none-match|if-range|if-unmodified-since|last-modified|link|location|max-forwards|" +
  "proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|server|set-cookie|" +
  "strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate"
)
  .split("|")
  .map((entry) => {
    const [name, value = ""] = entry.split("=");
    return [name as string, value];
  });

/** SETTINGS_HEADER_TABLE_SIZE as it is unless somebody says otherwise (RFC 9113 6.5.2). */
export const TABLE_SIZE = 4096;
/** What an entry counts beside its name and value (4.1). */
const OVERHEAD = 32;

function malformed(message: string) {
  return http2Error("COMPRESSION", message);
}

function sizeOf([name, value]: Field): number {
  return name.length + value.length + OVERHEAD;
}

/** Decodes the field blocks of one connection, each of them, in their order. An error is one of the connection. */
export class HpackDecoder {
  /** Newest first; a handful of entries, 128 at the most. */
  readonly #table: Field[] = [];
  #size = 0;
  #limit = TABLE_SIZE;
  readonly #maxLimit: number;

  /** @param maxLimit bytes of the dynamic table that the peer was allowed */
  constructor(maxLimit = TABLE_SIZE) {
    this.#maxLimit = this.#limit = maxLimit;
  }

  /** The fields of a whole block; names and values have one char for each byte. */
  decode(block: Uint8Array): Fields {
    const reader = new Reader(block, malformed);
    const fields: Fields = [];
    let room = MAX_SECTION_BYTES;
    while (reader.remaining > 0) {
      const first = reader.u8();
      if ((first & 0xe0) === 0x20) {
        if (fields.length > 0) throw malformed("a table size update after a field");
        this.#resize(readInteger(reader, first, 5));
        continue;
      }
      const field = this.#field(reader, first);
      room -= sizeOf(field);
      if (room < 0) throw headLimit(`a header section of more than ${MAX_SECTION_BYTES} bytes`);
      fields.push([...field]);
    }
    return fields;
  }

  #field(reader: Reader, first: number): Field {
    if (first >= 0x80) return this.#entry(readInteger(reader, first, 7));
    const isIndexed = first >= 0x40;
    const index = readInteger(reader, first, isIndexed ? 6 : 4);
    const name = index === 0 ? readString(reader) : this.#entry(index)[0];
    const field: Field = [name, readString(reader)];
    if (isIndexed) {
      this.#table.unshift(field);
      this.#size += sizeOf(field);
      this.#evict();
    }
    return field;
  }

  #entry(index: number): Field {
    const field = index <= STATIC.length ? STATIC[index - 1] : this.#table[index - STATIC.length - 1];
    if (field === undefined) throw malformed("an index beyond the tables");
    return field;
  }

  #resize(limit: number): void {
    if (limit > this.#maxLimit) throw malformed("a table larger than allowed");
    this.#limit = limit;
    this.#evict();
  }

  #evict(): void {
    while (this.#size > this.#limit) this.#size -= sizeOf(this.#table.pop() as Field);
  }
}

/** An integer whose first byte is `first` (5.1). At most four bytes follow, so that it stays below 2^29. */
export function readInteger(reader: Reader, first: number, prefix: number): number {
  const mask = (1 << prefix) - 1;
  let value = first & mask;
  if (value < mask) return value;
  for (let shift = 0; shift < 28; shift += 7) {
    const byte = reader.u8();
    value += (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  throw malformed("an integer of more than five bytes");
}

function readString(reader: Reader): string {
  const first = reader.u8();
  const bytes = reader.take(readInteger(reader, first, 7));
  if (first < 0x80) return fromLatin1(bytes);
  const text = huffmanDecode(bytes);
  if (text === undefined) throw malformed("a malformed Huffman string");
  return text;
}

/** Fields that no hop may put into a table (7.1.3), lest somebody finds them out by guessing. */
const SENSITIVE = new Set(["authorization", "cookie"]);

/**
 * A field block. It uses no dynamic table, so that it reads the same wherever it stands in a connection.
 * @param forgets puts before it that the table has no bytes any more, as a peer with a smaller table needs it (4.2)
 */
export function encodeFields(fields: readonly Field[], forgets = false): Uint8Array {
  const writer = new Writer(256);
  if (forgets) writer.u8(0x20);
  for (const [name, value] of fields) {
    const whole = STATIC.findIndex((entry) => entry[0] === name && entry[1] === value);
    if (whole >= 0) {
      writer.u8(0x81 + whole);
      continue;
    }
    writeInteger(
      writer,
      SENSITIVE.has(name) ? 0x10 : 0,
      4,
      1 + STATIC.findIndex((entry) => entry[0] === name),
    );
    if (!STATIC.some((entry) => entry[0] === name)) writeString(writer, name);
    writeString(writer, value);
  }
  return writer.finish();
}

function writeString(writer: Writer, text: string): void {
  writeInteger(writer, 0, 7, text.length);
  writer.bytes(latin1(text));
}

/** Writes an integer behind `flags`, the bits of its first byte that are not its own (5.1). */
export function writeInteger(writer: Writer, flags: number, prefix: number, value: number): void {
  const mask = (1 << prefix) - 1;
  writer.u8(flags | Math.min(value, mask));
  if (value < mask) return;
  value -= mask;
  for (; value >= 0x80; value = Math.floor(value / 128)) writer.u8((value % 128) | 0x80);
  writer.u8(value);
}
