// Opens anonymous streams for the net room and resolves names: waits until the client is ready, takes a circuit whose exit allows the port,
// and tries another exit where the first could not (tor-spec 6.3, 6.4, 7.3). Destinations never leave this file but in BEGIN and RESOLVE.

import { formatIp, parseIp } from "../base/address.ts";
import { toHex } from "../base/encoding.ts";
import { badApiUsage, type TorError, type TorErrorKind, toTorError } from "../base/errors.ts";
import type { ResolvedAddress, StreamOptions, TorStream } from "../circuit/api.ts";
import type { NameResolver, ResolveRequest, StreamOpener, StreamRequest } from "../net/api.ts";
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

/** Milliseconds for an exit to answer BEGIN or RESOLVE; C tor gives a circuit 10 to 15 s before it tries another. */
const STREAM_TIMEOUT = 15_000;

/** Any exit resolves names; one for this port is built ahead, and will do for what follows. */
const RESOLVE_PORT = 443;

/** How often a request is tried, by what went wrong. A name that one exit cannot resolve another one may. */
const TRIES: Partial<Record<TorErrorKind, number>> = {
  "exit-policy": 3,
  "exit-timeout": 3,
  "circuit-collapse": 3,
  "protocol-violation": 3,
  "remote-host-not-found": 2,
};

/** The circuits of one key that may turn out to be full, one after the other. */
const TRIES_WHEN_FULL = 3;

export class ExitStreamOpener implements StreamOpener, NameResolver {
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
      const { result: stream, circuitId } = await this.#atExit(request, target, (pooled) =>
        this.#begin(pooled, request),
      );
      onStream({ id, circuitId, state: "open" });
      stream.closed.then(() => onStream({ id, circuitId, state: "closed" }));
      return stream;
    } catch (error) {
      onStream({ id, state: "failed" });
      throw error;
    }
  }

  /** An IP literal is its own answer, as in C tor; nobody is asked, so its TTL is 0. */
  async resolve(request: ResolveRequest): Promise<ResolvedAddress[]> {
    const { hostname } = request;
    const target = exitTarget(hostname, RESOLVE_PORT, this.#options.allowPrivateAddresses);
    if (/\.arpa\.?$/.test(hostname))
      throw badApiUsage("ALLIUM_E_REVERSE_UNSUPPORTED", "reverse lookups are not supported");
    const ip = parseIp(hostname);
    if (ip !== undefined) return [{ address: formatIp(ip), ttl: 0 }];
    await this.#options.ready(request.signal);
    const { result } = await this.#atExit(request, target, ({ circuit }) =>
      circuit.resolve(hostname, this.#streamOptions(request)),
    );
    return result;
  }

  /** Does something on a circuit whose exit allows the target, on another one where it failed. */
  async #atExit<T>(
    request: ResolveRequest,
    target: ExitTarget,
    operation: (pooled: PooledCircuit) => Promise<T>,
  ): Promise<{ result: T; circuitId: number }> {
    const avoidExits = new Set<string>();
    let failure: TorError | undefined;
    for (let tries = 1; ; tries++) {
      const pooled = await this.#acquire(request, target, avoidExits, failure);
      try {
        return { result: await operation(pooled), circuitId: pooled.circuit.id };
      } catch (thrown) {
        failure = toTorError(thrown);
        // An exit that answered will answer so again; where the circuit broke, it may not have been the exit.
        const full = isFull(failure);
        if (!full && !pooled.circuit.isClosed) avoidExits.add(toHex(pooled.exit.rsaId));
        if (full || doubtsCircuit(failure)) this.#options.pool.retire(pooled.circuit);
        if (tries >= (full ? TRIES_WHEN_FULL : (TRIES[failure.kind] ?? 1))) throw failure;
      }
    }
  }

  async #acquire(
    { isolation, signal }: ResolveRequest,
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

  #begin({ circuit, exit }: PooledCircuit, request: StreamRequest): Promise<TorStream> {
    const { hostname, port } = request;
    return circuit.openStream(hostname, port, {
      ...this.#streamOptions(request),
      ipv6: exitAllows(exit, { port, family: 6 }),
    });
  }

  #streamOptions({ signal }: ResolveRequest): StreamOptions {
    return {
      timeout: STREAM_TIMEOUT,
      allowPrivateAddresses: this.#options.allowPrivateAddresses,
      ...(signal === undefined ? {} : { signal }),
    };
  }
}

/** Whether the circuit has no room for another stream; that is no fault of its exit. */
function isFull(error: TorError): boolean {
  return error.code === "ALLIUM_E_TOO_MANY_STREAMS";
}

/** Whether the circuit itself may be at fault: it fell silent, or a relay on it did wrong. */
function doubtsCircuit(error: TorError): boolean {
  return (
    error.kind === "circuit-collapse" ||
    error.kind === "protocol-violation" ||
    error.code === "ALLIUM_E_STREAM_CONNECT_TIMEOUT"
  );
}
