// A server of HTTP/2 whose frames are written by hand, at the other end of a pipe in memory.

import { deferred } from "../../../src/base/abort.ts";
import type { ByteStream } from "../../../src/base/byte-stream.ts";
import { concat, Writer } from "../../../src/base/bytes.ts";
import { latin1, utf8 } from "../../../src/base/encoding.ts";
import { TorError } from "../../../src/base/errors.ts";
import type { Clock } from "../../../src/base/ports.ts";
import type { HttpConnection } from "../../../src/net/http/api.ts";
import type { HttpRequest, HttpResponse } from "../../../src/net/http/exchange.ts";
import { openHttp2 } from "../../../src/net/http2/connection.ts";
import * as F from "../../../src/net/http2/frames.ts";
import { encodeFields, HpackDecoder } from "../../../src/net/http2/hpack.ts";
import { turn } from "../../../src/testing/case.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";

const MAGIC = utf8("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

export type Fields = readonly (readonly [string, string])[];

export function get(target = "/"): HttpRequest {
  return { head: { method: "GET", target, host: "example.com", fields: [] }, body: undefined };
}

/** A request with a body that comes in these pieces. */
export function post(
  pieces: readonly Uint8Array[],
  length?: number,
  onCancel = (_: unknown) => {},
): HttpRequest {
  const source = [...pieces];
  const open = () =>
    new ReadableStream<Uint8Array>({
      pull(controller) {
        const piece = source.shift();
        if (piece === undefined) controller.close();
        else controller.enqueue(piece);
      },
      cancel: onCancel,
    });
  const body = { length, contentType: undefined, replayable: false, open };
  return { head: { ...get().head, method: "POST" }, body };
}

export function settings(...values: readonly [id: number, value: number][]): Uint8Array {
  const payload = new Writer();
  for (const [id, value] of values) payload.u16(id).u32(value);
  return F.frame(F.SETTINGS, 0, 0, payload.finish());
}

export function headers(id: number, fields: Fields, flags = F.END_HEADERS): Uint8Array {
  return F.frame(F.HEADERS, flags, id, encodeFields(fields));
}

export function data(id: number, bytes: Uint8Array | string, flags = 0): Uint8Array {
  return F.frame(F.DATA, flags, id, typeof bytes === "string" ? latin1(bytes) : bytes);
}

export const OK: Fields = [[":status", "200"]];
export const END = F.END_STREAM | F.END_HEADERS;

/** A stream's pieces up to its end, as text. */
export async function textOf(response: HttpResponse): Promise<string> {
  const parts: Uint8Array[] = [];
  for (let part = await response.body?.next(); part !== undefined; part = await response.body?.next())
    parts.push(part);
  return new TextDecoder("latin1").decode(concat(...parts));
}

export class Peer {
  readonly clock: ManualClock;
  readonly connection: HttpConnection;
  /** What the client sent, without its magic. */
  readonly frames: F.Frame[] = [];
  /** What the client's end was closed with, each time. */
  readonly closedWith: unknown[] = [];
  /** While it is set, writes of the client wait for it. */
  blocked: Promise<void> | undefined;
  readonly #decoder = new HpackDecoder();
  readonly #arrived: Uint8Array[] = [];
  #end: { readonly error?: unknown } | undefined;
  #wake = deferred();
  #written: Uint8Array = new Uint8Array(0);
  magic = "";
  writes = 0;

  constructor(clock: Clock & Partial<ManualClock> = new ManualClock(), idleTimeout = 300_000) {
    this.clock = clock as ManualClock;
    this.connection = openHttp2(this.#stream(), { clock, idleTimeout });
  }

  #stream(): ByteStream {
    return {
      read: async () => {
        for (;;) {
          if (this.#arrived.length > 0) return concat(...this.#arrived.splice(0));
          if (this.#end?.error !== undefined) throw this.#end.error;
          if (this.#end !== undefined) return undefined;
          this.#wake = deferred();
          await this.#wake.promise;
        }
      },
      write: async (bytes) => {
        if (this.closedWith.length > 0) throw new TorError("aborted", "ALLIUM_E_TEST_CLOSED", "closed");
        this.writes++;
        this.#take(bytes.slice());
        await this.blocked;
      },
      close: (reason) => {
        this.closedWith.push(reason);
        this.#end ??= {};
        this.#wake.resolve();
      },
    };
  }

  #take(bytes: Uint8Array): void {
    this.#written = concat(this.#written, bytes);
    if (this.magic === "") {
      this.magic = new TextDecoder().decode(this.#written.subarray(0, MAGIC.length));
      this.#written = this.#written.subarray(MAGIC.length);
    }
    const view = new DataView(this.#written.buffer, this.#written.byteOffset);
    let at = 0;
    while (this.#written.length - at >= 9) {
      const length = view.getUint32(at) >>> 8;
      const [type, flags, streamId] = [view.getUint8(at + 3), view.getUint8(at + 4), view.getUint32(at + 5)];
      this.frames.push({ type, flags, streamId, payload: this.#written.slice(at + 9, at + 9 + length) });
      at += 9 + length;
    }
    this.#written = this.#written.subarray(at);
  }

  send(...frames: readonly Uint8Array[]): void {
    this.#arrived.push(...frames.map((frame) => frame.slice()));
    this.#wake.resolve();
  }

  /** Ends what the client reads, or breaks it off. */
  end(error?: unknown): void {
    this.#end ??= { error };
    this.#wake.resolve();
  }

  /** What the client sent of one type. */
  of(type: number): F.Frame[] {
    return this.frames.filter((frame) => frame.type === type);
  }

  /** The numbers in the client's last frame of that type. */
  numbers(type: number): [streamId: number, ...numbers: number[]] | undefined {
    const frame = this.of(type).at(-1);
    if (frame === undefined) return undefined;
    const view = new DataView(frame.payload.buffer, frame.payload.byteOffset, frame.payload.length);
    return [
      frame.streamId,
      ...Array.from({ length: frame.payload.length / 4 }, (_, i) => view.getUint32(4 * i)),
    ];
  }

  /** The fields of each request so far; to be asked once. */
  requests(): Fields[] {
    return this.of(F.HEADERS).map(({ payload }) => this.#decoder.decode(payload));
  }

  /** A GET, and the promise of its response. */
  async ask(request = get(), signal?: AbortSignal): Promise<{ response: Promise<HttpResponse> }> {
    const response = this.connection.request(request, signal);
    response.catch(() => {});
    await turn();
    return { response };
  }
}

/** A peer that has said what every server says first, and was asked once. */
export async function asked(request = get(), ...first: readonly [id: number, value: number][]) {
  const peer = new Peer();
  peer.send(settings(...first));
  await turn();
  const { response } = await peer.ask(request);
  return { peer, response };
}
