// The relay's side of a link over a pipe in memory: it sends the cells that a test gives it and shows those it gets.

import type { ByteStream } from "../../src/base/byte-stream.ts";
import { concat, Writer } from "../../src/base/bytes.ts";
import { fromHex } from "../../src/base/encoding.ts";
import type { ChannelTarget } from "../../src/link/api.ts";
import { ExactReader } from "../tls/pipes.ts";
import { NOW, type RelayKeys } from "./relay-certs.ts";

export interface ReceivedCell {
  readonly circuitId: number;
  readonly command: number;
  readonly body: Uint8Array;
}

/** A fixed cell; the body is filled up with zeros. */
export function fixedCell(
  circuitId: number,
  command: number,
  body: Uint8Array = new Uint8Array(0),
): Uint8Array {
  return new Writer()
    .u32(circuitId)
    .u8(command)
    .bytes(body)
    .zeros(509 - body.length)
    .finish();
}

export function variableCell(circuitId: number, command: number, body: Uint8Array): Uint8Array {
  return new Writer().u32(circuitId).u8(command).vector(2, body).finish();
}

/** The first VERSIONS cell, with a circuit id of two bytes. */
export function versionsCell(...versions: number[]): Uint8Array {
  const body = new Writer();
  for (const version of versions) body.u16(version);
  return new Writer().u16(0).u8(7).vector(2, body.finish()).finish();
}

export const authChallengeCell = variableCell(
  0,
  130,
  new Writer().bytes(new Uint8Array(32).fill(7)).u16(2).u16(1).u16(3).finish(),
);

/** NETINFO with the relay's clock, in milliseconds. */
export function netinfoCell(time: number): Uint8Array {
  const seconds = new Writer().u32(Math.floor(time / 1000)).finish();
  return fixedCell(0, 8, concat(seconds, fromHex("04047f000002"), fromHex("0104047f000003")));
}

export const paddingCell = variableCell(0, 128, Uint8Array.of(255, 255, 255));

/** The cells of an honest relay's flight, in their order. */
export interface Flight {
  versions: Uint8Array;
  certs: Uint8Array;
  challenge: Uint8Array;
  netinfo: Uint8Array;
}

export function honestFlight(keys: RelayKeys, replaced: Partial<Flight> = {}): Uint8Array[] {
  const flight: Flight = {
    versions: versionsCell(3, 4, 5),
    certs: variableCell(0, 129, keys.certs()),
    challenge: authChallengeCell,
    netinfo: netinfoCell(NOW),
    ...replaced,
  };
  return [flight.versions, flight.certs, flight.challenge, flight.netinfo];
}

export function targetOf(keys: RelayKeys): ChannelTarget {
  return {
    ...keys.identity,
    addresses: [{ family: 4, address: Uint8Array.of(192, 0, 2, 7), port: 9001 }],
  };
}

export class ScriptedRelay {
  readonly #pipe: ByteStream;
  readonly #reader: ExactReader;

  constructor(pipe: ByteStream) {
    this.#pipe = pipe;
    this.#reader = new ExactReader(pipe);
  }

  /** Sends cells in one write. */
  async send(...cells: Uint8Array[]): Promise<void> {
    await this.#pipe.write(concat(...cells));
  }

  /** The client's VERSIONS, whole. */
  async readVersions(): Promise<Uint8Array> {
    const header = await this.#reader.take(5);
    return concat(header, await this.#reader.take(header[4] as number));
  }

  async readCell(): Promise<ReceivedCell> {
    const bytes = await this.#reader.take(514);
    const circuitId = new DataView(bytes.buffer).getUint32(0);
    return { circuitId, command: bytes[4] as number, body: bytes.slice(5) };
  }

  /** An honest relay's handshake. */
  async accept(keys: RelayKeys, replaced: Partial<Flight> = {}): Promise<void> {
    await this.readVersions();
    await this.send(...honestFlight(keys, replaced));
    await this.readCell();
  }
}
