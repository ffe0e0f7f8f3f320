// Reads and shows what a site answered: facts, headers, and the body in a form that can do nothing.

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { element, saveFile, textElement } from "./dom.ts";
import { formatBytes, formatMs, formatRate } from "./format.ts";

/** What is beyond this is hashed as it comes but not kept for showing. */
const KEPT_BODY = 8 * 1024 * 1024;
const SHOWN_TEXT = 256 * 1024;

export interface Body {
  readonly size: number;
  readonly sha256: string;
  readonly ms: number;
  /** Absent where it is too large to be kept. */
  readonly bytes?: Uint8Array<ArrayBuffer>;
}

/** @param onSize is told how much has come */
export async function readBody(response: Response, onSize: (size: number) => void): Promise<Body> {
  const began = performance.now();
  const digest = sha256.create();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    digest.update(chunk);
    if (size <= KEPT_BODY) chunks.push(chunk);
    onSize(size);
  }
  const ms = performance.now() - began;
  const facts = { size, ms, sha256: bytesToHex(digest.digest()) };
  if (size > KEPT_BODY) return facts;
  return { ...facts, bytes: new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer()) };
}

/** @param firstMs how long the head of the answer took */
export function drawResponse(response: Response, body: Body, firstMs: number): void {
  const type = response.headers.get("content-type") ?? "";
  const speed = body.ms > 0 ? `, ${formatRate((1000 * body.size) / body.ms)}` : "";
  drawFacts([
    ["Status", `${response.status} ${response.statusText}`],
    ["Address", response.url],
    ["Type", type || "not said"],
    ["First byte", `after ${formatMs(firstMs)}`],
    ["Size", `${formatBytes(body.size)} in ${formatMs(body.ms)}${speed}`],
    ["SHA-256", body.sha256],
  ]);
  element("headers").textContent = [...response.headers]
    .map(([name, value]) => `${name}: ${value}`)
    .join("\n");
  element("view").replaceChildren(
    ...(body.bytes ? viewOf(type, body.bytes) : [textElement("p", "The body is too large to be shown.")]),
  );
}

function drawFacts(facts: readonly (readonly [string, string])[]): void {
  element("facts").replaceChildren(
    ...facts.flatMap(([name, value]) => [textElement("dt", name), textElement("dd", value)]),
  );
}

/** HTML in a frame that may run and load nothing, text as text, anything else as a link to save it. */
function viewOf(type: string, bytes: Uint8Array<ArrayBuffer>): HTMLElement[] {
  if (type.includes("html")) return [frameOf(bytes), sourceOf(bytes)];
  if (/^text\/|json|xml/.test(type)) return [textElement("pre", decode(bytes))];
  const save = textElement("button", "Save the file", "quiet");
  save.addEventListener("click", () => saveFile(bytes, "download", type));
  return [save];
}

function decode(bytes: Uint8Array): string {
  const cut = bytes.length > SHOWN_TEXT;
  return new TextDecoder().decode(bytes.subarray(0, SHOWN_TEXT)) + (cut ? "\n…" : "");
}

function frameOf(bytes: Uint8Array): HTMLIFrameElement {
  const frame = document.createElement("iframe");
  frame.title = "The fetched page, without scripts and without what it would load";
  frame.setAttribute("sandbox", "");
  frame.srcdoc = decode(bytes);
  return frame;
}

function sourceOf(bytes: Uint8Array): HTMLDetailsElement {
  const details = document.createElement("details");
  details.append(textElement("summary", "Source"), textElement("pre", decode(bytes)));
  return details;
}
