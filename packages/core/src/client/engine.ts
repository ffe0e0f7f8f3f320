// The client's life: lazy bootstrap, readiness, keeping the view of the network current, new identities, the end.
// Not here: protocol, and the shape of the public API (tor-client.ts).

import { abortable, onAbort, sleep, throwIfAborted, withTimeout } from "../base/abort.ts";
import { TorError, toTorError } from "../base/errors.ts";
import type { NetDir } from "../directory/api.ts";
import { CircuitPool } from "../path/circuits.ts";
import type { GuardEvent } from "../path/guards.ts";
import type { CircuitInfo } from "../path/registry.ts";
import type { ExitTarget } from "../path/select.ts";
import type { CheckedOptions } from "./options.ts";
import { NetworkStack } from "./stack.ts";
import { type ClientStatus, StatusTracker } from "./status.ts";
import { ExitStreamOpener, type StreamInfo } from "./stream-opener.ts";

export interface EngineEvents {
  status(status: ClientStatus): void;
  circuit(info: CircuitInfo): void;
  stream(info: StreamInfo): void;
  guard(event: GuardEvent): void;
}

/** How long a call waits for the client to become ready; a first start on a slow line takes about a minute. */
const READY_TIMEOUT = 180_000;

/** The first circuit proves that the network can be used, and serves the first request. */
const FIRST_TARGET: ExitTarget = { port: 443, family: 4 };

export class Engine {
  readonly stack: NetworkStack;
  readonly opener: ExitStreamOpener;
  readonly status: StatusTracker;
  readonly #options: CheckedOptions;
  readonly #pool: CircuitPool;
  readonly #closing = new AbortController();
  readonly #forgetSignal: () => void;
  #guardsLoaded: Promise<void> | undefined;
  #bootstrap: Promise<void> | undefined;
  #keepsFresh = false;

  constructor(options: CheckedOptions, events: EngineEvents) {
    this.#options = options;
    const { network, clock, path, retry } = options;
    this.status = new StatusTracker(events.status);
    this.stack = new NetworkStack({
      ...{ ...options, circuitBuildTimeout: path.circuitBuildTimeout },
      onDialled: () => this.status.advance("link"),
      onChannel: () => this.status.advance("consensus"),
      onCircuit: events.circuit,
      onGuard: events.guard,
    });
    this.#pool = new CircuitPool({
      ...{ clock, builder: this.stack.builder, retry, maxDirtiness: path.maxCircuitDirtiness },
      choosePath: async (target, avoidExits) => {
        const { guards } = this.stack;
        return this.stack.selectorFor(this.#netdir()).path(target, guards, avoidExits);
      },
      onRetry: ({ kind, code }, delay) => this.#log("info", "circuit.retry", "a circuit is tried again", { kind, code, delay }),
    });
    this.opener = new ExitStreamOpener({
      pool: this.#pool,
      allowPrivateAddresses: network.allowPrivateAddresses === true,
      ready: (signal) => this.ready(signal),
      onStream: events.stream,
    });
    this.#forgetSignal = onAbort(options.signal, () => void this.close());
  }

  /** Waits until streams can be opened; begins, or begins again, what is needed for that. */
  async ready(signal: AbortSignal | undefined): Promise<void> {
    throwIfAborted(this.#closing.signal);
    throwIfAborted(signal);
    if (this.status.current.ready && this.#isCurrent()) return;
    this.#bootstrap ??= this.#runBootstrap().finally(() => {
      this.#bootstrap = undefined;
    });
    const running = this.#bootstrap;
    const { clock } = this.#options;
    const error = () =>
      new TorError(
        "offline",
        "ALLIUM_E_NOT_READY",
        `the client did not get ready within ${READY_TIMEOUT / 1000} s (phase: ${this.status.current.phase})`,
      );
    await withTimeout({ clock, ms: READY_TIMEOUT, signal, error }, () => running);
  }

  /** Streams from here on share no circuit with those before. */
  newIdentity(): void {
    this.#pool.retireAll();
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    const error = new TorError("aborted", "ALLIUM_E_CLOSED", "the client is closed");
    this.#closing.abort(error);
    this.#forgetSignal();
    this.#pool.close(error);
    await this.stack.close();
  }

  async #runBootstrap(): Promise<void> {
    const { signal } = this.#closing;
    this.status.restart();
    try {
      await abortable(this.#loadGuards(), signal);
      await this.#fetchDirectory(signal);
      this.status.advance("circuit");
      await this.#firstCircuit(signal);
      this.status.advance("ready");
      void this.#keepFresh();
    } catch (thrown) {
      const error = toTorError(thrown);
      if (!signal.aborted) {
        this.status.block(error);
        this.#log("warn", "client.blocked", "the client cannot get ready", { kind: error.kind, code: error.code });
      }
      throw error;
    }
  }
}
