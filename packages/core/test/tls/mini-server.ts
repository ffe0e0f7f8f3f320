// A TLS 1.3 server whose every step a test can script and bend. Built from the client's own key schedule and record
// protection, which RFC 8448 and real servers check elsewhere.

import { createECDH, createPublicKey, diffieHellman, generateKeyPairSync } from "node:crypto";
import type { ByteStream } from "../../src/base/byte-stream.ts";
import { concat, Reader, Writer } from "../../src/base/bytes.ts";
import { fromHex, utf8 } from "../../src/base/encoding.ts";
import { finishedMac, KeySchedule, type TrafficSecrets } from "../../src/tls/key-schedule.ts";
import { Protection13 } from "../../src/tls/protection-13.ts";
import { CIPHER_SUITES, CIPHER_SUITES_12, type CipherSuite } from "../../src/tls/protocol.ts";
import type { RecordProtection } from "../../src/tls/record-protection.ts";
import { Transcript } from "../../src/tls/transcript.ts";
import { makeCertificate, makeKey, type TestKey } from "./make-certificate.ts";
import { ExactReader } from "./pipes.ts";
import { type SignOptions, signAs } from "./sign-as.ts";

export const RETRY_RANDOM = fromHex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c");
export const P256 = 0x17;
export const X25519 = 0x1d;
export const CHANGE_CIPHER_SPEC = fromHex("140303000101");

export const serverKey = makeKey("ec", "prime256v1");
export const serverCertificate = makeCertificate(serverKey);

export type Extension = readonly [type: number, data: Uint8Array];

export interface HelloFields {
  version: number;
  random: Uint8Array;
  sessionId: Uint8Array;
  suite: number;
  compression: number;
  extensions: Extension[];
}

/** What a ClientHello said. */
export interface ClientHello {
  readonly recordVersion: number;
  readonly raw: Uint8Array;
  readonly random: Uint8Array;
  readonly sessionId: Uint8Array;
  readonly suites: number[];
  readonly extensions: Map<number, Uint8Array>;
}

export const u16 = (value: number) => Uint8Array.of(value >> 8, value & 255);

export function message(type: number, ...body: Uint8Array[]): Uint8Array {
  return new Writer()
    .u8(type)
    .vector(3, concat(...body))
    .finish();
}

export function extensionList(extensions: readonly Extension[]): Uint8Array {
  const list = new Writer();
  for (const [type, data] of extensions) list.u16(type).vector(2, data);
  return new Writer().vector(2, list.finish()).finish();
}

export function encryptedExtensions(extensions: readonly Extension[] = []): Uint8Array {
  return message(8, extensionList(extensions));
}

export function certificateMessage(
  chain: readonly Uint8Array[] = [serverCertificate],
  entryExtensions: readonly Extension[] = [],
  context: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const list = new Writer();
  for (const der of chain) list.vector(3, der).bytes(extensionList(entryExtensions));
  return message(11, new Writer().vector(1, context).vector(3, list.finish()).finish());
}

export function plainRecord(type: number, content: Uint8Array, version = 0x0303): Uint8Array {
  return new Writer().u8(type).u16(version).vector(2, content).finish();
}

function agree(group: number, clientShare: Uint8Array): { publicKey: Uint8Array; secret: Uint8Array } {
  if (group === P256) {
    const ecdh = createECDH("prime256v1");
    const publicKey = new Uint8Array(ecdh.generateKeys());
    return { publicKey, secret: new Uint8Array(ecdh.computeSecret(clientShare)) };
  }
  const { publicKey, privateKey } = generateKeyPairSync("x25519");
  const prefix = fromHex("302a300506032b656e032100");
  const spki = Buffer.from(concat(prefix, clientShare));
  const peer = createPublicKey({ key: spki, format: "der", type: "spki" });
  const own = new Uint8Array(publicKey.export({ format: "der", type: "spki" })).slice(prefix.length);
  return { publicKey: own, secret: new Uint8Array(diffieHellman({ privateKey, publicKey: peer })) };
}

export class MiniServer {
  readonly pipe: ByteStream;
  readonly reader: ExactReader;
  readonly transcript = new Transcript();
  readonly suite: CipherSuite;
  schedule: KeySchedule;
  group = P256;
  secrets: TrafficSecrets | undefined;
  application: TrafficSecrets | undefined;
  inbound: RecordProtection | undefined;
  outbound: RecordProtection | undefined;
  clientHello: ClientHello | undefined;
  /** Types of the records that the client sent in the clear. */
  readonly plainTypes: number[] = [];

  constructor(pipe: ByteStream, suiteId = 0x1301) {
    this.pipe = pipe;
    this.reader = new ExactReader(pipe);
    this.suite = [...CIPHER_SUITES, ...CIPHER_SUITES_12].find(({ id }) => id === suiteId) as CipherSuite;
    this.schedule = new KeySchedule(this.suite.hash);
  }

  // Records

  async readRecord(): Promise<{ type: number; header: Uint8Array; fragment: Uint8Array }> {
    const header = await this.reader.take(5);
    const fragment = await this.reader.take(((header[3] as number) << 8) | (header[4] as number));
    return { type: header[0] as number, header, fragment };
  }

  /** The next record's content, decrypted when keys are in force; change_cipher_spec is passed over. */
  async readContent(): Promise<{ type: number; content: Uint8Array }> {
    for (;;) {
      const record = await this.readRecord();
      if (this.inbound?.carries(record.type)) return this.inbound.open(record);
      this.plainTypes.push(record.type);
      if (record.type !== 20) return { type: record.type, content: record.fragment };
    }
  }

  async sendPlain(type: number, content: Uint8Array, version?: number): Promise<void> {
    await this.pipe.write(plainRecord(type, content, version));
  }

  async sendSealed(type: number, content: Uint8Array): Promise<void> {
    await this.pipe.write(await this.seal(type, content));
  }

  /** A whole record. */
  async seal(type: number, content: Uint8Array): Promise<Uint8Array> {
    if (this.outbound === undefined) throw new Error("no keys yet");
    return concat(...(await this.outbound.seal(type, content)));
  }

  // Hellos

  async readClientHello(): Promise<ClientHello> {
    const record = await this.readRecord();
    this.plainTypes.push(record.type);
    if (record.type === 20) return this.readClientHello();
    const reader = new Reader(record.fragment);
    reader.take(6);
    const random = reader.take(32);
    const sessionId = reader.vector(1);
    const suiteList = new Reader(reader.vector(2));
    const suites: number[] = [];
    while (suiteList.remaining > 0) suites.push(suiteList.u16());
    reader.vector(1);
    const extensions = new Map<number, Uint8Array>();
    const list = new Reader(reader.vector(2));
    while (list.remaining > 0) extensions.set(list.u16(), list.vector(2));
    reader.end();
    this.transcript.add(record.fragment);
    const version = ((record.header[1] as number) << 8) | (record.header[2] as number);
    this.clientHello = {
      recordVersion: version,
      raw: record.fragment,
      random,
      sessionId,
      suites,
      extensions,
    };
    return this.clientHello;
  }

  hello(fields: Partial<HelloFields> = {}): Uint8Array {
    const all: HelloFields = {
      version: 0x0303,
      random: new Uint8Array(32).fill(0x5a),
      sessionId: this.clientHello?.sessionId ?? new Uint8Array(0),
      suite: this.suite.id,
      compression: 0,
      extensions: [],
      ...fields,
    };
    const body = new Writer().u16(all.version).bytes(all.random).vector(1, all.sessionId).u16(all.suite);
    return message(2, body.u8(all.compression).bytes(extensionList(all.extensions)).finish());
  }

  async sendRetry(extensions: readonly Extension[], fields: Partial<HelloFields> = {}): Promise<void> {
    const retry = this.hello({
      random: RETRY_RANDOM,
      extensions: [[43, u16(0x0304)], ...extensions],
      ...fields,
    });
    this.transcript.replaceByHash(this.suite.hash);
    this.transcript.add(retry);
    await this.sendPlain(22, retry);
  }

  /** Sends ServerHello and puts the handshake's keys into force. */
  async sendServerHello(fields: Partial<HelloFields> = {}): Promise<void> {
    const { hello, secret } = this.serverHello(fields);
    await this.sendPlain(22, hello);
    await this.startKeys(hello, secret);
  }

  /** ServerHello with a share for the client's, and their shared secret. */
  serverHello(fields: Partial<HelloFields> = {}): { hello: Uint8Array; secret: Uint8Array } {
    const shares = new Reader((this.clientHello?.extensions.get(51) ?? new Uint8Array(0)).subarray(2));
    this.group = shares.u16();
    const { publicKey, secret } = agree(this.group, shares.vector(2));
    const share = new Writer().u16(this.group).vector(2, publicKey).finish();
    const hello = this.hello({
      extensions: [
        [43, u16(0x0304)],
        [51, share],
      ],
      ...fields,
    });
    return { hello, secret };
  }

  async startKeys(hello: Uint8Array, secret: Uint8Array): Promise<void> {
    this.transcript.add(hello);
    this.secrets = this.schedule.handshake(secret, this.transcript.hash(this.suite.hash));
    this.outbound = await Protection13.create(this.suite, this.secrets.server.slice(), undefined);
    this.inbound = await Protection13.create(this.suite, this.secrets.client.slice(), undefined);
  }

  // The encrypted flight: each message goes into the transcript as it is made

  add(raw: Uint8Array): Uint8Array {
    this.transcript.add(raw);
    return raw;
  }

  certificateVerify(
    options: SignOptions & { key?: TestKey; scheme?: number; context?: string } = {},
  ): Uint8Array {
    const key = options.key ?? serverKey;
    const scheme = options.scheme ?? 0x0403;
    const context = options.context ?? "TLS 1.3, server CertificateVerify";
    const data = concat(
      new Uint8Array(64).fill(0x20),
      utf8(context),
      Uint8Array.of(0),
      this.transcript.hash(this.suite.hash),
    );
    const signature = signAs(scheme, key, data, options);
    return message(15, u16(scheme), new Writer().vector(2, signature).finish());
  }

  finished(): Uint8Array {
    if (this.secrets === undefined) throw new Error("no keys yet");
    const hash = this.transcript.hash(this.suite.hash);
    return message(20, finishedMac(this.suite.hash, this.secrets.server, hash));
  }

  /** EncryptedExtensions, Certificate, CertificateVerify and Finished, in the transcript. */
  flight(extensions = encryptedExtensions()): Uint8Array[] {
    return [
      this.add(extensions),
      this.add(certificateMessage()),
      this.add(this.certificateVerify()),
      this.add(this.finished()),
    ];
  }

  /** Derives the application's secrets; call with the transcript at the server's Finished. */
  async startApplicationWriting(): Promise<void> {
    this.application = this.schedule.application(this.transcript.hash(this.suite.hash));
    this.outbound = await Protection13.create(this.suite, this.application.server.slice(), undefined);
  }

  /** Reads the client's last flight, checks its Finished, and puts the client's application key into force. */
  async readClientFinished(): Promise<Uint8Array[]> {
    if (this.secrets === undefined || this.application === undefined) throw new Error("no keys yet");
    const { content } = await this.readContent();
    const reader = new Reader(content);
    const messages: Uint8Array[] = [];
    while (reader.remaining > 0) {
      const raw = concat(reader.take(1), reader.take(3));
      const length = ((raw[1] as number) << 16) | ((raw[2] as number) << 8) | (raw[3] as number);
      const whole = concat(raw, reader.take(length));
      if (whole[0] === 20) {
        const hash = this.transcript.hash(this.suite.hash);
        const expected = message(20, finishedMac(this.suite.hash, this.secrets.client, hash));
        if (Buffer.compare(expected, whole) !== 0) throw new Error("the client's Finished is wrong");
      }
      this.add(whole);
      messages.push(whole);
    }
    this.inbound = await Protection13.create(this.suite, this.application.client.slice(), undefined);
    return messages;
  }

  /** A whole honest handshake, with extensions as they are given. */
  async accept(extensions?: Uint8Array): Promise<void> {
    await this.readClientHello();
    await this.sendServerHello();
    await this.pipe.write(CHANGE_CIPHER_SPEC);
    await this.sendSealed(22, concat(...this.flight(extensions)));
    await this.startApplicationWriting();
    await this.readClientFinished();
  }
}
