// What the stack tells the watch over bridges: whose word the failure of a connection is.

import { describe, expect, it } from "vitest";
import { toHex } from "../../src/base/encoding.ts";
import { TorError } from "../../src/base/errors.ts";
import { memoryStore } from "../../src/base/memory-store.ts";
import type { Dialer, DialOptions, Duplex } from "../../src/base/ports.ts";
import { NetworkStack } from "../../src/client/stack.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { settle } from "../path/fakes.ts";
import { guardRelay } from "../path/synthetic.ts";

const GUARD = guardRelay(1);
const NAME = toHex(GUARD.rsaId).toUpperCase();

/** A pipe on which nothing comes, or that fails at once. */
function pipe(error?: TorError): Duplex {
  const readable = new ReadableStream<Uint8Array>({
    start(controller) {
      if (error !== undefined) controller.error(error);
    },
  });
  const closed = error === undefined ? new Promise<void>(() => {}) : Promise.reject(error);
  closed.catch(() => {});
  return { readable, writable: new WritableStream<Uint8Array>(), closed, close: () => {} };
}

async function bench(dial: (options: DialOptions) => Duplex) {
  const clock = new ManualClock();
  const dialer: Dialer = { dial: async (_, options = {}) => dial(options) };
  const stack = new NetworkStack({
    ...{ network: { authorities: [], fallbacks: [] }, dialer, store: memoryStore(), clock, log: undefined },
    ...{ memoryLimit: 1 << 20, padding: "normal", circuits: { cgo: true }, circuitBuildTimeout: undefined },
  });
  await stack.load();
  const at = new Date(clock.now()).toISOString();
  const record = { fingerprint: NAME, nickname: "Relay1", address: "10.1.0.1:9001", confirmed: true };
  await stack.guards.import({ last_updated: at, guards: [{ ...record, first_used: at, last_used: at }] });
  return { stack, clock };
}

describe("a bridge that stalls until the time is nearly over and then sends its client on to another", () => {
  it("does not make it look as if both had failed", async () => {
    let options: DialOptions = {};
    const { stack, clock } = await bench((given) => {
      options = given;
      given.onBridge?.("hostile");
      return pipe();
    });
    const opening = stack.channels.get(GUARD);
    opening.catch(() => {});
    await settle();
    clock.advance(19_500);
    options.onBridge?.("honest");
    await settle();
    clock.advance(600);
    await expect(opening).rejects.toMatchObject({ code: "ALLIUM_E_LINK_TIMEOUT" });
    expect(stack.bridges.isToBlame(NAME)).toBe(false);
    expect([...stack.bridges.avoid(NAME)]).toEqual(["hostile"]);
  });
});

describe("one bridge is busy with itself, and the next one is hostile:", () => {
  it("that it lets the time pass, twice, is not two bridges' word", async () => {
    let options: DialOptions = {};
    const { stack, clock } = await bench((given) => {
      options = given;
      if (!given.avoid?.has("draining")) given.onBridge?.("draining");
      return pipe();
    });
    for (let i = 0; i < 2; i++) {
      const opening = stack.channels.get(GUARD);
      opening.catch(() => {});
      await settle();
      clock.advance(100);
      options.onBridge?.("hostile");
      await settle();
      clock.advance(20_000);
      await expect(opening).rejects.toMatchObject({ code: "ALLIUM_E_LINK_TIMEOUT" });
    }
    expect(stack.bridges.isToBlame(NAME)).toBe(false);
  });

  it("that it says the relay is silent is not two bridges' word", async () => {
    const { stack } = await bench((given) => {
      given.onBridge?.("draining");
      given.onBridge?.("hostile");
      return pipe(new TorError("bridge-unreachable", "ALLIUM_E_BRIDGE_RELAY", "the relay is silent"));
    });
    await expect(stack.channels.get(GUARD)).rejects.toMatchObject({ code: "ALLIUM_E_BRIDGE_RELAY" });
    expect(stack.bridges.isToBlame(NAME)).toBe(false);
  });
});

describe("a bridge that says of itself that it is not ready, or asked too much", () => {
  it.each(["ALLIUM_E_BRIDGE_DRAINING", "ALLIUM_E_BRIDGE_LIMIT", "ALLIUM_E_BRIDGE_TOKEN"] as const)(
    "(%s) says nothing of the guard",
    async (code) => {
      const { stack } = await bench((given) => {
        given.onBridge?.("honest");
        return pipe(new TorError("bridge-refused", code, "not now"));
      });
      await expect(stack.channels.get(GUARD)).rejects.toMatchObject({ code });
      expect(stack.bridges.isHeldBack(NAME)).toBe(false);
    },
  );
});
