import { describe, expect, it } from "vitest";
import { abortable, deferred, onAbort, sleep, throwIfAborted, withTimeout } from "../../src/base/abort.ts";
import { abortedError, TorError } from "../../src/base/errors.ts";
import { ManualClock } from "../../src/testing/index.ts";

const late = () => new TorError("exit-timeout", "ALLIUM_E_TEST_LATE", "too late");
const ABORTED = expect.objectContaining({ kind: "aborted", code: "ALLIUM_E_ABORTED" });
const never = new Promise<never>(() => {});

describe("an aborted signal", () => {
  it("throws its own reason when that is a TorError, otherwise an aborted error with the reason as cause", () => {
    const reason = late();
    expect(() => throwIfAborted(AbortSignal.abort(reason))).toThrow(reason);
    const why = new Error("why");
    expect(() => throwIfAborted(AbortSignal.abort(why))).toThrow(
      expect.objectContaining({ kind: "aborted", cause: why }),
    );
    throwIfAborted(undefined);
    throwIfAborted(new AbortController().signal);
  });

  it("calls a listener once, at once when it has aborted, and not after it was forgotten", () => {
    const heard: string[] = [];
    const controller = new AbortController();
    onAbort(controller.signal, (error) => heard.push(error.kind));
    onAbort(controller.signal, () => heard.push("forgotten"))();
    onAbort(undefined, () => heard.push("no signal"))();
    controller.abort();
    controller.abort();
    expect(heard).toEqual(["aborted"]);
    onAbort(controller.signal, (error) => heard.push(error.code));
    expect(heard).toEqual(["aborted", "ALLIUM_E_ABORTED"]);
  });
});

describe("an abortable wait", () => {
  it("gives the promise's own outcome when that comes first", async () => {
    const { signal } = new AbortController();
    expect(await abortable(Promise.resolve(1), signal)).toBe(1);
    expect(await abortable(Promise.resolve(2), undefined)).toBe(2);
    await expect(abortable(Promise.reject(late()), signal)).rejects.toMatchObject({ kind: "exit-timeout" });
  });

  it("ends with the signal, before or during", async () => {
    await expect(abortable(never, AbortSignal.abort())).rejects.toThrow(ABORTED);
    const controller = new AbortController();
    const wait = abortable(never, controller.signal);
    controller.abort();
    await expect(wait).rejects.toThrow(ABORTED);
  });

  it("ignores a failure that comes after the signal", async () => {
    const controller = new AbortController();
    const work = deferred();
    const wait = abortable(work.promise, controller.signal);
    controller.abort();
    await expect(wait).rejects.toThrow(ABORTED);
    work.reject(late());
    await Promise.resolve();
  });
});

describe("withTimeout", () => {
  it("gives the operation's result and leaves no timer", async () => {
    const clock = new ManualClock();
    expect(await withTimeout({ clock, ms: 10, error: late }, async () => "done")).toBe("done");
    expect(clock.pendingTimers).toBe(0);
  });

  it("rejects when the time is over, and aborts the operation's signal with the same error", async () => {
    const clock = new ManualClock();
    let seen: unknown;
    const wait = withTimeout({ clock, ms: 10, error: late }, (signal) => {
      signal.addEventListener("abort", () => {
        seen = signal.reason;
      });
      return never;
    });
    const outcome = wait.catch((error: unknown) => error);
    clock.advance(9);
    await Promise.resolve();
    expect(seen).toBeUndefined();
    clock.advance(1);
    expect(await outcome).toMatchObject({ code: "ALLIUM_E_TEST_LATE" });
    expect(await outcome).toBe(seen);
    expect(clock.pendingTimers).toBe(0);
  });

  it("rejects with the caller's reason when its signal aborts, and starts nothing when it has", async () => {
    const clock = new ManualClock();
    const controller = new AbortController();
    const limit = { clock, ms: 10, error: late, signal: controller.signal };
    const wait = withTimeout(limit, () => never);
    controller.abort();
    await expect(wait).rejects.toThrow(ABORTED);
    let started = false;
    const again = withTimeout(limit, async () => {
      started = true;
    });
    await expect(again).rejects.toThrow(ABORTED);
    expect(started).toBe(false);
    expect(clock.pendingTimers).toBe(0);
  });

  it("hands on the operation's own error", async () => {
    const clock = new ManualClock();
    const failing = withTimeout({ clock, ms: 10, error: late }, () => Promise.reject(abortedError("mine")));
    await expect(failing).rejects.toMatchObject({ cause: "mine" });
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("sleep", () => {
  it("lasts as long as asked", async () => {
    const clock = new ManualClock();
    let awake = false;
    const wait = sleep(clock, 1000).then(() => {
      awake = true;
    });
    clock.advance(999);
    await Promise.resolve();
    expect(awake).toBe(false);
    clock.advance(1);
    await wait;
    expect(clock.pendingTimers).toBe(0);
  });

  it("ends with its signal, and leaves no timer", async () => {
    const clock = new ManualClock();
    const controller = new AbortController();
    const wait = sleep(clock, 1000, controller.signal);
    controller.abort();
    await expect(wait).rejects.toThrow(ABORTED);
    expect(clock.pendingTimers).toBe(0);
    await expect(sleep(clock, 1000, controller.signal)).rejects.toThrow(ABORTED);
  });
});
