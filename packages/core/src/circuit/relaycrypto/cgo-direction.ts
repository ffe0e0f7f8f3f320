// One direction of a CGO hop (proposal 359 4): the keys of UIV+, the nonce N and the tweak T'.

import { TorError } from "../../base/errors.ts";
import type { CellBody } from "./cell-body.ts";
import { UIV_KEY, Uiv } from "./uiv.ts";

/** Bytes of a cell's tag, its left part. */
const CGO_TAG_LENGTH = 16;
const TAG_WORDS = CGO_TAG_LENGTH / 4;
/** Bytes of J, S and N. */
export const CGO_DIRECTION_KEY_MATERIAL = 4 * UIV_KEY + CGO_TAG_LENGTH;

export type CgoSide = "client" | "relay";

export class CgoDirection {
  readonly #encrypts: boolean;
  readonly #uiv = new Uiv();
  /** N, by which a cell that begins at one end is known at the other. */
  readonly nonce = new Int32Array(TAG_WORDS);
  /** T', the last cell's tag as it was encrypted. */
  readonly tweak = new Int32Array(TAG_WORDS);
  /** The tag of the cell at hand, before and after. */
  readonly #before = new Int32Array(TAG_WORDS);
  readonly #after = new Int32Array(TAG_WORDS);
  readonly #sendme = new Int32Array(TAG_WORDS);
  #destroyed = false;

  /** @param material J, S and N */
  constructor(material: Uint8Array, side: CgoSide) {
    this.#encrypts = side === "relay";
    const view = new DataView(material.buffer, material.byteOffset, material.length);
    const keys = new Int32Array(UIV_KEY);
    for (let i = 0; i < UIV_KEY; i++) keys[i] = view.getInt32(4 * i, true);
    this.#uiv.setKeys(keys);
    keys.fill(0);
    readTag(view, 4 * UIV_KEY, this.nonce);
  }

  /** A cell that begins here. */
  originate(cell: CellBody, command: number): void {
    for (let i = 0; i < TAG_WORDS; i++) cell.view.setInt32(4 * i, this.nonce[i] as number, true);
    this.pass(cell, command);
    copyTag(this.#after, this.#sendme);
    this.#uiv.update(this.nonce);
  }

  /** A cell that may end here; whether it does. */
  receive(cell: CellBody, command: number): boolean {
    this.pass(cell, command);
    let difference = 0;
    for (let i = 0; i < TAG_WORDS; i++) difference |= (this.#after[i] as number) ^ (this.nonce[i] as number);
    if (difference !== 0) return false;
    copyTag(this.#before, this.#sendme);
    this.#uiv.update(this.nonce);
    return true;
  }

  pass(cell: CellBody, command: number): void {
    if (this.#destroyed) throw new TorError("internal", "ALLIUM_E_INTERNAL", "the relay keys are destroyed");
    readTag(cell.view, 0, this.#before);
    if (this.#encrypts) this.#uiv.encrypt(cell.view, 0, this.tweak, command);
    else this.#uiv.decrypt(cell.view, 0, this.tweak, command);
    readTag(cell.view, 0, this.#after);
    copyTag(this.#encrypts ? this.#after : this.#before, this.tweak);
  }

  /** The tag that a SENDME for the last cell originated or received must carry: as it is between client and relay. */
  sendmeTag(): Uint8Array {
    const tag = new Uint8Array(CGO_TAG_LENGTH);
    const view = new DataView(tag.buffer);
    for (let i = 0; i < TAG_WORDS; i++) view.setInt32(4 * i, this.#sendme[i] as number, true);
    return tag;
  }

  destroy(): void {
    this.#destroyed = true;
    this.#uiv.destroy();
    for (const words of [this.nonce, this.tweak, this.#before, this.#after, this.#sendme]) words.fill(0);
  }
}

function readTag(view: DataView, at: number, to: Int32Array): void {
  for (let i = 0; i < TAG_WORDS; i++) to[i] = view.getInt32(at + 4 * i, true);
}

function copyTag(from: Int32Array, to: Int32Array): void {
  for (let i = 0; i < TAG_WORDS; i++) to[i] = from[i] as number;
}
