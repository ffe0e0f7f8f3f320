// `build`: how long a circuit of three hops takes to build, by the events of each client, its channel to the guard being open.

import { C_TOR } from "../contenders/contender.ts";
import type { Suite } from "../context.ts";
import { orderOf } from "../statistics.ts";
import { Sheet, type Table } from "../table.ts";

/** Circuits a round; the round's figure is their median. */
const COUNT = 10;

export const build: Suite = {
  name: "build",
  about: "time to build a circuit of three hops, from CREATE2 to the last EXTENDED2",
  async run(context) {
    const { rounds, schedulers, forms } = context.options;
    const tables: Table[] = [];
    for (const scheduler of schedulers) {
      const sheet = new Sheet();
      let columns: string[] = [];
      for (const form of forms) {
        await context.withContenders(
          { scheduler, form },
          async (contenders) => {
            columns = contenders.map(({ name }) => name);
            for (const contender of contenders) await contender.build(COUNT, "warm");
            for (let round = 0; round < rounds; round++) {
              context.say(`round ${round + 1} of ${rounds}: ${COUNT} circuits each`);
              for (const contender of orderOf(contenders, round)) {
                context.check();
                const times = await contender.build(COUNT, `r${round}`);
                sheet.add(round, `3 hops, ${form}`, "ms", contender.name, times);
              }
            }
          },
          context.options.contenders.filter((kind) => kind !== "c-tor-conflux"),
        );
      }
      tables.push(sheet.table(`Building a circuit on ${scheduler}`, columns, C_TOR));
    }
    return tables;
  },
};
