// What the tests of the port share: a client that does as it is told, both ends of a port, and a page that sends what it likes.

import type {
  CheckOptions,
  CheckResult,
  CircuitInfo,
  ClientStats,
  ClientStatus,
  DiagnoseOptions,
  Diagnosis,
  GuardState,
  ResolvedAddress,
  ResolveOptions,
  SocketAddress,
  TorClientEvents,
  TorClientLike,
  TorFetchInit,
  TorSocket,
  TorSocketOptions,
  TorViewLike,
} from "@allium/core";
import { isTorError, systemClock, TorError } from "@allium/core";
import { makeWebSocket, TypedEventTarget } from "@allium/core/internal";
import { onTestFinished } from "vitest";
import { connectTorClient, type PortLike, serveTorClient } from "../../src/remote/index.ts";

/** One call that reached the client. */
export interface Call {
  readonly name: string;
  /** Keys of the view it came through. */
  readonly keys: readonly string[];
  readonly args: readonly unknown[];
}

export function circuit(id: number, state: CircuitInfo["state"]): CircuitInfo {
  const hops = ["guard", "middle", "exit"].map((nickname) => ({
    nickname,
    rsaId: "A".repeat(40),
    addresses: [],
  }));
  return { id, purpose: "general", state, hops };
}

/** The worker never opens a WebSocket: frames are the page's. */
const noWebSocket = makeWebSocket({
  open: () => Promise.reject(new Error("no WebSocket was expected")),
  clock: systemClock,
});

export class FakeClient extends TypedEventTarget<TorClientEvents> implements TorClientLike {
  readonly WebSocket = noWebSocket;
  status: ClientStatus = { fraction: 0.5, phase: "microdescriptors", ready: false };
  open: CircuitInfo[] = [];
  readonly calls: Call[] = [];
  isClosed = false;
  onFetch: (url: string, init: TorFetchInit) => Promise<Response> = async () => new Response("hello");
  onConnect: (address: SocketAddress, options: TorSocketOptions) => TorSocket = () => {
    throw new Error("no socket was expected");
  };
  onResolve: (hostname: string, options: ResolveOptions) => Promise<ResolvedAddress[]> = async () => [
    { address: "192.0.2.1", ttl: 60 },
  ];
  onReady: (options: { signal?: AbortSignal }) => Promise<void> = async () => {};
  readonly guards = {
    export: async () => ({ version: 1, guards: [] }) as unknown as GuardState,
    import: async (state: unknown) => void this.calls.push({ name: "import", keys: [], args: [state] }),
    reset: async () => void this.calls.push({ name: "reset", keys: [], args: [] }),
  };
  readonly #view = new FakeView(this, []);

  override emit<K extends keyof TorClientEvents & string>(type: K, detail: TorClientEvents[K]): void {
    super.emit(type, detail);
  }

  fetch(input: string | URL | Request, init?: TorFetchInit): Promise<Response> {
    return this.#view.fetch(input, init);
  }
  connect(address: SocketAddress, options?: TorSocketOptions): TorSocket {
    return this.#view.connect(address, options);
  }
  resolve(hostname: string, options?: ResolveOptions): Promise<ResolvedAddress[]> {
    return this.#view.resolve(hostname, options);
  }
  isolate(key: string): TorViewLike {
    return this.#view.isolate(key);
  }
  ready(options: { signal?: AbortSignal } = {}): Promise<void> {
    return this.onReady(options);
  }
  async check(options: CheckOptions = {}): Promise<CheckResult> {
    this.calls.push({ name: "check", keys: [], args: [options] });
    return { isTor: true, address: "192.0.2.1", exit: undefined };
  }
  async diagnose(options: DiagnoseOptions = {}): Promise<Diagnosis> {
    this.calls.push({ name: "diagnose", keys: [], args: [options] });
    return { good: true, steps: [] };
  }
  newIdentity(): void {
    this.calls.push({ name: "newIdentity", keys: [], args: [] });
  }
  networkChanged(): void {
    this.calls.push({ name: "networkChanged", keys: [], args: [] });
  }
  resumed(): void {
    this.calls.push({ name: "resumed", keys: [], args: [] });
  }
  circuits(): CircuitInfo[] {
    return this.open;
  }
  stats(): ClientStats {
    const relay = { nickname: "guard", rsaId: "A".repeat(40), built: 1, failed: 1 };
    const time = "2026-01-01T00:00:00.000Z";
    const times = { validAfter: time, freshUntil: time, validUntil: time };
    return {
      channels: 4,
      handshakes: { completed: 4, failed: { dial: 1, tls: 2, certificates: 3, link: 4 } },
      circuits: { open: 1, building: 0, built: 1, failed: 0, timedOut: 0, retried: 0 },
      buildTimes: { count: 1, median: 512.5 },
      streams: { open: 1, opened: 2, failed: 3 },
      traffic: { received: 1028, sent: 514, circuits: [{ id: 1, received: 1028, sent: 514 }] },
      memory: { used: 5, limit: 6 },
      guards: { total: 1, confirmed: 1, confirmations: 1, failures: 0 },
      relays: [{ ...relay, lastFailure: { code: "ALLIUM_E_LINK_TIMEOUT", at: time } }],
      bridges: [{ bridge: "wss://bridge.example/", tried: 5, failed: 2, suspected: true }],
      directory: { failures: 1, consensus: { ...times, age: -1, listed: 10, usable: 9 } },
      ...{ rotations: 1, dormant: false },
    };
  }
  async close(): Promise<void> {
    this.isClosed = true;
  }
}

class FakeView implements TorViewLike {
  readonly WebSocket = noWebSocket;
  readonly #client: FakeClient;
  readonly #keys: readonly string[];

  constructor(client: FakeClient, keys: readonly string[]) {
    this.#client = client;
    this.#keys = keys;
  }
  fetch(input: string | URL | Request, init: TorFetchInit = {}): Promise<Response> {
    this.#client.calls.push({ name: "fetch", keys: this.#keys, args: [input, init] });
    return this.#client.onFetch(String(input), init);
  }
  connect(address: SocketAddress, options: TorSocketOptions = {}): TorSocket {
    this.#client.calls.push({ name: "connect", keys: this.#keys, args: [address, options] });
    return this.#client.onConnect(address, options);
  }
  async resolve(hostname: string, options: ResolveOptions = {}): Promise<ResolvedAddress[]> {
    this.#client.calls.push({ name: "resolve", keys: this.#keys, args: [hostname, options] });
    return this.#client.onResolve(hostname, options);
  }
  isolate(key: string): TorViewLike {
    return new FakeView(this.#client, [...this.#keys, key]);
  }
}

/** The signal with which a call reached the client. */
export function signalOf(call: Call | undefined): AbortSignal {
  const options = call?.args.at(-1) as { readonly signal?: AbortSignal } | undefined;
  if (options?.signal === undefined) throw new Error("there was no such call, or it had no signal");
  return options.signal;
}

export interface Posted {
  readonly type: string;
  readonly [name: string]: unknown;
}

/** A port that notes what is posted to it. */
export function tapped(port: MessagePort): PortLike & { readonly posted: Posted[] } {
  const posted: Posted[] = [];
  return {
    posted,
    postMessage: (message, transfer) => {
      // A buffer is noted by its length: it is gone a moment later.
      const { bytes, ...rest } = message as Posted;
      posted.push({ ...rest, ...(bytes !== undefined && { bytes: sizeOf(bytes) }) } as Posted);
      port.postMessage(message, transfer as MessagePort[]);
    },
    addEventListener: (type, listener) => port.addEventListener(type, listener),
    removeEventListener: (type, listener) => port.removeEventListener(type, listener),
    start: () => port.start(),
    close: () => port.close(),
  };
}

function sizeOf(bytes: unknown): unknown {
  return bytes instanceof ArrayBuffer ? bytes.byteLength : bytes;
}

/** A client, served over a real port to a page in the same thread. */
export function served(client = new FakeClient()) {
  const { port1, port2 } = new MessageChannel();
  const worker = tapped(port1);
  const page = tapped(port2);
  const connection = serveTorClient(client, worker);
  const tor = connectTorClient(page);
  onTestFinished(() => {
    connection.close();
    return tor.close();
  });
  return { client, tor, connection, worker, page };
}

/** A page that says what it likes. */
export class RawPage {
  readonly answers: Posted[] = [];
  readonly #port: MessagePort;

  constructor(client: TorClientLike) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port2;
    port2.onmessage = ({ data }) => this.answers.push(data as Posted);
    serveTorClient(client, port1);
    onTestFinished(() => port2.close());
  }

  send(...messages: unknown[]): this {
    for (const message of messages) this.#port.postMessage(message);
    return this;
  }

  hello(): this {
    return this.send({ type: "hello", protocol: 1 });
  }

  die(): void {
    this.#port.close();
  }

  of(type: string): Posted[] {
    return this.answers.filter((answer) => answer.type === type);
  }
}

/** Waits, at the most 5 s, until it is so. */
export async function until(condition: () => boolean, what = "it"): Promise<void> {
  const began = performance.now();
  while (!condition()) {
    if (performance.now() - began > 5000) throw new Error(`${what} did not come about`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Long enough for messages to go to and fro, and for timers of a few milliseconds. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 40));
}

export async function failureOf(
  operation: Promise<unknown>,
): Promise<{ kind: string; code: string; error: unknown }> {
  try {
    await operation;
  } catch (error) {
    if (isTorError(error)) return { kind: error.kind, code: error.code, error };
    throw error;
  }
  throw new Error("nothing failed");
}

export function pattern(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >> 8)) & 255;
  return bytes;
}

/** A body that counts what was taken from it. */
export function counted(chunk: number, total = Number.POSITIVE_INFINITY) {
  const counter = {
    bytes: 0,
    cancelled: undefined as unknown,
    stream: undefined as unknown as ReadableStream<Uint8Array>,
  };
  counter.stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const bytes = new Uint8Array(Math.min(chunk, total - counter.bytes));
        counter.bytes += bytes.length;
        if (bytes.length > 0) controller.enqueue(bytes);
        if (counter.bytes >= total) controller.close();
      },
      cancel(reason) {
        counter.cancelled = reason ?? true;
      },
    },
    { highWaterMark: 0 },
  );
  return counter;
}

/** A socket whose other side echoes, and which can be ended by hand. */
export function echoSocket(secureTransport: TorSocket["secureTransport"] = "off") {
  const echo = new TransformStream<Uint8Array, Uint8Array>(
    undefined,
    { highWaterMark: 16 },
    { highWaterMark: 16 },
  );
  const closed = Promise.withResolvers<void>();
  closed.promise.catch(() => {});
  let closes = 0;
  const socket: TorSocket = {
    readable: echo.readable,
    writable: echo.writable as WritableStream<ArrayBuffer | ArrayBufferView>,
    opened: Promise.resolve({ remoteAddress: "192.0.2.7:7" }),
    closed: closed.promise,
    upgraded: false,
    secureTransport,
    startTls: () => {
      throw new TorError("bad-api-usage", "ALLIUM_E_SOCKET_STARTTLS", "not this one");
    },
    close: () => {
      closes++;
      closed.resolve();
      return closed.promise;
    },
  };
  return { socket, closed, count: () => closes };
}
