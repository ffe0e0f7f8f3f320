// What a suite is given: how often to measure, what to measure, and networks to do it on.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startTornet } from "../tornet/tornet.ts";
import type { Scheduler, SlowPath, Tornet } from "../tornet/types.ts";
import type { Contender } from "./contenders/contender.ts";
import { type Kind, withContenders } from "./contenders/contender.ts";
import { type Form, formOptions } from "./forms.ts";
import type { Table } from "./table.ts";

export interface BenchOptions {
  readonly rounds: number;
  readonly schedulers: readonly Scheduler[];
  readonly forms: readonly Form[];
  readonly contenders: readonly Kind[];
  /** Streams at once, where a suite varies them. */
  readonly streams: readonly number[];
  /** Bytes of a download and of an upload. */
  readonly downloadBytes: number;
  readonly uploadBytes: number;
}

export interface Suite {
  readonly name: string;
  /** One line for `--help`. */
  readonly about: string;
  run(context: Context): Promise<readonly Table[]>;
}

export interface NetworkSpec {
  readonly scheduler: Scheduler;
  readonly form: Form;
  /** Whether there is a C tor client with conflux. */
  readonly conflux?: boolean;
  readonly slowPath?: SlowPath;
}

export class Context {
  readonly options: BenchOptions;
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;

  constructor(options: BenchOptions, say: (text: string) => void, signal: AbortSignal) {
    this.options = options;
    this.say = say;
    this.signal = signal;
  }

  /** Starts a network, lets it be used, and stops it. */
  async withNetwork<T>(spec: NetworkSpec, use: (tornet: Tornet) => Promise<T>): Promise<T> {
    const { scheduler, form, conflux = false, slowPath } = spec;
    const dir = mkdtempSync(join(tmpdir(), "allium-bench-net-"));
    this.say(`network: ${scheduler}, ${form}${slowPath === undefined ? "" : ", behind a slow path"}`);
    const tornet = await startTornet({
      ...formOptions(form, conflux),
      ...(slowPath === undefined ? {} : { slowPath }),
      dir,
      scheduler,
      signal: this.signal,
    });
    try {
      return await use(tornet);
    } finally {
      await tornet.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  }

  /** The same with the contenders that were asked for; one with conflux takes part where there can be one. */
  async withContenders<T>(
    spec: NetworkSpec,
    use: (contenders: readonly Contender[], tornet: Tornet) => Promise<T>,
    kinds: readonly Kind[] = this.options.contenders,
  ): Promise<T> {
    const hasConflux = kinds.includes("c-tor-conflux") && spec.form !== "legacy";
    return this.withNetwork({ ...spec, conflux: hasConflux }, (tornet) =>
      withContenders(
        kinds.filter((kind) => kind !== "c-tor-conflux" || hasConflux),
        tornet,
        (contenders) => use(contenders, tornet),
      ),
    );
  }

  /** Throws once the bench is to end. */
  check(): void {
    this.signal.throwIfAborted();
  }
}
