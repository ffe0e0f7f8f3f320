// What a bridge, chance or another tab must not do to guards: each rule with the way in which it was once broken.

import { describe, expect, it } from "vitest";
import { fromUtf8, utf8 } from "../../src/base/encoding.ts";
import { TorError } from "../../src/base/errors.ts";
import { memoryStore } from "../../src/base/memory-store.ts";
import type { Store } from "../../src/base/ports.ts";
import type { NetDir } from "../../src/directory/api.ts";
import { linkClosed, linkViolation } from "../../src/link/errors.ts";
import { BridgeWatch } from "../../src/path/bridge-watch.ts";
import type { GuardTicket } from "../../src/path/guard-ticket.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { TlsError, truncated } from "../../src/tls/alert.ts";
import { settle } from "./fakes.ts";
import {
  ANY,
  bench,
  DESTROYED,
  HOUR,
  isDone,
  MINUTE,
  NETWORK,
  nameOf,
  ONE,
  SILENT,
  YEAR,
} from "./guard-bench.ts";
import { netdir } from "./synthetic.ts";

/** What a bridge can make of a link after CERTS, with the errors that channel.ts, tls and web's pipe give. */
const CUTS: [string, TorError][] = [
  ["closes the WebSocket with 1000", linkClosed("the relay closed the link", truncated("no close_notify"))],
  [
    "changes one byte",
    new TlsError("bad_record_mac", "ALLIUM_E_TLS_BAD_RECORD", "a record that does not decrypt"),
  ],
  ["takes no more bytes", new TorError("circuit-collapse", "ALLIUM_E_LINK_STALLED", "the link took no byte")],
  ["takes no more bytes from a busy link", new TorError("limit", "ALLIUM_E_LINK_QUEUE", "the queue is full")],
  ["sends text", new TorError("protocol-violation", "ALLIUM_E_BRIDGE_TEXT", "a text message")],
];

describe("without a bridge a guard that fails", () => {
  it("is to blame, and another one is taken", async () => {
    const { choose, fail, events } = await bench();
    const failed = await fail();
    expect(events.at(-1)).toMatchObject({ type: "failed", fingerprint: failed });
    expect(nameOf((await choose()).relay)).not.toBe(failed);
  });

  it("is tried again at once on another network", async () => {
    const { guards, events, fail } = await bench();
    await fail();
    guards.networkChanged();
    expect(events.at(-1)?.type).toBe("retry");
  });
});

describe("a bridge that would steer", () => {
  it("by refusing guards makes the client try others, but holds nothing against them", async () => {
    const { fail, events, guards, choose, clock } = await bench();
    const failed = [await fail("one"), await fail("one")];
    expect(new Set(failed).size).toBe(2);
    expect(events.filter(({ type }) => type === "failed")).toEqual([]);
    const sampled = guards.export().guards.length;
    clock.advance(11 * MINUTE);
    // The first choice of before is the first choice again.
    expect(failed).toContain(nameOf((await choose()).relay));
    expect(guards.export().guards.length).toBe(sampled);
  });

  it("sees eight guards at the most in a day, and the same ones again and again", async () => {
    const { fail, clock, suspicions, guards } = await bench();
    const seen = new Set<string>();
    for (let i = 0; i < 100; i++) {
      seen.add(await fail("one"));
      clock.advance(10_000);
    }
    expect(seen.size).toBe(8);
    expect(suspicions).toEqual([{ bridge: "one", tried: 5, failed: 5 }]);
    expect(guards.export().guards.length).toBeLessThanOrEqual(20);
  });

  it("does not lead to another guard by cutting off those that were reached, or by stalling", async () => {
    const { choose, watch, events } = await bench();
    for (const error of [
      SILENT,
      new TorError("circuit-collapse", "ALLIUM_E_CIRCUIT_TIMEOUT", "not built in time"),
      new TorError("bridge-unreachable", "ALLIUM_E_BRIDGE_LOST", "lost"),
    ]) {
      const ticket = await choose();
      watch.reached(nameOf(ticket.relay), new Set(["one"]));
      ticket.failed(error, true);
      expect(watch.isHeldBack(nameOf(ticket.relay))).toBe(true);
    }
    expect(events.filter(({ type }) => type === "failed")).toEqual([]);
  });

  it("is believed once another bridge agrees", async () => {
    const { choose, watch, events } = await bench();
    const ticket = await choose();
    const name = nameOf(ticket.relay);
    watch.failed(name, new Set(["one"]));
    watch.failed(name, new Set(["two"]));
    ticket.failed(SILENT, false);
    expect(events.at(-1)).toMatchObject({ type: "failed", fingerprint: name });
  });

  it("is not asked what a guard itself says: a refusal from behind its own keys counts", async () => {
    const { choose, watch, events } = await bench();
    const ticket = await choose();
    watch.reached(nameOf(ticket.relay), new Set(["one"]));
    ticket.failed(DESTROYED, true);
    expect(events.at(-1)).toMatchObject({ type: "failed", fingerprint: nameOf(ticket.relay) });
  });
});

describe("a bridge that, after the guard's CERTS,", () => {
  it.each(CUTS)("%s has no guard marked unreachable", async (_, error) => {
    const { choose, watch, events } = await bench();
    const ticket = await choose();
    watch.reached(nameOf(ticket.relay), ONE);
    ticket.failed(error, true);
    expect(events.filter(({ type }) => type === "failed")).toEqual([]);
  });

  it.each(CUTS)("%s under 15 circuits has none of them counted against the guard", async (_, error) => {
    const { choose, watch, counts } = await bench();
    const tickets: GuardTicket[] = [];
    for (let i = 0; i < 15; i++) {
      const ticket = await choose();
      watch.reached(nameOf(ticket.relay), ONE);
      await ticket.built();
      tickets.push(ticket);
    }
    for (const ticket of tickets) ticket.closed(error);
    expect(counts()).toEqual([[15, 15]]);
  });
});

describe("a guard that restarts", () => {
  it("takes all circuits of its link along, and none counts against it, be there no bridge at all", async () => {
    const { choose, counts } = await bench();
    const tickets: GuardTicket[] = [];
    for (let i = 0; i < 15; i++) {
      const ticket = await choose();
      await ticket.built();
      tickets.push(ticket);
    }
    for (const ticket of tickets) ticket.closed(linkClosed("the relay closed the link"));
    expect(counts()).toEqual([[15, 15]]);
  });
});

describe("with one bridge, when all three confirmed primary guards are down", () => {
  it("a circuit through the fourth may be used", async () => {
    const { choose, fail, confirmPrimaries } = await bench();
    const primary = (await confirmPrimaries()).map(nameOf);
    const failed = [await fail("one"), await fail("one"), await fail("one")];
    expect(failed.sort()).toEqual(primary.sort());
    const ticket = await choose();
    expect(primary).not.toContain(nameOf(ticket.relay));
    expect(await isDone(ticket.built())).toBe(true);
  });

  it("does not build one circuit after the other that nobody may use", async () => {
    const { choose, fail, confirmPrimaries, wanted, clock, watch } = await bench();
    await confirmPrimaries();
    for (let i = 0; i < 3; i++) await fail("one");
    const begin = async () => {
      const ticket = await choose();
      const name = nameOf(ticket.relay);
      if (watch.isBehindBridge(name) && watch.avoid(name).size > 0) {
        watch.failed(name, ONE);
        ticket.failed(SILENT, false);
      } else {
        watch.reached(name, ONE);
        ticket.built().catch(() => {});
      }
    };
    await begin();
    let begun = 0;
    for (let second = 0; second < 300; second++) {
      clock.advance(1000);
      await settle();
      // What Engine does: circuitWanted begins a circuit.
      for (; begun < wanted.length; begun++) await begin();
    }
    expect(begun).toBeLessThan(10);
  });
});

describe("a bridge that stalls", () => {
  it("has no more than eight guards under way at once", async () => {
    const { choose, fail } = await bench();
    const seen = new Set([await fail("one"), await fail("one"), await fail("one")]);
    for (let i = 0; i < 16; i++) seen.add(nameOf((await choose()).relay));
    expect(seen.size).toBeLessThanOrEqual(8);
  });
});

describe("a guard that has been in use for more than a day", () => {
  it("is still not to blame when the bridge cuts it off", () => {
    const clock = new ManualClock();
    const watch = new BridgeWatch({ clock, onSuspicion: () => {} });
    watch.reached("guard", ONE);
    clock.advance(24 * HOUR);
    watch.mayTry("another");
    expect(watch.isBehindBridge("guard")).toBe(true);
    watch.cutOff("guard");
    expect(watch.isToBlame("guard")).toBe(false);
  });
});

describe("a guard", () => {
  it("that another circuit had sampled is not used before it is written down", async () => {
    const store = memoryStore();
    let release: () => void = () => {};
    const slow: Store = {
      ...store,
      set: async (entries) => {
        await new Promise<void>((resolve) => {
          release = resolve;
        });
        await store.set(entries);
      },
    };
    const { choose } = await bench(slow);
    const first = choose();
    await settle();
    const second = choose();
    expect(await isDone(first)).toBe(false);
    expect(await isDone(second)).toBe(false);
    release();
    await Promise.all([first, second]);
  });
});

describe("a directory circuit that must not use any primary guard", () => {
  it("does not wait for them", async () => {
    const { guards, confirmPrimaries } = await bench();
    const primary = new Set(await confirmPrimaries());
    const ticket = await guards.choose(NETWORK, "directory", (relay) => !primary.has(relay));
    expect(await isDone(ticket.built())).toBe(true);
  });
});

describe("on another network", () => {
  it("guards that a bridge could not reach before are tried again at once", async () => {
    const { guards, fail, choose } = await bench();
    const failed = [await fail("one"), await fail("one"), await fail("one")];
    guards.networkChanged();
    expect(failed).toContain(nameOf((await choose()).relay));
  });
});

describe("after reset, for which a person asked", () => {
  it("guards can be tried though eight were today", async () => {
    const { guards, fail, choose } = await bench();
    const tried = new Set<string>();
    for (let i = 0; i < 8; i++) tried.add(await fail("one"));
    expect(tried.size).toBe(8);
    await guards.reset();
    await expect(choose((relay) => !tried.has(nameOf(relay)))).resolves.toBeDefined();
  });
});

describe("a guard that was reached after one bridge had passed the connection on to another", () => {
  it("was reached through the last one: that one alone does not condemn it", () => {
    const watch = new BridgeWatch({ clock: new ManualClock(), onSuspicion: () => {} });
    watch.reached("guard", new Set(["dead", "hostile"]));
    watch.cutOff("guard");
    expect(watch.isToBlame("guard")).toBe(false);
    expect([...watch.avoid("guard")]).toEqual(["hostile"]);
  });
});

describe("a view that is older than the one in use", () => {
  it("(a download that began before still names it) changes nothing in the sample", async () => {
    const { guards, choose } = await bench();
    const { relay } = await choose();
    const next: NetDir = {
      ...netdir([...NETWORK.relays].filter((one) => one !== relay)),
      ...{ validAfter: HOUR, freshUntil: 100 * YEAR, validUntil: 101 * YEAR },
    };
    await guards.choose(next, "data", ANY);
    const unlisted = () =>
      guards.export().guards.find(({ fingerprint }) => fingerprint === nameOf(relay))?.unlisted_since;
    const since = unlisted();
    expect(since).toBeDefined();
    await guards.choose(NETWORK, "directory", ANY);
    expect(unlisted()).toBe(since);
  });
});

describe("a reset", () => {
  it("is not undone by a writing that was under way when another tab had written too", async () => {
    const store = memoryStore();
    const gates: (() => void)[] = [];
    let isHeld = false;
    const slow: Store = {
      ...store,
      get: async (key) => {
        if (isHeld) await new Promise<void>((resolve) => void gates.push(resolve));
        return store.get(key);
      },
    };
    const one = await bench(slow);
    await (await one.choose()).built();
    await one.guards.flush();
    const other = await bench(store);
    const ticket = await other.choose(
      (relay) => !other.guards.export().guards[0]?.fingerprint.includes(nameOf(relay)),
    );
    await ticket.built();
    await other.guards.flush();
    const mine = await one.choose((relay) => relay !== ticket.relay);
    isHeld = true;
    one.clock.advance(2 * HOUR);
    void mine.built();
    await settle();
    expect(gates).toHaveLength(1);
    const reset = one.guards.reset();
    isHeld = false;
    for (const open of gates) open();
    await reset;
    expect(one.guards.export().guards.filter(({ confirmed }) => confirmed)).toEqual([]);
  });
});

describe("guards that could not be written once", () => {
  it("are written the next time", async () => {
    const store = memoryStore();
    let isFull = true;
    const { choose, guards } = await bench({
      ...store,
      set: (entries) => (isFull ? Promise.reject(new Error("quota")) : store.set(entries)),
    });
    const { relay } = await choose();
    isFull = false;
    await guards.flush();
    expect(fromUtf8((await store.get("guards")) ?? utf8(""))).toContain(nameOf(relay));
  });
});

describe("a store whose lock is never granted (a tab that was frozen holds it)", () => {
  it("costs persistence, not service", async () => {
    const { choose, clock } = await bench({ ...memoryStore(), lock: () => new Promise(() => {}) });
    const choosing = choose();
    await settle();
    clock.advance(30_000);
    expect(await isDone(choosing)).toBe(true);
  });
});

describe("a bridge that fell under suspicion", () => {
  it("is left for a day from then on, not for what is left of its first", () => {
    const clock = new ManualClock();
    const watch = new BridgeWatch({ clock, onSuspicion: () => {} });
    for (const guard of ["a", "b", "c"]) watch.reached(guard, ONE);
    clock.advance(24 * HOUR - MINUTE);
    for (const guard of ["d", "e"]) watch.failed(guard, ONE);
    expect([...watch.avoid("anything")]).toEqual(["one"]);
    clock.advance(MINUTE);
    expect([...watch.avoid("anything")]).toEqual(["one"]);
  });
});

describe("a guard that closes the link behind which circuits are being built", () => {
  it("is counted for path bias where no bridge could have done it (path-spec 7)", async () => {
    const { choose, counts } = await bench();
    const tickets: GuardTicket[] = [];
    for (let i = 0; i < 15; i++) tickets.push(await choose());
    for (const ticket of tickets) ticket.failedLater(linkClosed("the relay closed the link"));
    expect(counts()).toEqual([[15, 0]]);
  });
});

describe("a guard that breaks the link protocol behind its own keys", () => {
  it("is to blame, whoever carries its bytes", async () => {
    const { choose, watch, events } = await bench();
    const ticket = await choose();
    watch.reached(nameOf(ticket.relay), ONE);
    ticket.failed(linkViolation("COMMAND", "command 1 on an open channel"), true);
    expect(events.at(-1)).toMatchObject({ type: "failed", fingerprint: nameOf(ticket.relay) });
  });
});
