// The page of the worker tests: a client in a dedicated or a shared Worker, and what the tests ask of it.

import { isTorError } from "@allium/core";
import { connectTorClient, createWorkerClient, type RemoteTorClient } from "@allium/web/remote";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

export interface PageOptions {
  readonly kind: "dedicated" | "shared";
  /** Left out: whatever client the worker has. */
  readonly options?: Omit<Parameters<typeof createWorkerClient>[0], "worker">;
}

/** What crossed the port towards the page. */
interface Traffic {
  messages: number;
  bytes: number;
  largest: number;
}

const traffic: Traffic = { messages: 0, bytes: 0, largest: 0 };
let tor: RemoteTorClient;

function note({ data }: MessageEvent): void {
  const size = data?.bytes instanceof ArrayBuffer ? data.bytes.byteLength : 0;
  traffic.messages++;
  traffic.bytes += size;
  traffic.largest = Math.max(traffic.largest, size);
}

function make({ kind, options }: PageOptions): RemoteTorClient {
  const worker =
    kind === "shared"
      ? new SharedWorker("worker.js", { type: "module" })
      : new Worker("worker.js", { type: "module" });
  const port = worker instanceof Worker ? worker : worker.port;
  port.addEventListener("message", note as (event: Event) => void);
  return options === undefined ? connectTorClient(worker) : createWorkerClient({ worker, ...options });
}

async function digest(response: Response): Promise<{ bytes: number; sha256: string }> {
  const hash = sha256.create();
  let bytes = 0;
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    hash.update(value);
    bytes += value.length;
  }
  return { bytes, sha256: bytesToHex(hash.digest()) };
}

function pattern(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8)) & 255);
}

const page = {
  async start(options: PageOptions) {
    tor = make(options);
    const phases = new Set<string>();
    tor.addEventListener("status", ({ detail }) => phases.add(detail.phase));
    await tor.ready();
    return { status: tor.status, phases: [...phases] };
  },

  /** What is wrong, for a start that must fail. */
  async failure(options: PageOptions) {
    const other = make(options);
    const error = await other.ready().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    await other.close();
    return isTorError(error) ? error.code : String(error);
  },

  /** Ends the worker behind the client's back while it waits for an answer. */
  async terminated(options: PageOptions["options"], url: string) {
    const worker = new Worker("worker.js", { type: "module" });
    const client = createWorkerClient({ worker, ...(options as NonNullable<typeof options>) });
    await client.ready();
    const reader = (await client.fetch(url)).body?.getReader();
    await reader?.read();
    worker.terminate();
    const error: unknown = await (async () => {
      while (!(await reader?.read())?.done);
    })().catch((thrown) => thrown);
    return { code: isTorError(error) ? error.code : String(error), status: client.status };
  },

  /** A worker whose script is none. */
  async missing() {
    const client = connectTorClient(new Worker("missing.js", { type: "module" }));
    const error = await client.ready().catch((thrown: unknown) => thrown);
    return isTorError(error) ? error.code : String(error);
  },

  async download(url: string) {
    Object.assign(traffic, { messages: 0, bytes: 0, largest: 0 });
    const began = performance.now();
    const response = await tor.fetch(url);
    const result = await digest(response);
    return { ...result, traffic: { ...traffic }, ms: performance.now() - began, url: response.url };
  },

  /** Bytes of known length (they go as a Blob), then a stream. */
  async upload(url: string, length: number) {
    const body = pattern(length);
    const sent = bytesToHex(sha256(body));
    const whole = await (await tor.fetch(url, { method: "POST", body })).json();
    const stream = new Blob([body]).stream();
    const streamed = await (await tor.fetch(url, { method: "POST", body: stream, duplex: "half" })).json();
    return { sent, answers: [whole, streamed] };
  },

  async echo(address: { hostname: string; port: number }, length: number) {
    const socket = tor.connect(address);
    const info = await socket.opened;
    const sent = pattern(length);
    const writer = socket.writable.getWriter();
    const writing = writer.write(sent);
    const hash = sha256.create();
    const reader = socket.readable.getReader();
    for (let received = 0; received < length; ) {
      const { value } = await reader.read();
      if (value === undefined) break;
      hash.update(value);
      received += value.length;
    }
    await writing;
    await socket.close();
    return { info, isEqual: bytesToHex(hash.digest()) === bytesToHex(sha256(sent)) };
  },

  async refused(url: string) {
    const error = await tor.fetch(url).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    return { isTypeError: error instanceof TypeError, code: isTorError(error) ? error.code : String(error) };
  },

  async abort(url: string) {
    const abort = new AbortController();
    const response = await tor.fetch(url, { signal: abort.signal });
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    abort.abort("enough");
    return reader.read().then(
      () => "went on",
      (reason: unknown) => reason,
    );
  },

  /** Begins a download and leaves it unread. */
  async hold(url: string) {
    return (await tor.fetch(url)).status;
  },

  async about() {
    const circuits = tor.circuits().filter(({ purpose, state }) => purpose === "general" && state === "open");
    return { stats: await tor.stats(), circuits, guards: await tor.guards.export() };
  },

  close: () => tor.close(),
};

export type WorkerPage = typeof page;
Object.assign(globalThis, { workerPage: page });
