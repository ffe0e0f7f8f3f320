// `paths`: which relays C tor's client and Allium choose from the same consensus, with guards sampled anew again and again. Counts by
// place of the path with chi-square tests: each of them to what the specifications let expect, and the one to the other.

import type { Context, Suite } from "../context.ts";
import { CTorPaths } from "../paths/c-tor-paths.ts";
import { Comparison } from "../paths/comparison.ts";
import { essence, Law, type PathNames } from "../paths/law.ts";
import { NODES, PORTS, withPathNetwork } from "../paths/network.ts";
import { OwnPaths } from "../paths/own-paths.ts";
import { orderOf } from "../statistics.ts";
import type { Table } from "../table.ts";

/** Samples of guards a round, for each port and each of those who choose; two paths through each. */
const COUNT = 60;

interface Chooser {
  readonly name: string;
  /** Forgets its guards. */
  forget(): Promise<void>;
  path(port: number): Promise<PathNames>;
}

async function compare(context: Context, cTor: CTorPaths, own: OwnPaths): Promise<Table[]> {
  const choosers: readonly Chooser[] = [
    { name: "C tor", forget: () => cTor.forget(), path: (port) => cTor.take(port) },
    { name: "Allium", forget: () => own.forget(), path: (port) => own.choose(port) },
    { name: "Allium, built", forget: () => own.forget(), path: (port) => own.build(port) },
  ];
  const law = new Law(await cTor.consensus(), NODES);
  const names = choosers.map(({ name }) => name);
  const comparisons = new Map(PORTS.map((port) => [port, new Comparison(law, port, names)]));
  const first = essence(await own.refresh());
  for (let round = 0; round < context.options.rounds; round++) {
    context.say(`round ${round + 1} of ${context.options.rounds}: ${COUNT} samples of guards for each port`);
    for (const text of [await cTor.consensus(), await own.refresh()])
      if (essence(text) !== first)
        throw new Error("a new consensus came meanwhile: they do not choose from the same one");
    for (const [port, comparison] of comparisons) {
      for (const chooser of orderOf(choosers, round)) {
        context.check();
        for (let i = 0; i < COUNT; i++) {
          await chooser.forget();
          comparison.add(chooser.name, await chooser.path(port), await chooser.path(port));
        }
      }
    }
  }
  return [...comparisons.values()].flatMap((comparison) => comparison.tables());
}

export const paths: Suite = {
  name: "paths",
  about: "guards, middles and exits beside those that C tor's client chooses, with chi-square tests",
  run: (context) =>
    withPathNetwork(context, async ({ info, network }) => {
      const client = info.nodes.find(({ role }) => role === "client");
      if (client === undefined) throw new Error("the network has no C tor client");
      const cTor = await CTorPaths.open(info, client);
      const own = await OwnPaths.open(network, context.signal);
      try {
        return await compare(context, cTor, own);
      } finally {
        cTor.close();
        await own.close();
      }
    }),
};
