// A port to the one client of the origin, which first has to be found or started. What is posted meanwhile waits.
//
// Whoever runs the client holds a Web Lock. Each context asks for the lock and, at the same time, on a BroadcastChannel for
// its holder: whichever comes first decides whether it runs the client itself. Specified in docs/protocol/remote.md.

import { systemClock } from "@allium/core";
import { type Deferred, deferred } from "@allium/core/internal";
import type { ErrorSource } from "../remote/connection.ts";
import type { PortLike } from "../remote/link.ts";
import { ControlChannel, type ControlMessage, channelPort, hostLock, randomId, wake } from "./control.ts";
import type { Place, Running } from "./places.ts";

/**
 * Milliseconds for the lock's holder to answer. One that does not is frozen, or dead in a way that the browser has not seen;
 * its lock is taken from it, and if it wakes it sees that and stops.
 */
const ANSWER_TIMEOUT = 10_000;

interface Listener {
  readonly type: string;
  readonly listener: (event: Event) => void;
}

export class HostPort implements PortLike {
  readonly #name: string;
  readonly #place: Place | undefined;
  readonly #onClose: () => void;
  readonly #control: ControlChannel;
  readonly #searching = new AbortController();
  readonly #open = new AbortController();
  readonly #released: Deferred<void> = deferred();
  #listeners: Listener[] = [];
  #waiting: { readonly message: unknown; readonly transfer: Transferable[] }[] = [];
  #seeking = "";
  #port: PortLike | undefined;
  #errors: ErrorSource | undefined;
  #running: Running | undefined;
  /** Who runs the client, where that is somebody else. */
  #host: string | undefined;

  /**
   * @param place where this context can run the client itself; undefined where it cannot, which wakes the service worker
   * @param onClose called once nothing is heard over the port any more, before its user is told why
   */
  constructor(name: string, place: Place | undefined, onClose: () => void) {
    this.#name = name;
    this.#place = place;
    this.#onClose = onClose;
    this.#control = new ControlChannel(name, (message) => this.#hear(message));
    this.#seek();
    if (place === undefined) this.#wake();
    else void this.#stand(place, { mode: place.mode, signal: this.#searching.signal });
    if (place?.mode === "exclusive") void this.#limitSearch(place);
  }

  get isAttached(): boolean {
    return this.#port !== undefined;
  }

  postMessage(message: unknown, transfer: Transferable[]): void {
    if (this.#port === undefined) this.#waiting.push({ message, transfer });
    else this.#port.postMessage(message, transfer);
  }

  addEventListener(type: string, listener: (event: Event) => void): void {
    this.#listeners.push({ type, listener });
    this.#sourceOf(type)?.addEventListener(type, listener);
  }

  removeEventListener(type: string, listener: (event: Event) => void): void {
    this.#listeners = this.#listeners.filter((one) => one.type !== type || one.listener !== listener);
    if (type !== "error") this.#port?.removeEventListener(type, listener);
  }

  start(): void {
    this.#port?.start?.();
  }

  /** The page uses the client no more. One that runs here goes on while others do. */
  close(): void {
    if (this.#open.signal.aborted) return;
    this.#open.abort();
    this.#searching.abort();
    this.#control.close();
    this.#waiting = [];
    if (this.#port?.start !== undefined) this.#port.close?.();
    if (this.#place?.mode === "shared") this.#released.resolve();
    this.#onClose();
  }

  /** The connection failed: a client that runs here is not to be used by anybody. */
  abandon(): void {
    this.close();
    this.#running?.stop();
    this.#released.resolve();
  }

  /** Waits for the lock, and runs the client while it is held. */
  async #stand(place: Place, options: LockOptions): Promise<void> {
    let held = false;
    const lead = () => {
      held = true;
      return this.#lead(place);
    };
    try {
      await navigator.locks.request(hostLock(this.#name), options, lead);
    } catch (error) {
      // Taken away from us; or we gave up; or it is refused, as where there is no storage, or no worker starts.
      if (held && this.#running !== undefined) this.#tell("close");
      else if (held || (error as Error | undefined)?.name !== "AbortError") this.#tell("error");
    } finally {
      if (held) this.#running?.stop();
    }
  }

  async #lead(place: Place): Promise<void> {
    if (this.#open.signal.aborted) return;
    // It had answered, and was gone before its first word.
    if (this.#port !== undefined) return this.#tell("close");
    const running = place.start();
    this.#running = running;
    this.#searching.abort();
    this.#attach(running.port, running.errors);
    await Promise.race([running.ended, this.#released.promise]);
  }

  async #limitSearch(place: Place): Promise<void> {
    const timer = systemClock.timer(ANSWER_TIMEOUT);
    this.#searching.signal.addEventListener("abort", timer.cancel);
    await timer.fired;
    this.#searching.abort();
    void this.#stand(place, { steal: true });
  }

  #seek(): void {
    // A new name each time: two answers to one would be two ends of the same port.
    this.#seeking = randomId();
    this.#control.post({ type: "seek", port: this.#seeking });
  }

  #hear(message: ControlMessage): void {
    if (message.type === "open") {
      if (this.#port === undefined) this.#seek();
      else if (this.#host !== undefined && this.#host !== message.host) this.#tell("close");
    } else if (message.type === "here" && this.#port === undefined && message.port === this.#seeking) {
      this.#join(message.host, message.port, message.sleeps);
    }
  }

  #join(host: string, name: string, sleeps: boolean): void {
    this.#host = host;
    const port = channelPort(name);
    // Until it has said more, it may be gone unseen; then the lock is ours.
    port.addEventListener("message", () => this.#searching.abort(), { once: true });
    this.#attach(port, port);
    if (sleeps && this.#place !== undefined) this.#wake();
  }

  #attach(port: PortLike, errors: ErrorSource): void {
    this.#port = port;
    this.#errors = errors;
    for (const { type, listener } of this.#listeners) this.#sourceOf(type)?.addEventListener(type, listener);
    port.start?.();
    for (const { message, transfer } of this.#waiting) port.postMessage(message, transfer);
    this.#waiting = [];
  }

  #sourceOf(type: string): ErrorSource | undefined {
    return type === "error" ? this.#errors : this.#port;
  }

  #tell(type: "close" | "error"): void {
    for (const one of this.#listeners) if (one.type === type) one.listener(new Event(type));
  }

  #wake(): void {
    void wake(this.#name, this.#open.signal);
  }
}
