// A download with keys that were never negotiated: DATA cells of one stream, encrypted by three tor1 hops (tor-spec 0.3, 5.5, 6.1).
// All of it is Node's own cryptography. Runs in Node only.

import { type Cipheriv, createCipheriv, createHash, type Hash } from "node:crypto";

export const BODY = 509;
export const CELL = 514;
const HEADER = 11;
/** Application bytes in a DATA cell of the first format. */
export const DATA = BODY - HEADER;
const RELAY = 3;
const DATA_COMMAND = 2;
/** Cells that are encrypted at once. */
const BATCH = 1024;

/** Keys of a tor1 hop towards the client. */
export interface BackwardKeys {
  /** 16 bytes. */
  readonly kb: Uint8Array;
  /** 20 bytes. */
  readonly db: Uint8Array;
}

/** AES-128-CTR from a counter of zero, as one long stream. */
function ctrStream(key: Uint8Array): Cipheriv {
  return createCipheriv("aes-128-ctr", key, Buffer.alloc(16));
}

/** The exit's own layer. */
class Tor1Exit {
  readonly #digest: Hash;
  readonly #cipher: Cipheriv;

  constructor({ kb, db }: BackwardKeys) {
    this.#cipher = ctrStream(kb);
    this.#digest = createHash("sha1").update(db);
  }

  /** Bodies of `count` full DATA cells, one behind the other, as they leave the exit. */
  data(count: number, streamId: number): Buffer {
    const bodies = Buffer.alloc(count * BODY);
    for (let i = 0; i < count; i++) {
      const body = bodies.subarray(i * BODY, (i + 1) * BODY);
      body[0] = DATA_COMMAND;
      body.writeUInt16BE(streamId, 3);
      body.writeUInt16BE(DATA, 9);
      // Zeros are as good as anything: what arrives is checked by its digest.
      this.#seal(body);
    }
    return this.#cipher.update(bodies);
  }

  #seal(body: Buffer): void {
    this.#digest.update(body);
    body.set(this.#digest.copy().digest().subarray(0, 4), 5);
  }
}

/** A relay cell as the link has it. */
function relayCell(circuitId: number, body: Uint8Array, target: Buffer, at: number): void {
  target.writeUInt32BE(circuitId, at);
  target[at + 4] = RELAY;
  target.set(body, at + 5);
}

/**
 * At least `bytes` of application data in whole DATA cells, behind one another.
 * @param hops the guard first
 */
export function writeDownload(
  hops: readonly BackwardKeys[],
  ids: { readonly circuitId: number; readonly streamId: number },
  bytes: number,
): Buffer {
  const [last, ...others] = hops.toReversed();
  if (last === undefined) throw new Error("a circuit has hops");
  const exit = new Tor1Exit(last);
  const outer = others.map(({ kb }) => ctrStream(kb));
  const count = Math.ceil(bytes / DATA);
  const cells = Buffer.alloc(count * CELL);
  for (let done = 0; done < count; done += BATCH) {
    let bodies = exit.data(Math.min(BATCH, count - done), ids.streamId);
    for (const cipher of outer) bodies = cipher.update(bodies);
    for (let i = 0; i * BODY < bodies.length; i++)
      relayCell(ids.circuitId, bodies.subarray(i * BODY, (i + 1) * BODY), cells, (done + i) * CELL);
  }
  return cells;
}
