// fetch, in the page: the request is checked and its body made fit to travel here, everything else happens in the worker.

import { isTorError, type TorError, type TorFetchInit } from "@allium/core";
import {
  abortable,
  announcedLength,
  badApiUsage,
  deferred,
  describeResponse,
  fetchRejection,
  onAbort,
  prepareRequest,
  signalOf,
  throwIfAborted,
  told,
} from "@allium/core/internal";
import { misfit } from "./check.ts";
import type { Connection, OperationAnswer, PageOperation } from "./connection.ts";
import { fromPlainError, toPlainError } from "./errors.ts";
import { type Answer, MAX_INLINE_BODY, type Request as PortRequest } from "./protocol.ts";
import { ByteReceiver } from "./receiver.ts";
import { ByteSender, sendAll } from "./sender.ts";

/** @throws TorFetchError, a TypeError with `kind` and `code`; or the signal's reason */
export async function remoteFetch(
  connection: Connection,
  keys: readonly string[],
  input: string | URL | Request,
  init: TorFetchInit = {},
): Promise<Response> {
  const signal = signalOf(input, init);
  let source: Source | undefined;
  try {
    throwIfAborted(signal);
    const request = await abortable(prepareRequest(input, init), signal);
    const blob = request.body?.asBlob?.();
    const { onProgress } = init;
    if (blob === undefined && request.body !== undefined) {
      const stream = request.body.open();
      source = (onProgress ? told(stream, "upload", undefined, onProgress) : stream).getReader();
    }
    const body = blob === undefined ? source && ("stream" as const) : await abortable(portable(blob), signal);
    throwIfAborted(signal);
    const { url, method, headers, redirect, integrity } = request;
    const message = {
      ...{ type: "fetch" as const, url: url.href, method, redirect, views: keys, isolation: init.isolation },
      ...{ headers: [...headers], integrity: integrity?.metadata, body },
    };
    const exchange = new RemoteFetch(connection, message, signal, onProgress);
    if (source !== undefined) exchange.sendBody(source);
    source = undefined;
    return await exchange.response;
  } catch (error) {
    const rejection = fetchRejection(error, signal);
    // Whoever feeds a body that will not be sent is told so.
    source?.cancel(rejection).catch(() => {});
    throw rejection;
  }
}

/** A body whose length is known goes as a whole: in the message, or as a Blob, whose bytes stay where they are. */
async function portable(blob: Blob): Promise<ArrayBuffer | Blob> {
  return blob.size <= MAX_INLINE_BODY ? blob.arrayBuffer() : blob;
}

class RemoteFetch implements PageOperation {
  readonly #id: number;
  readonly #connection: Connection;
  readonly #signal: AbortSignal | undefined;
  readonly #onProgress: TorFetchInit["onProgress"];
  readonly #response = deferred<Response>();
  readonly #forget: () => void;
  #body: ByteReceiver | undefined;
  #answered = false;
  #upload: Upload | undefined;

  /** @throws TorError `limit`, or why the connection is over */
  constructor(
    connection: Connection,
    request: FetchMessage,
    signal: AbortSignal | undefined,
    onProgress: TorFetchInit["onProgress"],
  ) {
    this.#connection = connection;
    this.#signal = signal;
    this.#onProgress = onProgress;
    const transfer = request.body instanceof ArrayBuffer ? [request.body] : [];
    this.#id = connection.begin(this, (id) => ({ ...request, id }), transfer);
    this.#forget = onAbort(signal, (error) => {
      connection.abort(this.#id);
      this.#break(error);
    });
  }

  get response(): Promise<Response> {
    return this.#response.promise;
  }

  sendBody(reader: Source): void {
    const id = this.#id;
    const sender = new ByteSender(
      (bytes) => this.#connection.post({ type: "data", id, bytes }, [bytes]),
      () => this.#connection.turn.nextTask(),
    );
    this.#upload = { sender, reader };
    void this.#pump(this.#upload);
  }

  take(answer: OperationAnswer): void {
    switch (answer.type) {
      case "response":
        return this.#takeHead(answer);
      case "data":
        return this.#expectBody().push(answer.bytes);
      case "end":
        this.#expectBody().end();
        this.#answered = true;
        return this.#settle();
      case "error":
        return this.#failed(fromPlainError(answer.error));
      case "credit":
        return this.#upload?.sender.grant(answer.bytes);
      case "stop":
        this.#stopUpload(fromPlainError(answer.error));
        return this.#settle();
      default:
        throw misfit("an answer that does not fit a fetch");
    }
  }

  lost(error: TorError): void {
    this.#break(error);
  }

  #takeHead({ status, statusText, headers: fields, url, redirected, hasBody }: Head): void {
    if (this.#body !== undefined || this.#answered) throw misfit("a second head");
    const headers = new Headers(fields.map(([name, value]): [string, string] => [name, value]));
    let body = hasBody ? this.#makeBody().readable : null;
    if (body && this.#onProgress) body = told(body, "download", announcedLength(headers), this.#onProgress);
    const response = new Response(body, { status, statusText, headers });
    this.#answered = !hasBody;
    this.#response.resolve(describeResponse(response, { url, redirected, headers }));
    this.#settle();
  }

  #makeBody(): ByteReceiver {
    const id = this.#id;
    const { pool, turn } = this.#connection;
    this.#body = new ByteReceiver({
      ...{ pool, turn },
      grant: (bytes) => this.#connection.post({ type: "credit", id, bytes }),
      cancel: (reason) => {
        this.#connection.abort(id);
        this.#stopUpload(reason);
        this.#over();
      },
    });
    return this.#body;
  }

  #expectBody(): ByteReceiver {
    if (this.#body === undefined) throw misfit("a body without a head");
    return this.#body;
  }

  async #pump({ reader, sender }: Upload): Promise<void> {
    const id = this.#id;
    try {
      if (await sendAll(reader, sender, false)) this.#connection.post({ type: "end", id });
    } catch (thrown) {
      if (sender.isStopped) return;
      const failed = badApiUsage("ALLIUM_E_HTTP_REQUEST_BODY", "the request body's stream failed");
      const error = toPlainError(isTorError(thrown) ? thrown : failed);
      this.#connection.post({ type: "fail", id, error });
      reader.cancel(thrown).catch(() => {});
    }
    this.#upload = undefined;
    this.#settle();
  }

  #stopUpload(reason: unknown): void {
    this.#upload?.sender.stop();
    this.#upload?.reader.cancel(reason).catch(() => {});
    this.#upload = undefined;
  }

  /** The worker says that the fetch failed: bytes that came before can still be read. */
  #failed(error: TorError): void {
    const rejection = fetchRejection(error, this.#signal);
    this.#response.reject(rejection);
    this.#body?.end(rejection);
    this.#stopUpload(rejection);
    this.#over();
  }

  /** Ends at once, by the caller's signal or with the connection. */
  #break(error: TorError): void {
    const rejection = fetchRejection(error, this.#signal);
    this.#response.reject(rejection);
    this.#body?.break(rejection);
    this.#stopUpload(rejection);
    this.#over();
  }

  #settle(): void {
    if (this.#answered && this.#upload === undefined) this.#over();
  }

  #over(): void {
    this.#connection.finish(this.#id);
    this.#forget();
  }
}

type Head = Extract<Answer, { type: "response" }>;
type FetchMessage = Omit<Extract<PortRequest, { type: "fetch" }>, "id">;

type Source = ReadableStreamDefaultReader<Uint8Array>;

interface Upload {
  readonly reader: Source;
  readonly sender: ByteSender;
}
