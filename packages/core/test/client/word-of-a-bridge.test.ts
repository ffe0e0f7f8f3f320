// What the stack tells the watch over bridges: whose word the failure of a connection is.

import { describe, expect, it } from "vitest";
import { toHex } from "../../src/base/encoding.ts";
import { TorError, type TorErrorCode, toTorError } from "../../src/base/errors.ts";
import { memoryStore } from "../../src/base/memory-store.ts";
import type { Dialer, DialOptions, Duplex } from "../../src/base/ports.ts";
import { NetworkStack } from "../../src/client/stack.ts";
import type { NetDir } from "../../src/directory/api.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { settle } from "../path/fakes.ts";
import { guardRelay, netdir } from "../path/synthetic.ts";

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

async function bench(dial: (options: DialOptions) => Duplex | Promise<Duplex>, bridges?: number) {
  const clock = new ManualClock();
  const dialer: Dialer = {
    dial: async (_, options = {}) => dial(options),
    ...(bridges !== undefined && { bridges }),
    leave: (bridge) => left.push(bridge),
  };
  const left: string[] = [];
  const events: string[] = [];
  const stack = new NetworkStack({
    ...{ network: { authorities: [], fallbacks: [] }, dialer, store: memoryStore(), clock, log: undefined },
    ...{ memoryLimit: 1 << 20, padding: "normal", circuits: { cgo: true }, circuitBuildTimeout: undefined },
    onGuard: ({ type }) => events.push(type),
  });
  await stack.load();
  const at = new Date(clock.now()).toISOString();
  const record = { fingerprint: NAME, nickname: "Relay1", address: "10.1.0.1:9001", confirmed: true };
  await stack.guards.import({ last_updated: at, guards: [{ ...record, first_used: at, last_used: at }] });
  return { stack, clock, events, left };
}

const NETWORK: NetDir = {
  ...netdir([GUARD]),
  ...{ validAfter: 0, freshUntil: Number.MAX_SAFE_INTEGER, validUntil: Number.MAX_SAFE_INTEGER },
};

describe("a circuit through bridges whose guard is not reached", () => {
  /** As the builder has it, so many times. @returns how the last one failed, and whether that was held against the guard */
  async function outcome(bridges: number | undefined, tries: number, dial: (options: DialOptions) => void) {
    const { stack, clock, events } = await bench((options) => {
      dial(options);
      return new Promise<Duplex>(() => {});
    }, bridges);
    let code = "";
    for (let i = 0; i < tries; i++) {
      const guard = await stack.guards.choose(NETWORK, "directory", () => true);
      const first = { relay: guard.relay, guard };
      const building = stack.builder.build({ purpose: "directory", first, others: [], netdir: undefined });
      building.catch(() => {});
      await settle();
      clock.advance(20_000);
      ({ code } = await building.then(() => expect.unreachable(), toTorError));
    }
    return { code, isFailed: events.includes("failed") };
  }
  const stall = () => {};
  const fail = (kind: "bad-api-usage" | "offline", code: TorErrorCode) => () => {
    throw new TorError(kind, code, "not dialled");
  };

  it("as no bridge took the connection on (each stalls before it is open) is not held against the guard", async () => {
    expect(await outcome(2, 3, stall)).toEqual({ code: "ALLIUM_E_BRIDGE_UNREACHABLE", isFailed: false });
    const offline = fail("offline", "ALLIUM_E_OFFLINE");
    expect(await outcome(2, 1, offline)).toEqual({ code: "ALLIUM_E_OFFLINE", isFailed: false });
  });

  it("is the guard's failure where there is no bridge, where it has no address, or where two bridges agree", async () => {
    expect(await outcome(undefined, 1, stall)).toEqual({ code: "ALLIUM_E_LINK_TIMEOUT", isFailed: true });
    const noAddress = fail("bad-api-usage", "ALLIUM_E_BAD_ADDRESS");
    expect(await outcome(2, 1, noAddress)).toEqual({ code: "ALLIUM_E_BAD_ADDRESS", isFailed: true });
    const carry = ({ avoid, onBridge }: DialOptions) => onBridge?.(avoid?.has("one") ? "two" : "one");
    expect(await outcome(2, 1, carry)).toEqual({ code: "ALLIUM_E_LINK_TIMEOUT", isFailed: false });
    expect(await outcome(2, 2, carry)).toEqual({ code: "ALLIUM_E_LINK_TIMEOUT", isFailed: true });
  });
});

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

describe("a bridge that falls under suspicion", () => {
  it("is left by the dialer, for all that goes through bridges", async () => {
    const { stack, left } = await bench(() => pipe());
    for (const guard of ["a", "b", "c", "d", "e"]) stack.bridges.failed(guard, new Set(["hostile"]));
    expect(left).toEqual(["hostile"]);
  });
});
