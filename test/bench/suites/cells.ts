// `cells`: what one CGO cell costs the client's thread, as a whole and by its parts, beside the same made of table AES and of the
// library's primitives.

import { join } from "node:path";
import { BrowserLink } from "../contenders/browser.ts";
import { ChildLink } from "../contenders/child.ts";
import { CHROMIUM, NODE } from "../contenders/contender.ts";
import type { Link } from "../contenders/protocol.ts";
import type { Context, Suite } from "../context.ts";
import { orderOf } from "../statistics.ts";
import { Sheet } from "../table.ts";

const FOLDER = join(import.meta.dirname, "../micro");
/** Application bytes of a cell: the body of a DATA message in format V1. */
const PAYLOAD = 488;

interface Place {
  readonly name: string;
  start(): Promise<Link>;
}

const PLACES: readonly (Place & { readonly kind: string })[] = [
  { kind: "node", name: NODE, start: () => ChildLink.start(join(FOLDER, "node-agent.ts"), {}) },
  { kind: "chromium", name: CHROMIUM, start: () => BrowserLink.start(join(FOLDER, "page-agent.ts"), {}) },
];

async function measure({ name, start }: Place, round: number, sheet: Sheet): Promise<void> {
  const link = await start();
  try {
    for (const { title, median } of await link.ask({ ask: "cells" })) {
      sheet.add(round, title, "µs", name, [median], 2);
      sheet.add(round, `${title}: ${PAYLOAD} bytes each`, "MB/s", name, [PAYLOAD / median]);
    }
  } finally {
    await link.close();
  }
}

export const cells: Suite = {
  name: "cells",
  about: "what one CGO cell costs, by its parts and beside the library's primitives",
  async run(context: Context) {
    const { rounds, contenders } = context.options;
    const sheet = new Sheet();
    const places = PLACES.filter(({ kind }) => contenders.some((wanted) => wanted === kind));
    for (let round = 0; round < rounds; round++) {
      context.say(`round ${round + 1} of ${rounds}`);
      for (const place of orderOf(places, round)) {
        context.check();
        await measure(place, round, sheet);
      }
    }
    return [
      sheet.table(
        "What a CGO cell costs",
        places.map(({ name }) => name),
      ),
    ];
  },
};
