// One tor of the network as a process that may be killed and started anew, with the same arguments and the same data.

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { start } from "./processes.ts";

export interface TorProcessOptions {
  /** The network's directory. */
  readonly dir: string;
  readonly program: string;
  readonly args: readonly string[];
  /** Gets what it prints. */
  readonly output: string;
  /** It ended, and nobody killed it. */
  readonly onDeath: (code: number | null) => void;
}

export class TorProcess {
  readonly #options: TorProcessOptions;
  #child: ChildProcess | undefined;

  constructor(options: TorProcessOptions) {
    this.#options = options;
  }

  /** @returns its number */
  async start(): Promise<number> {
    const { dir, program, args, output, onDeath } = this.#options;
    const child = await start(dir, program, args, output);
    child.on("exit", (code) => {
      if (this.#child === child) onDeath(code);
    });
    child.unref();
    this.#child = child;
    return child.pid;
  }

  /** By SIGKILL: it takes leave of nobody. Settles when it is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined) return;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  }
}
