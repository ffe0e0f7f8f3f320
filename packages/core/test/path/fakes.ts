// Stand-ins for what needs a network: a channel and a circuit that only say whether they are open.

import { deferred } from "../../src/base/abort.ts";
import type { TorError } from "../../src/base/errors.ts";
import type { Circuit, StreamOptions, TorStream } from "../../src/circuit/api.ts";
import type { Channel, ChannelTarget } from "../../src/link/api.ts";

/** Lets everything that waits only for promises run. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
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
}

export interface FakeCircuit extends Circuit {
  readonly id: number;
  isClosed: boolean;
  streamCount: number;
  /** What the next streams do instead of opening. */
  refuse: TorError | undefined;
  /** Whether it is gone then. */
  breaks: boolean;
  readonly asked: string[];
}

let lastId = 0;

export function fakeCircuit(hops: readonly ChannelTarget[], id = ++lastId): FakeCircuit {
  const gone = deferred<TorError | undefined>();
  const open = async (what: string, options: StreamOptions = {}): Promise<FakeStream> => {
    if (circuit.refuse !== undefined) {
      if (circuit.breaks) circuit.close(circuit.refuse);
      throw circuit.refuse;
    }
    options.signal?.throwIfAborted();
    circuit.asked.push(what);
    circuit.streamCount++;
    const closed = deferred<TorError | undefined>();
    return {
      ...{ circuit, remoteAddress: undefined, closed: closed.promise },
      read: async () => undefined,
      write: async () => {},
      close() {
        circuit.streamCount--;
        closed.resolve(undefined);
      },
    };
  };
  const circuit: FakeCircuit = {
    ...{ id, hops, isClosed: false, closed: gone.promise, streamCount: 0, unusedSince: undefined },
    ...{ refuse: undefined, breaks: false, asked: [] },
    extend: async () => {},
    openStream: (hostname, port, options) => open(`${hostname}:${port}`, options),
    openDirectoryStream: (options) => open("directory", options),
    async resolve(hostname, options) {
      (await open(`resolve ${hostname}`, options)).close();
      return [{ address: "93.184.216.34", ttl: 60 }];
    },
    close(error) {
      circuit.isClosed = true;
      gone.resolve(error);
    },
  };
  return circuit;
}
