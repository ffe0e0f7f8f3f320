// The compliance suite of the Dialer port.

import type { RelayAddress } from "../base/address.ts";
import { abortedError } from "../base/errors.ts";
import type { Dialer } from "../base/ports.ts";
import { type Case, checkBytes, checkRejects, numberedBytes } from "./case.ts";
import { readExactly, writeAll } from "./duplex-cases.ts";

export interface DialerSetup {
  readonly dialer: Dialer;
  /** Where a peer sends back every byte it gets. */
  readonly echo: RelayAddress;
  /** Where nobody answers, or whither this dialer may not go. */
  readonly nobody: RelayAddress;
  /** Stops what the set-up started. */
  dispose(): Promise<void>;
}

/** What every Dialer does; its Duplex has a suite of its own. */
export function dialerCases(setup: () => Promise<DialerSetup>): readonly Case[] {
  const on = (name: string, body: (setup: DialerSetup) => Promise<void>): Case => ({
    name,
    run: async () => {
      const made = await setup();
      try {
        await body(made);
      } finally {
        await made.dispose();
      }
    },
  });
  const exchange = async (dialer: Dialer, target: readonly RelayAddress[], seed: number): Promise<void> => {
    const duplex = await dialer.dial(target);
    duplex.closed.catch(() => {});
    const bytes = numberedBytes(300_000, seed);
    const [echoed] = await Promise.all([readExactly(duplex, bytes.length), writeAll(duplex, bytes, 20_000)]);
    checkBytes(echoed, bytes, "the echo");
    duplex.close();
    await duplex.closed;
  };
  return [
    on("bytes go to the peer and come back", ({ dialer, echo }) => exchange(dialer, [echo], 1)),
    on("several pipes at once are apart", async ({ dialer, echo }) => {
      await Promise.all([1, 2, 3, 4].map((seed) => exchange(dialer, [echo], seed)));
    }),
    on("a peer that does not answer is reported by its kind", async ({ dialer, nobody }) => {
      const kinds = ["bridge-unreachable", "bridge-refused", "offline"] as const;
      await checkRejects(dialer.dial([nobody]), "dialling nobody", kinds);
    }),
    on("no address at all is refused", async ({ dialer }) => {
      await checkRejects(dialer.dial([]), "dialling nowhere");
    }),
    on("a signal that has aborted stops the dial before it starts", async ({ dialer, echo }) => {
      const controller = new AbortController();
      controller.abort(abortedError());
      await checkRejects(dialer.dial([echo], { signal: controller.signal }), "dialling", ["aborted"]);
    }),
    on("a signal that aborts stops the dial", async ({ dialer, echo }) => {
      const controller = new AbortController();
      const dial = dialer.dial([echo], { signal: controller.signal });
      controller.abort(abortedError());
      await checkRejects(dial, "dialling", ["aborted"]);
    }),
  ];
}
