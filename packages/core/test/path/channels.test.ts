// The pool of channels: shared, opened once, closed in time, left behind on another network (tor-spec 3, padding-spec 3.1).

import { describe, expect, it } from "vitest";
import { type Deferred, deferred } from "../../src/base/abort.ts";
import { TorError } from "../../src/base/errors.ts";
import type { Channel, ChannelTarget } from "../../src/link/api.ts";
import { ChannelPool } from "../../src/path/channels.ts";
import type { PaddingMode } from "../../src/path/padding.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { fakeChannel, settle } from "./fakes.ts";
import { relay } from "./synthetic.ts";

const A = relay({ id: 1 });
const B = relay({ id: 2 });

interface Opening extends Deferred<Channel> {
  readonly target: ChannelTarget;
  readonly signal: AbortSignal;
}

function bench(padding: PaddingMode = "normal") {
  const clock = new ManualClock();
  const openings: Opening[] = [];
  const pool = new ChannelPool({
    clock,
    padding,
    open: (target, signal) => {
      const opening = { ...deferred<Channel>(), target, signal };
      openings.push(opening);
      return opening.promise;
    },
  });
  const opening = (index: number): Opening => {
    const found = openings[index];
    if (found === undefined) throw new Error("not opened");
    return found;
  };
  return { clock, openings, opening, pool };
}

describe("the channel pool", () => {
  it("shares one channel to a relay among all who ask, also while it opens", async () => {
    const { openings, opening, pool } = bench();
    const asked = [pool.get(A), pool.get(A)];
    const channel = fakeChannel(A, undefined);
    opening(0).resolve(channel);
    expect(await Promise.all(asked)).toEqual([channel, channel]);
    expect(await pool.get(A)).toBe(channel);
    expect(openings).toHaveLength(1);
  });

  it("opens one for each relay", async () => {
    const { opening, pool } = bench();
    const [a, b] = [pool.get(A), pool.get(B)];
    opening(0).resolve(fakeChannel(A, undefined));
    opening(1).resolve(fakeChannel(B, undefined));
    expect((await a).peer).toBe(A);
    expect((await b).peer).toBe(B);
    expect(pool.size).toBe(2);
  });

  it("opens another one to the same fingerprint with another Ed25519 identity", () => {
    const { openings, pool } = bench();
    void pool.get(A).catch(() => {});
    void pool.get({ ...A, ed25519Id: B.ed25519Id }).catch(() => {});
    expect(openings).toHaveLength(2);
  });

  it("left for another network opens new ones, and closes those of before with their last circuit", async () => {
    const { clock, openings, opening, pool } = bench();
    const before = fakeChannel(A, undefined);
    const asked = pool.get(A);
    opening(0).resolve(before);
    await asked;
    Object.assign(before, { circuitCount: 1 });
    pool.retireAll();
    void pool.get(A);
    expect(openings).toHaveLength(2);
    clock.advance(15_000);
    await settle();
    expect(before.isClosed).toBe(false);
    Object.assign(before, { circuitCount: 0 });
    clock.advance(15_000);
    await settle();
    expect(before.isClosed).toBe(true);
  });

  it("left for another network gives nobody what is being opened, and closes it in the end", async () => {
    const { openings, opening, pool } = bench();
    const asked = pool.get(A);
    pool.retireAll();
    void pool.get(A).catch(() => {});
    expect(openings).toHaveLength(2);
    const late = fakeChannel(A, undefined);
    opening(0).resolve(late);
    expect(await asked).toBe(late);
    pool.close();
    expect(late.isClosed).toBe(true);
    expect(opening(0).signal.aborted).toBe(true);
  });

  it("tells all who wait when opening fails, and opens anew for the next", async () => {
    const { openings, opening, pool } = bench();
    const asked = [pool.get(A), pool.get(A)];
    opening(0).reject(new TorError("bridge-unreachable", "ALLIUM_E_TEST", "no bridge"));
    for (const one of asked) await expect(one).rejects.toMatchObject({ code: "ALLIUM_E_TEST" });
    void pool.get(A);
    expect(openings).toHaveLength(2);
  });

  it("goes on opening when one of two gives up, and stops when both have", async () => {
    const { opening, pool } = bench();
    const [one, two] = [new AbortController(), new AbortController()];
    const asked = [pool.get(A, one.signal), pool.get(A, two.signal)];
    one.abort();
    await expect(asked[0]).rejects.toMatchObject({ kind: "aborted" });
    expect(opening(0).signal.aborted).toBe(false);
    two.abort();
    await expect(asked[1]).rejects.toMatchObject({ kind: "aborted" });
    expect(opening(0).signal.aborted).toBe(true);
  });

  it("closes a channel that comes after all gave up", async () => {
    const { opening, pool } = bench();
    const controller = new AbortController();
    const asked = pool.get(A, controller.signal);
    controller.abort();
    await expect(asked).rejects.toMatchObject({ kind: "aborted" });
    const late = fakeChannel(A, undefined);
    opening(0).resolve(late);
    await settle();
    expect(late.isClosed).toBe(true);
    expect(pool.size).toBe(0);
  });

  it("opens anew when the channel is gone", async () => {
    const { openings, opening, pool } = bench();
    const asked = pool.get(A);
    const channel = fakeChannel(A, undefined);
    opening(0).resolve(channel);
    (await asked).close();
    void pool.get(A);
    expect(openings).toHaveLength(2);
  });

  it.each([
    ["three to four and a half minutes", "normal", 180],
    ["half of that where padding is reduced", "reduced", 90],
  ] as const)("closes a channel without circuits after %s", async (_, padding, least) => {
    const { clock, opening, pool } = bench(padding);
    const asked = pool.get(A);
    const channel = fakeChannel(A, clock.monotonic());
    opening(0).resolve(channel);
    await asked;
    for (let s = 0; s < least; s += 15) {
      expect(channel.isClosed).toBe(false);
      clock.advance(15_000);
      await settle();
    }
    // Half as long again at the most, and up to a sweep later.
    clock.advance(least * 500 + 15_000);
    await settle();
    expect(channel.isClosed).toBe(true);
    expect(pool.size).toBe(0);
  });

  it("keeps a channel with circuits", async () => {
    const { clock, opening, pool } = bench();
    const asked = pool.get(A);
    const channel = fakeChannel(A, undefined);
    opening(0).resolve(channel);
    await asked;
    clock.advance(3_600_000);
    await settle();
    expect(channel.isClosed).toBe(false);
  });

  it("closes everything and refuses more once it is closed", async () => {
    const { opening, pool } = bench();
    const [a, b] = [pool.get(A), pool.get(B)];
    const channel = fakeChannel(A, undefined);
    opening(0).resolve(channel);
    await a;
    pool.close();
    expect(channel.isClosed).toBe(true);
    expect(opening(1).signal.aborted).toBe(true);
    opening(1).reject(opening(1).signal.reason);
    await expect(b).rejects.toMatchObject({ code: "ALLIUM_E_CLOSED" });
    await expect(pool.get(A)).rejects.toMatchObject({ code: "ALLIUM_E_CLOSED" });
  });
});
