// UIV+: the vectors of its parts ET and PRF, of itself and of its key update, at every alignment.

import { describe, expect, it } from "vitest";
import { fromHex, toHex } from "../../src/base/encoding.ts";
import { randomBytes } from "../../src/base/random.ts";
import { Uiv } from "../../src/circuit/relaycrypto/uiv.ts";
import { CGO_ET, CGO_PRF, CGO_UIV, CGO_UIV_UPDATE } from "./cgo-vectors.ts";

const CELL = 509;
const ANY_KEY = "0123456789abcdeffedcba98765432100f1e2d3c4b5a69788796a5b4c3d2e1f0";
const NO_TWEAK = "00".repeat(17);

function wordsOf(hex: string): Int32Array {
  const view = new DataView(fromHex(hex).buffer);
  return Int32Array.from({ length: hex.length / 8 }, (_, i) => view.getInt32(4 * i, true));
}

function hexOf(words: Int32Array): string {
  const view = new DataView(new ArrayBuffer(4 * words.length));
  words.forEach((word, i) => {
    view.setInt32(4 * i, word, true);
  });
  return toHex(new Uint8Array(view.buffer));
}

function uivOf(keys: string): Uiv {
  const uiv = new Uiv();
  uiv.setKeys(wordsOf(keys));
  return uiv;
}

/** En- or decrypts a cell that begins at `at`; nothing around it may change. */
function run(uiv: Uiv, encrypt: boolean, tweak: string, cell: string, at = 0): string {
  const room = randomBytes(528);
  room.set(fromHex(cell), at);
  const before = room.slice();
  const view = new DataView(room.buffer);
  const command = Number.parseInt(tweak.slice(32), 16);
  if (encrypt) uiv.encrypt(view, at, wordsOf(tweak.slice(0, 32)), command);
  else uiv.decrypt(view, at, wordsOf(tweak.slice(0, 32)), command);
  before.set(room.subarray(at, at + CELL), at);
  expect(room).toEqual(before);
  return toHex(room.subarray(at, at + CELL));
}

function xor(a: string, b: string): string {
  const other = fromHex(b);
  return toHex(fromHex(a).map((byte, i) => byte ^ (other[i] as number)));
}

/** That both have the same keys: they make the same of a cell. */
function expectSameKeys(a: Uiv, b: Uiv): void {
  const cell = toHex(randomBytes(CELL));
  const tweak = toHex(randomBytes(17));
  expect(run(a, true, tweak, cell)).toBe(run(b, true, tweak, cell));
  expect(run(a, false, tweak, cell)).toBe(run(b, false, tweak, cell));
}

describe("ET", () => {
  it.each(CGO_ET)("gives $output (encrypt: $encrypt)", ({ encrypt, keys, tweak, block, output }) => {
    const uiv = uivOf(keys + ANY_KEY);
    const h = tweak.slice(0, 34);
    let right = tweak.slice(34);
    // Decryption makes the right part ET's tweak after taking PRF off it.
    if (!encrypt) right = xor(right, run(uiv, false, NO_TWEAK, block + "00".repeat(493)).slice(32));
    expect(run(uiv, encrypt, h, block + right).slice(0, 32)).toBe(output);
  });
});

describe("PRF", () => {
  it.each(CGO_PRF)("of $input, $t", ({ keys, t, input, output }) => {
    const uiv = uivOf(ANY_KEY + keys);
    const stream = run(uiv, false, NO_TWEAK, input + "00".repeat(493)).slice(32);
    if (t === 0) {
      expect(stream).toBe(output);
      return;
    }
    const nonce = new Int32Array(4);
    uiv.update(nonce);
    expect(hexOf(nonce)).toBe(output.slice(128));
    expectSameKeys(uiv, uivOf(output.slice(0, 128)));
  });
});

describe("UIV+", () => {
  it.each(CGO_UIV)("gives the vector's cell at every alignment (encrypt: $encrypt, H $tweak)", (vector) => {
    const { encrypt, keys, tweak, input, output } = vector;
    const uiv = uivOf(keys);
    for (let at = 0; at < 16; at++) {
      expect(run(uiv, encrypt, tweak, input, at)).toBe(output);
      expect(run(uiv, !encrypt, tweak, output, at)).toBe(input);
    }
  });

  it.each(CGO_UIV_UPDATE)("makes of nonce $nonce new keys and $newNonce", (vector) => {
    for (const encrypt of [true, false]) {
      const uiv = uivOf(vector.keys);
      const cell = run(uiv, false, NO_TWEAK, vector.nonce + "5a".repeat(493));
      // The nonce is the encrypted tag, wherever the cell comes from.
      if (encrypt) expect(run(uiv, true, NO_TWEAK, cell).slice(0, 32)).toBe(vector.nonce);
      const nonce = new Int32Array(4);
      uiv.update(nonce);
      expect(hexOf(nonce)).toBe(vector.newNonce);
      expectSameKeys(uiv, uivOf(vector.newKeys));
    }
  });

  it("takes every key and every part of the tweak into account", () => {
    const keys = toHex(randomBytes(64));
    const tweak = toHex(randomBytes(17));
    const cell = toHex(randomBytes(CELL));
    const output = run(uivOf(keys), true, tweak, cell);
    for (let part = 0; part < 4; part++) {
      const changed = fromHex(keys);
      changed[16 * part] = (changed[16 * part] as number) ^ 1;
      expect(run(uivOf(toHex(changed)), true, tweak, cell)).not.toBe(output);
    }
    for (let i = 0; i < 17; i++) {
      const changed = fromHex(tweak);
      changed[i] = (changed[i] as number) ^ 1;
      expect(run(uivOf(keys), true, toHex(changed), cell)).not.toBe(output);
    }
  });
});
