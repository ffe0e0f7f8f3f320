// Bytes that leave Allium: whoever gets them may transfer their buffer, so it must hold nothing else.

/** `bytes` itself when it fills its buffer, a copy otherwise. */
export function ownBuffer(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
}
