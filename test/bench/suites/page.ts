// `page`: whether a page stutters while it downloads. The page watches its own thread: long tasks as the browser reports them,
// and the gaps between turns of a timer and between frames.

import { setTimeout as sleep } from "node:timers/promises";
import { CHROMIUM, CHROMIUM_WORKER, type Contender, type Kind } from "../contenders/contender.ts";
import type { Suite } from "../context.ts";
import { Sheet, type Table } from "../table.ts";

const IDLE_MS = 3000;

const KINDS: readonly Kind[] = ["chromium", "chromium-worker"];

async function watchWhile(contender: Contender, work: () => Promise<unknown>) {
  await contender.link.ask({ ask: "watch" });
  await work();
  return contender.link.ask({ ask: "watched" });
}

export const page: Suite = {
  name: "page",
  about: "a page's longest task during a 64 MiB download, in Chromium",
  async run(context) {
    const { rounds, schedulers, forms, downloadBytes: bytes } = context.options;
    const tables: Table[] = [];
    for (const scheduler of schedulers) {
      for (const form of forms) {
        const sheet = new Sheet();
        const use = async (contenders: readonly Contender[]) => {
          for (let round = 0; round < rounds; round++) {
            context.say(`round ${round + 1} of ${rounds}`);
            for (const contender of contenders) {
              context.check();
              const circuits = [`page-${round}`];
              await contender.link.ask({ ask: "prepare", circuits });
              const transfer = { ask: "transfer", direction: "down", bytes, streams: 1, circuits } as const;
              const cases = [
                ["nothing under way", () => sleep(IDLE_MS)],
                [`download of ${Math.round(bytes / 2 ** 20)} MiB`, () => contender.link.ask(transfer)],
              ] as const;
              for (const [title, work] of cases) {
                const seen = await watchWhile(contender, work);
                const add = (what: string, unit: string, value: number) =>
                  sheet.add(round, `${title}: ${what}`, unit, contender.name, [value], 0);
                add("longest task (0: none of 50 ms)", "ms", seen.longestTask);
                add("tasks of 50 ms and more", "tasks", seen.longTasks);
                add("longest gap of a 4 ms timer", "ms", seen.longestGap);
                add("longest frame", "ms", seen.longestFrame);
              }
            }
          }
        };
        await context.withContenders({ scheduler, form }, use, KINDS);
        tables.push(sheet.table(`A page's thread on ${scheduler}, ${form}`, [CHROMIUM, CHROMIUM_WORKER]));
      }
    }
    return tables;
  },
};
