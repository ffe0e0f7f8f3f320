import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TorError } from "../../src/base/errors.ts";
import { type MemoryAccount, type MemoryHolder, MemoryQuota } from "../../src/base/memory-quota.ts";

/** Holds memory since a time of its own, lets go of all when told, and notes the error that it was told with. */
class Holder implements MemoryHolder {
  held = 0;
  since: number;
  readonly errors: TorError[] = [];
  readonly #account: MemoryAccount;

  constructor(quota: MemoryQuota, since = 0) {
    this.since = since;
    this.#account = quota.account(this);
  }

  hold(bytes: number): void {
    this.held += bytes;
    this.#account.charge(bytes);
  }

  oldest(): number {
    if (this.held === 0) throw new Error("asked though it holds nothing");
    return this.since;
  }

  reclaim(error: TorError): void {
    this.errors.push(error);
    this.hold(-this.held);
  }
}

const reclaims = (...holders: Holder[]) => holders.map(({ errors }) => errors.length);

describe("a quota", () => {
  it("counts what all accounts use, and goes back to 0 with them", () => {
    const quota = new MemoryQuota(1000, "a test");
    const [a, b] = [new Holder(quota), new Holder(quota)];
    expect(quota.used).toBe(0);
    a.hold(300);
    b.hold(500);
    a.hold(-100);
    expect(quota.used).toBe(700);
    a.hold(-200);
    b.hold(-500);
    expect(quota.used).toBe(0);
    expect(quota.limit).toBe(1000);
  });

  it("may be used up to its limit, and not by one byte more", () => {
    const quota = new MemoryQuota(1000, "a test");
    const holder = new Holder(quota);
    holder.hold(1000);
    expect(reclaims(holder)).toEqual([0]);
    holder.hold(1);
    expect(reclaims(holder)).toEqual([1]);
    expect(quota.used).toBe(0);
  });

  it("says what is limited to how much", () => {
    const holder = new Holder(new MemoryQuota(5, "the client"));
    holder.hold(6);
    expect(holder.errors).toMatchObject([{ kind: "limit", code: "ALLIUM_E_MEMORY_LIMIT" }]);
    expect(holder.errors[0]?.message).toMatch(/the client.*\b5 bytes/);
    expect(holder.errors[0]).toBeInstanceOf(TorError);
  });

  it("leaves alone whoever cannot say since when it holds anything", () => {
    const quota = new MemoryQuota(100, "a test");
    const timeless: MemoryHolder = {
      oldest: () => Number.POSITIVE_INFINITY,
      reclaim() {
        throw new Error("reclaimed");
      },
    };
    const account = quota.account(timeless);
    account.charge(300);
    account.charge(-50);
    expect(quota.used).toBe(250);
    const holder = new Holder(quota);
    holder.hold(1);
    expect(reclaims(holder)).toEqual([1]);
    expect(quota.used).toBe(250);
  });
});

describe("when the limit is exceeded", () => {
  it("the account whose data have waited longest is cleared, and no other", () => {
    const quota = new MemoryQuota(1000, "a test");
    const holders = [new Holder(quota, 30), new Holder(quota, 10), new Holder(quota, 20)] as const;
    for (const holder of holders) holder.hold(300);
    holders[2].hold(300);
    expect(reclaims(...holders)).toEqual([0, 1, 0]);
    expect(holders.map(({ held }) => held)).toEqual([300, 0, 600]);
    expect(quota.used).toBe(900);
  });

  it("as many are cleared, the older first, as it takes", () => {
    const quota = new MemoryQuota(1000, "a test");
    const order: number[] = [];
    const holders = [4, 2, 3, 1].map((since) => {
      const holder = new Holder(quota, since);
      const reclaim = holder.reclaim.bind(holder);
      holder.reclaim = (error) => {
        order.push(since);
        reclaim(error);
      };
      return holder;
    });
    for (const holder of holders) holder.hold(250);
    (holders[0] as Holder).hold(600);
    expect(order).toEqual([1, 2, 3]);
    expect(quota.used).toBe(850);
  });

  it("whoever charges is cleared too where its own data are the oldest", () => {
    const quota = new MemoryQuota(1000, "a test");
    const [old, young] = [new Holder(quota, 1), new Holder(quota, 2)];
    young.hold(900);
    old.hold(100);
    old.hold(1);
    expect(reclaims(old, young)).toEqual([1, 0]);
    expect(quota.used).toBe(900);
  });

  it("whoever charges alone more than there is loses it at once", () => {
    const quota = new MemoryQuota(10, "a test");
    const holder = new Holder(quota);
    holder.hold(11);
    expect(reclaims(holder)).toEqual([1]);
    expect([holder.held, quota.used]).toEqual([0, 0]);
    // And may go on.
    holder.hold(10);
    expect(reclaims(holder)).toEqual([1]);
    expect(quota.used).toBe(10);
  });

  it("an account at 0 is not asked, whenever it was made or used", () => {
    const quota = new MemoryQuota(100, "a test");
    const idle = new Holder(quota, 0);
    const done = new Holder(quota, 1);
    done.hold(50);
    done.hold(-50);
    const busy = new Holder(quota, 2);
    busy.hold(101);
    expect(reclaims(idle, done, busy)).toEqual([0, 0, 1]);
  });

  it("an account that was cleared counts again as soon as it holds something", () => {
    const quota = new MemoryQuota(100, "a test");
    const holder = new Holder(quota, 1);
    holder.hold(101);
    holder.hold(60);
    const other = new Holder(quota, 2);
    other.hold(60);
    expect(reclaims(holder, other)).toEqual([2, 0]);
    expect(quota.used).toBe(60);
  });
});

describe("nested quotas", () => {
  function nested() {
    const client = new MemoryQuota(1000, "the client");
    const circuits = [
      new MemoryQuota(600, "a circuit", client),
      new MemoryQuota(600, "a circuit", client),
    ] as const;
    return { client, circuits };
  }

  it("charge those around them, and give back to them", () => {
    const { client, circuits } = nested();
    const [a, b] = [new Holder(circuits[0]), new Holder(circuits[1])];
    a.hold(400);
    b.hold(300);
    expect([client.used, circuits[0].used, circuits[1].used]).toEqual([700, 400, 300]);
    a.hold(-400);
    b.hold(-300);
    expect([client.used, circuits[0].used, circuits[1].used]).toEqual([0, 0, 0]);
  });

  it("keep the inner limit to themselves: another circuit's older data stay", () => {
    const { client, circuits } = nested();
    const elsewhere = new Holder(circuits[1], 0);
    const [old, young] = [new Holder(circuits[0], 1), new Holder(circuits[0], 2)];
    elsewhere.hold(100);
    old.hold(300);
    young.hold(301);
    expect(reclaims(elsewhere, old, young)).toEqual([0, 1, 0]);
    expect(old.errors[0]?.message).toContain("a circuit");
    expect([client.used, circuits[0].used]).toEqual([401, 301]);
  });

  it("obey the outer limit whichever circuit has the oldest data", () => {
    const { client, circuits } = nested();
    const [old, young] = [new Holder(circuits[1], 1), new Holder(circuits[0], 2)];
    old.hold(500);
    young.hold(501);
    expect(reclaims(old, young)).toEqual([1, 0]);
    expect(old.errors[0]?.message).toContain("the client");
    expect([client.used, circuits[0].used, circuits[1].used]).toEqual([501, 501, 0]);
  });

  it("clear nobody twice where one charge exceeds both limits", () => {
    const { client, circuits } = nested();
    const elsewhere = new Holder(circuits[1], 5);
    const [old, young] = [new Holder(circuits[0], 1), new Holder(circuits[0], 2)];
    elsewhere.hold(500);
    old.hold(300);
    young.hold(301);
    expect(reclaims(elsewhere, old, young)).toEqual([0, 1, 0]);
    expect([client.used, circuits[0].used, circuits[1].used]).toEqual([801, 301, 500]);
  });

  it("may be of any depth, and an account may stand on any level", () => {
    const outer = new MemoryQuota(100, "outer");
    const middle = new MemoryQuota(1000, "middle", outer);
    const inner = new MemoryQuota(1000, "inner", middle);
    const [deep, high] = [new Holder(inner, 1), new Holder(outer, 2)];
    deep.hold(60);
    high.hold(60);
    expect(reclaims(deep, high)).toEqual([1, 0]);
    expect([outer.used, middle.used, inner.used]).toEqual([60, 0, 0]);
  });
});

it("is never over its limit, and always the sum of what is held, whatever comes", () => {
  const step = fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: -40, max: 60 }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const client = new MemoryQuota(200, "the client");
      const circuits = [0, 1].map(() => new MemoryQuota(120, "a circuit", client));
      const holders = Array.from({ length: 6 }, (_, i) => new Holder(circuits[i % 2] as MemoryQuota));
      for (const [time, [which, bytes]] of steps.entries()) {
        const holder = holders[which] as Holder;
        if (holder.held === 0) holder.since = time;
        holder.hold(Math.max(bytes, -holder.held));
        for (const [i, circuit] of circuits.entries()) {
          const held = holders.filter((_, at) => at % 2 === i).reduce((sum, each) => sum + each.held, 0);
          expect(circuit.used).toBe(held);
          expect(held).toBeLessThanOrEqual(120);
        }
        expect(client.used).toBe(holders.reduce((sum, each) => sum + each.held, 0));
        expect(client.used).toBeLessThanOrEqual(200);
      }
      for (const holder of holders) holder.hold(-holder.held);
      expect([client.used, ...circuits.map(({ used }) => used)]).toEqual([0, 0, 0]);
    }),
  );
});
