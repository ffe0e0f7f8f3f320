// `slow-path`: the same clients with a delaying proxy between them and their guards, which C tor's client meets as well:
// transfers at two round-trip times and with stalls like those of lost segments.

import type { SlowPath, Tornet } from "../../tornet/types.ts";
import { C_TOR, type Contender } from "../contenders/contender.ts";
import type { Context, Suite } from "../context.ts";
import { orderOf } from "../statistics.ts";
import { Sheet, type Table } from "../table.ts";
import { measureTransfer } from "./transfer.ts";

interface NamedPath extends SlowPath {
  readonly name: string;
}

const PATHS: readonly NamedPath[] = [
  { name: "100 ms", delayMs: 50 },
  { name: "300 ms", delayMs: 150 },
  // A segment in some 3,000 is lost, and comes again after the round trip and the 200 ms that TCP waits at the least.
  { name: "100 ms, stalls", delayMs: 50, stalls: { seed: 20261125, everyBytes: 4 * 2 ** 20, holdMs: 300 } },
];

/** Lets code get hot before the path is slow. */
const WARM_UP = 32 * 1024 * 1024;

async function measureOne(
  { options }: Context,
  contender: Contender,
  tornet: Tornet,
  path: NamedPath,
  round: number,
  sheet: Sheet,
): Promise<void> {
  for (const direction of ["down", "up"] as const) {
    const bytes = direction === "down" ? options.downloadBytes : options.uploadBytes;
    const name = `${path.name}-${round}-${direction}`;
    const { rate } = await measureTransfer(contender, tornet, { direction, bytes, streams: 1 }, name);
    const title = `${path.name}: ${direction}, ${Math.round(bytes / 2 ** 20)} MiB`;
    sheet.add(round, title, "MB/s", contender.name, [rate], 2);
  }
}

async function measureAll(
  context: Context,
  contenders: readonly Contender[],
  tornet: Tornet,
  sheet: Sheet,
): Promise<void> {
  const { rounds } = context.options;
  const warmUp = { direction: "down", bytes: WARM_UP, streams: 1 } as const;
  for (const contender of contenders) await measureTransfer(contender, tornet, warmUp, "warm");
  for (let round = 0; round < rounds; round++) {
    for (const path of PATHS) {
      context.say(`round ${round + 1} of ${rounds}: ${path.name}`);
      await tornet.setSlowPath(path);
      for (const contender of orderOf(contenders, round)) {
        context.check();
        await measureOne(context, contender, tornet, path, round, sheet);
      }
    }
  }
}

export const slowPath: Suite = {
  name: "slow-path",
  about: "64 MiB down and 16 MiB up at 100 and 300 ms of round trip, and with stalls",
  async run(context) {
    const { schedulers, forms } = context.options;
    const tables: Table[] = [];
    for (const scheduler of schedulers) {
      for (const form of forms) {
        const sheet = new Sheet();
        const spec = { scheduler, form, slowPath: { delayMs: 0 } };
        await context.withContenders(spec, async (contenders, tornet) => {
          await measureAll(context, contenders, tornet, sheet);
          const columns = contenders.map(({ name }) => name);
          tables.push(sheet.table(`Slow path on ${scheduler}, ${form}`, columns, C_TOR));
        });
      }
    }
    return tables;
  },
};
