// Stand-ins for what needs a network: a channel and a circuit that only say whether they are open.

import { type Deferred, deferred } from "../../src/base/abort.ts";
import type { TorError } from "../../src/base/errors.ts";
import type { Circuit, StreamOptions, TorStream } from "../../src/circuit/api.ts";
import type { Relay } from "../../src/directory/api.ts";
import type { Channel, ChannelTarget } from "../../src/link/api.ts";
import type { GuardTicket } from "../../src/path/guard-ticket.ts";

/** Lets everything that waits only for promises run. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}

/** A ticket that says what it was told: "built", "failed", "failed later", "gave up", "closed". */
export function fakeTicket(relay: Relay, told: string[] = []): GuardTicket {
  return {
    relay,
    built: async () => void told.push("built"),
    failed: () => void told.push("failed"),
    failedLater: () => void told.push("failed later"),
    gaveUp: () => void told.push("gave up"),
    closed: () => void told.push("closed"),
  };
}

export interface FakeChannel extends Channel {
  unusedSince: number | undefined;
  isClosed: boolean;
}

export function fakeChannel(peer: ChannelTarget, unusedSince: number | undefined): FakeChannel {
  const gone = deferred<TorError>();
  const channel: FakeChannel = {
    ...{ peer, linkProtocol: 5, clockSkew: 0, circuitCount: 0, unusedSince, isClosed: false },
    closed: gone.promise,
    attach: () => {
      throw new Error("a fake channel carries no circuit");
    },
    pad: () => {},
    close(error) {
      channel.isClosed = true;
      if (error !== undefined) gone.resolve(error);
      else gone.resolve(new Error("closed") as TorError);
    },
  };
  return channel;
}

export interface FakeStream extends TorStream {
  readonly circuit: FakeCircuit;
  /** What was written to it. */
  readonly written: Uint8Array[];
}

export interface FakeCircuit extends Circuit {
  readonly id: number;
  isClosed: boolean;
  streamCount: number;
  /** What the next streams do instead of opening. */
  refuse: TorError | undefined;
  /** Whether it is gone then. */
  breaks: boolean;
  /** Whether the exit has not answered yet: optimistic streams are given out, others wait. */
  hold: Deferred<void> | undefined;
  readonly asked: string[];
  readonly streams: FakeStream[];
  /** How often what was made ahead of need was let go. */
  rests: number;
}

let lastId = 0;

export function fakeCircuit(targets: readonly ChannelTarget[], id = ++lastId): FakeCircuit {
  const agreed = { congestionControl: undefined, cgo: false };
  const hops = targets.map((target) => ({ target, agreed }));
  const gone = deferred<TorError | undefined>();
  const answer = async (): Promise<void> => {
    await circuit.hold?.promise;
    if (circuit.refuse === undefined) return;
    if (circuit.breaks) circuit.close(circuit.refuse);
    throw circuit.refuse;
  };
  const open = async (what: string, options: StreamOptions = {}): Promise<FakeStream> => {
    options.signal?.throwIfAborted();
    const connected = answer();
    connected.catch(() => {});
    if (options.optimistic !== true) await connected;
    circuit.asked.push(what);
    circuit.streamCount++;
    const closed = deferred<TorError | undefined>();
    const written: Uint8Array[] = [];
    const stream: FakeStream = {
      ...{ circuit, written, connected, remoteAddress: undefined, closed: closed.promise },
      read: async () => undefined,
      write: async (data) => void written.push(data),
      close(reason) {
        circuit.streamCount--;
        closed.resolve(reason as TorError | undefined);
      },
    };
    circuit.streams.push(stream);
    return stream;
  };
  const circuit: FakeCircuit = {
    ...{ id, hops, isClosed: false, closed: gone.promise, streamCount: 0, unusedSince: undefined },
    traffic: { received: 0, sent: 0 },
    ...{ refuse: undefined, breaks: false, hold: undefined, asked: [], streams: [], rests: 0 },
    extend: async () => {},
    openStream: (hostname, port, options) => open(`${hostname}:${port}`, options),
    openDirectoryStream: (options) => open("directory", options),
    async resolve(hostname, options) {
      (await open(`resolve ${hostname}`, options)).close();
      return [{ address: "93.184.216.34", ttl: 60 }];
    },
    rest() {
      circuit.rests++;
    },
    close(error) {
      circuit.isClosed = true;
      gone.resolve(error);
    },
  };
  return circuit;
}
