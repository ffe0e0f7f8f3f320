// `directory`: what a directory of the public network's size costs: its consensus and diffs, nine signatures, the microdescriptors of
// all relays, paths, memory, and a start from what is stored, in Node from memory and in Chromium from IndexedDB.

import { join } from "node:path";
import { BrowserLink } from "../contenders/browser.ts";
import { ChildLink } from "../contenders/child.ts";
import { CHROMIUM, NODE } from "../contenders/contender.ts";
import type { Context, Suite } from "../context.ts";
import { type Documents, makeDocuments } from "../directory/documents.ts";
import { withPeak } from "../directory/peak.ts";
import { askDirectory, type DirectoryStart, type Figure } from "../directory/protocol.ts";
import { DocumentSource } from "../directory/source.ts";
import { orderOf } from "../statistics.ts";
import { Sheet, type Table } from "../table.ts";

const FOLDER = join(import.meta.dirname, "../directory");
const MIB = 1024 * 1024;

/** A new process of a page or of Node each time. */
interface Place {
  readonly kind: string;
  readonly name: string;
  start(start: DirectoryStart): Promise<ChildLink | BrowserLink>;
}

const PLACES: readonly Place[] = [
  { kind: "node", name: NODE, start: (start) => ChildLink.start(join(FOLDER, "node-agent.ts"), start) },
  {
    kind: "chromium",
    name: CHROMIUM,
    start: (start) => BrowserLink.start(join(FOLDER, "page-agent.ts"), start),
  },
];

type AgentLink = Awaited<ReturnType<Place["start"]>>;

async function warmStart(link: AgentLink): Promise<readonly Figure[]> {
  await askDirectory(link, "fill");
  const pids = link instanceof BrowserLink ? link.pagePids() : link.pids();
  const { value, before, peak } = await withPeak(pids, () => askDirectory(link, "start"));
  return [
    ...value,
    { title: "memory of the process before it", unit: "MiB", value: before / MIB, digits: 0 },
    { title: "at most, beyond that", unit: "MiB", value: (peak - before) / MIB, digits: 0 },
  ];
}

async function watchedStart(link: AgentLink): Promise<readonly Figure[]> {
  await askDirectory(link, "fill");
  return askDirectory(link, "watched-start");
}

interface Part {
  readonly title: string;
  /** Each in a process of its own. */
  readonly asks: readonly ((link: AgentLink) => Promise<readonly Figure[]>)[];
}

const PARTS: readonly Part[] = [
  { title: "Consensus", asks: [(link) => askDirectory(link, "consensus")] },
  {
    title: "Microdescriptors and paths",
    asks: [(link) => askDirectory(link, "relays"), (link) => askDirectory(link, "memory")],
  },
  { title: "Start from the store", asks: [warmStart, watchedStart] },
];

async function measure(context: Context, start: DirectoryStart, sheets: readonly Sheet[]): Promise<void> {
  const { rounds, contenders } = context.options;
  const places = PLACES.filter(({ kind }) => contenders.some((wanted) => wanted === kind));
  for (let round = 0; round < rounds; round++) {
    context.say(`round ${round + 1} of ${rounds}`);
    for (const [i, { asks }] of PARTS.entries()) {
      for (const place of orderOf(places, round)) {
        for (const ask of asks) {
          context.check();
          const link = await place.start(start);
          const figures = await ask(link).finally(() => link.close());
          for (const { title, unit, value, digits } of figures)
            sheets[i]?.add(round, title, unit, place.name, [value], digits);
        }
      }
    }
  }
}

function tables(sheets: readonly Sheet[], { isReal, relays, files }: Documents): Table[] {
  const what = isReal ? "the public network's" : "a synthetic one, ../shared being absent";
  const sizes = [files.consensus.length, files.microdescriptors.length].map((bytes) =>
    (bytes / 1e6).toFixed(1),
  );
  return PARTS.map(({ title }, i) => {
    const about = `${title}: ${what}, ${relays} relays, ${sizes[0]} and ${sizes[1]} MB`;
    return (sheets[i] as Sheet).table(about, [NODE, CHROMIUM]);
  });
}

export const directory: Suite = {
  name: "directory",
  about: "the directory at the public network's size: parsing, signatures, diffs, paths, memory, warm start",
  async run(context) {
    const documents = makeDocuments();
    if (!documents.isReal)
      context.say("../shared is absent: a synthetic consensus of the same size is measured");
    const source = await DocumentSource.start(documents);
    const { network, now, relays, pieces } = documents;
    const sheets = PARTS.map(() => new Sheet());
    try {
      await measure(context, { url: source.url, network, now, relays, pieces: pieces.length }, sheets);
    } finally {
      source.close();
    }
    return tables(sheets, documents);
  },
};
