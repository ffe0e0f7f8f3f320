// One end of a port: what is posted and heard over it, and whether anybody is still there.
//
// Nothing tells a worker reliably that a tab is gone: a MessagePort's close event is new and not everywhere, a heartbeat
// takes a page that stands in a debugger or in a long task for a dead one. A Web Lock is freed by the browser when its
// holder ends, however that came about, so each side holds one and tells its name, and the other waits for it. Allium
// needs WebCrypto and so a secure context, where Web Locks are present too; other runtimes have the close event.

import { randomBytes, toHex } from "@allium/core/internal";
import { misfit } from "./check.ts";

/** What carries messages: a MessagePort, a Worker, a worker's own global scope. */
export interface PortLike {
  postMessage(message: unknown, transfer: Transferable[]): void;
  addEventListener(type: string, listener: (event: Event) => void): void;
  removeEventListener(type: string, listener: (event: Event) => void): void;
  start?(): void;
  close?(): void;
}

export interface LinkListener {
  /** A message; undefined for one that could not be read. */
  message(data: unknown): void;
  /** The other side is gone. Called once at the most, and never after `end()`. */
  gone(): void;
}

function lockName(id: string): string {
  return `allium/remote/${id}`;
}

export class Link {
  readonly #port: PortLike;
  readonly #listener: LinkListener;
  readonly #ending = new AbortController();
  #watching = false;

  constructor(port: PortLike, listener: LinkListener) {
    this.#port = port;
    this.#listener = listener;
    for (const type of ["message", "messageerror", "close"]) port.addEventListener(type, this.#hear);
    port.start?.();
  }

  get isOver(): boolean {
    return this.#ending.signal.aborted;
  }

  post(message: object, transfer: Transferable[] = []): void {
    if (!this.isOver) this.#port.postMessage(message, transfer);
  }

  /** Holds a lock until the end, and tells its name once it is held. */
  hold(): void {
    const id = toHex(randomBytes(16));
    const held = () =>
      new Promise<void>((release) => {
        if (this.isOver) return release();
        this.#ending.signal.addEventListener("abort", () => release());
        this.post({ type: "alive", lock: id });
      });
    // Refused where there is no storage either (opaque origins): the close event is all there is then.
    this.#locks?.request(lockName(id), held).catch(() => {});
  }

  /** Waits for the other side's lock. @throws TorError `protocol-violation` for a second one */
  watch(id: string): void {
    if (this.#watching) throw misfit("a second lock");
    this.#watching = true;
    const { signal } = this.#ending;
    this.#locks?.request(lockName(id), { signal }, () => this.#gone()).catch(() => {});
  }

  /** Listens no more and lets the port go. What was posted still arrives. */
  end(): void {
    if (this.isOver) return;
    this.#ending.abort();
    for (const type of ["message", "messageerror", "close"]) {
      this.#port.removeEventListener(type, this.#hear);
    }
    // Only a MessagePort has `start`; a worker's scope has `close` as well, which would end the worker.
    if (this.#port.start !== undefined) this.#port.close?.();
  }

  get #locks(): LockManager | undefined {
    return globalThis.navigator?.locks;
  }

  readonly #hear = (event: Event): void => {
    if (event.type === "close") this.#gone();
    else this.#listener.message(event.type === "message" ? (event as MessageEvent).data : undefined);
  };

  #gone(): void {
    if (this.isOver) return;
    this.end();
    this.#listener.gone();
  }
}
