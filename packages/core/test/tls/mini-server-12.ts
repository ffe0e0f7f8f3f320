// The same server in TLS 1.2. Its key schedule and record protection are the client's own, which real servers check elsewhere.

import { createECDH } from "node:crypto";
import type { ByteStream } from "../../src/base/byte-stream.ts";
import { concat, Writer } from "../../src/base/bytes.ts";
import { fromHex } from "../../src/base/encoding.ts";
import { masterSecret, recordKeys, verifyData } from "../../src/tls/key-schedule-12.ts";
import { Protection12 } from "../../src/tls/protection-12.ts";
import type { TestKey } from "./make-certificate.ts";
import {
  CHANGE_CIPHER_SPEC,
  type Extension,
  type HelloFields,
  MiniServer,
  message,
  P256,
  serverCertificate,
  serverKey,
  u16,
} from "./mini-server.ts";
import { type SignOptions, signAs } from "./sign-as.ts";

export const EXTENDED: Extension = [23, new Uint8Array(0)];
export const RENEGOTIATION: Extension = [0xff01, Uint8Array.of(0)];
export const DONE = message(14);
const SERVER_RANDOM = new Uint8Array(32).fill(0x5a);

export interface ExchangeOptions extends SignOptions {
  readonly group?: number;
  readonly curveType?: number;
  readonly point?: Uint8Array;
  readonly key?: TestKey;
  readonly scheme?: number;
  /** What is signed instead of what should be. */
  readonly signed?: Uint8Array;
}

export function certificates(chain: readonly Uint8Array[] = [serverCertificate]): Uint8Array {
  const list = new Writer();
  for (const der of chain) list.vector(3, der);
  return message(11, new Writer().vector(3, list.finish()).finish());
}

export class MiniServer12 extends MiniServer {
  readonly ecdh = createECDH("prime256v1");
  extended = true;
  master: Uint8Array | undefined;
  nextOutbound: Protection12 | undefined;

  constructor(pipe: ByteStream, suiteId = 0xc02b) {
    super(pipe, suiteId);
    this.ecdh.generateKeys();
  }

  /** A ServerHello with a session id of its own. */
  hello12(fields: Partial<HelloFields> = {}): Uint8Array {
    const extensions = this.extended ? [EXTENDED, RENEGOTIATION] : [RENEGOTIATION];
    return this.hello({ sessionId: fromHex("010203"), extensions, random: SERVER_RANDOM, ...fields });
  }

  keyExchange(options: ExchangeOptions = {}): Uint8Array {
    const { key = serverKey, scheme = 0x0403, curveType = 3, group = P256 } = options;
    const point = options.point ?? new Uint8Array(this.ecdh.getPublicKey());
    const params = new Writer().u8(curveType).u16(group).vector(1, point).finish();
    const random = this.clientHello?.random ?? new Uint8Array(32);
    const signed = options.signed ?? concat(random, SERVER_RANDOM, params);
    const signature = signAs(scheme, key, signed, options);
    return message(12, params, u16(scheme), new Writer().vector(2, signature).finish());
  }

  /** Sends messages in one record, in the clear. */
  async send(...messages: readonly Uint8Array[]): Promise<void> {
    await this.sendPlain(22, concat(...messages.map((raw) => this.add(raw))));
  }

  /** ServerHello to ServerHelloDone. */
  async greet(): Promise<void> {
    await this.readClientHello();
    await this.send(this.hello12(), certificates(), this.keyExchange(), DONE);
  }

  /** Reads what the client sends in the clear, up to ClientKeyExchange, and derives the keys. */
  async readKeyExchange(): Promise<Uint8Array[]> {
    const { fragment } = await this.readRecord();
    const messages: Uint8Array[] = [];
    for (let at = 0; at < fragment.length; ) {
      const end = at + 4 + (((fragment[at + 2] as number) << 8) | (fragment[at + 3] as number));
      messages.push(this.add(fragment.slice(at, end)));
      at = end;
    }
    const shared = new Uint8Array(this.ecdh.computeSecret((messages.at(-1) as Uint8Array).subarray(5)));
    const session = this.extended ? this.transcript.hash(this.suite.hash) : undefined;
    const client = this.clientHello?.random as Uint8Array;
    const randoms = { client, server: SERVER_RANDOM, session };
    this.master = masterSecret(this.suite.hash, shared, randoms);
    const keys = recordKeys(this.suite, this.master, randoms);
    this.inbound = await Protection12.create(this.suite, keys.client, undefined);
    this.nextOutbound = await Protection12.create(this.suite, keys.server, undefined);
    return messages;
  }

  /** Reads change_cipher_spec and the client's Finished, and checks it. */
  async readFinished12(): Promise<void> {
    const { content } = await this.readContent();
    const expected = this.finished12("client");
    if (Buffer.compare(expected, content) !== 0) throw new Error("the client's Finished is wrong");
    this.add(content);
  }

  finished12(sender: "client" | "server"): Uint8Array {
    const { hash } = this.suite;
    return message(20, verifyData(hash, this.master as Uint8Array, sender, this.transcript.hash(hash)));
  }

  /** change_cipher_spec, from which on the keys hold. */
  async changeCipherSpec(): Promise<void> {
    await this.pipe.write(CHANGE_CIPHER_SPEC);
    this.outbound = this.nextOutbound;
  }

  override async accept(): Promise<void> {
    await this.greet();
    await this.readKeyExchange();
    await this.readFinished12();
    await this.changeCipherSpec();
    await this.sendSealed(22, this.finished12("server"));
  }
}
