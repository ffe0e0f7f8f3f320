// A port to the one client of the origin, which first has to be found or started.
//
// Whoever runs the client holds a Web Lock. Each context asks for the lock and, where it is not free, on a BroadcastChannel
// for its holder as well: whichever comes first decides whether it runs the client itself. Until the other side has spoken
// nothing but the greeting is sent, so that it can be another one yet. Specified in docs/protocol/remote.md.

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
/**
 * Milliseconds after which a silent SharedWorker is made again, doubled each time. Firefox gives us the one that is dying, and
 * goes on doing so when it is asked again at once.
 */
const RESTART = 1000;
/** What is sent before the other side has spoken. */
const GREETING: ReadonlySet<unknown> = new Set(["hello", "alive", "bye"]);

interface Listener {
  readonly type: string;
  readonly listener: (event: Event) => void;
}

interface Posted {
  readonly message: unknown;
  readonly transfer: Transferable[];
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
  /** What was posted before the other side has spoken. */
  #posted: Posted[] = [];
  #spoken = false;
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
    if (place === undefined) {
      this.#wake();
      this.#seek();
    } else {
      void this.#stand(place, { mode: place.mode, ifAvailable: true });
    }
  }

  /** Whether the other side has answered. */
  get hasSpoken(): boolean {
    return this.#spoken;
  }

  postMessage(message: unknown, transfer: Transferable[]): void {
    if (!this.#spoken) this.#posted.push({ message, transfer });
    if (this.#spoken || isGreeting(message)) this.#port?.postMessage(message, transfer);
  }

  addEventListener(type: string, listener: (event: Event) => void): void {
    this.#listeners.push({ type, listener });
    this.#sourceOf(type)?.addEventListener(type, listener);
  }

  removeEventListener(type: string, listener: (event: Event) => void): void {
    this.#listeners = this.#listeners.filter((one) => one.type !== type || one.listener !== listener);
    this.#port?.removeEventListener(type, listener);
  }

  /** There for the link to know that the port is its own to close. */
  start(): void {}

  /** The page uses the client no more. One that runs here goes on while others do. */
  close(): void {
    if (this.#open.signal.aborted) return;
    this.#open.abort();
    this.#searching.abort();
    this.#control.close();
    this.#posted = [];
    if (this.#port?.start !== undefined) this.#port.close?.();
    if (this.#place?.mode === "shared") this.#released.resolve();
    this.#onClose();
  }

  /** The page is unloaded: its user is told that the connection is over. */
  lose(): void {
    this.#tell("close");
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
    const lead = (lock: Lock | null) => {
      held = lock !== null;
      return held ? this.#lead(place) : this.#search(place);
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
    // Somebody else may have spoken at the last moment.
    if (this.#open.signal.aborted || this.#spoken) return;
    this.#searching.abort();
    this.#host = undefined;
    const { ended } = this.#start(place);
    if (place.mode === "shared") void this.#startAgain(place);
    await Promise.race([ended, this.#released.promise]);
  }

  #start(place: Place): Running {
    const running = place.start();
    this.#running = running;
    this.#attach(running.port, running.errors);
    return running;
  }

  async #startAgain(place: Place): Promise<void> {
    for (let wait = RESTART; ; wait *= 2) {
      await systemClock.timer(wait).fired;
      if (this.#spoken || this.#open.signal.aborted) return;
      this.#start(place);
    }
  }

  /** Somebody else has the lock: asks for it, and queues for the lock. */
  #search(place: Place): void {
    const { signal } = this.#searching;
    if (signal.aborted) return;
    this.#seek();
    void this.#stand(place, { mode: place.mode, signal });
    if (place.mode === "exclusive") void this.#limitSearch(place);
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
    // Where the client runs here, or nobody was asked yet.
    if (this.#seeking === "" || this.#running !== undefined) return;
    if (message.type === "open") {
      if (!this.#spoken) this.#seek();
      else if (this.#host !== message.host) this.#tell("close");
    } else if (message.type === "here" && !this.#spoken && message.port === this.#seeking) {
      this.#host = message.host;
      const port = channelPort(message.port);
      this.#attach(port, port);
      if (message.sleeps && this.#place !== undefined) this.#wake();
    }
  }

  #attach(port: PortLike, errors: ErrorSource): void {
    this.#detach();
    this.#port = port;
    this.#errors = errors;
    const heard = () => {
      if (this.#port === port) this.#speak();
    };
    port.addEventListener("message", heard);
    for (const { type, listener } of this.#listeners) this.#sourceOf(type)?.addEventListener(type, listener);
    port.start?.();
    this.#send(isGreeting);
  }

  /** Leaves who has not spoken, and may hear this yet. */
  #detach(): void {
    const port = this.#port;
    if (port === undefined) return;
    for (const { type, listener } of this.#listeners) port.removeEventListener(type, listener);
    port.postMessage({ type: "bye" }, []);
    port.close?.();
  }

  #speak(): void {
    if (this.#spoken) return;
    this.#spoken = true;
    this.#searching.abort();
    this.#send((message) => !isGreeting(message));
    this.#posted = [];
  }

  #send(which: (message: unknown) => boolean): void {
    for (const { message, transfer } of this.#posted)
      if (which(message)) this.#port?.postMessage(message, transfer);
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

function isGreeting(message: unknown): boolean {
  return GREETING.has((message as { readonly type: unknown }).type);
}
