// `first-byte`: from the request for a small page on a built circuit to its first byte, at three round-trip times, where the
// request leaves at once (optimistic data) and where it waits for CONNECTED.

import type { Tornet } from "../../tornet/types.ts";
import { C_TOR, CHROMIUM, type Contender, type Kind, NODE, startContender } from "../contenders/contender.ts";
import { PATIENT, USUAL } from "../contenders/variants.ts";
import type { Context, Suite } from "../context.ts";
import { orderOf } from "../statistics.ts";
import { Sheet, type Table } from "../table.ts";

/** Round trips between clients and guards, in milliseconds. */
const ROUND_TRIPS = [0, 100, 300];
/** Pages a round; the round's figure is their median. */
const PAGES = 5;

interface Entrant {
  readonly column: string;
  readonly contender: Contender;
  /** With C tor its application decides, with Allium the client's options. */
  readonly optimistic: boolean;
}

const COLUMNS: Partial<Record<Kind, string>> = { "c-tor": C_TOR, node: NODE, chromium: CHROMIUM };

async function startAll(kinds: readonly Kind[], tornet: Tornet): Promise<Entrant[]> {
  const entrants: Entrant[] = [];
  for (const kind of kinds) {
    const column = COLUMNS[kind];
    if (column === undefined) continue;
    for (const optimistic of [true, false]) {
      const contender = await startContender(kind, tornet, optimistic ? USUAL : PATIENT);
      entrants.push({ column, contender, optimistic });
    }
  }
  return entrants;
}

async function measure(
  { column, contender, optimistic }: Entrant,
  trip: number,
  round: number,
  sheet: Sheet,
): Promise<void> {
  const circuit = `first-byte-${trip}-${round}`;
  await contender.link.ask({ ask: "prepare", circuits: [circuit] });
  const times: number[] = [];
  for (let i = 0; i < PAGES; i++)
    times.push((await contender.link.ask({ ask: "firstByte", circuit, optimistic })).ms);
  const title = `round trip ${trip} ms, request ${optimistic ? "sent at once" : "after CONNECTED"}`;
  sheet.add(round, title, "ms", column, times);
}

async function measureAll(context: Context, tornet: Tornet, sheet: Sheet): Promise<void> {
  const { rounds, contenders } = context.options;
  const entrants = await startAll(contenders, tornet);
  try {
    for (let round = -1; round < rounds; round++) {
      for (const trip of ROUND_TRIPS) {
        context.say(`round ${round + 1} of ${rounds}: ${trip} ms`);
        await tornet.setSlowPath({ delayMs: trip / 2 });
        for (const entrant of orderOf(entrants, round + 1)) {
          context.check();
          // The first time is for code to get hot.
          await measure(entrant, trip, round, round < 0 ? new Sheet() : sheet);
        }
      }
    }
  } finally {
    for (const { contender } of entrants) await contender.close();
  }
}

export const firstByte: Suite = {
  name: "first-byte",
  about:
    "time to the first byte of a small page, with and without optimistic data, at three round-trip times",
  async run(context) {
    const { schedulers, forms } = context.options;
    const tables: Table[] = [];
    for (const scheduler of schedulers) {
      for (const form of forms) {
        const sheet = new Sheet();
        const spec = { scheduler, form, slowPath: { delayMs: 0 } };
        await context.withNetwork(spec, (tornet) => measureAll(context, tornet, sheet));
        const columns = [C_TOR, NODE, CHROMIUM];
        tables.push(sheet.table(`First byte on ${scheduler}, ${form}`, columns, C_TOR));
      }
    }
    return tables;
  },
};
