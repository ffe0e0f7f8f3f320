// Opens anonymous streams for the net room: waits until the client is ready, takes a circuit whose exit allows the port,
// and tries another exit where the first could not (tor-spec 6.3, 7.3). Destinations never leave this file but in BEGIN.

import { toHex } from "../base/encoding.ts";
import { type TorError, type TorErrorKind, toTorError } from "../base/errors.ts";
import type { TorStream } from "../circuit/api.ts";
import type { StreamOpener, StreamRequest } from "../net/api.ts";
import type { CircuitPool, PooledCircuit } from "../path/circuits.ts";
import { type ExitTarget, exitAllows } from "../path/select.ts";
import { exitTarget } from "./destination.ts";

/** A stream's life, without its destination. */
export interface StreamInfo {
  /** Unique within the client. */
  readonly id: number;
  /** The circuit that carries it, once there is one. */
  readonly circuitId?: number;
  readonly state: "opening" | "open" | "closed" | "failed";
}

export interface StreamOpenerOptions {
  readonly pool: Pick<CircuitPool, "acquire" | "retire">;
  readonly allowPrivateAddresses: boolean;
  /** Settles when circuits can be built. */
  readonly ready: (signal: AbortSignal | undefined) => Promise<void>;
  readonly onStream: (info: StreamInfo) => void;
}

/** Milliseconds for an exit to answer BEGIN; C tor gives a circuit 10 to 15 s before it tries another. */
const STREAM_TIMEOUT = 15_000;

/** How often a request is tried, by what went wrong. A name that one exit cannot resolve another one may. */
const TRIES: Partial<Record<TorErrorKind, number>> = {
  "exit-policy": 3,
  "exit-timeout": 3,
  "circuit-collapse": 3,
  "protocol-violation": 3,
  "remote-host-not-found": 2,
};

export class ExitStreamOpener implements StreamOpener {
  readonly #options: StreamOpenerOptions;
  #lastId = 0;

  constructor(options: StreamOpenerOptions) {
    this.#options = options;
  }

  async openStream(request: StreamRequest): Promise<TorStream> {
    const { allowPrivateAddresses, onStream } = this.#options;
    const target = exitTarget(request.hostname, request.port, allowPrivateAddresses);
    const id = ++this.#lastId;
    onStream({ id, state: "opening" });
    try {
      await this.#options.ready(request.signal);
      const { stream, circuitId } = await this.#open(request, target);
      onStream({ id, circuitId, state: "open" });
      stream.closed.then(() => onStream({ id, circuitId, state: "closed" }));
      return stream;
    } catch (error) {
      onStream({ id, state: "failed" });
      throw error;
    }
  }

  async #open(request: StreamRequest, target: ExitTarget): Promise<{ stream: TorStream; circuitId: number }> {
    const avoidExits = new Set<string>();
    let failure: TorError | undefined;
    for (let tries = 1; ; tries++) {
      const pooled = await this.#acquire(request, target, avoidExits, failure);
      try {
        const stream = await this.#begin(pooled, request);
        return { stream, circuitId: pooled.circuit.id };
      } catch (thrown) {
        failure = toTorError(thrown);
        // An exit that answered will answer so again; where the circuit broke, it may not have been the exit.
        if (!pooled.circuit.isClosed) avoidExits.add(toHex(pooled.exit.rsaId));
        if (doubtsCircuit(failure)) this.#options.pool.retire(pooled.circuit);
        if (tries >= (TRIES[failure.kind] ?? 1)) throw failure;
      }
    }
  }

  async #acquire(
    { isolation, signal }: StreamRequest,
    target: ExitTarget,
    avoidExits: ReadonlySet<string>,
    failure: TorError | undefined,
  ): Promise<PooledCircuit> {
    try {
      return await this.#options.pool.acquire({ target, isolation: isolation ?? "", avoidExits, signal });
    } catch (thrown) {
      const error = toTorError(thrown);
      // When all exits were tried, what the last one said is the answer.
      throw error.kind === "no-path" && failure !== undefined ? failure : error;
    }
  }

  #begin({ circuit, exit }: PooledCircuit, { hostname, port, signal }: StreamRequest): Promise<TorStream> {
    return circuit.openStream(hostname, port, {
      timeout: STREAM_TIMEOUT,
      ipv6: exitAllows(exit, { port, family: 6 }),
      allowPrivateAddresses: this.#options.allowPrivateAddresses,
      ...(signal === undefined ? {} : { signal }),
    });
  }
}

/** Whether the circuit itself may be at fault: it fell silent, or a relay on it did wrong. */
function doubtsCircuit(error: TorError): boolean {
  return (
    error.kind === "circuit-collapse" ||
    error.kind === "protocol-violation" ||
    error.code === "ALLIUM_E_STREAM_CONNECT_TIMEOUT"
  );
}
