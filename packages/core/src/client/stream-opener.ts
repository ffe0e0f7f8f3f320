// Opens anonymous streams for the net room and resolves names: waits until the client is ready, takes a circuit whose exit
// allows the port, and tries another exit where the first could not (tor-spec 6.2 to 6.4).
// Destinations never leave this file but in BEGIN and RESOLVE.

import { deferred } from "../base/abort.ts";
import { formatIp, parseIp } from "../base/address.ts";
import { badApiUsage, type TorError, toTorError } from "../base/errors.ts";
import type { Clock } from "../base/ports.ts";
import type { ResolvedAddress, StreamOptions, TorStream } from "../circuit/api.ts";
import type { NameResolver, ResolveRequest, StreamOpener, StreamRequest } from "../net/api.ts";
import type { CircuitPool, PooledCircuit } from "../path/circuits.ts";
import { type ExitTarget, exitAllows } from "../path/select.ts";
import { exitTarget } from "./destination.ts";
import { ExitTries } from "./exit-tries.ts";
import { OptimisticStream } from "./optimistic-stream.ts";

/** A stream's life, without its destination. */
export interface StreamInfo {
  /** Unique within the client. */
  readonly id: number;
  /** The circuit that carries it, once there is one. */
  readonly circuitId?: number;
  readonly state: "opening" | "open" | "closed" | "failed";
  /** Why it is closed or failed, unless it ended well. */
  readonly error?: Pick<TorError, "kind" | "code">;
}

export interface StreamOpenerOptions {
  readonly pool: Pick<CircuitPool, "acquire" | "retire" | "era">;
  readonly clock: Clock;
  readonly allowPrivateAddresses: boolean;
  /** Whether data may go out before the exit is connected. */
  readonly optimisticData: boolean;
  /** Milliseconds for an exit to answer BEGIN or RESOLVE. */
  readonly connectTimeout: number;
  /** Settles when circuits can be built. */
  readonly ready: (signal: AbortSignal | undefined) => Promise<void>;
  readonly onStream: (info: StreamInfo) => void;
}

/** Any exit resolves names; one for this port is built ahead, and will do for what follows. */
const RESOLVE_PORT = 443;

export class ExitStreamOpener implements StreamOpener, NameResolver {
  readonly #options: StreamOpenerOptions;
  readonly #tries: ExitTries;
  #lastId = 0;

  constructor(options: StreamOpenerOptions) {
    this.#options = options;
    this.#tries = new ExitTries(options.pool, options.clock);
  }

  /** Settles once a first BEGIN is sent, or, without optimistic data, once an exit is connected. */
  async openStream(request: StreamRequest): Promise<TorStream> {
    const { allowPrivateAddresses, optimisticData, onStream, ready } = this.#options;
    const target = exitTarget(request.hostname, request.port, allowPrivateAddresses);
    const id = ++this.#lastId;
    onStream({ id, state: "opening" });
    const stream = new OptimisticStream();
    const begun = deferred();
    const opened = this.#open(stream, request, target, ready, begun.resolve).then(
      (circuitId) => this.#watch(id, circuitId, stream),
      (thrown) => {
        const error = toTorError(thrown);
        stream.fail(error);
        onStream({ id, state: "failed", error: errorInfo(error) });
        throw error;
      },
    );
    opened.catch(begun.reject);
    await (optimisticData ? begun.promise : opened);
    return stream;
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
    const { result } = await this.#tries.run(request, target, ({ circuit }) =>
      circuit.resolve(hostname, this.#streamOptions(request.signal)),
    );
    return result;
  }

  /** @returns the id of the circuit that carries the stream */
  async #open(
    stream: OptimisticStream,
    request: StreamRequest,
    target: ExitTarget,
    ready: StreamOpenerOptions["ready"],
    onBegun: () => void,
  ): Promise<number> {
    await ready(request.signal);
    const signal =
      request.signal === undefined ? stream.signal : AbortSignal.any([request.signal, stream.signal]);
    const { circuitId } = await this.#tries.run({ ...request, signal }, target, async (pooled) => {
      const one = await this.#begin(pooled, request, signal);
      onBegun();
      await stream.tryOn(one, signal);
    });
    request.onCircuit?.(circuitId);
    stream.succeed();
    return circuitId;
  }

  #begin({ circuit, exit }: PooledCircuit, request: StreamRequest, signal: AbortSignal): Promise<TorStream> {
    const { hostname, port } = request;
    return circuit.openStream(hostname, port, {
      ...this.#streamOptions(signal),
      ipv6: exitAllows(exit, { port, family: 6 }),
      optimistic: this.#options.optimisticData,
    });
  }

  #watch(id: number, circuitId: number, stream: TorStream): void {
    const { onStream } = this.#options;
    onStream({ id, circuitId, state: "open" });
    stream.closed.then((error) => {
      onStream({ id, circuitId, state: "closed", ...(error && { error: errorInfo(error) }) });
    });
  }

  #streamOptions(signal: AbortSignal | undefined): StreamOptions {
    return {
      timeout: this.#options.connectTimeout,
      allowPrivateAddresses: this.#options.allowPrivateAddresses,
      ...(signal === undefined ? {} : { signal }),
    };
  }
}

function errorInfo({ kind, code }: TorError): Pick<TorError, "kind" | "code"> {
  return { kind, code };
}
