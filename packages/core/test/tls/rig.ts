// What the tests of established connections share: a connection to the scripted server, and how it must end.

import { expect } from "vitest";
import { nodeCiphers } from "../../../bridge/src/node-ciphers.ts";
import { systemClock } from "../../src/base/clock.ts";
import { fromHex, utf8 } from "../../src/base/encoding.ts";
import type { Ciphers, Clock } from "../../src/base/ports.ts";
import { createOffer } from "../../src/tls/client-hello.ts";
import { connectWith, type TlsConnection } from "../../src/tls/connect.ts";
import { MiniServer } from "./mini-server.ts";
import { MiniServer12 } from "./mini-server-12.ts";
import { type PipeEnd, pipePair } from "./pipes.ts";

export const KEY_UPDATE = fromHex("1800000100");

/** What opens and seals the client's records; the server's are always WebCrypto's. */
export const CIPHERS: readonly (readonly [how: string, ciphers: Ciphers | undefined])[] = [
  ["over WebCrypto", undefined],
  ["over the platform's synchronous ciphers", nodeCiphers()],
];

export interface EstablishOptions {
  readonly suite?: number;
  /** Over TLS 1.2, with its AES-128-GCM unless a suite is given. */
  readonly tls12?: boolean;
  readonly rekeyAfter?: number;
  readonly highWater?: number;
  readonly clock?: Clock;
  readonly ciphers?: Ciphers | undefined;
}

export interface Established {
  readonly tls: TlsConnection;
  readonly server: MiniServer;
  readonly pipe: PipeEnd;
  readonly far: PipeEnd;
}

export async function establish(options: EstablishOptions = {}): Promise<Established> {
  const [pipe, far] = pipePair(options.highWater);
  const server =
    options.tls12 === true ? new MiniServer12(far, options.suite) : new MiniServer(far, options.suite);
  const clock = options.clock ?? systemClock;
  const inner = {
    offer: await createOffer({ versions: options.tls12 === true ? "1.2 and 1.3" : "1.3" }),
    minimumRsaBits: 2048,
    rekeyAfter: options.rekeyAfter ?? 2 ** 24,
  };
  const tlsOptions = { clock, timeout: 5000, ciphers: options.ciphers };
  const [tls] = await Promise.all([connectWith(pipe, tlsOptions, inner), server.accept()]);
  return { tls, server, pipe, far };
}

/** Bytes whose every place is recognisable. */
export function pattern(length: number, seed = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8) * 7 + seed) & 255);
}

export async function readAll(tls: TlsConnection): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (let data = await tls.read(); data !== undefined; data = await tls.read()) parts.push(data);
  // Not concat, which takes its parts as arguments: there may be one for every byte.
  return new Uint8Array(Buffer.concat(parts));
}

/** toEqual takes seconds for megabytes. */
export function expectSame(actual: Uint8Array | undefined, expected: Uint8Array): void {
  expect(actual?.length).toBe(expected.length);
  expect(Buffer.compare(actual ?? new Uint8Array(0), expected)).toBe(0);
}

export const turn = () => new Promise((resolve) => setTimeout(resolve, 0));
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn();
}

export async function updateKey(server: MiniServer, content = KEY_UPDATE): Promise<Uint8Array> {
  const record = await server.seal(22, content);
  server.outbound = await server.outbound?.next();
  return record;
}

/** Both halves must fail with this code, and with one and the same error; the server must be told by this alert. */
export async function expectDeath(
  { tls, server, pipe }: Established,
  code: string,
  alert?: number,
): Promise<void> {
  const error = await readAll(tls).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ kind: "protocol-violation", code });
  await expect(tls.read()).rejects.toBe(error);
  await expect(tls.write(utf8("x"))).rejects.toBe(error);
  if (alert !== undefined)
    expect(await server.readContent()).toEqual({ type: 21, content: Uint8Array.of(2, alert) });
  await expect.poll(() => pipe.isClosed).toBe(true);
  expect(pipe.closedWith).toBe(error);
}
