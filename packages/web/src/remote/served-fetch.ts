// A page's fetch, in the worker: redirects, decoding and all the rest happen here; head and bytes go to the page.

import type { TorClientLike, TorFetchInit } from "@allium/core";
import { onAbort } from "@allium/core/internal";
import { misfit } from "./check.ts";
import { fromPlainError, toPlainError } from "./errors.ts";
import type { Answer, PlainError, Request } from "./protocol.ts";
import { ByteReceiver } from "./receiver.ts";
import { ByteSender, sendAll, shortPause } from "./sender.ts";
import { type Served, type ServedOperation, viewOf } from "./served-operation.ts";

type FetchRequest = Extract<Request, { type: "fetch" }>;

export class ServedFetch implements ServedOperation {
  readonly #served: Served;
  readonly #abort = new AbortController();
  readonly #sender: ByteSender;
  /** The body, where the page streams it. */
  readonly #upload: ByteReceiver | undefined;
  #uploading: boolean;
  #answered = false;

  constructor(served: Served, client: TorClientLike, request: FetchRequest) {
    const { id } = served;
    this.#served = served;
    this.#sender = new ByteSender((bytes) => served.post({ type: "data", id, bytes }, [bytes]), shortPause);
    this.#uploading = request.body === "stream";
    if (this.#uploading) {
      this.#upload = new ByteReceiver({
        pool: served.pool,
        grant: (bytes) => served.post({ type: "credit", id, bytes }),
        cancel: (reason) => this.#stopUpload(reason),
      });
    }
    void this.#run(client, request);
  }

  abort(): void {
    this.#abort.abort();
    this.#sender.stop();
    this.#upload?.break(this.#abort.signal.reason);
    this.#served.done();
  }

  credit(bytes: number): void {
    this.#sender.grant(bytes);
  }

  data(bytes: ArrayBuffer): void {
    this.#expectUpload().push(bytes);
  }

  end(): void {
    this.#expectUpload().end();
    this.#uploading = false;
    this.#settle();
  }

  fail(error: PlainError): void {
    this.#expectUpload().end(fromPlainError(error));
    this.#uploading = false;
    this.#settle();
  }

  async #run(client: TorClientLike, request: FetchRequest): Promise<void> {
    const { id } = this.#served;
    const { signal } = this.#abort;
    try {
      const response = await viewOf(client, request.views).fetch(request.url, this.#initOf(request));
      if (signal.aborted) return void response.body?.cancel().catch(() => {});
      this.#served.post(headOf(id, response));
      if (response.body !== null) await this.#sendBody(response.body);
      this.#answered = true;
      this.#settle();
    } catch (error) {
      if (signal.aborted) return;
      this.#served.post({ type: "error", id, error: toPlainError(error) });
      this.abort();
    }
  }

  #initOf({ method, headers, redirect, isolation, integrity, body }: FetchRequest): TorFetchInit {
    return {
      ...{ method, redirect, signal: this.#abort.signal },
      headers: headers.map(([name, value]) => [name, value] as [string, string]),
      ...(isolation !== undefined && { isolation }),
      ...(integrity !== undefined && { integrity }),
      ...(body !== undefined && { body: body === "stream" ? this.#expectUpload().readable : body }),
    };
  }

  async #sendBody(body: ReadableStream<Uint8Array>): Promise<void> {
    const { signal } = this.#abort;
    const reader = body.getReader();
    const forget = onAbort(signal, (error) => void reader.cancel(error).catch(() => {}));
    try {
      const whole = await sendAll(reader, this.#sender, true);
      if (whole && !signal.aborted) this.#served.post({ type: "end", id: this.#served.id });
    } finally {
      forget();
    }
  }

  /** The client takes no more of the body; the answer may come all the same. */
  #stopUpload(reason: unknown): void {
    if (this.#abort.signal.aborted) return;
    this.#served.post({ type: "stop", id: this.#served.id, error: toPlainError(reason) });
    this.#uploading = false;
    this.#settle();
  }

  /** A server may answer before it has the whole request: what is left of that is still taken. */
  #settle(): void {
    if (this.#answered && !this.#uploading) this.#served.done();
  }

  #expectUpload(): ByteReceiver {
    if (this.#upload === undefined) throw misfit("a body that it had not announced");
    return this.#upload;
  }
}

function headOf(id: number, response: Response): Answer {
  const { status, statusText, url, redirected } = response;
  const headers = [...response.headers];
  return {
    type: "response",
    id,
    status,
    statusText,
    headers,
    url,
    redirected,
    hasBody: response.body !== null,
  };
}
