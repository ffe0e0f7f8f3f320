// `transfer`: downloads and uploads through three relays, side by side, with what they cost in CPU time. On each network the
// contenders take turns, each on a fresh circuit of its own.

import type { Tornet } from "../../tornet/types.ts";
import { C_TOR, type Contender } from "../contenders/contender.ts";
import type { Transfer } from "../contenders/protocol.ts";
import type { Context, Suite } from "../context.ts";
import { CpuMeter, type CpuParts } from "../machine.ts";
import { orderOf } from "../statistics.ts";
import { Sheet, type Table } from "../table.ts";

/** What makes code hot and circuits' windows open; not counted. */
const WARM_UP = 16 * 1024 * 1024;

/** The parts of a network that work for every contender. */
export function networkParts({ info }: Tornet): CpuParts {
  const relays = info.nodes.filter(({ role }) => role !== "client").map(({ pid }) => pid);
  const slowPath = info.slowPathPid === undefined ? {} : { "slow path": [info.slowPathPid] };
  return { relays, destination: [info.keeperPid], ...slowPath };
}

export interface Measured {
  /** MB a second, 1e6 bytes. */
  readonly rate: number;
  /** Milliseconds of CPU for a MB, by part. */
  readonly cpu: Readonly<Record<string, number>>;
}

/** How often a transfer is tried whose streams went onto other circuits than those built for it: one may break before its turn. */
const TRIES = 3;

/** One transfer on circuits of its own, which are built before the clock starts. */
export async function measureTransfer(
  contender: Contender,
  tornet: Tornet,
  transfer: Omit<Transfer, "circuits"> & { readonly circuits?: number },
  round: string,
): Promise<Measured> {
  for (let attempt = 1; ; attempt++) {
    const circuits = Array.from({ length: transfer.circuits ?? 1 }, (_, i) => `${round}-${attempt}-${i}`);
    contender.takeUsedCircuits?.();
    await contender.link.ask({ ask: "prepare", circuits });
    const meter = new CpuMeter(() => ({ ...contender.cpu(), ...networkParts(tornet) }));
    const { ms } = await contender.link.ask({ ...transfer, ask: "transfer", circuits });
    const used = contender.takeUsedCircuits?.() ?? circuits.length;
    if (used === circuits.length) return measured(transfer.bytes, ms, meter.read());
    if (attempt === TRIES) throw new Error(`${contender.name} used ${used} circuits, not ${circuits.length}`);
  }
}

function measured(bytes: number, ms: number, seconds: Readonly<Record<string, number>>): Measured {
  const megabytes = bytes / 1e6;
  const cpu = Object.entries(seconds).map(([part, of]) => [part, (of * 1000) / megabytes]);
  return { rate: (megabytes * 1000) / ms, cpu: Object.fromEntries(cpu) };
}

export async function warmUp(contenders: readonly Contender[], tornet: Tornet): Promise<void> {
  for (const contender of contenders) {
    for (const direction of ["down", "up"] as const)
      await measureTransfer(
        contender,
        tornet,
        { direction, bytes: WARM_UP, streams: 1 },
        `warm-${direction}`,
      );
  }
}

interface Sheets {
  readonly rates: Sheet;
  readonly costs: Sheet;
}

async function measureAll(
  context: Context,
  contenders: readonly Contender[],
  tornet: Tornet,
  { rates, costs }: Sheets,
): Promise<void> {
  const { rounds, streams, downloadBytes, uploadBytes } = context.options;
  await warmUp(contenders, tornet);
  for (let round = 0; round < rounds; round++) {
    for (const direction of ["down", "up"] as const) {
      for (const count of streams) {
        const bytes = direction === "down" ? downloadBytes : uploadBytes;
        const title = `${direction}, ${Math.round(bytes / 2 ** 20)} MiB, ${count} ${count === 1 ? "stream" : "streams"}`;
        context.say(`round ${round + 1} of ${rounds}: ${title}`);
        for (const contender of orderOf(contenders, round)) {
          context.check();
          const transfer = { direction, bytes, streams: count };
          const { rate, cpu } = await measureTransfer(
            contender,
            tornet,
            transfer,
            `r${round}-${direction}-${count}`,
          );
          rates.add(round, title, "MB/s", contender.name, [rate]);
          for (const [part, ms] of Object.entries(cpu))
            costs.add(round, `${title}: ${part}`, "ms/MB", contender.name, [ms]);
        }
      }
    }
  }
}

export const transfer: Suite = {
  name: "transfer",
  about:
    "64 MiB down and 16 MiB up, by scheduler, form of circuit and number of streams; CPU time of each part",
  async run(context) {
    const tables: Table[] = [];
    for (const scheduler of context.options.schedulers) {
      for (const form of context.options.forms) {
        await context.withContenders({ scheduler, form }, async (contenders, tornet) => {
          const sheets = { rates: new Sheet(), costs: new Sheet() };
          await measureAll(context, contenders, tornet, sheets);
          const columns = contenders.map(({ name }) => name);
          tables.push(sheets.rates.table(`Transfer on ${scheduler}, ${form}`, columns, C_TOR));
          tables.push(sheets.costs.table(`CPU time on ${scheduler}, ${form}`, columns, C_TOR));
        });
      }
    }
    return tables;
  },
};
