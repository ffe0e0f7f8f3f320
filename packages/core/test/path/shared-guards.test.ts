// Clients that share one store share one sample of guards (guard-store.ts).

import { describe, expect, it } from "vitest";
import { utf8 } from "../../src/base/encoding.ts";
import { memoryStore } from "../../src/base/memory-store.ts";
import type { Store } from "../../src/base/ports.ts";
import type { Relay } from "../../src/directory/api.ts";
import type { GuardKeeper } from "../../src/path/guard-keeper.ts";
import type { GuardTicket } from "../../src/path/guard-ticket.ts";
import { bench, MINUTE, nameOf } from "./guard-bench.ts";
import { guardRelay } from "./synthetic.ts";

describe("two clients of one store", () => {
  const fingerprints = ({ guards }: { guards: GuardKeeper }) =>
    guards.export().guards.map(({ fingerprint }) => fingerprint);

  it("that begin together have one sample", async () => {
    const store = memoryStore();
    const clients = [await bench(store), await bench(store), await bench(store)];
    const tickets = await Promise.all(clients.map(({ choose }) => choose()));
    const [first] = clients.map(fingerprints);
    for (const [i, client] of clients.entries()) {
      await (tickets[i] as GuardTicket).built();
      await client.guards.flush();
      expect(first).toContain(nameOf((tickets[i] as GuardTicket).relay));
      expect(fingerprints(client)).toEqual(first);
    }
    expect(fingerprints(await bench(store))).toEqual(first);
  });

  it("learn from each other what was confirmed, and never write a torn state", async () => {
    const store = memoryStore();
    const [one, other] = [await bench(store), await bench(store)];
    const ticket = await one.choose();
    await ticket.built();
    await one.guards.flush();
    const taken = new Set([ticket.relay]);
    await (await other.choose((relay) => !taken.has(relay))).built();
    await other.guards.flush();
    const next = await bench(store);
    const confirmed = next.guards.export().guards.filter((guard) => guard.confirmed);
    expect(confirmed).toHaveLength(2);
    expect(confirmed.map(({ confirmed_index }) => confirmed_index).sort()).toEqual([0, 1]);
    expect(next.logs.filter(({ level }) => level === "warn")).toEqual([]);
  });

  it("that never agree get a guard that is not used, not a client that chooses for ever", async () => {
    const [low, high] = [0, 20].map((from) =>
      Array.from({ length: 20 }, (_, i) => recordOf(guardRelay(from + i))),
    );
    let reads = 0;
    const store: Store = {
      ...memoryStore(),
      // Each time it is read the other client has replaced all.
      get: async () => {
        reads++;
        const guards = Math.min(reads, 10) % 2 === 0 ? low : high;
        const written = { epoch: `${Math.min(reads, 10)}`, revision: 1 };
        return utf8(JSON.stringify({ version: 2, ...written, last_updated: new Date(0), guards }));
      },
    };
    const { choose } = await bench(store);
    const ticket = await choose();
    // Once to load, and once for each of three tries.
    expect(reads).toBe(4);
    await expect(ticket.built()).rejects.toMatchObject({ code: "ALLIUM_E_NO_GUARD" });
  });

  /** With an old name, so that the sample that takes it over has something to write. */
  function recordOf(relay: Relay) {
    const time = new Date(Date.UTC(2025, 11, 31)).toISOString();
    return {
      ...{ fingerprint: nameOf(relay), nickname: "old", address: "10.7.0.1:9001", confirmed: false },
      ...{ first_used: time, last_used: time, added_on: time },
    };
  }

  it("bring nothing back that the other one reset or replaced", async () => {
    const store = memoryStore();
    const [one, other] = [await bench(store), await bench(store)];
    await (await one.choose()).built();
    const before = await other.choose();
    await before.built();
    await one.guards.flush();
    await other.guards.flush();
    await one.guards.reset();
    const { clock } = other;
    clock.advance(2 * 60 * MINUTE);
    await (await other.choose()).built();
    await other.guards.flush();
    const confirmed = (await bench(store)).guards.export().guards.filter((guard) => guard.confirmed);
    expect(confirmed.length).toBeLessThanOrEqual(1);
  });
});
