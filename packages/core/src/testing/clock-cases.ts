// The compliance suite of the Clock port.

import type { Clock } from "../base/ports.ts";
import { type Case, check, turn } from "./case.ts";

export interface ClockSetup {
  readonly clock: Clock;
  /** Lets time pass: waits for it, or moves a manual clock and lets what that wakes run. */
  pass(ms: number): Promise<void>;
}

/** What every Clock does. The cases let some tens of milliseconds pass. */
export function clockCases(setup: () => ClockSetup): readonly Case[] {
  const on = (name: string, body: (setup: ClockSetup) => Promise<void>): Case => ({
    name,
    run: () => body(setup()),
  });
  return [
    on("now() is in milliseconds since the epoch", async ({ clock }) => {
      check(clock.now() > Date.UTC(2020, 0, 1) && clock.now() < Date.UTC(2200, 0, 1), `it is ${clock.now()}`);
    }),
    on("monotonic() goes on as time passes and never goes back", async ({ clock, pass }) => {
      const start = clock.monotonic();
      let last = start;
      for (let i = 0; i < 5; i++) {
        await pass(3);
        const next = clock.monotonic();
        check(next >= last, "it goes back");
        last = next;
      }
      check(last - start >= 10, `15 ms are ${last - start}`);
    }),
    on("a timer fires when its time is over and not before", async ({ clock, pass }) => {
      const start = clock.monotonic();
      let firedAt: number | undefined;
      clock.timer(20).fired.then(() => {
        firedAt = clock.monotonic();
      });
      await turn();
      check(firedAt === undefined || firedAt - start >= 18, "it fires at once");
      for (let i = 0; i < 50 && firedAt === undefined; i++) await pass(10);
      check(firedAt !== undefined, "it does not fire");
      // Timers and the monotonic clock may be rounded differently.
      check(firedAt - start >= 18, `it fires after ${firedAt - start} ms`);
    }),
    on("timers fire in the order of their times", async ({ clock, pass }) => {
      const order: number[] = [];
      for (const ms of [30, 0, 15]) clock.timer(ms).fired.then(() => order.push(ms));
      for (let i = 0; i < 50 && order.length < 3; i++) await pass(10);
      check(order.join() === "0,15,30", `the order is ${order.join()}`);
    }),
    on(
      "a cancelled timer never fires, and cancelling again or late does no harm",
      async ({ clock, pass }) => {
        let fired = false;
        const timer = clock.timer(5);
        timer.fired.then(() => {
          fired = true;
        });
        timer.cancel();
        timer.cancel();
        const other = clock.timer(10);
        await Promise.all([other.fired, pass(20)]);
        other.cancel();
        check(!fired, "it fires");
      },
    ),
    on("a timer of zero or less fires at the next occasion", async ({ clock, pass }) => {
      await Promise.all([clock.timer(0).fired, clock.timer(-1000).fired, pass(1)]);
    }),
    on("a timer of months does not fire at once", async ({ clock, pass }) => {
      let fired = false;
      const timer = clock.timer(100 * 24 * 3600 * 1000);
      timer.fired.then(() => {
        fired = true;
      });
      await pass(5);
      await turn();
      timer.cancel();
      check(!fired, "it fires");
    }),
  ];
}
