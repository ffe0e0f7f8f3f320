// A link on which nothing comes any more is not used again and again.

import { describe, expect, it } from "vitest";
import { TorError } from "../../src/base/errors.ts";
import type { Channel, CircuitSlot } from "../../src/link/api.ts";
import { CircuitBuilder } from "../../src/path/builder.ts";
import { ChannelPool } from "../../src/path/channels.ts";
import { CircuitRegistry } from "../../src/path/registry.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { fakeChannel, settle } from "./fakes.ts";
import { exitRelay, guardRelay, relay } from "./synthetic.ts";

describe("a link on which CREATE is not answered (the device slept, or a bridge drops all)", () => {
  it.each([
    ["at the end of its time", false],
    ["at its timeout, where another circuit works", true],
  ])("is not what the next circuit is tried on, once one was given up %s", async (_, isAnyOpen) => {
    const clock = new ManualClock();
    const guard = guardRelay(1);
    const slot: CircuitSlot = { circuitId: 1, congested: false, send: () => {}, destroy: () => {} };
    let dials = 0;
    const open = async (): Promise<Channel> => {
      dials++;
      return { ...fakeChannel(guard, undefined), attach: () => slot };
    };
    const registry = new CircuitRegistry();
    if (isAnyOpen) registry.opened(registry.begin("general", [guard]), []);
    const builder = new CircuitBuilder({
      ...{ channels: new ChannelPool({ clock, open }), registry, clock },
      ...{ padding: "off", circuits: { cgo: true } },
      times: {
        limits: () => ({ timeout: 10_000, abandon: 60_000 }),
        built: () => {},
        timedOut: () => {},
      },
    });
    const others = [relay({ id: 2 }), exitRelay(3)];
    for (let i = 0; i < 3; i++) {
      const building = builder.build({
        purpose: "general",
        first: { relay: guard },
        others,
        netdir: undefined,
      });
      building.catch(() => {});
      await settle();
      clock.advance(10_000);
      await settle();
      if (!isAnyOpen) clock.advance(50_000);
      await expect(building).rejects.toBeInstanceOf(TorError);
    }
    expect(dials).toBe(3);
  });
});
