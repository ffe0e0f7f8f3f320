// The page's end of a port: what it has asked for by id, the client's news, and the end of it all.

import { type CircuitInfo, type ClientStatus, isTorError, systemClock, type TorError } from "@allium/core";
import { type Deferred, deferred, onAbort, throwIfAborted } from "@allium/core/internal";
import { misfit, parseMessage } from "./check.ts";
import { fromPlainError, limitError, lostError, startError, versionError } from "./errors.ts";
import { Link, type PortLike } from "./link.ts";
import { Operations } from "./operations.ts";
import {
  ANSWERS,
  type Answer,
  type EventAnswer,
  MAX_UNSEEN,
  PROTOCOL,
  REQUESTS,
  type Request,
} from "./protocol.ts";
import { WindowPool } from "./receiver.ts";
import { Turn } from "./turn.ts";

/** Answers about one operation. */
export type OperationAnswer = Extract<Answer, { readonly id: number }>;

/** An operation of the page that is running. */
export interface PageOperation {
  /** @throws TorError `protocol-violation` for an answer that it has not asked for */
  take(answer: OperationAnswer): void;
  /** The connection is over. */
  lost(error: TorError): void;
}

export interface ConnectionListener {
  /** Where the client stands: at first, and after events were left out. */
  state(status: ClientStatus, circuits: readonly CircuitInfo[]): void;
  event(event: EventAnswer): void;
  lost(error: TorError): void;
}

/** What the first message says. */
export interface Hello {
  /** JSON of the options with which the worker shall make its client. */
  readonly options: string | undefined;
  /** The name by which others shall find that client. */
  readonly share: string | undefined;
}

/** Where a worker tells that its script failed. */
export type ErrorSource = Pick<PortLike, "addEventListener">;

/** Milliseconds for a worker's script to be loaded and to answer; it is some 100 KB. */
const START_TIMEOUT = 30_000;
/** Milliseconds for a worker to free what the page held; its client closes links meanwhile. */
const CLOSE_TIMEOUT = 5000;

export class Connection {
  readonly pool = new WindowPool();
  readonly turn = new Turn();
  readonly #listener: ConnectionListener;
  readonly #link: Link;
  readonly #operations = new Operations<PageOperation>();
  readonly #welcomed = new AbortController();
  readonly #gone: Deferred<void> = deferred();
  #over: TorError | undefined;
  #unacknowledged = 0;

  constructor(port: PortLike, worker: ErrorSource, hello: Hello, listener: ConnectionListener) {
    this.#listener = listener;
    this.#link = new Link(port, {
      message: (data) => this.#hear(data),
      gone: () => {
        this.#gone.resolve();
        this.fail(lostError());
      },
    });
    this.#link.post({ type: "hello", protocol: PROTOCOL, ...hello } satisfies Request);
    this.#link.hold();
    worker.addEventListener("error", () => {
      if (!this.#welcomed.signal.aborted)
        this.fail(startError("the worker's script could not be loaded or run"));
    });
    void this.#limitStart();
  }

  /** Begins an operation. @returns its id @throws TorError `limit`, or why the connection is over */
  begin(operation: PageOperation, request: (id: number) => Request, transfer?: Transferable[]): number {
    if (this.#over !== undefined) throw this.#over;
    const id = this.#operations.nextId();
    const message = request(id);
    try {
      parseMessage(REQUESTS, message);
    } catch {
      throw limitError("a part of the request is too large to go to a worker");
    }
    this.#operations.set(id, operation);
    this.post(message, transfer);
    return id;
  }

  post(request: Request, transfer?: Transferable[]): void {
    if (this.#over === undefined) this.#link.post(request, transfer);
  }

  /** The operation is over on both sides. */
  finish(id: number): void {
    this.#operations.delete(id);
  }

  /** The operation is given up: nothing about it will be heard. */
  abort(id: number): void {
    if (this.#operations.get(id) === undefined) return;
    this.#operations.delete(id);
    this.post({ type: "abort", id });
  }

  /**
   * An operation with one answer.
   * @param check the answer as it must be; throws `protocol-violation`
   */
  async ask<T>(
    request: (id: number) => Request,
    check: (value: unknown) => T,
    signal?: AbortSignal,
  ): Promise<T> {
    throwIfAborted(signal);
    const answer = deferred<T>();
    const take = (message: OperationAnswer) => {
      if (message.type === "value") answer.resolve(check(message.value));
      else if (message.type === "error") answer.reject(fromPlainError(message.error));
      else throw misfit("an answer that does not fit its question");
      this.finish(message.id);
    };
    const id = this.begin({ take, lost: (error) => answer.reject(error) }, request);
    const forget = onAbort(signal, (error) => {
      this.abort(id);
      answer.reject(error);
    });
    return answer.promise.finally(forget);
  }

  /** Ends the connection because of a failure; everything that runs fails with it. */
  fail(error: TorError): void {
    if (this.#over !== undefined) return;
    // The worker that erred frees what we held; one that cut us off need not wait for us to go.
    this.post({ type: "bye" });
    this.#end(error);
    this.#link.end();
    this.#gone.resolve();
    this.#listener.lost(error);
  }

  /** Ends the connection in order; settles when the worker has freed what the page held. */
  async close(error: TorError): Promise<void> {
    if (this.#over !== undefined) return this.#gone.promise;
    this.post({ type: "bye" });
    this.#end(error);
    const timer = systemClock.timer(CLOSE_TIMEOUT);
    await Promise.race([this.#gone.promise, timer.fired]);
    timer.cancel();
    this.#gone.resolve();
    this.#link.end();
  }

  #end(error: TorError): void {
    this.#over = error;
    this.#welcomed.abort();
    for (const operation of this.#operations.clear()) operation.lost(error);
    this.turn.end();
  }

  #hear(data: unknown): void {
    this.turn.begin();
    try {
      this.#take(data);
    } catch (error) {
      this.fail(isTorError(error) ? error : misfit("an answer that cannot be used"));
    }
  }

  #take(data: unknown): void {
    const early = data as { readonly type?: unknown; readonly protocol?: unknown } | null | undefined;
    if (early?.type === "welcome" && early.protocol !== PROTOCOL) throw versionError();
    const answer = parseMessage(ANSWERS, data);
    // After the end only the word that the worker is done counts.
    if (this.#over !== undefined) {
      if (answer.type === "gone") this.#gone.resolve();
      return;
    }
    switch (answer.type) {
      case "fatal":
        return this.fail(fromPlainError(answer.error));
      case "gone":
        return this.fail(lostError());
      case "alive":
        return this.#link.watch(answer.lock);
      case "welcome":
        this.#welcomed.abort();
        return this.#listener.state(answer.status, answer.circuits);
      case "snapshot":
        this.#acknowledge();
        return this.#listener.state(answer.status, answer.circuits);
      case "status":
      case "circuit":
      case "stream":
      case "guard":
      case "bridge":
      case "metric":
      case "log":
        this.#acknowledge();
        return this.#listener.event(answer);
      default:
        return this.#operations.get(answer.id)?.take(answer);
    }
  }

  #acknowledge(): void {
    if (++this.#unacknowledged < MAX_UNSEEN / 4) return;
    this.post({ type: "seen", events: this.#unacknowledged });
    this.#unacknowledged = 0;
  }

  async #limitStart(): Promise<void> {
    const timer = systemClock.timer(START_TIMEOUT);
    const { signal } = this.#welcomed;
    signal.addEventListener("abort", () => timer.cancel());
    await timer.fired;
    if (!signal.aborted) this.fail(startError(`the worker did not answer within ${START_TIMEOUT / 1000} s`));
  }
}
