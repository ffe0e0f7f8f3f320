// What a worker does for one request of a page: asks the client, and tells the page what came of it.

import type { TorClientLike } from "@allium/core";
import { misfit } from "./check.ts";
import { toPlainError } from "./errors.ts";
import type { Answer, PlainError, Request } from "./protocol.ts";
import type { WindowPool } from "./receiver.ts";

/** What an operation needs of the port that it serves. */
export interface Served {
  readonly id: number;
  readonly pool: WindowPool;
  post(answer: Answer, transfer?: Transferable[]): void;
  /** The operation is over. */
  done(): void;
}

/** What a page may say about an operation that is running. */
export interface ServedOperation {
  abort(): void;
  credit(bytes: number): void;
  data(bytes: ArrayBuffer): void;
  end(): void;
  fail(error: PlainError): void;
}

type Question = Extract<
  Request,
  {
    type:
      | "resolve"
      | "check"
      | "diagnose"
      | "ready"
      | "stats"
      | "exportGuards"
      | "importGuards"
      | "resetGuards";
  }
>;

/** An operation with one answer and no streams. */
export class Ask implements ServedOperation {
  readonly #served: Served;
  readonly #abort = new AbortController();

  constructor(served: Served, client: TorClientLike, question: Question) {
    this.#served = served;
    void this.#run(client, question);
  }

  abort(): void {
    this.#abort.abort();
    this.#served.done();
  }

  credit(): void {
    throw misfit("credit for something that has no stream");
  }

  data(): void {
    throw misfit("bytes for something that has no stream");
  }

  end(): void {
    throw misfit("the end of something that has no stream");
  }

  fail(): void {
    throw misfit("the failure of something that has no stream");
  }

  async #run(client: TorClientLike, question: Question): Promise<void> {
    const { id } = this.#served;
    const { signal } = this.#abort;
    try {
      const value = await answerTo(client, question, signal);
      if (!signal.aborted) this.#served.post({ type: "value", id, value });
    } catch (error) {
      if (!signal.aborted) this.#served.post({ type: "error", id, error: toPlainError(error) });
    } finally {
      this.#served.done();
    }
  }
}

async function answerTo(client: TorClientLike, question: Question, signal: AbortSignal): Promise<unknown> {
  switch (question.type) {
    case "resolve": {
      const { hostname, isolation } = question;
      return viewOf(client, question.views).resolve(hostname, {
        signal,
        ...(isolation === undefined ? {} : { isolation }),
      });
    }
    case "check":
      return client.check({ signal, ...urlOf(question) });
    case "diagnose": {
      const { timeout } = question;
      return client.diagnose({ signal, ...urlOf(question), ...(timeout !== undefined && { timeout }) });
    }
    case "ready":
      return client.ready({ signal });
    case "stats":
      return client.stats();
    case "exportGuards":
      return client.guards.export();
    case "importGuards":
      return client.guards.import(parseJson(question.state));
    case "resetGuards":
      return client.guards.reset();
  }
}

function urlOf({ url }: { readonly url: string | undefined }) {
  return url === undefined ? {} : { url };
}

/** The innermost of the views with these keys. */
export function viewOf(client: TorClientLike, keys: readonly string[]) {
  return keys.reduce<Pick<TorClientLike, "fetch" | "connect" | "resolve" | "isolate">>(
    (view, key) => view.isolate(key),
    client,
  );
}

/** JSON of the other side. @throws TorError `protocol-violation` */
export function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw misfit("JSON that is none");
  }
}
