// A version that is fed from memory in its own process. All that it is fed is prepared before.

import { nodeCiphers } from "@allium/bridge";
import type { Dialer, Duplex } from "@allium/core";
import { ClientPipeline } from "./client.ts";
import { messagesAhead, Pace } from "./pace.ts";
import {
  type ClientVersion,
  isClient,
  type Pipeline,
  type PipelineStart,
  type ReceiverVersion,
} from "./protocol.ts";
import { receiver } from "./receivers.ts";
import { RelayLink, Relays } from "./relay-link.ts";
import { synthesize } from "./synthetic.ts";

/** In a buffer of its own, as a socket gives it. */
function plain(bytes: Buffer): Uint8Array {
  return new Uint8Array(bytes);
}

function synthetic(version: ReceiverVersion, start: PipelineStart): Pipeline {
  const { keys, chunks } = synthesize(start.bytes, start.recordLength);
  const pieces = chunks.map(plain);
  let next = 0;
  return receiver(version, { read: async () => pieces[next++] }, keys);
}

/** A Dialer's pipe whose other end are two functions: what to do with bytes written, and where the next to read come from. */
class MemoryPipe implements Duplex {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  readonly closed = new Promise<void>(() => {});
  onWrite: (bytes: Uint8Array) => void = () => {};
  /** Asked whenever more is wanted; may give nothing. */
  next: () => Promise<Uint8Array | undefined> = async () => undefined;
  #source: ReadableStreamDefaultController<Uint8Array> | undefined;

  constructor() {
    this.readable = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#source = controller;
        },
        pull: () => this.pull(),
      },
      { highWaterMark: 0 },
    );
    this.writable = new WritableStream<Uint8Array>({ write: (bytes) => this.onWrite(bytes) });
  }

  close(): void {}

  push(bytes: Uint8Array): void {
    this.#source?.enqueue(bytes);
  }

  async pull(): Promise<void> {
    const bytes = await this.next();
    if (bytes !== undefined) this.push(bytes);
  }
}

/** The client with a relay in this process, which answers it until the download is prepared, and says nothing from then on. */
async function client(version: ClientVersion, start: PipelineStart): Promise<Pipeline> {
  const relays = await Relays.make();
  const pipe = new MemoryPipe();
  const link = new RelayLink(relays, start.recordLength, (bytes) => pipe.push(plain(bytes)));
  pipe.onWrite = (bytes) => link.receive(bytes);
  const dialer: Dialer = { dial: async () => pipe };
  let pace: Pace | undefined;
  const pipeline = await ClientPipeline.open({
    version,
    dialer,
    ciphers: version === "client-webcrypto" ? undefined : nodeCiphers(),
    targets: relays.targets,
    onDelivered: (bytes) => pace?.delivered(bytes),
  });
  const chunks = (await link.download(start.bytes)).map(plain);
  pipe.onWrite = () => {};
  const counted = new Pace(messagesAhead(version), start.bytes / chunks.length);
  pace = counted;
  let sent = 0;
  pipe.next = async () => {
    await counted.until(sent);
    const chunk = chunks[sent++];
    return chunk ?? new Promise<undefined>(() => {});
  };
  // A read that has waited since the handshake was answered with nothing then.
  await pipe.pull();
  return pipeline;
}

/** Ready to receive. */
export async function inProcess(start: PipelineStart): Promise<Pipeline> {
  const { version } = start;
  return isClient(version) ? client(version, start) : synthetic(version, start);
}
