// What C tor's client tells of its circuits at its control port. Building them is timed by its own events (control-spec 4.1.1): from the TIME_CREATED that CIRC tells in
// microseconds to the arrival of CIRC BUILT. The first hop's channel is open by then, as it is for Allium. Circuits are closed when
// all are built: tor does not set TCP_NODELAY, so a CREATE2 behind a DESTROY waits for its acknowledgement, 40 ms.

import { setTimeout as sleep } from "node:timers/promises";
import { Control } from "../../tornet/control.ts";
import { ControlEvents } from "../../tornet/control-events.ts";
import type { NodeInfo } from "../../tornet/types.ts";

const TIMEOUT = 60_000;
const HOPS = 3;
const TRIES = 5;

/** Milliseconds after DESTROYs until nothing of them is under way. */
const SETTLE = 200;

interface Life {
  /** Milliseconds since the epoch. */
  created?: number;
  /** As performance.now() has it. */
  built?: number;
  hops?: number;
  failed?: string;
}

export class CTorCircuits {
  readonly #control: Control;
  readonly #events: ControlEvents;
  readonly #lives: Map<string, Life>;
  readonly #used: Set<string>;
  #onChange: () => void = () => {};

  private constructor(
    control: Control,
    events: ControlEvents,
    seen: { readonly lives: Map<string, Life>; readonly used: Set<string> },
  ) {
    this.#control = control;
    this.#events = events;
    this.#lives = seen.lives;
    this.#used = seen.used;
  }

  static async open({ control: target }: NodeInfo): Promise<CTorCircuits> {
    const lives = new Map<string, Life>();
    let onChange = () => {};
    const used = new Set<string>();
    const events = await ControlEvents.open(target, ["CIRC", "STREAM"], (line, time) => {
      const stream = /^STREAM \d+ SUCCEEDED (\d+) /.exec(line);
      if (stream !== null) used.add(stream[1] as string);
      if (!line.startsWith("CIRC ")) return;
      note(lives, line, time);
      onChange();
    });
    const circuits = new CTorCircuits(await Control.open(target), events, { lives, used });
    onChange = () => circuits.#onChange();
    return circuits;
  }

  /** Milliseconds of each of `count` circuits of three hops. One that a relay refuses is tried again. */
  async build(count: number): Promise<number[]> {
    const times: number[] = [];
    const ids: string[] = [];
    for (let i = 0; i < count; i++) times.push(await this.#buildOne(ids, TRIES));
    for (const id of ids) await this.#control.send(`CLOSECIRCUIT ${id}`);
    await sleep(SETTLE);
    this.#lives.clear();
    return times;
  }

  /** How many circuits streams were connected on since the last call. */
  takeUsed(): number {
    const count = this.#used.size;
    this.#used.clear();
    this.#lives.clear();
    return count;
  }

  close(): void {
    this.#control.close();
    this.#events.close();
  }

  async #buildOne(ids: string[], tries: number): Promise<number> {
    const offset = wallClockOffset();
    const id = /EXTENDED (\d+)/.exec(await this.#control.send("EXTENDCIRCUIT 0"))?.[1] ?? "";
    const { created, built, hops, failed } = await this.#settled(id);
    if (created === undefined || built === undefined) {
      if (tries > 1) return this.#buildOne(ids, tries - 1);
      throw new Error(`C tor builds no circuit: ${failed}`);
    }
    if (hops !== HOPS) throw new Error(`C tor's circuit has ${hops} hops`);
    ids.push(id);
    return built + offset - created;
  }

  async #settled(id: string): Promise<Life> {
    const deadline = performance.now() + TIMEOUT;
    for (;;) {
      const life = this.#lives.get(id);
      if (life?.built !== undefined || life?.failed !== undefined) return life;
      if (performance.now() > deadline) throw new Error("C tor's circuit is not built in time");
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1000);
        this.#onChange = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}

/** Takes in one CIRC event. */
function note(lives: Map<string, Life>, line: string, time: number): void {
  const [, id = "", state = "", path = ""] = line.split(" ");
  const life = lives.get(id) ?? {};
  lives.set(id, life);
  const created = /TIME_CREATED=(\S+?)(\.\d+)?(?: |$)/.exec(line);
  if (created !== null) life.created = Date.parse(`${created[1]}Z`) + Number(created[2] ?? 0) * 1000;
  if (state === "BUILT") {
    life.built = time;
    life.hops = path.split(",").length;
  } else if (state === "FAILED" || state === "CLOSED") life.failed = /REASON=\S+/.exec(line)?.[0] ?? state;
}

/** What to add to performance.now() for milliseconds since the epoch: taken where the wall clock's millisecond begins. */
function wallClockOffset(): number {
  const before = Date.now();
  for (;;) {
    const now = Date.now();
    if (now !== before) return now - performance.now();
  }
}
