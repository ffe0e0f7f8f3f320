// `overview`: the table of the README. Starts, circuit builds, small pages, transfers, memory, CPU time; every round with fresh
// processes of Allium's.

import { C_TOR, type Contender, startContender } from "../contenders/contender.ts";
import type { Context, Suite } from "../context.ts";
import { CpuMeter } from "../machine.ts";
import { orderOf } from "../statistics.ts";
import { Sheet } from "../table.ts";

const MIB = 1024 * 1024;
const BUILDS = 5;

type Add = (title: string, unit: string, values: readonly number[], digits?: number) => void;

async function measure(contender: Contender, { options }: Context, round: string, add: Add): Promise<void> {
  const { link } = contender;
  const circuit = `overview-${round}`;
  const meter = new CpuMeter(() => contender.cpu());
  const { coldStart, warmStart } = await contender.starts();
  await link.ask({ ask: "prepare", circuits: [circuit] });
  const builds = await contender.build(BUILDS, round);
  const { ms: firstByte } = await link.ask({ ask: "firstByte", circuit, optimistic: false });
  for (const direction of ["down", "up"] as const) {
    const bytes = direction === "down" ? options.downloadBytes : options.uploadBytes;
    const { ms } = await link.ask({ ask: "transfer", direction, bytes, streams: 1, circuits: [circuit] });
    const title = `${direction === "down" ? "download" : "upload"} of ${Math.round(bytes / MIB)} MiB`;
    add(title, "MB/s", [bytes / 1000 / ms]);
  }
  add("circuit build", "ms", builds);
  add("small page on a built circuit", "ms", [firstByte]);
  add("start with nothing stored", "ms", [coldStart], 0);
  add("start with guard and directory stored", "ms", [warmStart], 0);
  add("memory of the process (Chromium: the page's)", "MiB", [contender.memory() / MIB], 0);
  const cpu = Object.values(meter.read()).reduce((sum, seconds) => sum + seconds, 0);
  add("CPU of the whole run", "s", [cpu]);
}

export const overview: Suite = {
  name: "overview",
  about: "the README's table: starts, builds, small pages, transfers, memory",
  async run(context) {
    const { rounds, schedulers } = context.options;
    const kinds = context.options.contenders.filter((kind) => kind !== "c-tor-conflux");
    const tables = [];
    for (const scheduler of schedulers) {
      const sheet = new Sheet();
      const columns: string[] = [];
      await context.withNetwork({ scheduler, form: "cgo" }, async (tornet) => {
        for (let round = 0; round < rounds; round++) {
          context.say(`round ${round + 1} of ${rounds}`);
          for (const kind of orderOf(kinds, round)) {
            context.check();
            const contender = await startContender(kind, tornet);
            if (!columns.includes(contender.name)) columns.push(contender.name);
            await measure(contender, context, `r${round}`, (title, unit, values, digits) =>
              sheet.add(round, title, unit, contender.name, values, digits),
            ).finally(() => contender.close());
          }
        }
      });
      tables.push(sheet.table(`Overview on ${scheduler}`, columns, C_TOR));
    }
    return tables;
  },
};
