// The connections to one origin under one isolation key, and the requests that wait for one. A request takes a free
// connection, or has one opened; at most six are open, as in browsers. To an https: origin of which nothing is known one is
// opened first: where it turns out to be HTTP/2, all requests share it (RFC 9113 9.1).

import { abortable } from "../../base/abort.ts";
import { isTorError, TorError } from "../../base/errors.ts";
import type { Clock } from "../../base/ports.ts";
import type { HttpConnection } from "../http/api.ts";

/** As browsers have it. */
const MAX_CONNECTIONS = 6;

export interface Origin {
  /** Whether it is reached through TLS. */
  readonly secure: boolean;
  /** A lower-case ASCII name or an IP literal, IPv6 without brackets. */
  readonly hostname: string;
  readonly port: number;
}

/** A request that has no connection yet. */
export interface Waiting {
  start(connection: HttpConnection): void;
  fail(error: unknown): void;
}

export interface SiteOptions {
  readonly origin: Origin;
  readonly clock: Clock;
  open(signal: AbortSignal): Promise<HttpConnection>;
  /** Milliseconds after which a connection takes no further request. */
  readonly maxAge: number;
  /** Whether one more connection may be opened; makes room for it where that can be done. */
  mayOpen(): boolean;
  /** A connection is gone or has become idle, or an opening has failed. */
  changed(): void;
}

interface Held {
  readonly connection: HttpConnection;
  readonly openedAt: number;
  /** Monotonic time; undefined while it has requests. */
  idleSince: number | undefined;
}

export class Site {
  readonly #options: SiteOptions;
  readonly #held = new Set<Held>();
  readonly #opening = new Set<AbortController>();
  readonly #waiting = new Set<Waiting>();
  /** Whether an opening has come to an end, so that it is known how many connections are needed. */
  #isKnown: boolean;
  #isRetired = false;

  constructor(options: SiteOptions) {
    this.#options = options;
    this.#isKnown = !options.origin.secure;
  }

  /** Connections, those being opened included. */
  get size(): number {
    return this.#held.size + this.#opening.size;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** When the connection that has been idle for longest became so. */
  get idleSince(): number | undefined {
    return this.#longestIdle()?.idleSince;
  }

  /** Gives the request a connection, at once or later. */
  add(request: Waiting): void {
    this.#waiting.add(request);
    this.dispatch();
  }

  /** The request is no longer wanted. */
  drop(request: Waiting): void {
    if (!this.#waiting.delete(request) || this.#opening.size <= this.#waiting.size) return;
    const last = [...this.#opening].at(-1) as AbortController;
    this.#opening.delete(last);
    last.abort(new TorError("aborted", "ALLIUM_E_ABORTED", "nobody waits for the connection"));
  }

  /** Serves who waits, as far as that can be done, and lets go of what is of no use any more. */
  dispatch(): void {
    for (const request of this.#waiting) {
      const free = this.#free();
      if (free === undefined) break;
      this.#waiting.delete(request);
      request.start(free);
    }
    while (this.#opening.size < this.#waiting.size && this.#mayOpen()) this.#open();
    for (const held of this.#held) {
      const idle = held.connection.active === 0;
      if (idle && (this.#isRetired || !this.#isFresh(held))) this.#end(held);
      else held.idleSince = idle ? (held.idleSince ?? this.#options.clock.monotonic()) : undefined;
    }
  }

  /** Takes no more requests; those that it has are served, and nothing is kept after them. */
  retire(): void {
    this.#isRetired = true;
    this.dispatch();
  }

  /** Ends connections that have been idle since then or for longer. */
  endIdle(until: number): void {
    for (const held of this.#held) if ((held.idleSince ?? Number.POSITIVE_INFINITY) <= until) this.#end(held);
  }

  /** Ends the connection that has been idle for longest. */
  endLongestIdle(): void {
    const held = this.#longestIdle();
    if (held !== undefined) this.#end(held);
  }

  close(error: TorError): void {
    for (const request of this.#waiting) request.fail(error);
    this.#waiting.clear();
    for (const opening of this.#opening) opening.abort(error);
    this.#opening.clear();
    for (const held of this.#held) this.#end(held, error);
  }

  /** The one used last: the others may then go. */
  #free(): HttpConnection | undefined {
    const free = [...this.#held].filter((held) => held.connection.isFree && this.#isFresh(held));
    free.sort((a, b) => (b.idleSince ?? 0) - (a.idleSince ?? 0));
    return free[0]?.connection;
  }

  #isFresh(held: Held): boolean {
    const { clock, maxAge } = this.#options;
    return (
      clock.monotonic() - held.openedAt < maxAge && (held.connection.active > 0 || held.connection.isFree)
    );
  }

  #mayOpen(): boolean {
    if (this.size >= MAX_CONNECTIONS) return false;
    return (this.#isKnown || this.#opening.size === 0) && this.#options.mayOpen();
  }

  #longestIdle(): Held | undefined {
    const idle = [...this.#held].filter((held) => held.idleSince !== undefined);
    return idle.sort((a, b) => (a.idleSince as number) - (b.idleSince as number))[0];
  }

  #open(): void {
    const opening = new AbortController();
    this.#opening.add(opening);
    const opened = this.#options.open(opening.signal);
    abortable(opened, opening.signal).then(
      (connection) => this.#opened(opening, connection),
      (error) => {
        opened.then((late) => late.close(error)).catch(() => {});
        this.#failed(opening, error);
      },
    );
  }

  #opened(opening: AbortController, connection: HttpConnection): void {
    this.#isKnown = true;
    this.#opening.delete(opening);
    const openedAt = this.#options.clock.monotonic();
    const held: Held = { connection, openedAt, idleSince: undefined };
    this.#held.add(held);
    void connection.closed.then(() => {
      this.#held.delete(held);
      this.#options.changed();
    });
    this.dispatch();
    this.#options.changed();
  }

  #failed(opening: AbortController, error: unknown): void {
    if (!this.#opening.delete(opening)) return this.#options.changed();
    this.#isKnown = true;
    const [first] = this.#waiting;
    if (first !== undefined) this.#waiting.delete(first);
    first?.fail(error);
    this.#options.changed();
  }

  #end(held: Held, reason?: unknown): void {
    this.#held.delete(held);
    held.connection.close(isTorError(reason) ? reason : undefined);
  }
}
