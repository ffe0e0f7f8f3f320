// Doing something at an exit, and at another one where the first could not: which failures another exit may mend, how often
// that is tried, and which exits are left alone for a while (tor-spec 6.3; C tor's connection_ap_process_end_not_open).

import { toHex } from "../base/encoding.ts";
import { type TorError, type TorErrorCode, type TorErrorKind, toTorError } from "../base/errors.ts";
import type { Clock } from "../base/ports.ts";
import type { CircuitPool, PooledCircuit } from "../path/circuits.ts";
import type { ExitTarget } from "../path/select.ts";

export interface ExitRequest {
  readonly isolation?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** C tor's MAX_RESOLVE_FAILURES: exits that may fail one request. */
const MAX_TRIES = 3;

/** Failures that another exit may mend; END's reasons are those of C tor's edge_reason_is_retriable. */
const RETRIABLE: ReadonlySet<TorErrorCode> = new Set<TorErrorCode>([
  "ALLIUM_E_STREAM_EXITPOLICY",
  "ALLIUM_E_STREAM_HIBERNATING",
  "ALLIUM_E_STREAM_MISC",
  "ALLIUM_E_STREAM_NOROUTE",
  "ALLIUM_E_STREAM_RESOLVEFAILED",
  "ALLIUM_E_STREAM_RESOURCELIMIT",
  // The exit fell silent, or names an address that it may have been lied to about.
  "ALLIUM_E_STREAM_CONNECT_TIMEOUT",
  "ALLIUM_E_STREAM_INTERNAL_ADDRESS",
  "ALLIUM_E_RESOLVE_INTERNAL_ADDRESS",
  "ALLIUM_E_RESOLVE_NOT_FOUND",
  "ALLIUM_E_RESOLVE_TRANSIENT",
  // No fault of the exit: its circuit is full.
  "ALLIUM_E_TOO_MANY_STREAMS",
]);

/** The circuit broke, or a relay on it did wrong: another circuit may do. */
const RETRIABLE_KINDS: ReadonlySet<TorErrorKind> = new Set<TorErrorKind>([
  "circuit-collapse",
  "protocol-violation",
]);

/** The exit has no room for anybody: it is left alone for this long, in milliseconds. */
const BUSY_TIME = 10 * 60_000;
const BUSY: ReadonlySet<TorErrorCode> = new Set<TorErrorCode>([
  "ALLIUM_E_STREAM_HIBERNATING",
  "ALLIUM_E_STREAM_RESOURCELIMIT",
]);

export class ExitTries {
  readonly #pool: Pick<CircuitPool, "acquire" | "retire" | "era">;
  readonly #clock: Clock;
  /** Exits without room, and the monotonic time until which they are left alone. */
  readonly #busy = new Map<string, number>();

  constructor(pool: Pick<CircuitPool, "acquire" | "retire" | "era">, clock: Clock) {
    this.#pool = pool;
    this.#clock = clock;
  }

  /** Does something on a circuit whose exit allows the target, on another one where it failed. */
  async run<T>(
    request: ExitRequest,
    target: ExitTarget,
    operation: (pooled: PooledCircuit) => Promise<T>,
  ): Promise<{ readonly result: T; readonly circuitId: number }> {
    const dated = { ...request, era: this.#pool.era };
    const failed = new Set<string>();
    let failure: TorError | undefined;
    for (let tries = 1; ; tries++) {
      const pooled = await this.#acquire(dated, target, failed, failure);
      try {
        return { result: await operation(pooled), circuitId: pooled.circuit.id };
      } catch (thrown) {
        failure = toTorError(thrown);
        this.#learn(failure, pooled, failed);
        if (tries >= MAX_TRIES || !isRetriable(failure)) throw failure;
      }
    }
  }

  #learn(failure: TorError, { circuit, exit }: PooledCircuit, failed: Set<string>): void {
    const isFull = failure.code === "ALLIUM_E_TOO_MANY_STREAMS";
    const id = toHex(exit.rsaId);
    // An exit that answered will answer so again; where the circuit broke, it may not have been the exit.
    if (!isFull && !circuit.isClosed) failed.add(id);
    if (BUSY.has(failure.code)) this.#busy.set(id, this.#clock.monotonic() + BUSY_TIME);
    if (isFull || doubtsCircuit(failure)) this.#pool.retire(circuit);
  }

  async #acquire(
    { isolation, signal, era }: ExitRequest & { readonly era: number },
    target: ExitTarget,
    failed: ReadonlySet<string>,
    failure: TorError | undefined,
  ): Promise<PooledCircuit> {
    const acquire = (avoidExits: ReadonlySet<string>) =>
      this.#pool.acquire({ target, isolation: isolation ?? "", era, avoidExits, signal });
    try {
      const busy = this.#busyExits();
      if (busy.length === 0) return await acquire(failed);
      // Where nobody else is left, an exit without room is better than none.
      return await acquire(new Set([...failed, ...busy])).catch((error) => {
        if (toTorError(error).kind !== "no-path") throw error;
        return acquire(failed);
      });
    } catch (thrown) {
      const error = toTorError(thrown);
      // When all exits were tried, what the last one said is the answer.
      throw error.kind === "no-path" && failure !== undefined ? failure : error;
    }
  }

  #busyExits(): string[] {
    const now = this.#clock.monotonic();
    for (const [exit, until] of this.#busy) if (until <= now) this.#busy.delete(exit);
    return [...this.#busy.keys()];
  }
}

function isRetriable({ code, kind }: TorError): boolean {
  return RETRIABLE.has(code) || RETRIABLE_KINDS.has(kind);
}

/** Whether the circuit itself may be at fault: it fell silent, or a relay on it did wrong. */
function doubtsCircuit(error: TorError): boolean {
  return RETRIABLE_KINDS.has(error.kind) || error.code === "ALLIUM_E_STREAM_CONNECT_TIMEOUT";
}
