// Who does not answer is not waited for for ever: a frozen tab that holds the lock, one that asked and said no more, and
// what can never start.

import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { SharingHost } from "../../src/shared/host.ts";
import { FakeClient, failureOf } from "../remote/rig.ts";
import { freshName, openTab, type Tab } from "./rig.ts";

/** Somebody who holds the lock and says nothing. */
async function silentHolder(name: string) {
  const life = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  const robbed = navigator.locks
    .request(`allium/host/${name}`, () => {
      held.resolve();
      return life.promise;
    })
    .then(
      () => false,
      () => true,
    );
  onTestFinished(() => life.resolve());
  await held.promise;
  return { robbed };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Lets messages and locks go to and fro, while timers stand still. */
async function pause(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

describe("the lock of one who does not answer", () => {
  it("is taken from it after 10 s, not before", async () => {
    const name = freshName();
    const { robbed } = await silentHolder(name);
    const { tor, workers } = openTab(name);
    const ready = tor.ready();
    await pause();
    await vi.advanceTimersByTimeAsync(9000);
    await pause();
    expect(workers.length).toBe(0);
    await vi.advanceTimersByTimeAsync(2000);
    await ready;
    expect([workers.length, await robbed]).toEqual([1, true]);
  });

  it("is not taken from one that answers, however long that is ago", async () => {
    const name = freshName();
    const [leader, follower] = [openTab(name), openTab(name)];
    await Promise.all([leader.tor.ready(), follower.tor.ready()]);
    await vi.advanceTimersByTimeAsync(60_000);
    await pause();
    await follower.tor.ready();
    expect(leader.workers.length + follower.workers.length).toBe(1);
  });

  it("taken from a tab that runs the client ends it there, and all go to the other", async () => {
    const name = freshName();
    const [leader, follower] = [openTab(name), openTab(name)] as [Tab, Tab];
    await leader.tor.ready();
    await follower.tor.ready();
    const thief = new SharingHost(
      () => new FakeClient(),
      () => {},
    );
    onTestFinished(() => thief.stop());
    const { port1, port2 } = new MessageChannel();
    onTestFinished(() => port2.close());
    thief.serve(port1);
    void navigator.locks.request(`allium/host/${name}`, { steal: true }, () => new Promise(() => {}));
    const options = JSON.stringify({ bridges: ["wss://bridge.example/"], storeName: name });
    port2.postMessage({ type: "hello", protocol: 1, options, share: name });
    await pause();
    await vi.waitFor(() => expect(leader.workers[0]?.isTerminated).toBe(true));
    await pause();
    await Promise.all([leader, follower].map(({ tor }) => tor.ready()));
    expect([leader.workers.length, follower.workers.length]).toEqual([1, 0]);
  });
});

it("a tab that asks for the client and says no more is forgotten after 30 s", async () => {
  const name = freshName();
  await openTab(name).tor.ready();
  const control = new BroadcastChannel(`allium/host/${name}`);
  const port = new BroadcastChannel(`allium/port/${"a".repeat(32)}`);
  onTestFinished(() => {
    control.close();
    port.close();
  });
  const answers: { type: string }[] = [];
  for (const channel of [control, port])
    channel.onmessage = (event) => answers.push((event as MessageEvent<{ type: string }>).data);
  const hello = () => port.postMessage({ type: "hello", protocol: 1 });
  control.postMessage({ type: "seek", port: "a".repeat(32) });
  await pause();
  expect(answers.map(({ type }) => type)).toEqual(["here"]);
  await vi.advanceTimersByTimeAsync(30_000);
  hello();
  await pause();
  expect(answers.length).toBe(1);
  // In time it would have been welcomed.
  control.postMessage({ type: "seek", port: "a".repeat(32) });
  await pause();
  hello();
  await pause();
  expect(answers.map(({ type }) => type)).toContain("welcome");
});

it("a worker that cannot be made is said to be so, and another tab may do better", async () => {
  const name = freshName();
  const worker = () => {
    throw new Error("blocked by the policy");
  };
  const { tor } = openTab(name, { worker });
  expect((await failureOf(tor.ready())).code).toBe("ALLIUM_E_REMOTE_START");
  const { tor: better } = openTab(name);
  await better.ready();
  await tor.ready();
});
