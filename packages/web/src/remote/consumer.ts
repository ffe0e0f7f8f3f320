// One port's end in the worker: takes what a page asks and holds what it has asked for. Whatever the page sends, it reaches
// nothing of another port's, and its end frees all that it held.

import { isTorError, systemClock, type Timer, type TorClientLike } from "@allium/core";
import { misfit, parseMessage } from "./check.ts";
import { toPlainError, versionError } from "./errors.ts";
import { Feed } from "./feed.ts";
import { Link, type PortLike } from "./link.ts";
import { Operations } from "./operations.ts";
import { type Answer, PROTOCOL, REQUESTS, type Request } from "./protocol.ts";
import { WindowPool } from "./receiver.ts";
import { ServedFetch } from "./served-fetch.ts";
import { Ask, type Served, type ServedOperation } from "./served-operation.ts";
import { closedSocket, ServedSocket, serveConnect } from "./served-socket.ts";

export interface ConsumerHost {
  /** The client for a page that says hello with these options. @throws TorError why it gets none */
  open(options: string | undefined): TorClientLike;
  /** The page has what it held no more. Called once, whether it had said hello or not. */
  left(): Promise<void>;
  /** Nothing more will be said to the page. Called once, some time after `left`. */
  ended(): void;
}

/**
 * Milliseconds for a page to hear the last word. Its port and our lock are kept for so long: a lock that is free says that
 * we are gone, and it would be faster than the word that says why.
 */
const LAST_WORD = 5000;

export class Consumer {
  readonly #host: ConsumerHost;
  readonly #link: Link;
  readonly #operations = new Operations<ServedOperation>();
  readonly #pool = new WindowPool();
  #client: TorClientLike | undefined;
  #feed: Feed | undefined;
  #leaving = false;
  #ended = false;
  #lastWord: Timer | undefined;

  constructor(port: PortLike, host: ConsumerHost) {
    this.#host = host;
    this.#link = new Link(port, {
      message: (data) => this.#hear(data),
      gone: () => {
        void this.#leave();
        this.#end();
      },
    });
  }

  /** Ends the connection; the page is told why. */
  end(error: unknown): void {
    if (this.#leaving) return;
    this.#link.post({ type: "fatal", error: toPlainError(error) } satisfies Answer);
    void this.#leave();
    void this.#linger();
  }

  #hear(data: unknown): void {
    // Of a page that was cut off, only its own farewell counts.
    if (this.#leaving) return isBye(data) ? this.#end() : undefined;
    try {
      if (this.#client === undefined) this.#welcome(data);
      else this.#take(this.#client, parseMessage(REQUESTS, data));
    } catch (error) {
      this.end(error);
    }
  }

  #welcome(data: unknown): void {
    // Before all else: another version may have other fields.
    const hello = data as { readonly type?: unknown; readonly protocol?: unknown } | null | undefined;
    if (hello?.type === "hello" && hello.protocol !== PROTOCOL) throw versionError();
    const message = parseMessage(REQUESTS, data);
    if (message.type !== "hello") throw misfit("something else before its hello");
    const client = this.#host.open(message.options);
    this.#client = client;
    this.#feed = new Feed(client, (answer) => this.#link.post(answer));
    const { status } = client;
    this.#post({ type: "welcome", protocol: PROTOCOL, status, circuits: client.circuits() });
    this.#link.hold();
  }

  #take(client: TorClientLike, message: Request): void {
    switch (message.type) {
      case "hello":
        throw misfit("a second hello");
      case "alive":
        return this.#link.watch(message.lock);
      case "seen":
        return this.#feed?.seen(message.events);
      case "newIdentity":
        return client.newIdentity();
      case "networkChanged":
        return client.networkChanged();
      case "resumed":
        return client.resumed();
      case "measure":
        return this.#feed?.measure();
      case "bye":
        return void this.#farewell();
      case "abort":
        return this.#operations.get(message.id)?.abort();
      case "credit":
        return this.#operations.get(message.id)?.credit(message.bytes);
      case "data":
        return this.#operations.get(message.id)?.data(message.bytes);
      case "end":
        return this.#operations.get(message.id)?.end();
      case "fail":
        return this.#operations.get(message.id)?.fail(message.error);
      default:
        return this.#begin(client, message);
    }
  }

  #begin(client: TorClientLike, message: Beginning): void {
    const { id } = message;
    this.#operations.accept(id);
    let isOver = false;
    const served: Served = {
      ...{ id, pool: this.#pool },
      post: (answer, transfer) => this.#post(answer, transfer),
      done: () => {
        isOver = true;
        this.#operations.delete(id);
      },
    };
    const operation = this.#operation(served, client, message);
    if (!isOver) this.#operations.set(id, operation);
  }

  #operation(served: Served, client: TorClientLike, message: Beginning): ServedOperation {
    switch (message.type) {
      case "fetch":
        return new ServedFetch(served, client, message);
      case "connect":
        return serveConnect(served, client, message);
      case "startTls":
        return this.#startTls(served, message.socket);
      default:
        return new Ask(served, client, message);
    }
  }

  #startTls(served: Served, socket: number): ServedOperation {
    const plain = this.#operations.get(socket);
    if (plain !== undefined && !(plain instanceof ServedSocket))
      throw misfit("TLS on something else than a socket");
    return plain?.startTls(served) ?? new ServedSocket(served, new AbortController(), closedSocket);
  }

  #post(answer: Answer, transfer?: Transferable[]): void {
    try {
      this.#link.post(answer, transfer);
    } catch (error) {
      // Something that cannot be cloned: no client of Allium's gives such.
      this.end(isTorError(error) ? error : misfit("an answer that cannot be sent"));
    }
  }

  async #farewell(): Promise<void> {
    await this.#leave();
    this.#post({ type: "gone" });
    await this.#linger();
  }

  /** Frees all that the page held. */
  async #leave(): Promise<void> {
    if (this.#leaving) return;
    this.#leaving = true;
    this.#feed?.end();
    for (const operation of this.#operations.clear()) operation.abort();
    await this.#host.left();
  }

  async #linger(): Promise<void> {
    if (this.#ended) return;
    this.#lastWord = systemClock.timer(LAST_WORD);
    await this.#lastWord.fired;
    this.#end();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#lastWord?.cancel();
    this.#link.end();
    this.#host.ended();
  }
}

function isBye(data: unknown): boolean {
  return (data as { readonly type?: unknown } | null | undefined)?.type === "bye";
}

type Beginning = Exclude<Request, { type: NotBeginning }>;

type NotBeginning =
  | "hello"
  | "alive"
  | "seen"
  | "newIdentity"
  | "networkChanged"
  | "resumed"
  | "measure"
  | "bye"
  | "abort"
  | "credit"
  | "data"
  | "end"
  | "fail";
