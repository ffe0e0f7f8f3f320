// What a CGO cell costs the client: as a whole, by parts, and against the same with tables and the same of the library's
// primitives. The variants take turns on the same recorded cells; the median of the turns counts.

import { CellBody } from "../../../packages/core/src/circuit/relaycrypto/cell-body.ts";
import { CGO_KEY_MATERIAL, CgoCrypto } from "../../../packages/core/src/circuit/relaycrypto/cgo.ts";
import { Uiv } from "../../../packages/core/src/circuit/relaycrypto/uiv.ts";
import { AesPair } from "../../../packages/core/src/crypto/aes.ts";
import { AesCounter } from "../../../packages/core/src/crypto/aes-counter.ts";
import { Polyval } from "../../../packages/core/src/crypto/polyval.ts";
import type { CellCost } from "../contenders/protocol.ts";
import { LibraryUiv } from "./cgo-library.ts";
import { TableUiv } from "./cgo-tables.ts";

/** What a variant has to do. */
interface CellCipher {
  setKeys(words: Int32Array): void;
  decrypt(view: DataView, at: number, tweak: Int32Array, command: number): void;
  update(nonce: Int32Array): void;
}

/** Cells a turn: about a millisecond, which on a busy machine is seldom interrupted and which a page's clock can tell. */
const CELLS = 100;
const TURNS = 301;
const RELAY = 3;
const AT = 0;

const material = Uint8Array.from({ length: CGO_KEY_MATERIAL }, (_, i) => (i * 37) & 255);
const words = new Int32Array(material.buffer);

/** Cells as a relay sends them, one after another. */
function record(): Uint8Array[] {
  const relay = new CgoCrypto(material, "relay");
  const cell = new CellBody();
  return Array.from({ length: CELLS }, (_, i) => {
    cell.bytes.fill(i);
    relay.originate(cell, RELAY);
    return cell.bytes.slice();
  });
}

/** Decrypts all of `cells` with a cipher in its first state; throws unless each is recognised. */
function receiveAll(cipher: CellCipher, cells: readonly Uint8Array[]): void {
  // The backward keys: twenty words from the twentieth.
  const nonce = words.slice(36, 40);
  const tweak = new Int32Array(4);
  const encrypted = new Int32Array(4);
  const cell = new CellBody();
  cipher.setKeys(words.subarray(20, 36));
  for (const bytes of cells) {
    cell.bytes.set(bytes);
    for (let i = 0; i < 4; i++) encrypted[i] = cell.view.getInt32(AT + 4 * i, true);
    cipher.decrypt(cell.view, AT, tweak, RELAY);
    tweak.set(encrypted);
    let difference = 0;
    for (let i = 0; i < 4; i++) difference |= (nonce[i] as number) ^ cell.view.getInt32(AT + 4 * i, true);
    if (difference !== 0) throw new Error("a cell is not recognised");
    cipher.update(nonce);
  }
}

function originateAll(crypto: CgoCrypto, cell: CellBody): void {
  for (let i = 0; i < CELLS; i++) crypto.originate(cell, RELAY);
}

function decryptAll(cells: readonly Uint8Array[], cell: CellBody): void {
  const crypto = new CgoCrypto(material);
  for (const bytes of cells) {
    cell.bytes.set(bytes);
    if (!crypto.decrypt(cell, RELAY)) throw new Error("a cell is not recognised");
  }
}

function repeat(work: () => void): () => void {
  return () => {
    for (let i = 0; i < CELLS; i++) work();
  };
}

function jobs(): [title: string, run: () => void][] {
  const cells = record();
  const cell = new CellBody();
  const client = new CgoCrypto(material);
  const aes = new AesPair();
  const counter = new AesCounter(aes);
  const hash = new Polyval();
  const uiv = new Uiv();
  aes.setKeys(words);
  counter.rekey();
  hash.setKey(words);
  const start = new Int32Array(4);
  const block = new Int32Array(8);
  return [
    ["decrypt a recognised cell", () => decryptAll(cells, cell)],
    ["originate a cell", () => originateAll(client, cell)],
    ["its AES-CTR: 36 blocks", repeat(() => keystream(counter, start))],
    ["its POLYVAL: 32 blocks and 1", repeat(() => hashCell(hash))],
    ["its block decryption", repeat(() => aes.decrypt(block))],
    ["its new keys", repeat(() => uiv.setKeys(words))],
    ["cipher alone", () => receiveAll(new Uiv(), cells)],
    ["cipher alone, with tables", () => receiveAll(new TableUiv(), cells)],
    ["cipher alone, of the library's parts", () => receiveAll(new LibraryUiv(), cells)],
  ];
}

function keystream(counter: AesCounter, start: Int32Array): void {
  counter.start(start);
  for (let group = 0; group < 5; group++) counter.blocks(group);
}

function hashCell(hash: Polyval): void {
  for (let pair = 0; pair < 16; pair++) hash.addPair(pair, 1, 2, 3, 4, 5, 6, 7);
  hash.add(0, 1, 2, 3);
}

export function measureCgo(): CellCost[] {
  const all = jobs().map(([title, run]) => ({ title, run, times: [] as number[] }));
  for (const { run } of all) for (let i = 0; i < 80; i++) run();
  for (let turn = 0; turn < TURNS; turn++) {
    for (const { run, times } of all) {
      const begun = performance.now();
      run();
      times.push(((performance.now() - begun) * 1000) / CELLS);
    }
  }
  return all.map(({ title, times }) => {
    times.sort((a, b) => a - b);
    return { title, median: times[TURNS >> 1] as number, best: times[0] as number };
  });
}
