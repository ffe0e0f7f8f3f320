// The pool: who shares a circuit, what is waited for, what becomes of circuits (path-spec 2.1, guard-spec 4.9).

import { describe, expect, it } from "vitest";
import { type Deferred, deferred } from "../../src/base/abort.ts";
import { toHex } from "../../src/base/encoding.ts";
import { TorError } from "../../src/base/errors.ts";
import type { Circuit } from "../../src/circuit/api.ts";
import type { Relay } from "../../src/directory/api.ts";
import { CircuitPool, type CircuitRequest } from "../../src/path/circuits.ts";
import { type PaddingMode, unusedCircuitLifetime } from "../../src/path/padding.ts";
import { type ExitTarget, type Path, PathSelector } from "../../src/path/select.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { type FakeCircuit, fakeCircuit, fakeTicket, settle } from "./fakes.ts";
import { exitRelay, guardRelay, netdir, relay } from "./synthetic.ts";

const WEB: ExitTarget = { port: 443, family: 4 };
const PLAIN: ExitTarget = { port: 80, family: 4 };
const MAIL: ExitTarget = { port: 993, family: 4 };
const MINUTE = 60_000;
const RELAYS = { guard: guardRelay(1), middle: relay({ id: 2 }), exit: exitRelay(3) };
const PATH: Path = { ...RELAYS, netdir: netdir(Object.values(RELAYS)), stable: true };

interface Build extends Deferred<Circuit> {
  readonly path: readonly Relay[];
  readonly signal: AbortSignal | undefined;
}

function bench(path = PATH, padding: PaddingMode = "normal") {
  const clock = new ManualClock();
  const builds: Build[] = [];
  const told: string[] = [];
  const requested: number[] = [];
  const chosen: { target: ExitTarget; avoid: ReadonlySet<string> }[] = [];
  const pool = new CircuitPool({
    clock,
    choosePath: async (target, avoid) => {
      chosen.push({ target, avoid });
      return { ...path, ticket: fakeTicket(path.guard, told) };
    },
    serves: (chosen, target) => new PathSelector(chosen.netdir, true).serves(chosen, target),
    unusedLifetime: (netdir) => unusedCircuitLifetime(padding, netdir),
    onRequest: ({ port }) => requested.push(port),
    builder: {
      build: (request) => {
        const build = { ...deferred<Circuit>(), path: request.others, signal: request.signal };
        builds.push(build);
        return build.promise;
      },
    },
    retry: { attempts: 3, initialDelay: 1000, maxDelay: 30_000, multiplier: 2, jitter: 0 },
    maxDirtiness: 10 * MINUTE,
  });
  /** Answers the build that begins next. */
  const finish = async (outcome: FakeCircuit | TorError = fakeCircuit([])) => {
    await settle();
    const build = builds.at(-1);
    if (outcome instanceof TorError) build?.reject(outcome);
    else build?.resolve(outcome);
    await settle();
    return outcome as FakeCircuit;
  };
  const acquire = (request: Partial<CircuitRequest> = {}) =>
    pool.acquire({ target: WEB, isolation: "", ...request });
  const opened = async (request: Partial<CircuitRequest> = {}) => {
    const asked = acquire(request);
    await finish();
    return (await asked).circuit as FakeCircuit;
  };
  return { clock, builds, told, chosen, requested, pool, finish, acquire, opened };
}

describe("requests of one isolation key", () => {
  it("share a circuit, also while it is being built", async () => {
    const { builds, finish, acquire } = bench();
    const asked = [acquire(), acquire()];
    const circuit = await finish();
    for (const one of asked) expect((await one).circuit).toBe(circuit);
    expect((await acquire()).circuit).toBe(circuit);
    expect((await acquire({ target: PLAIN })).circuit).toBe(circuit);
    expect(builds).toHaveLength(1);
  });

  it("get another circuit when the exit does not allow the port", async () => {
    const { builds, opened } = bench();
    const circuit = await opened();
    expect(await opened({ target: MAIL })).not.toBe(circuit);
    expect(builds).toHaveLength(2);
  });

  it("get another circuit for a long-lived port when a hop is not Stable", async () => {
    const exit = exitRelay(3, { ports: [22, 443] });
    const shaky = bench({ ...PATH, exit, stable: false });
    const first = await shaky.opened();
    expect(await shaky.opened({ target: { port: 22, family: 4 } })).not.toBe(first);
  });

  it("get another circuit when this one's exit already failed them", async () => {
    const { chosen, opened } = bench();
    const first = await opened();
    const avoidExits = new Set([toHex(PATH.exit.rsaId)]);
    expect(await opened({ avoidExits })).not.toBe(first);
    expect(chosen.at(-1)?.avoid).toEqual(avoidExits);
  });

  it("get another circuit when the first is gone", async () => {
    const { opened } = bench();
    const first = await opened();
    first.close();
    await settle();
    expect(await opened()).not.toBe(first);
  });
});

describe("requests of different isolation keys", () => {
  it("never share a circuit, not even one being built", async () => {
    const { builds, acquire } = bench();
    const asked = [acquire({ isolation: "a" }), acquire({ isolation: "b" })];
    await settle();
    expect(builds).toHaveLength(2);
    for (const build of builds) build.resolve(fakeCircuit([]));
    const [a, b] = await Promise.all(asked);
    expect(a?.circuit).not.toBe(b?.circuit);
    expect((await acquire({ isolation: "a" })).circuit).toBe(a?.circuit);
    expect((await acquire({ isolation: "b" })).circuit).toBe(b?.circuit);
  });

  it("do not share the circuit built ahead either: the first takes it", async () => {
    const { builds, finish, acquire, pool, opened } = bench();
    const ahead = pool.buildAhead(WEB);
    const circuit = await finish();
    await ahead;
    expect((await acquire({ isolation: "a" })).circuit).toBe(circuit);
    expect(await opened({ isolation: "b" })).not.toBe(circuit);
    expect(builds).toHaveLength(2);
  });
});

describe("a circuit", () => {
  it("takes no stream ten minutes after its first, and closes with its last", async () => {
    const { clock, acquire, opened } = bench();
    const first = await opened();
    const stream = await first.openStream("example.com", 443);
    clock.advance(9 * MINUTE);
    expect((await acquire()).circuit).toBe(first);
    clock.advance(2 * MINUTE);
    expect(await opened()).not.toBe(first);
    expect(first.isClosed).toBe(false);
    stream.close();
    clock.advance(MINUTE);
    await settle();
    expect(first.isClosed).toBe(true);
  });

  it.each([
    ["half an hour to an hour", "normal", 30],
    ["half of that where padding is reduced", "reduced", 15],
  ] as const)("built ahead and never used is closed after %s", async (_, padding, least) => {
    const { clock, finish, pool } = bench(PATH, padding);
    const ahead = pool.buildAhead(WEB);
    const circuit = await finish();
    await ahead;
    clock.advance((least - 1) * MINUTE);
    await settle();
    expect(circuit.isClosed).toBe(false);
    clock.advance((least + 1) * MINUTE);
    await settle();
    expect(circuit.isClosed).toBe(true);
  });

  it("that is retired takes no more streams but keeps those it has", async () => {
    const { pool, opened } = bench();
    const first = await opened();
    await first.openStream("example.com", 443);
    pool.retire(first);
    expect(first.isClosed).toBe(false);
    expect(await opened()).not.toBe(first);
  });

  it("is closed at once by retireAll when it carries nothing", async () => {
    const { pool, opened } = bench();
    const first = await opened();
    pool.retireAll();
    expect(first.isClosed).toBe(true);
  });

  it("that was being built at retireAll serves only those who asked before", async () => {
    const { pool, acquire, finish, builds } = bench();
    const before = acquire();
    await settle();
    pool.retireAll();
    const after = acquire();
    await settle();
    expect(builds).toHaveLength(2);
    builds[0]?.resolve(fakeCircuit([]));
    await finish();
    expect((await before).circuit).not.toBe((await after).circuit);
  });

  it("goes after retireAll to nobody who has asked since, where one who asked before takes it", async () => {
    const { pool, acquire, builds, clock } = bench();
    const before = acquire();
    await settle();
    pool.retireAll();
    builds[0]?.reject(new TorError("circuit-collapse", "ALLIUM_E_TEST", "broken"));
    await settle();
    clock.advance(1000);
    await settle();
    const after = acquire();
    await settle();
    const circuits = [fakeCircuit([]), fakeCircuit([])];
    for (const [i, circuit] of circuits.entries()) builds[1 + i]?.resolve(circuit);
    expect([(await before).circuit, (await after).circuit]).toEqual(circuits);
    expect((await acquire({ era: 0 })).circuit).toBe(circuits[0]);
    expect((await acquire()).circuit).toBe(circuits[1]);
  });
});

describe("a request whose circuit is not complete", () => {
  it("gets another one that would do and is complete before (the first may wait for a better guard's)", async () => {
    const { acquire, builds, pool } = bench();
    const asked = acquire();
    await settle();
    void pool.prepare(WEB);
    await settle();
    const spare = fakeCircuit([]);
    builds[1]?.resolve(spare);
    expect((await asked).circuit).toBe(spare);
    expect(pool.unused()).toBe(0);
  });

  it("does not get one of another key, nor one that its exit's policy or past rules out", async () => {
    const { acquire, builds, opened, pool } = bench();
    const asked = [acquire({ isolation: "a" }), acquire({ isolation: "b", target: MAIL })];
    let settled = 0;
    for (const one of asked) void one.then(() => settled++);
    await settle();
    await opened({ isolation: "c" });
    expect([builds.length, settled]).toEqual([3, 0]);
    void pool.prepare(WEB);
    await settle();
    builds[3]?.resolve(fakeCircuit([]));
    await settle();
    expect(settled).toBe(1);
  });

  it("takes none once it was given up", async () => {
    const { acquire, builds, pool } = bench();
    const controller = new AbortController();
    const asked = acquire({ signal: controller.signal });
    await settle();
    controller.abort();
    await expect(asked).rejects.toMatchObject({ kind: "aborted" });
    void pool.prepare(WEB);
    await settle();
    builds[1]?.resolve(fakeCircuit([]));
    await settle();
    expect(pool.unused()).toBe(1);
  });
});

describe("starting over on another network", () => {
  it("gives up what is being built, without blame, and has another one built for who waits", async () => {
    const { acquire, builds, pool } = bench();
    const asked = acquire();
    await settle();
    pool.startOver();
    expect(builds[0]?.signal?.reason).toMatchObject({ kind: "aborted" });
    await settle();
    const next = fakeCircuit([]);
    builds[1]?.resolve(next);
    expect((await asked).circuit).toBe(next);
    const late = fakeCircuit([]);
    builds[0]?.resolve(late);
    await settle();
    expect(late.isClosed).toBe(true);
  });

  it("has one ahead of need tried again", async () => {
    const { builds, clock, pool } = bench();
    const ahead = pool.buildAhead(WEB);
    await settle();
    pool.startOver();
    builds[0]?.reject(builds[0].signal?.reason);
    await settle();
    clock.advance(1000);
    await settle();
    builds[1]?.resolve(fakeCircuit([]));
    await ahead;
  });

  it("lets go of a guard that was chosen too late", async () => {
    const { acquire, pool, told } = bench();
    void acquire().catch(() => {});
    await Promise.resolve();
    pool.startOver();
    await settle();
    expect(told).toEqual(["gave up"]);
  });

  it("puts no request on what is there, and lets streams end", async () => {
    const { acquire, builds, opened, pool } = bench();
    const busy = await opened();
    const stream = await busy.openStream("example.com", 443);
    expect(pool.isInUse).toBe(true);
    pool.startOver();
    expect(busy.isClosed).toBe(false);
    void acquire();
    await settle();
    expect(builds).toHaveLength(2);
    stream.close();
    expect(pool.isInUse).toBe(false);
  });
});

describe("circuits that nobody has used", () => {
  it("are counted with those being built, for the ports that they serve", async () => {
    const { pool, finish, acquire, requested } = bench();
    const prepared = pool.prepare(WEB);
    expect([pool.unused(), pool.unused(WEB), pool.unused(MAIL)]).toEqual([1, 1, 0]);
    await finish();
    await prepared;
    expect([pool.unused(), pool.unused(WEB), pool.unused(PLAIN), pool.unused(MAIL)]).toEqual([1, 1, 1, 0]);
    expect(requested).toEqual([]);
    await acquire();
    expect([pool.unused(), pool.unused(WEB)]).toEqual([0, 0]);
    expect(requested).toEqual([443]);
  });
});

describe("building", () => {
  const COLLAPSE = new TorError("circuit-collapse", "ALLIUM_E_TEST", "collapsed");

  it("is tried again after a delay, three times in all", async () => {
    const { clock, builds, acquire, finish } = bench();
    const asked = acquire();
    asked.catch(() => {});
    for (const delay of [1000, 2000, 0]) {
      await finish(COLLAPSE);
      clock.advance(delay);
    }
    await expect(asked).rejects.toBe(COLLAPSE);
    expect(builds).toHaveLength(3);
  });

  it("is not tried again when there is no path", async () => {
    const { builds, acquire, finish } = bench();
    const asked = acquire();
    asked.catch(() => {});
    const error = new TorError("no-path", "ALLIUM_E_NO_RELAY", "no exit");
    await finish(error);
    await expect(asked).rejects.toBe(error);
    expect(builds).toHaveLength(1);
  });

  it("goes on for others when one request is aborted", async () => {
    const { acquire, finish } = bench();
    const controller = new AbortController();
    const asked = acquire({ signal: controller.signal });
    const other = acquire();
    await settle();
    controller.abort();
    await expect(asked).rejects.toMatchObject({ kind: "aborted" });
    const circuit = await finish();
    expect((await other).circuit).toBe(circuit);
  });

  it("is never more than 32 circuits at once", async () => {
    const { builds, acquire } = bench();
    for (let i = 0; i < 40; i++) acquire({ isolation: `key ${i}` }).catch(() => {});
    await settle();
    expect(builds).toHaveLength(32);
    builds[0]?.resolve(fakeCircuit([]));
    await settle();
    expect(builds).toHaveLength(33);
  });

  it("ends when the pool closes, and so do open circuits", async () => {
    const { pool, acquire, opened } = bench();
    const open = await opened();
    const asked = acquire({ isolation: "other" });
    asked.catch(() => {});
    await settle();
    pool.close();
    expect(open.isClosed).toBe(true);
    await expect(acquire()).rejects.toMatchObject({ code: "ALLIUM_E_CLOSED" });
  });
});
