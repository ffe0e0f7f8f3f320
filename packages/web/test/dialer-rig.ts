// What the dialer's tests have in common: relays that nothing is sent to, and pipes written, read and ended.

import { type Duplex, isTorError, parseSocketAddress, type TorError } from "@allium/core";

export const relay = [parseSocketAddress("192.0.2.1:9001")];
export const twoAddresses = [...relay, parseSocketAddress("[2001:db8::1]:443")];
export const hello = new TextEncoder().encode("client hello");

export async function write(pipe: Duplex, bytes: Uint8Array): Promise<void> {
  const writer = pipe.writable.getWriter();
  await writer.write(bytes);
  writer.releaseLock();
}

export async function readAll(pipe: Duplex): Promise<string> {
  let text = "";
  for await (const chunk of pipe.readable) text += new TextDecoder("latin1").decode(chunk);
  return text;
}

export async function rejection(promise: Promise<unknown>): Promise<TorError> {
  try {
    await promise;
  } catch (error) {
    if (isTorError(error)) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
