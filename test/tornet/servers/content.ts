// The destination's large contents: an endless deterministic stream of bytes (AES-128-CTR under a fixed key), of which
// every resource is a prefix. Nothing of it is kept in memory.

import { createCipheriv, createHash } from "node:crypto";

const BLOCK = 65_536;
export const LARGE_BYTES = 64 * 1024 * 1024;
/** SHA-256 of the first LARGE_BYTES. */
export const LARGE_SHA256 = "afbf268084dd8a72a35bdb16dc6c5d8784301d1805cd64e5ea79d8ab87397aaf";

/** The first `bytes` of the stream, in blocks. */
export function* content(bytes: number): Generator<Uint8Array> {
  const cipher = createCipheriv("aes-128-ctr", Buffer.from("tornet's content"), Buffer.alloc(16));
  const zeros = new Uint8Array(BLOCK);
  for (let left = bytes; left > 0; left -= BLOCK)
    yield cipher.update(zeros.subarray(0, Math.min(left, BLOCK)));
}

/** SHA-256 in hex of the first `bytes`. */
export function contentDigest(bytes: number): string {
  const hash = createHash("sha256");
  for (const block of content(bytes)) hash.update(block);
  return hash.digest("hex");
}
