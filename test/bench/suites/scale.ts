// `scale`: how cost grows with streams and circuits of one client, what an idle one keeps in memory, and whether a large download
// keeps no more of it than a small one.

import { setTimeout as sleep } from "node:timers/promises";
import type { Tornet } from "../../tornet/types.ts";
import { C_TOR, type Contender, type Kind, withContenders } from "../contenders/contender.ts";
import type { Context, NetworkSpec, Suite } from "../context.ts";
import { orderOf } from "../statistics.ts";
import { Sheet, type Table } from "../table.ts";
import { measureTransfer, warmUp } from "./transfer.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const STREAMS = [1, 2, 4, 8, 16, 32, 64, 128, 256];
const CIRCUITS = [1, 2, 4, 8, 16, 32, 64];
/** Bytes of each of these downloads, or fewer where the command line says so. */
const GROWTH_BYTES = 32 * MIB;
const IDLE_STREAMS = 256;
const IDLE_CIRCUITS = 64;
/** Circuits before the first look, so that what all share is there by then. */
const FIRST_CIRCUITS = 8;
/** Milliseconds until what was under way has come to rest. */
const REST = 1500;
/** Milliseconds between two looks at memory. */
const LOOK = 250;
/** The part of the large download after which memory must not grow. */
const SETTLED = 0.1;

interface GrowthSheets {
  readonly rates: Sheet;
  readonly costs: Sheet;
  readonly memory: Sheet;
}

async function growth(
  context: Context,
  contenders: readonly Contender[],
  tornet: Tornet,
  round: number,
  sheets: GrowthSheets,
): Promise<void> {
  const bytes = Math.min(GROWTH_BYTES, context.options.downloadBytes);
  const conditions = [
    ...STREAMS.map((streams) => ({ streams, circuits: 1, title: `one circuit, streams: ${streams}` })),
    ...CIRCUITS.map((circuits) => ({
      streams: circuits,
      circuits,
      title: `a stream each, circuits: ${circuits}`,
    })),
  ];
  for (const { streams, circuits, title } of conditions) {
    context.say(`round ${round + 1} of ${context.options.rounds}: ${title}`);
    for (const contender of orderOf(contenders, round)) {
      context.check();
      const transfer = { direction: "down", bytes, streams, circuits } as const;
      const { rate, cpu } = await measureTransfer(contender, tornet, transfer, `${title}-${round}`);
      sheets.rates.add(round, title, "MB/s", contender.name, [rate]);
      sheets.costs.add(round, title, "ms/MB", contender.name, [cpu.client ?? 0]);
      sheets.memory.add(round, title, "MiB", contender.name, [contender.memory() / MIB], 0);
    }
  }
}

interface Kept {
  readonly resident: number;
  readonly heap: number;
}

async function kept(contender: Contender): Promise<Kept> {
  await sleep(REST);
  // The first collection lets go of what finalisers hold, the second takes it.
  await contender.link.ask({ ask: "memory" });
  const { heap, buffers } = await contender.link.ask({ ask: "memory" });
  return { resident: contender.memory(), heap: heap + buffers };
}

/** What each of `count` idle things keeps: KiB of JavaScript heap and buffers after collecting, and of the process. */
function share(before: Kept, after: Kept, count: number) {
  return {
    heap: (after.heap - before.heap) / count / KIB,
    resident: (after.resident - before.resident) / count / KIB,
  };
}

/** Needs a contender that has transferred nothing: memory given back would hide what is taken. */
async function idle(contender: Contender, round: number, sheet: Sheet): Promise<void> {
  const { link, name } = contender;
  const add = (what: string, { heap, resident }: { heap: number; resident: number }) => {
    if (heap !== 0) sheet.add(round, `idle ${what}: heap and buffers`, "KiB", name, [heap]);
    sheet.add(round, `idle ${what}: process`, "KiB", name, [resident]);
  };
  const circuits = Array.from({ length: FIRST_CIRCUITS + IDLE_CIRCUITS }, (_, i) => `idle-${round}-${i}`);
  const first = circuits.slice(0, FIRST_CIRCUITS);
  await link.ask({ ask: "prepare", circuits: first });
  const empty = await kept(contender);
  await link.ask({ ask: "prepare", circuits });
  const withCircuits = await kept(contender);
  add("circuit", share(empty, withCircuits, IDLE_CIRCUITS));
  const [carrier = ""] = first;
  await link.ask({ ask: "hold", streams: IDLE_STREAMS, circuits: [carrier] });
  add("stream", share(withCircuits, await kept(contender), IDLE_STREAMS));
  await link.ask({ ask: "release" });
}

/** A download of 1 GiB with looks at the process's memory: how much more it has after the first tenth than at its end. */
async function download(context: Context, contender: Contender, sheet: Sheet): Promise<void> {
  const circuit = "large";
  await contender.link.ask({ ask: "prepare", circuits: [circuit] });
  const looks: { readonly at: number; readonly bytes: number }[] = [];
  let isOver = false;
  const began = performance.now();
  const looking = (async () => {
    while (!isOver) {
      looks.push({ at: performance.now() - began, bytes: contender.memory() });
      await sleep(LOOK);
    }
  })();
  const { ms } = await contender.link
    .ask({ ask: "transfer", direction: "down", bytes: GIB, streams: 1, circuits: [circuit] })
    .finally(() => {
      isOver = true;
    });
  await looking;
  context.check();
  const part = (from: number, to: number) =>
    Math.max(0, ...looks.filter(({ at }) => at >= from * ms && at < to * ms).map(({ bytes }) => bytes)) / MIB;
  const add = (what: string, unit: string, value: number, digits: number) =>
    sheet.add(0, `1 GiB down: ${what}`, unit, contender.name, [value], digits);
  add("rate", "MB/s", GIB / 1000 / ms, 1);
  add("most memory in the first tenth", "MiB", part(0, SETTLED), 0);
  add("most memory in the second to fifth tenths", "MiB", part(SETTLED, 0.5), 0);
  add("most memory in the second half", "MiB", part(0.5, 1), 0);
}

export const scale: Suite = {
  name: "scale",
  about: "1 to 256 streams, 1 to 64 circuits; memory of idle ones; 1 GiB in constant memory",
  async run(context) {
    const { schedulers, forms } = context.options;
    const kinds = context.options.contenders.filter((kind) => kind !== "c-tor-conflux");
    const tables: Table[] = [];
    for (const scheduler of schedulers) {
      for (const form of forms)
        tables.push(...(await runOn(context, { scheduler, form }, kinds, `on ${scheduler}, ${form}`)));
    }
    return tables;
  },
};

async function runOn(
  context: Context,
  spec: NetworkSpec,
  kinds: readonly Kind[],
  title: string,
): Promise<Table[]> {
  const { rounds } = context.options;
  const [rates, costs, memory, resting, large] = Array.from({ length: 5 }, () => new Sheet()) as Sheets;
  let columns: string[] = [];
  await context.withNetwork(spec, async (tornet) => {
    for (let round = 0; round < rounds; round++) {
      context.say(`round ${round + 1} of ${rounds}: what is idle`);
      await withContenders(kinds, tornet, async (contenders) => {
        for (const contender of contenders) await idle(contender, round, resting);
      });
    }
    await withContenders(kinds, tornet, async (contenders) => {
      columns = contenders.map(({ name }) => name);
      await warmUp(contenders, tornet);
      for (let round = 0; round < rounds; round++)
        await growth(context, contenders, tornet, round, { rates, costs, memory });
      context.say("1 GiB each");
      for (const contender of contenders) await download(context, contender, large);
    });
  });
  return [
    rates.table(`Streams and circuits ${title}: rate`, columns, C_TOR),
    costs.table(`Streams and circuits ${title}: the client's CPU time`, columns, C_TOR),
    memory.table(`Streams and circuits ${title}: the process's memory after`, columns, C_TOR),
    resting.table(`What is idle ${title}: memory of each`, columns),
    large.table(`A large download ${title}`, columns),
  ];
}

type Sheets = [Sheet, Sheet, Sheet, Sheet, Sheet];
