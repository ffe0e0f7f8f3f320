// The paths that Allium takes, from a consensus that it fetched and verified itself: by the client's own parts, so that guards can
// be forgotten between paths, and so that the subnet rule holds, which a TorClient leaves out on private networks.

import { nodeDialer } from "@allium/bridge";
import { memoryStore, type NetworkConfig, systemClock } from "@allium/core";
import { readSnapshot } from "@allium/core/internal";
import { NetworkStack } from "../../../packages/core/src/client/stack.ts";
import { type GuardedPath, guardedPath } from "../../../packages/core/src/path/guarded-path.ts";
import { PathSelector } from "../../../packages/core/src/path/select.ts";
import type { PathNames } from "./law.ts";

const BUILD_TIMEOUT = 60_000;
const MEMORY_LIMIT = 64 * 1024 * 1024;

export class OwnPaths {
  readonly #network: NetworkConfig;
  readonly #store = memoryStore();
  readonly #stack: NetworkStack;
  readonly #signal: AbortSignal;
  #selector: PathSelector | undefined;

  private constructor(network: NetworkConfig, signal: AbortSignal) {
    this.#network = network;
    this.#signal = signal;
    this.#stack = new NetworkStack({
      ...{ network, dialer: nodeDialer(), store: this.#store, clock: systemClock, log: undefined },
      ...{ memoryLimit: MEMORY_LIMIT, padding: "off", circuits: { cgo: true } },
      circuitBuildTimeout: BUILD_TIMEOUT,
    });
  }

  static async open(network: NetworkConfig, signal: AbortSignal): Promise<OwnPaths> {
    const paths = new OwnPaths(network, signal);
    await paths.#stack.load();
    return paths;
  }

  /** Fetches a newer consensus where the one at hand is no longer valid. @returns the text of the one that is used */
  async refresh(): Promise<string> {
    const netdir = await this.#stack.directory.bootstrap({ signal: this.#signal });
    if (this.#selector?.netdir !== netdir) this.#selector = new PathSelector(netdir, true);
    const snapshot = await readSnapshot(this.#store, this.#network);
    return new TextDecoder("latin1").decode(snapshot?.documents["consensus-microdesc"]);
  }

  /** Has the next path go through guards that are sampled anew. */
  forget(): Promise<void> {
    return this.#stack.guards.reset();
  }

  /** A path to `port`, without a circuit. */
  async choose(port: number): Promise<PathNames> {
    const path = await this.#choose(port);
    path.ticket.gaveUp();
    return named(path);
  }

  /** The same, and its circuit is built as the client builds it. */
  async build(port: number): Promise<PathNames> {
    const path = await this.#choose(port);
    const circuit = await this.#stack.builder.build({
      purpose: "general",
      netdir: path.netdir,
      first: { relay: path.guard, guard: path.ticket },
      others: [path.middle, path.exit],
      signal: this.#signal,
    });
    circuit.close();
    return named(path);
  }

  close(): Promise<void> {
    return this.#stack.close();
  }

  async #choose(port: number): Promise<GuardedPath> {
    if (this.#selector === undefined) throw new Error("there is no consensus yet");
    return guardedPath(this.#selector, this.#stack.guards, { port, family: 4 }, new Set());
  }
}

function named({ guard, middle, exit }: GuardedPath): PathNames {
  return { guard: guard.nickname, middle: middle.nickname, exit: exit.nickname };
}
