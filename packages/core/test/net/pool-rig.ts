// A pool whose connections are the test's: they answer, fail and end when it says so.

import { type Deferred, deferred } from "../../src/base/abort.ts";
import type { TorError } from "../../src/base/errors.ts";
import { ConnectionPool } from "../../src/net/connections/pool.ts";
import type { HttpConnection } from "../../src/net/http/api.ts";
import type { HttpRequest } from "../../src/net/http/exchange.ts";
import { extractBody } from "../../src/net/http/request-body.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { settle } from "./streams.ts";

export const ORIGIN = { secure: false, hostname: "a.example", port: 80 };

/** A connection that answers when the test says so. */
export class FakeConnection implements HttpConnection {
  readonly requests: { request: HttpRequest; answer(): void; fail(error: TorError): void }[] = [];
  readonly #closed = deferred<TorError | undefined>();
  readonly #capacity: number;
  active = 0;
  isOpen = true;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get isFree(): boolean {
    return this.isOpen && this.active < this.#capacity;
  }

  get closed() {
    return this.#closed.promise;
  }

  request(request: HttpRequest) {
    if (!this.isFree) throw new Error("it was not free");
    this.active++;
    request.body?.open();
    const response = deferred<Awaited<ReturnType<HttpConnection["request"]>>>();
    const end = () => this.active--;
    this.requests.push({
      request,
      answer: () => {
        const body = {
          next: async () => {
            end();
            return undefined;
          },
          cancel: () => {
            end();
            this.close();
          },
        };
        response.resolve({ status: 200, statusText: "", fields: [], body });
      },
      fail: (error) => {
        end();
        response.reject(error);
        this.close(error);
      },
    });
    return response.promise;
  }

  close(reason?: unknown): void {
    this.isOpen = false;
    this.#closed.resolve(reason as TorError | undefined);
  }
}

/** @param capacity requests that a connection takes at once @param slow connections are opened when the test opens their gate */
export function bench({ capacity = 1, slow = false } = {}) {
  const clock = new ManualClock();
  const opened: FakeConnection[] = [];
  const openings: { origin: unknown; isolation: string | undefined; signal: AbortSignal }[] = [];
  const gates: Deferred<void>[] = [];
  const pool = new ConnectionPool({
    ...{ clock, maxAge: 600_000, waitTimeout: 300_000 },
    async open(origin, isolation, signal) {
      openings.push({ origin, isolation, signal });
      if (slow) {
        const gate = deferred();
        gates.push(gate);
        await gate.promise;
      }
      const connection = new FakeConnection(capacity);
      opened.push(connection);
      return connection;
    },
  });
  const ask = (
    init: {
      origin?: typeof ORIGIN;
      isolation?: string;
      method?: string;
      body?: string;
      signal?: AbortSignal;
    } = {},
  ) => {
    const { origin = ORIGIN, isolation, method = "GET", body, signal } = init;
    const head = { method, target: "/", host: "a.example", fields: [] };
    const asked = pool.request(
      origin,
      isolation,
      { head, body: body === undefined ? undefined : extractBody(body) },
      signal,
    );
    asked.catch(() => {});
    return asked;
  };
  /** Asks, and reads the answer to its end. */
  const whole = async (init?: Parameters<typeof ask>[0]) => {
    const asked = ask(init);
    await settle();
    for (const { requests } of opened) requests.at(-1)?.answer();
    await (await asked).body?.next();
    await settle();
  };
  return { clock, pool, opened, openings, gates, ask, whole };
}
