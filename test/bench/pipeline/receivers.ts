// The versions beside which the client's receive path stands: each takes TLS records with three-hop cells and delivers application
// bytes, with nothing else about it: no flow control, no other messages. They differ only in where their cryptography is done.

import { ctr, gcm } from "@noble/ciphers/aes.js";
import { sha1 } from "@noble/hashes/legacy.js";
import type { Feed, Pipeline, ReceiverVersion, SyntheticKeys } from "./protocol.ts";
import { RecordCutter, type SealedRecord } from "./record-cutter.ts";

const BODY = 509;
const CELL = 514;
const HEADER = 11;
const DATA_COMMAND = 2;
const BLOCK = 16;
/** Records whose decryption is under way at once, where it is WebCrypto's. */
const IN_FLIGHT = 16;

type Bytes = Uint8Array<ArrayBuffer>;

export function bytesOf(hex: string): Bytes {
  return Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
}

/** AES-CTR's counter block at `position`, counted from zero, and how far into its block that is. */
function counterAt(position: number): { counter: Bytes; skip: number } {
  const counter = new Uint8Array(BLOCK);
  new DataView(counter.buffer).setUint32(BLOCK - 4, Math.floor(position / BLOCK));
  return { counter, skip: position % BLOCK };
}

class Nonces {
  readonly #iv: Bytes;
  #sequence = 0;

  constructor(iv: Bytes) {
    this.#iv = iv;
  }

  next(): Bytes {
    const nonce = this.#iv.slice();
    const view = new DataView(nonce.buffer);
    view.setUint32(8, (view.getUint32(8) ^ this.#sequence++) >>> 0);
    return nonce;
  }
}

/** The exit's running digest (tor-spec 6.1), by the library. */
class ExitDigest {
  readonly #running;

  constructor(seed: Bytes) {
    this.#running = sha1.create().update(seed);
  }

  /** Checks a decrypted body and gives its application bytes. */
  open(body: Uint8Array): Uint8Array {
    if (body[0] !== DATA_COMMAND || body[1] !== 0 || body[2] !== 0)
      throw new Error("a cell is not recognised");
    const digest = body.slice(5, 9);
    body.fill(0, 5, 9);
    this.#running.update(body);
    const expected = this.#running.clone().digest();
    for (let i = 0; i < 4; i++) if (digest[i] !== expected[i]) throw new Error("a cell's digest is wrong");
    const length = ((body[9] as number) << 8) | (body[10] as number);
    return body.subarray(HEADER, HEADER + length);
  }
}

/** Cuts the link's bytes into relay cells' bodies. */
class CellCutter {
  #rest = new Uint8Array(0);

  *take(bytes: Uint8Array): Generator<Bytes> {
    const all = new Uint8Array(this.#rest.length + bytes.length);
    all.set(this.#rest);
    all.set(bytes, this.#rest.length);
    let at = 0;
    for (; at + CELL <= all.length; at += CELL) yield all.slice(at + CELL - BODY, at + CELL);
    this.#rest = all.slice(at);
  }
}

/** What all versions share: the loop over what is fed, and the count of what is delivered. */
abstract class Receiver implements Pipeline {
  received = 0;
  readonly #feed: Feed;
  protected readonly records = new RecordCutter();

  constructor(feed: Feed) {
    this.#feed = feed;
  }

  async until(bytes: number): Promise<void> {
    while (this.received < bytes) {
      const chunk = await this.#feed.read();
      if (chunk !== undefined) await this.take(chunk);
      else {
        await this.finish();
        if (Math.round(this.received) < bytes)
          throw new Error(`only ${this.received} bytes came of ${bytes}`);
        return;
      }
    }
  }

  protected abstract take(chunk: Uint8Array): void | Promise<void>;

  /** The feed has ended. */
  protected async finish(): Promise<void> {}

  protected deliver(bytes: number): void {
    this.received += bytes;
  }
}

class Library extends Receiver {
  readonly #key: Bytes;
  readonly #nonces: Nonces;
  readonly #cells = new CellCutter();
  readonly #layers: readonly Bytes[];
  readonly #digest: ExitDigest;
  #position = 0;

  constructor(feed: Feed, keys: SyntheticKeys) {
    super(feed);
    this.#key = bytesOf(keys.tlsKey);
    this.#nonces = new Nonces(bytesOf(keys.tlsIv));
    this.#layers = keys.hops.map(({ kb }) => bytesOf(kb));
    this.#digest = new ExitDigest(bytesOf(keys.hops.at(-1)?.db ?? ""));
  }

  protected take(chunk: Uint8Array): void {
    for (const { header, fragment } of this.records.take(chunk)) {
      const inner = gcm(this.#key, this.#nonces.next(), header).decrypt(fragment);
      for (const body of this.#cells.take(inner.subarray(0, -1))) {
        this.deliver(this.#digest.open(this.#peel(body)).length);
      }
    }
  }

  #peel(body: Bytes): Uint8Array {
    const { counter, skip } = counterAt(this.#position);
    this.#position += BODY;
    const padded = new Uint8Array(skip + BODY);
    padded.set(body, skip);
    const peeled = this.#layers.reduce<Uint8Array>((bytes, key) => ctr(key, counter).encrypt(bytes), padded);
    return peeled.subarray(skip);
  }
}

/** TLS by WebCrypto, in order, several records at once. */
abstract class WebCryptoReceiver extends Receiver {
  readonly #key: Promise<CryptoKey>;
  readonly #nonces: Nonces;
  #opening: Promise<ArrayBuffer>[] = [];

  constructor(feed: Feed, keys: SyntheticKeys) {
    super(feed);
    const usage: KeyUsage[] = ["decrypt"];
    this.#key = crypto.subtle.importKey("raw", bytesOf(keys.tlsKey), "AES-GCM", false, usage);
    this.#nonces = new Nonces(bytesOf(keys.tlsIv));
  }

  protected async take(chunk: Uint8Array): Promise<void> {
    const key = await this.#key;
    for (const record of this.records.take(chunk)) {
      const opening = this.#open(key, record);
      // Its failure counts when its turn comes.
      opening.catch(() => {});
      this.#opening.push(opening);
      if (this.#opening.length >= IN_FLIGHT) await this.#first();
    }
  }

  protected override async finish(): Promise<void> {
    while (this.#opening.length > 0) await this.#first();
  }

  protected abstract inner(bytes: Uint8Array): void | Promise<void>;

  #open(key: CryptoKey, { header, fragment }: SealedRecord): Promise<ArrayBuffer> {
    const algorithm = { name: "AES-GCM", iv: this.#nonces.next(), additionalData: header as Bytes };
    return crypto.subtle.decrypt(algorithm, key, fragment as Bytes);
  }

  async #first(): Promise<void> {
    const opened = await (this.#opening.shift() as Promise<ArrayBuffer>);
    await this.inner(new Uint8Array(opened, 0, opened.byteLength - 1));
  }
}

class Decrypt extends WebCryptoReceiver {
  protected inner(bytes: Uint8Array): void {
    this.deliver((bytes.length * (BODY - HEADER)) / CELL);
  }
}

class PerCell extends WebCryptoReceiver {
  readonly #cells = new CellCutter();
  readonly #layers: Promise<CryptoKey[]>;
  readonly #digest: ExitDigest;
  #position = 0;

  constructor(feed: Feed, keys: SyntheticKeys) {
    super(feed, keys);
    const usage: KeyUsage[] = ["encrypt"];
    this.#layers = Promise.all(
      keys.hops.map(({ kb }) => crypto.subtle.importKey("raw", bytesOf(kb), "AES-CTR", false, usage)),
    );
    // WebCrypto has no running digest.
    this.#digest = new ExitDigest(bytesOf(keys.hops.at(-1)?.db ?? ""));
  }

  protected async inner(bytes: Uint8Array): Promise<void> {
    for (const body of this.#cells.take(bytes))
      this.deliver(this.#digest.open(await this.#peel(body)).length);
  }

  async #peel(body: Bytes): Promise<Uint8Array> {
    const { counter, skip } = counterAt(this.#position);
    this.#position += BODY;
    let bytes: Bytes = new Uint8Array(skip + BODY);
    bytes.set(body, skip);
    for (const key of await this.#layers) {
      bytes = new Uint8Array(
        await crypto.subtle.encrypt({ name: "AES-CTR", counter, length: 128 }, key, bytes),
      );
    }
    return bytes.subarray(skip);
  }
}

class BytesOnly extends Receiver {
  protected take(chunk: Uint8Array): void {
    this.deliver((chunk.length * (BODY - HEADER)) / CELL);
  }
}

/** A receiver of a synthetic download. */
export function receiver(version: ReceiverVersion, feed: Feed, keys: SyntheticKeys): Pipeline {
  if (version === "library") return new Library(feed, keys);
  if (version === "per-cell") return new PerCell(feed, keys);
  if (version === "decrypt") return new Decrypt(feed, keys);
  return new BytesOnly(feed);
}
