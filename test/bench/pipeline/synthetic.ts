// A download with keys that were never negotiated, for the versions that are only receivers: TLS 1.3 records (RFC 8446 5.2, AES-256-GCM
// as C tor's relays choose) with the cells of onion-writer.ts in them. Runs in Node only.

import { createCipheriv, randomBytes } from "node:crypto";
import { DATA, writeDownload } from "./onion-writer.ts";
import type { SyntheticKeys } from "./protocol.ts";

const APPLICATION_DATA = 23;
const TAG = 16;
/** Bytes of a message of a bridge that has data waiting. */
export const CHUNK = 65_536;

export interface Synthetic {
  readonly keys: SyntheticKeys;
  /** The records, in pieces of CHUNK. */
  readonly chunks: readonly Buffer[];
  readonly applicationBytes: number;
}

/** RFC 8446 5.3: the IV with the record's number in its last eight bytes. */
function nonce(iv: Buffer, sequence: number): Buffer {
  const bytes = Buffer.from(iv);
  bytes.writeUInt32BE((bytes.readUInt32BE(8) ^ sequence) >>> 0, 8);
  return bytes;
}

function seal(key: Buffer, iv: Buffer, sequence: number, content: Buffer): Buffer {
  const header = Buffer.from([APPLICATION_DATA, 3, 3, 0, 0]);
  header.writeUInt16BE(content.length + 1 + TAG, 3);
  const cipher = createCipheriv("aes-256-gcm", key, nonce(iv, sequence)).setAAD(header);
  const sealed = [cipher.update(content), cipher.update(Buffer.from([APPLICATION_DATA])), cipher.final()];
  return Buffer.concat([header, ...sealed, cipher.getAuthTag()]);
}

export function cut(bytes: Buffer, length: number): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += length) pieces.push(bytes.subarray(at, at + length));
  return pieces;
}

/** @param recordLength content bytes of a record */
export function synthesize(bytes: number, recordLength: number): Synthetic {
  const [key, iv] = [randomBytes(32), randomBytes(12)];
  const hops = Array.from({ length: 3 }, () => ({ kb: randomBytes(16), db: randomBytes(20) }));
  const ids = { circuitId: 0x80000001, streamId: 1 };
  const cells = writeDownload(hops, ids, bytes);
  const records = cut(cells, recordLength).map((content, i) => seal(key, iv, i, content));
  return {
    keys: {
      tlsKey: key.toString("hex"),
      tlsIv: iv.toString("hex"),
      hops: hops.map(({ kb, db }) => ({ kb: kb.toString("hex"), db: db.toString("hex") })),
    },
    chunks: cut(Buffer.concat(records), CHUNK),
    applicationBytes: Math.ceil(bytes / DATA) * DATA,
  };
}
