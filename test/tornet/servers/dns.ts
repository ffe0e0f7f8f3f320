// The exits' resolver (RFC 1035 over UDP): every name under `tornet.test` has one A record, the destination's address.
// `missing.` has none (NXDOMAIN), `silent.` gets no answer; any other name is refused. The reverse lookup of the
// destination's address gives `site.tornet.test`.

import dgram from "node:dgram";

export const ZONE = "tornet.test";
const TYPE_A = 1;
const TYPE_PTR = 12;
const NXDOMAIN = 3;
const REFUSED = 5;
const TTL_SECONDS = 60;
const HEADER = 12;

interface Question {
  /** Lower case, without the last dot. */
  readonly name: string;
  readonly type: number;
  /** Just behind the question. */
  readonly end: number;
}

function readQuestion(query: Buffer): Question | undefined {
  const labels: string[] = [];
  let at = HEADER;
  for (;;) {
    const length = query[at];
    if (length === undefined || length > 63) return undefined;
    at++;
    if (length === 0) break;
    labels.push(query.toString("latin1", at, at + length).toLowerCase());
    at += length;
  }
  if (at + 4 > query.length) return undefined;
  return { name: labels.join("."), type: query.readUInt16BE(at), end: at + 4 };
}

function encodeName(name: string): Buffer {
  const labels = name
    .split(".")
    .map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  return Buffer.concat([...labels, Buffer.from([0])]);
}

function resourceRecord(type: number, data: Buffer): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc000 | HEADER, 0); // a pointer to the question's name
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(TTL_SECONDS, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

/** @returns undefined where no answer is to be given */
export function answer(query: Buffer, address: string): Buffer | undefined {
  if (query.length < HEADER || query.readUInt16BE(4) !== 1) return undefined;
  const question = readQuestion(query);
  if (question === undefined) return undefined;
  const { name, type, end } = question;
  const octets = address.split(".").map(Number);
  const inZone = name === ZONE || name.endsWith(`.${ZONE}`);
  const isReverse = name === `${octets.toReversed().join(".")}.in-addr.arpa`;
  if (name === `silent.${ZONE}`) return undefined;
  const records: Buffer[] = [];
  let code = 0;
  if (name === `missing.${ZONE}`) code = NXDOMAIN;
  else if (!inZone && !isReverse) code = REFUSED;
  else if (inZone && type === TYPE_A) records.push(resourceRecord(TYPE_A, Buffer.from(octets)));
  else if (isReverse && type === TYPE_PTR) records.push(resourceRecord(TYPE_PTR, encodeName(`site.${ZONE}`)));
  // The question goes back byte for byte: tor checks the case of its letters.
  const head = Buffer.from(query.subarray(0, end));
  head.writeUInt16BE(0x8480 | code, 2);
  head.writeUInt16BE(records.length, 6);
  head.fill(0, 8, HEADER);
  return Buffer.concat([head, ...records]);
}

export function createDnsServer(address: string): dgram.Socket {
  const socket = dgram.createSocket("udp4");
  socket.on("message", (query, peer) => {
    const response = answer(query, address);
    if (response !== undefined) socket.send(response, peer.port, peer.address);
  });
  return socket;
}
