import { afterEach, describe, expect, it, vi } from "vitest";
import { defaultRetryPolicy, retry, retryDelay, retryPresets } from "../../src/base/backoff.ts";
import { abortedError, TorError } from "../../src/base/errors.ts";
import { ManualClock } from "../../src/testing/index.ts";

const failure = (retryAfter?: number) =>
  new TorError("offline", "ALLIUM_E_TEST", "no", retryAfter === undefined ? {} : { retryAfter });
const turn = () => new Promise<void>((resolve) => setTimeout(resolve, 0));

/** All random bits set or clear. */
function fixRandom(bit: 0 | 1): void {
  vi.spyOn(crypto, "getRandomValues").mockImplementation((array) => {
    (array as unknown as Uint32Array).fill(bit === 0 ? 0 : 0xffffffff);
    return array;
  });
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("a retry delay", () => {
  it("doubles up to its maximum, moved by a quarter either way", () => {
    const delays = () => [1, 2, 3, 4, 5, 6, 7, 100].map((n) => Math.round(retryDelay(defaultRetryPolicy, n)));
    fixRandom(0);
    expect(delays()).toEqual([750, 1500, 3000, 6000, 12_000, 22_500, 22_500, 22_500]);
    fixRandom(1);
    expect(delays()).toEqual([1250, 2500, 5000, 10_000, 20_000, 37_500, 37_500, 37_500]);
  });
});

describe("the presets", () => {
  it("hear sooner, or wait longer, than the default", () => {
    expect(defaultRetryPolicy).toMatchObject({ attempts: 3, initialDelay: 1000, maxDelay: 30_000 });
    const { lowLatency, highLatency } = retryPresets;
    expect(lowLatency).toEqual({
      ...{ attempts: 2, initialDelay: 500, maxDelay: 10_000, multiplier: 2, jitter: 0.25 },
    });
    expect(highLatency).toEqual({
      ...{ attempts: 5, initialDelay: 3000, maxDelay: 120_000, multiplier: 2, jitter: 0.25 },
    });
  });

  it("give delays of half a second to ten, and of three seconds to two minutes", () => {
    const delays = (name: keyof typeof retryPresets) =>
      [1, 2, 3, 4, 5, 9].map((failures) => retryDelay({ ...retryPresets[name], jitter: 0 }, failures));
    expect(delays("lowLatency")).toEqual([500, 1000, 2000, 4000, 8000, 10_000]);
    expect(delays("highLatency")).toEqual([3000, 6000, 12_000, 24_000, 48_000, 120_000]);
  });
});

describe("retry", () => {
  const policy = { ...defaultRetryPolicy, jitter: 0 };
  const retryable = () => true;

  /** Runs it, letting all time pass that it wants; gives the outcome and when each attempt was made. */
  async function attempts(
    operation: (attempt: number) => Promise<string>,
    options: { retryable?: (error: TorError) => boolean; signal?: AbortSignal } = {},
  ) {
    const clock = new ManualClock();
    const times: number[] = [];
    const running = retry({ policy, clock, retryable, ...options }, (attempt) => {
      times.push(clock.monotonic());
      return operation(attempt);
    });
    let outcome: unknown;
    running.then(
      (value) => {
        outcome = value;
      },
      (error: unknown) => {
        outcome = error;
      },
    );
    for (let i = 0; i < 100 && outcome === undefined; i++) {
      await turn();
      if (clock.pendingTimers > 0) clock.advance(500);
    }
    return { outcome, times, clock };
  }

  it("tries until it succeeds", async () => {
    const { outcome, times } = await attempts(async (attempt) => {
      if (attempt < 3) throw failure();
      return `at ${attempt}`;
    });
    expect(outcome).toBe("at 3");
    expect(times).toEqual([0, 1000, 3000]);
  });

  it("gives up with the last error when the tries are used up", async () => {
    const errors: TorError[] = [];
    const { outcome, times } = await attempts(async () => {
      errors.push(failure());
      throw errors.at(-1);
    });
    expect(times).toHaveLength(3);
    expect(outcome).toBe(errors[2]);
  });

  it("waits at least as long as the error says", async () => {
    const { times } = await attempts(async () => {
      throw failure(7000);
    });
    expect(times).toEqual([0, 7000, 14_000]);
  });

  it("does not wait for longer than two minutes because an error says so", async () => {
    const { outcome, times, clock } = await attempts(() => Promise.reject(failure(3_600_000)));
    expect(outcome).toMatchObject({ kind: "offline", retryAfter: 3_600_000 });
    expect(times).toHaveLength(1);
    expect(clock.pendingTimers).toBe(0);
  });

  it("does not try again what cannot be mended or was given up", async () => {
    const final = await attempts(() => Promise.reject(failure()), { retryable: () => false });
    expect(final.times).toHaveLength(1);
    const aborted = await attempts(() => Promise.reject(abortedError()));
    expect(aborted.times).toHaveLength(1);
    expect(aborted.outcome).toMatchObject({ kind: "aborted" });
  });

  it("stops while it waits when its signal aborts", async () => {
    const controller = new AbortController();
    const { outcome, times, clock } = await attempts(
      async () => {
        queueMicrotask(() => controller.abort());
        throw failure();
      },
      { signal: controller.signal },
    );
    expect(outcome).toMatchObject({ kind: "aborted" });
    expect(times).toHaveLength(1);
    expect(clock.pendingTimers).toBe(0);
  });

  it("tells of each retry and its delay", async () => {
    const clock = new ManualClock();
    const told: number[] = [];
    const onRetry = (_error: TorError, delay: number) => {
      told.push(delay);
      queueMicrotask(() => clock.advance(delay));
    };
    const running = retry({ policy, clock, retryable, onRetry }, () => Promise.reject(failure()));
    await expect(running).rejects.toMatchObject({ kind: "offline" });
    expect(told).toEqual([1000, 2000]);
  });
});
