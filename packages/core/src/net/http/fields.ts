// Field lines of a header or trailer section: names, values and limits (RFC 9110 5, RFC 9112 5).

import { badField, headLimit } from "./errors.ts";
import type { HttpInput } from "./input.ts";

export type Fields = [name: string, value: string][];

/** RFC 9110 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Visible ASCII, SP, HTAB and obs-text (RFC 9110 5.5); no other control character. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Bytes of one section in all, and of one of its lines; Chromium takes 256 KiB. */
export const MAX_SECTION_BYTES = 131_072;
/** Field lines of one section. */
export const MAX_FIELDS = 256;

export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

export function isFieldValue(text: string): boolean {
  return VALUE.test(text);
}

/** Reads field lines up to and including the empty line. Names are lower-cased, values trimmed. */
export async function readFields(input: HttpInput, within: string): Promise<Fields> {
  const fields: Fields = [];
  let room = MAX_SECTION_BYTES;
  for (;;) {
    const line = await input.line({ limit: room, within, tooLong: headLimit, malformed: badField });
    if (line === "") return fields;
    room -= line.length;
    if (fields.length === MAX_FIELDS) throw headLimit(`${within} has more than ${MAX_FIELDS} fields`);
    fields.push(parseField(line, within));
  }
}

function parseField(line: string, within: string): [string, string] {
  if (line.startsWith(" ") || line.startsWith("\t")) {
    throw badField(`${within} has a folded line (RFC 9112 5.2 allows none)`);
  }
  const colon = line.indexOf(":");
  const name = line.slice(0, Math.max(colon, 0));
  const value = line.slice(colon + 1).replace(/^[\t ]+/, "");
  if (!isToken(name)) throw badField(`${within} has a field whose name is not a token`);
  if (!isFieldValue(value)) throw badField(`${within} has a field with a control character in its value`);
  return [name.toLowerCase(), trimEnd(value)];
}

/** Without a regular expression: `/[\t ]+$/` is quadratic on a run of spaces inside the value. */
function trimEnd(value: string): string {
  let end = value.length;
  while (end > 0 && (value[end - 1] === " " || value[end - 1] === "\t")) end--;
  return value.slice(0, end);
}

/** The values of all fields of that (lower-case) name, in order. */
export function valuesOf(fields: Fields, name: string): string[] {
  return fields.filter((field) => field[0] === name).map((field) => field[1]);
}

/** The members of a comma-separated list, over all fields of that name, in lower case. */
export function listOf(fields: Fields, name: string): string[] {
  return valuesOf(fields, name)
    .flatMap((value) => value.split(","))
    .map((part) => part.trim().toLowerCase())
    .filter((part) => part !== "");
}
