// The paths that C tor's own client takes: a stream is asked for at its SOCKS port, and STREAM and CIRC events tell which circuit was
// made for it (control-spec 3.25 "DROPGUARDS", 4.1.1, 4.1.2). Streams have it choose exits for one port; EXTENDCIRCUIT 0 takes any
// exit that allows one of the ports that it expects, or none of them once those are served.

import { setTimeout as sleep } from "node:timers/promises";
import { Control } from "../../tornet/control.ts";
import { ControlEvents } from "../../tornet/control-events.ts";
import { socksConnect } from "../../tornet/socks.ts";
import type { NodeInfo, TornetInfo } from "../../tornet/types.ts";
import type { PathNames } from "./law.ts";

const TIMEOUT = 60_000;
const POLL = 2;

/** No circuits but for streams; and the subnet rule, which a testing network switches off. */
const SETTINGS = "__DisablePredictedCircuits=1 EnforceDistinctSubnets=1 LearnCircuitBuildTimeout=0";

interface Seen {
  /** Hops by nickname, by circuit. */
  readonly built: Map<string, readonly string[]>;
  /** The circuit of the last stream for which one was found. */
  used: string | undefined;
}

export class CTorPaths {
  readonly #control: Control;
  readonly #events: ControlEvents;
  readonly #info: TornetInfo;
  readonly #seen: Seen;

  private constructor(control: Control, events: ControlEvents, info: TornetInfo, seen: Seen) {
    this.#control = control;
    this.#events = events;
    this.#info = info;
    this.#seen = seen;
  }

  static async open(info: TornetInfo, { control: target }: NodeInfo): Promise<CTorPaths> {
    const seen: Seen = { built: new Map(), used: undefined };
    const events = await ControlEvents.open(target, ["CIRC", "STREAM"], (line) => note(seen, line));
    const control = await Control.open(target);
    await control.send(`SETCONF ${SETTINGS}`);
    const paths = new CTorPaths(control, events, info, seen);
    await paths.#closeAll();
    return paths;
  }

  /** The microdescriptor consensus from which it chooses. */
  consensus(): Promise<string> {
    return this.#control.send("GETINFO dir/status-vote/current/consensus-microdesc");
  }

  /** Has the next path go through guards that are sampled anew. */
  async forget(): Promise<void> {
    await this.#control.send("DROPGUARDS");
    await this.#control.send("DROPTIMEOUTS");
  }

  /** The path of one circuit for a stream to `port`. */
  async take(port: number): Promise<PathNames> {
    this.#seen.used = undefined;
    const { socks, http } = this.#info;
    // Nobody listens there: the stream ends as soon as the exit has tried.
    const stream = await socksConnect(socks, { host: http.hostname, port }, TIMEOUT).catch(() => undefined);
    stream?.destroy();
    const [guard, middle, exit, more] = await this.#usedPath();
    if (guard === undefined || middle === undefined || exit === undefined || more !== undefined)
      throw new Error("C tor's circuit does not have three hops");
    await this.#closeAll();
    return { guard, middle, exit };
  }

  close(): void {
    this.#control.close();
    this.#events.close();
  }

  /** Events come by a connection of their own, and may be later than the stream's end. */
  async #usedPath(): Promise<readonly string[]> {
    const deadline = performance.now() + TIMEOUT;
    for (;;) {
      const { used, built } = this.#seen;
      const path = used === undefined ? undefined : built.get(used);
      if (path !== undefined) return path;
      if (performance.now() > deadline) throw new Error("C tor builds no circuit for the stream");
      await sleep(POLL);
    }
  }

  /** So that none is at hand for the next stream. */
  async #closeAll(): Promise<void> {
    const status = await this.#control.send("GETINFO circuit-status");
    for (const [, id] of status.matchAll(/^(?:250-circuit-status=)?(\d+) [A-Z_]+ .*PURPOSE=/gm))
      await this.#control.send(`CLOSECIRCUIT ${id}`).catch(() => {});
    this.#seen.built.clear();
  }
}

/** Takes in one event. */
function note(seen: Seen, line: string): void {
  const [, circuit = "", hops = ""] = /^CIRC (\d+) BUILT (\S+)/.exec(line) ?? [];
  if (circuit !== "")
    seen.built.set(
      circuit,
      hops.split(",").map((hop) => hop.split("~")[1] ?? hop),
    );
  const stream = /^STREAM \d+ SENTCONNECT (\d+) /.exec(line);
  // The first one: a stream that failed may be tried on another.
  if (stream !== null) seen.used ??= stream[1];
}
