// Bytes in the list of circuits: each one's while it is open, and all of them for good.

import { describe, expect, it } from "vitest";
import { TorError } from "../../src/base/errors.ts";
import { CircuitRegistry } from "../../src/path/registry.ts";
import { guardRelay } from "./synthetic.ts";

const GUARD = guardRelay(1);
const NOTHING = { received: 0, sent: 0 };
const BROKEN = new TorError("circuit-collapse", "ALLIUM_E_TEST", "broken");

/** A circuit whose bytes are as a test says. */
function carrier(id: number, received = 0, sent = 0) {
  return { id, traffic: { received, sent } };
}

function open(registry: CircuitRegistry, purpose: "general" | "directory", received: number, sent: number) {
  const id = registry.begin(purpose, [GUARD]);
  registry.opened(id, []);
  const circuit = carrier(id, received, sent);
  registry.watch(purpose, circuit);
  return circuit;
}

describe("the bytes of circuits", () => {
  it("are none at first, and none while one is built", () => {
    const registry = new CircuitRegistry();
    registry.begin("general", [GUARD]);
    expect(registry.traffic()).toEqual(new Map());
    expect(registry.totalTraffic()).toEqual({ general: NOTHING, directory: NOTHING });
  });

  it("are those of now, by circuit and by purpose", () => {
    const registry = new CircuitRegistry();
    const one = open(registry, "general", 100, 10);
    const two = open(registry, "general", 200, 20);
    const three = open(registry, "directory", 3000, 300);
    expect(registry.totalTraffic()).toEqual({
      general: { received: 300, sent: 30 },
      directory: { received: 3000, sent: 300 },
    });
    one.traffic = { received: 101, sent: 12 };
    expect(registry.totalTraffic().general).toEqual({ received: 301, sent: 32 });
    expect(registry.traffic()).toEqual(new Map([one, two, three].map(({ id, traffic }) => [id, traffic])));
  });

  it("stay in the sum when a circuit is gone, and are counted once", () => {
    const registry = new CircuitRegistry();
    const one = open(registry, "general", 100, 10);
    const two = open(registry, "general", 200, 20);
    one.traffic = { received: 150, sent: 15 };
    registry.closed(one.id);
    registry.closed(one.id, BROKEN);
    expect([...registry.traffic().keys()]).toEqual([two.id]);
    expect(registry.totalTraffic().general).toEqual({ received: 350, sent: 35 });
    registry.closed(two.id, BROKEN);
    expect(registry.totalTraffic()).toEqual({ general: { received: 350, sent: 35 }, directory: NOTHING });
  });

  it("are in the sum already when its last event is told", () => {
    const sums: number[] = [];
    const registry: CircuitRegistry = new CircuitRegistry(({ state }) => {
      if (state === "closed") sums.push(registry.totalTraffic().general.received);
    });
    registry.closed(open(registry, "general", 100, 10).id);
    expect(sums).toEqual([100]);
  });

  it("of a circuit that was gone at once are in the sum all the same", () => {
    const registry = new CircuitRegistry();
    const id = registry.begin("directory", [GUARD]);
    registry.opened(id, []);
    registry.closed(id);
    registry.watch("directory", carrier(id, 7, 8));
    expect(registry.traffic().size).toBe(0);
    expect(registry.totalTraffic().directory).toEqual({ received: 7, sent: 8 });
  });
});
