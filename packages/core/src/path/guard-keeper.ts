// The client's guards between the algorithm (guards/, guard-spec 4) and the rest: kept in the Store, asked for circuits, told
// what became of them, and shielded from bridges that would steer (bridge-watch.ts).

import { type Deferred, deferred, settledWithin } from "../base/abort.ts";
import { toHex } from "../base/encoding.ts";
import { TorError } from "../base/errors.ts";
import type { Clock, Log, Store, Timer } from "../base/ports.ts";
import type { ListedRelay, NetDir, Relay } from "../directory/api.ts";
import { isRelaysFault } from "./blame.ts";
import type { BridgeWatch } from "./bridge-watch.ts";
import { GuardStore } from "./guard-store.ts";
import type { GuardTicket } from "./guard-ticket.ts";
import { type GuardCircuit, type GuardEvent, GuardSample, type GuardUse } from "./guards/sample.ts";
import { type GuardState, parseGuardState } from "./guards/state.ts";

export interface GuardKeeperOptions {
  readonly store: Store;
  /** Under which name the sample is stored; each network has its own. */
  readonly key: string;
  readonly clock: Clock;
  /** A relay to add to the sample, by weight. */
  readonly sample: (netdir: NetDir, allowed: (relay: ListedRelay) => boolean) => ListedRelay | undefined;
  readonly watch: BridgeWatch;
  /** A circuit waits for better guards, and nobody tries these: another circuit is to be begun (guard-spec 4.11). */
  readonly onWanted?: (() => void) | undefined;
  readonly log?: Log | undefined;
  readonly onEvent?: ((event: GuardEvent) => void) | undefined;
}

/** Milliseconds between two looks while circuits wait: a guard's time to be tried again passes without a word. */
const LOOK_INTERVAL = 5000;
/** Milliseconds between two circuits that are begun for guards to be tried. */
const WANTED_INTERVAL = 1000;

const TIMEOUT = "ALLIUM_E_CIRCUIT_TIMEOUT";
/** Links that are closed, stand still or carry what does not decrypt. What decrypts and breaks the rules is the relay's. */
const CARRIERS_DOING = /^ALLIUM_E_(?:LINK|TLS|BRIDGE|CONNECTION|DIAL)_/;
const BEHIND_ITS_KEYS = /^ALLIUM_E_LINK_/;
/** Milliseconds that a circuit waits for its guard to be written down. */
const LONGEST_SAVE = 5000;
/** Times that a guard is chosen anew because a client that shares the store was first. */
const SHARED_TRIES = 3;

export class GuardKeeper {
  readonly #options: GuardKeeperOptions;
  readonly #sample: GuardSample;
  readonly #store: GuardStore;
  /** Circuits that wait for a better guard's. */
  readonly #waiting = new Map<GuardCircuit, Deferred<void>>();
  #netdir: NetDir | undefined;
  #wake: Timer | undefined;
  #wantedAt = Number.NEGATIVE_INFINITY;
  /** The last writing failed. */
  #isUnsaved = false;
  #loaded = false;

  constructor(options: GuardKeeperOptions) {
    this.#options = options;
    const { clock, key, log, sample, store, onEvent } = options;
    this.#store = new GuardStore(store, key, (code, message) => log?.({ level: "warn", code, message }));
    this.#sample = new GuardSample({
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      sample,
      onEvent: (event) => {
        options.log?.({ level: "debug", code: `guards.${event.type}`, message: `guard ${event.type}` });
        onEvent?.(event);
      },
    });
  }

  /** Reads the stored sample. One that cannot be read is set aside and reported, and a new one begun. */
  async load(): Promise<void> {
    const state = await this.#store.load();
    this.#loaded = true;
    if (state !== undefined) this.#sample.adopt(state);
  }

  /**
   * A guard for one circuit of this view of the network.
   * @param allowed what the rest of the path asks of it
   * @throws TorError `no-path` when none fits
   */
  async choose(netdir: NetDir, use: GuardUse, allowed: (relay: Relay) => boolean): Promise<GuardTicket> {
    for (let tries = 1; ; tries++) {
      this.#update(netdir);
      const circuit = this.#select(use, allowed);
      this.#options.watch.begun(fingerprintOf(circuit.relay));
      // Written down before it is used: a guard that is forgotten is a guard sampled anew.
      void this.#saveIfDirty();
      await this.#untilSaved();
      if (tries === SHARED_TRIES || this.#sample.has(fingerprintOf(circuit.relay)))
        return this.#ticket(circuit);
      // Another client of this store sampled others at the same time, and was first.
      this.#sample.gaveUp(circuit);
    }
  }

  /** Chooses guards, if there are none yet, from a view that may still lack microdescriptors: some of theirs, perhaps. */
  prepare(netdir: NetDir): void {
    if (this.#netdir === undefined && this.#loaded) this.#update(netdir);
  }

  /** RSA identities (upper-case hex) of guards whose microdescriptors must be at hand. */
  neededIds(): ReadonlySet<string> {
    return this.#sample.needed();
  }

  /** Whether the relay is one of the sample, by RSA identity in upper-case hex. */
  has(fingerprint: string): boolean {
    return this.#sample.has(fingerprint);
  }

  /** The network came back, or is another one: what failed in the other says nothing any more. */
  networkChanged(): void {
    this.#options.watch.networkChanged();
    this.#sample.markAllMaybeReachable();
  }

  export(): GuardState {
    return this.#sample.export();
  }

  /** Replaces the sample. @throws TorError `bad-api-usage` */
  async import(state: unknown): Promise<void> {
    this.#sample.adopt(parseGuardState(state));
    await this.#begin();
  }

  /** Forgets all guards. */
  async reset(): Promise<void> {
    this.#sample.reset();
    await this.#begin();
  }

  /** Fulfilled when everything is written down. */
  async flush(): Promise<void> {
    this.#wake?.cancel();
    await this.#saveIfDirty();
    await this.#store.flush();
  }

  /** With another sample than before. */
  async #begin(): Promise<void> {
    if (this.#netdir !== undefined) this.#sample.update(this.#netdir);
    this.#options.watch.forgetGuards();
    this.#settleWaiting();
    this.#sample.takeDirty();
    this.#isUnsaved = !(await this.#store.replace(() => this.export()));
  }

  #update(netdir: NetDir): void {
    // A download that began before may still name an older one.
    if (this.#netdir === netdir || netdir.validAfter < (this.#netdir?.validAfter ?? 0)) return;
    this.#netdir = netdir;
    this.#sample.update(netdir);
    this.#settleWaiting();
  }

  /** Those that failed lately through a bridge come last, and few are tried through bridges at all. */
  #select(use: GuardUse, allowed: (relay: Relay) => boolean): GuardCircuit {
    const { watch } = this.#options;
    const may = (relay: Relay) => allowed(relay) && watch.mayTry(fingerprintOf(relay));
    try {
      return this.#sample.select(use, {
        allows: (relay) => may(relay) && !watch.isHeldBack(fingerprintOf(relay)),
      });
    } catch {
      return this.#sample.select(use, { allows: may });
    }
  }

  #ticket(circuit: GuardCircuit): GuardTicket {
    const { watch } = this.#options;
    const { relay } = circuit;
    let told = false;
    const once = (tell: () => void) => {
      if (told) return;
      told = true;
      try {
        tell();
      } finally {
        this.#settleWaiting();
        void this.#saveIfDirty();
      }
    };
    return {
      relay,
      built: async () => {
        if (told) return;
        const usable = deferred<void>();
        once(() => {
          if (this.#sample.succeeded(circuit) === "complete") usable.resolve();
          else this.#waiting.set(circuit, usable);
          this.#sample.noteCircuit(circuit, "success");
        });
        await usable.promise;
      },
      failed: (error, reached) =>
        once(() => {
          if (reached && isCut(error)) watch.cutOff(fingerprintOf(relay));
          if (isRelaysFault(error) && watch.isToBlame(fingerprintOf(relay))) this.#sample.failed(circuit);
          else this.#sample.gaveUp(circuit);
        }),
      failedLater: (error) =>
        once(() => {
          if (this.#isBias(relay, error)) this.#sample.noteCircuit(circuit, "failed-after-first-hop");
          this.#sample.gaveUp(circuit);
        }),
      gaveUp: () => once(() => this.#sample.gaveUp(circuit)),
      closed: (error) => {
        // A guard that is restarted takes all circuits of its link along.
        if (error !== undefined && !isCut(error) && this.#isBias(relay, error))
          this.#sample.noteCircuit(circuit, "failed-after-first-hop");
        this.#sample.gaveUp(circuit);
        this.#settle(circuit, betterGuard());
        this.#settleWaiting();
      },
    };
  }

  /** Whether a circuit failed behind its guard in a way that may be the guard's doing (path-spec 7). */
  #isBias(relay: Relay, error: TorError): boolean {
    const { watch } = this.#options;
    if (isCut(error)) return error.kind === "circuit-collapse" && !watch.isBehindBridge(fingerprintOf(relay));
    return error.kind === "circuit-collapse" || error.kind === "protocol-violation";
  }

  /** Lets those go that a better guard leaves room for, closes those that waited too long, and looks again in time. */
  #settleWaiting(): void {
    for (const circuit of this.#sample.updateWaiting()) this.#settle(circuit);
    for (const circuit of this.#sample.expireWaiting()) this.#settle(circuit, betterGuard());
    this.#wake?.cancel();
    this.#wake = undefined;
    if (this.#waiting.size === 0) return;
    const { clock } = this.#options;
    this.#wantCircuit();
    const at = this.#sample.nextWake() ?? Number.POSITIVE_INFINITY;
    this.#wake = clock.timer(Math.min(LOOK_INTERVAL, Math.max(0, at - clock.monotonic())));
    this.#wake.fired.then(() => this.#settleWaiting());
  }

  /** Asks once in a while: what was asked for is not under way at once. */
  #wantCircuit(): void {
    const now = this.#options.clock.monotonic();
    if (now - this.#wantedAt < WANTED_INTERVAL || !this.#sample.needsCircuit()) return;
    this.#wantedAt = now;
    this.#options.onWanted?.();
  }

  #settle(circuit: GuardCircuit, error?: TorError): void {
    const waiting = this.#waiting.get(circuit);
    this.#waiting.delete(circuit);
    if (error === undefined) waiting?.resolve();
    else waiting?.reject(error);
  }

  async #saveIfDirty(): Promise<void> {
    const isDirty = this.#sample.takeDirty() || this.#isUnsaved;
    if (!this.#loaded || !isDirty) return;
    this.#isUnsaved = !(await this.#store.write(
      () => this.export(),
      (state) => this.#sample.adopt(state),
    ));
  }

  /** A store that another tab holds fast costs some seconds, not the circuit. */
  async #untilSaved(): Promise<void> {
    await settledWithin(this.#options.clock, LONGEST_SAVE, this.#store.flush());
  }
}

/** What the link came to, where whoever carries its bytes may be the reason; a DESTROY or a wrong answer is the relay's own. */
function isCut({ kind, code }: TorError): boolean {
  if (kind === "offline" || kind === "bridge-unreachable" || kind === "bridge-refused") return true;
  if (kind === "protocol-violation" && BEHIND_ITS_KEYS.test(code)) return false;
  return code === TIMEOUT || CARRIERS_DOING.test(code);
}

function fingerprintOf(relay: Relay): string {
  return toHex(relay.rsaId).toUpperCase();
}

function betterGuard(): TorError {
  return new TorError(
    "circuit-collapse",
    "ALLIUM_E_BETTER_GUARD",
    "the circuit is not needed: a better guard works",
  );
}
