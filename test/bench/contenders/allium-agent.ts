// An agent with Allium in it: does what a bench asks, the same in Node and in a page. Not here: where the client comes from, and
// how questions arrive.

import type { TorClientLike, TorSocket } from "@allium/core";
import type { Destination, Memory, Question, Questions, Starts, Transfer } from "./protocol.ts";

/** The client's surface that is used, which a client in a Worker has as well. */
export type AgentClient = Pick<TorClientLike, "ready" | "fetch" | "connect" | "addEventListener" | "close">;

/** What a platform knows and the language does not. */
export interface Platform {
  /** Makes clients that share a new store. */
  clients(): () => AgentClient;
  /** After collecting garbage. */
  memory(): Memory;
  watch?(): void;
  watched?(): Questions["watched"]["answer"];
}

/** Connections that fetch has to an origin on one circuit; more streams than that are sockets. */
const FETCHES_AT_ONCE = 6;

export class AlliumAgent {
  readonly #client: AgentClient;
  readonly #destination: Destination;
  readonly #platform: Platform;
  /** Circuits that streams were opened on since the last question. */
  readonly #used = new Set<number>();
  readonly #builds: number[] = [];
  #held: TorSocket[] = [];
  readonly #handlers: {
    [K in Exclude<keyof Questions, "receive" | "cells">]: (question: Questions[K]["question"]) => unknown;
  } = {
    prepare: ({ circuits }) => this.#prepare(circuits),
    transfer: (transfer) => this.#transfer(transfer),
    firstByte: ({ circuit }) => this.#firstByte(circuit),
    build: ({ circuits }) => this.#build(circuits),
    start: () => this.#start(),
    hold: ({ streams, circuits }) => this.#hold(streams, circuits),
    release: () => this.#release(),
    memory: () => this.#platform.memory(),
    watch: () => this.#platform.watch?.(),
    watched: () => this.#platform.watched?.(),
  };

  constructor(destination: Destination, platform: Platform) {
    const client = platform.clients()();
    this.#client = client;
    this.#destination = destination;
    this.#platform = platform;
    const began = new Map<number, number>();
    client.addEventListener("circuit", ({ detail: { id, state, purpose } }) => {
      if (purpose !== "general") return;
      if (state === "building") began.set(id, performance.now());
      else if (state === "open") this.#builds.push(performance.now() - (began.get(id) ?? Number.NaN));
    });
    client.addEventListener("stream", ({ detail: { state, circuitId } }) => {
      if (state === "open" && circuitId !== undefined) this.#used.add(circuitId);
    });
  }

  /** @returns the answer as JSON has it */
  async answer(question: Question): Promise<unknown> {
    this.#used.clear();
    if (question.ask === "receive" || question.ask === "cells")
      throw new Error(`a client of a network cannot ${question.ask}`);
    const handler = this.#handlers[question.ask] as (question: Question) => unknown;
    return (await handler(question)) ?? null;
  }

  async #prepare(circuits: readonly string[]): Promise<void> {
    for (const isolation of circuits) await drain(await this.#client.fetch(this.#unkept(""), { isolation }));
  }

  async #transfer(transfer: Transfer): Promise<{ ms: number }> {
    const { streams, circuits, bytes } = transfer;
    const each = bytes / streams;
    const isMany = streams > FETCHES_AT_ONCE * circuits.length;
    if (isMany && transfer.direction === "up") throw new Error("so many uploads at once are not measured");
    const down = isMany ? this.#downloadBySocket : this.#download;
    const one = transfer.direction === "down" ? down : this.#upload;
    const body = new Uint8Array(transfer.direction === "up" ? each : 0);
    const began = performance.now();
    await Promise.all(
      Array.from({ length: streams }, (_, i) => one(each, circuits[i % circuits.length] as string, body)),
    );
    const ms = performance.now() - began;
    if (this.#used.size !== Math.min(streams, circuits.length))
      throw new Error(`${streams} streams were on ${this.#used.size} circuits, not on ${circuits.length}`);
    return { ms };
  }

  /** An address at which each request has a stream of its own: the server keeps no connection. */
  #unkept(path: string): string {
    return `${this.#destination.url}${path}?close`;
  }

  #download = async (length: number, isolation: string): Promise<void> => {
    const got = await drain(await this.#client.fetch(this.#unkept(`bytes/${length}`), { isolation }));
    if (got !== length) throw new Error(`${got} bytes came of ${length}`);
  };

  #downloadBySocket = async (length: number, isolation: string): Promise<void> => {
    const { host, hostname, port } = new URL(this.#destination.url);
    const socket = this.#client.connect({ hostname, port: Number(port) }, { isolation });
    const writer = socket.writable.getWriter();
    const head = `GET /bytes/${length} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
    await writer.write(new TextEncoder().encode(head));
    let got = 0;
    let before = "";
    for await (const chunk of socket.readable) {
      got += chunk.length;
      // Up to the end of the response's head, which is not counted.
      if (before.includes("\r\n\r\n")) continue;
      before += new TextDecoder("latin1").decode(chunk);
      const end = before.indexOf("\r\n\r\n");
      if (end >= 0) got -= end + 4;
    }
    if (got !== length) throw new Error(`${got} bytes came of ${length}`);
  };

  #upload = async (length: number, isolation: string, body: Uint8Array<ArrayBuffer>): Promise<void> => {
    const response = await this.#client.fetch(this.#unkept("sink"), {
      method: "POST",
      body,
      isolation,
    });
    const { bytes } = (await response.json()) as { bytes: number };
    if (bytes !== length) throw new Error(`${bytes} bytes arrived of ${length}`);
  };

  async #firstByte(isolation: string): Promise<{ ms: number }> {
    const began = performance.now();
    const response = await this.#client.fetch(this.#unkept(""), { isolation });
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    const ms = performance.now() - began;
    while (!(await reader.read()).done);
    return { ms };
  }

  /** A key of its own wants a circuit of its own; what is timed is its building alone, by its events. */
  async #build(circuits: readonly string[]): Promise<{ ms: number[] }> {
    this.#builds.length = 0;
    await this.#prepare(circuits);
    return { ms: this.#builds.splice(0) };
  }

  async #start(): Promise<Starts> {
    const create = this.#platform.clients();
    const timed = async () => {
      const client = create();
      const began = performance.now();
      await client.ready();
      const ms = performance.now() - began;
      await client.close();
      return ms;
    };
    return { coldStart: await timed(), warmStart: await timed() };
  }

  async #hold(streams: number, circuits: readonly string[]): Promise<void> {
    const { address: hostname, port } = this.#destination.echo;
    for (let i = 0; i < streams; i++) {
      const isolation = circuits[i % circuits.length] as string;
      const socket = this.#client.connect({ hostname, port }, { isolation });
      await socket.opened;
      this.#held.push(socket);
    }
  }

  async #release(): Promise<void> {
    await Promise.all(this.#held.map((socket) => socket.close()));
    this.#held = [];
  }
}

async function drain(response: Response): Promise<number> {
  let bytes = 0;
  for await (const chunk of response.body ?? []) bytes += chunk.length;
  return bytes;
}
