// Connections that are kept and used again (RFC 9110 7.6.1, RFC 9112 9.3): by requests to the same origin under the same
// isolation key, of the same time between two `clear`s, and by no others. None is used for new requests longer than a circuit would be.
// Not here: how a connection is opened, and what is spoken on it.

import { onAbort, throwIfAborted } from "../../base/abort.ts";
import { isTorError, TorError } from "../../base/errors.ts";
import type { Clock, Timer } from "../../base/ports.ts";
import type { HttpConnection } from "../http/api.ts";
import { UNANSWERED, UNPROCESSED } from "../http/errors.ts";
import type { HttpBody, HttpRequest, HttpResponse } from "../http/exchange.ts";
import { type Origin, Site, type Waiting } from "./site.ts";

export interface PoolOptions {
  readonly clock: Clock;
  /** Opens a connection of whichever version the server speaks. */
  open(origin: Origin, isolation: string | undefined, signal: AbortSignal): Promise<HttpConnection>;
  /** Milliseconds after which a connection takes no further request. */
  readonly maxAge: number;
  /** Milliseconds that a request waits for a connection. */
  readonly waitTimeout: number;
}

/** Milliseconds that an unused connection is kept; what a server says in Keep-Alive may make it less. */
const IDLE_TIME = 60_000;
/** Connections in all; Chromium has 256 for a whole browser. */
const MAX_CONNECTIONS = 128;
const MAX_WAITING = 1024;
const MAX_TRIES = 3;
/** RFC 9110 9.2.2. */
const IDEMPOTENT: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

export class ConnectionPool {
  readonly #options: PoolOptions;
  /** Those that take new requests. */
  readonly #current = new Map<string, Site>();
  /** Those of before `clear` besides, until their requests are over. */
  readonly #sites = new Set<Site>();
  #sweep: Timer | undefined;
  /** How often it was cleared. */
  #era = 0;
  #closedWith: TorError | undefined;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** What `request` is told of requests that go on with something begun now. */
  get era(): number {
    return this.#era;
  }

  /**
   * Sends the request on a kept connection or a new one. It is sent once more only where that can do no harm: nothing of it
   * reached the server, or the method is idempotent and a kept connection ended before the answer began.
   * @param era when it began: after a `clear` since then it shares nothing with what began later, so that no server ties the
   *   two together by an answer that it holds back, say a redirect
   */
  async request(
    origin: Origin,
    isolation: string | undefined,
    request: HttpRequest,
    signal: AbortSignal | undefined,
    era = this.#era,
  ): Promise<HttpResponse> {
    const { body } = request;
    let opened = false;
    const noted = body && {
      ...body,
      open: () => {
        opened = true;
        return body.open();
      },
    };
    for (let left = MAX_TRIES - 1; ; left--) {
      const site = this.#site(origin, isolation, era);
      try {
        return await this.#send(site, { ...request, body: noted }, signal);
      } catch (error) {
        const code = isTorError(error) ? error.code : undefined;
        const harmless = code === UNPROCESSED || (code === UNANSWERED && IDEMPOTENT.has(request.head.method));
        if (left === 0 || !harmless || (opened && body?.replayable === false)) throw error;
        // What else was kept has most likely ended with it.
        if (code === UNANSWERED) site.endIdle(Number.POSITIVE_INFINITY);
      }
    }
  }

  /** Lets new requests have new connections; what is under way goes on. */
  clear(): void {
    this.#era++;
    this.#current.clear();
    for (const site of this.#sites) site.retire();
    this.#changed();
  }

  /** Ends all of it, now and from now on. */
  close(error: TorError): void {
    this.#closedWith = error;
    for (const site of this.#sites) site.close(error);
    this.#changed();
  }

  #site(origin: Origin, isolation: string | undefined, era: number): Site {
    if (this.#closedWith !== undefined) throw this.#closedWith;
    const keyNow = () => (era === this.#era ? isolation : JSON.stringify([era, isolation ?? null]));
    const key = JSON.stringify([keyNow() ?? null, origin.secure, origin.hostname, origin.port]);
    const known = this.#current.get(key);
    if (known !== undefined) return known;
    const { clock, maxAge, open } = this.#options;
    const site = new Site({
      ...{ origin, clock, maxAge },
      open: (signal) => open(origin, keyNow(), signal),
      mayOpen: () => this.#makeRoom(),
      changed: () => this.#changed(),
    });
    this.#current.set(key, site);
    this.#sites.add(site);
    return site;
  }

  #send(site: Site, request: HttpRequest, signal: AbortSignal | undefined): Promise<HttpResponse> {
    throwIfAborted(signal);
    if (this.#count((one) => one.waiting) >= MAX_WAITING)
      throw busy("too many requests wait for a connection");
    return new Promise((resolve, reject) => {
      const timer = this.#options.clock.timer(this.#options.waitTimeout);
      const giveUp = (error: unknown) => {
        site.drop(waiting);
        waiting.fail(error);
      };
      const forget = onAbort(signal, giveUp);
      const over = () => {
        timer.cancel();
        forget();
      };
      const waiting: Waiting = {
        start: (connection) => {
          over();
          resolve(this.#begin(site, connection, request, signal));
        },
        fail(error) {
          over();
          reject(error);
        },
      };
      timer.fired.then(() => giveUp(busy("no connection became free: were all bodies read or cancelled?")));
      site.add(waiting);
    });
  }

  async #begin(
    site: Site,
    connection: HttpConnection,
    request: HttpRequest,
    signal: AbortSignal | undefined,
  ): Promise<HttpResponse> {
    const settled = () => {
      site.dispatch();
      this.#changed();
    };
    try {
      const response = await connection.request(request, signal);
      return { ...response, body: response.body && noticed(response.body, settled) };
    } finally {
      settled();
    }
  }

  #count(of: (site: Site) => number): number {
    let sum = 0;
    for (const site of this.#sites) sum += of(site);
    return sum;
  }

  /** The site whose connection has been idle for longest. */
  #longestIdle(): Site | undefined {
    const idle = [...this.#sites].filter((site) => site.idleSince !== undefined);
    return idle.sort((a, b) => (a.idleSince as number) - (b.idleSince as number))[0];
  }

  #makeRoom(): boolean {
    if (this.#count((site) => site.size) < MAX_CONNECTIONS) return true;
    const idle = this.#longestIdle();
    idle?.endLongestIdle();
    return idle !== undefined;
  }

  /** Forgets what is over, serves who waits for room, and sees to it that idle connections end in their time. */
  #changed(): void {
    for (const [key, site] of this.#current) if (site.size + site.waiting === 0) this.#current.delete(key);
    for (const site of this.#sites) {
      if (site.waiting > 0) site.dispatch();
      if (site.size + site.waiting === 0) this.#sites.delete(site);
    }
    const idleSince = this.#longestIdle()?.idleSince;
    if (idleSince === undefined) {
      this.#sweep?.cancel();
      this.#sweep = undefined;
    } else this.#sweep ??= this.#startSweep(idleSince + IDLE_TIME);
  }

  #startSweep(at: number): Timer {
    const { clock } = this.#options;
    const timer = clock.timer(at - clock.monotonic());
    timer.fired.then(() => {
      if (this.#sweep !== timer) return;
      this.#sweep = undefined;
      for (const site of this.#sites) site.endIdle(clock.monotonic() - IDLE_TIME);
      this.#changed();
    });
    return timer;
  }
}

function busy(message: string): TorError {
  return new TorError("limit", "ALLIUM_E_HTTP_BUSY", message);
}

/** The body, whose end is told once its connection has taken note of it. */
function noticed(body: HttpBody, ended: () => void): HttpBody {
  return {
    async next() {
      try {
        const bytes = await body.next();
        if (bytes === undefined) ended();
        return bytes;
      } catch (error) {
        ended();
        throw error;
      }
    },
    cancel(reason) {
      body.cancel(reason);
      ended();
    },
  };
}
