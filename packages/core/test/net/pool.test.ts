// The pool of connections: who shares one, who never does, how many there are, how long they are kept.

import { describe, expect, it } from "vitest";
import { TorError } from "../../src/base/errors.ts";
import { bench, ORIGIN } from "./pool-rig.ts";
import { rejection, settle } from "./streams.ts";

const failure = (code: `ALLIUM_E_${string}`) => new TorError("remote-refused", code, "as the test wants it");
const SECURE = { secure: true, hostname: "a.example", port: 443 };

describe("a connection", () => {
  it("is shared by requests to one origin under one key, one after the other, and by no others", async () => {
    const { whole, opened } = bench();
    await whole();
    await whole();
    expect(opened.length).toBe(1);
    await whole({ isolation: "a" });
    await whole({ isolation: "b" });
    await whole({ origin: { ...ORIGIN, port: 81 } });
    await whole({ origin: { ...ORIGIN, hostname: "b.example" } });
    await whole({ origin: { ...ORIGIN, secure: true } });
    expect(opened.length).toBe(6);
    expect(opened.map(({ requests }) => requests.length)).toEqual([2, 1, 1, 1, 1, 1]);
  });

  it("that is busy leaves others to be opened, six at most; who waits gets the first that is free", async () => {
    const { ask, opened } = bench();
    const asked = Array.from({ length: 8 }, () => ask());
    await settle();
    expect(opened.length).toBe(6);
    opened[3]?.requests[0]?.answer();
    await (await asked[3])?.body?.next();
    await settle();
    expect(opened[3]?.requests.length).toBe(2);
    opened[1]?.requests[0]?.fail(failure("ALLIUM_E_TEST"));
    expect((await rejection(asked[1] as Promise<unknown>)).code).toBe("ALLIUM_E_TEST");
    await settle();
    expect(opened.map(({ requests }) => requests.length)).toEqual([1, 1, 1, 2, 1, 1, 1]);
  });

  it("is kept a minute, and no longer", async () => {
    const { clock, whole, opened } = bench();
    await whole();
    clock.advance(59_999);
    await settle();
    expect(opened[0]?.isOpen).toBe(true);
    clock.advance(1);
    await settle();
    expect(opened[0]?.isOpen).toBe(false);
    expect(clock.pendingTimers).toBe(0);
  });

  it("is kept anew after each use, but takes no request once it is as old as a circuit may be", async () => {
    const { clock, whole, opened } = bench();
    for (let at = 0; at < 600_000; at += 50_000) {
      await whole();
      clock.advance(50_000);
      await settle();
    }
    expect(opened.map(({ requests }) => requests.length)).toEqual([12]);
    await whole();
    expect(opened.map(({ isOpen, requests }) => [isOpen, requests.length])).toEqual([
      [false, 12],
      [true, 1],
    ]);
  });

  it("that has ended is not used again", async () => {
    const { whole, opened } = bench();
    await whole();
    opened[0]?.close();
    await whole();
    expect(opened.length).toBe(2);
  });
});

describe("a connection that takes several requests at once", () => {
  it("is opened alone to an origin of which nothing is known, and shared by all", async () => {
    const { ask, opened, openings, gates } = bench({ capacity: 100, slow: true });
    for (let i = 0; i < 10; i++) ask({ origin: SECURE });
    await settle();
    expect(openings.length).toBe(1);
    gates[0]?.resolve();
    await settle();
    expect([opened.length, opened[0]?.requests.length]).toEqual([1, 10]);
  });

  it("is waited for by nobody where it turns out to take one only, or cannot be opened", async () => {
    const { ask, openings, gates } = bench({ slow: true });
    const asked = Array.from({ length: 4 }, () => ask({ origin: SECURE }));
    await settle();
    gates[0]?.reject(failure("ALLIUM_E_TEST"));
    expect((await rejection(asked[0] as Promise<unknown>)).code).toBe("ALLIUM_E_TEST");
    await settle();
    expect(openings.length).toBe(4);
  });

  it("is ended when its last request is over and it has been left", async () => {
    const { ask, opened, pool } = bench({ capacity: 100 });
    const asked = [ask({ origin: SECURE }), ask({ origin: SECURE })];
    await settle();
    pool.clear();
    for (const [i, one] of asked.entries()) {
      expect(opened[0]?.isOpen).toBe(true);
      opened[0]?.requests[i]?.answer();
      await (await one).body?.next();
    }
    await settle();
    expect(opened.map(({ isOpen }) => isOpen)).toEqual([false]);
  });
});

describe("clear", () => {
  it("ends what is idle, lets requests end, and gives new ones new connections", async () => {
    const { ask, whole, opened, pool } = bench();
    await whole({ isolation: "idle" });
    const asked = ask();
    await settle();
    pool.clear();
    expect(opened.map(({ isOpen }) => isOpen)).toEqual([false, true]);
    await whole();
    expect(opened.length).toBe(3);
    await (await asked).body?.next();
    await settle();
    expect(opened.map(({ isOpen }) => isOpen)).toEqual([false, false, true]);
  });

  it("parts what is sent again, or has waited, from all that is asked later", async () => {
    const { ask, opened, openings, pool } = bench();
    const old = Array.from({ length: 7 }, () => ask({ isolation: "a" }));
    await settle();
    pool.clear();
    ask({ isolation: "a" });
    opened[0]?.requests[0]?.fail(failure("ALLIUM_E_HTTP_UNPROCESSED"));
    await settle();
    const now = openings.slice(6).map(({ isolation }) => isolation);
    expect(now.sort()).toEqual(['[0,"a"]', '[0,"a"]', "a"]);
    for (const { requests } of opened) requests[0]?.answer();
    expect((await Promise.all(old)).length).toBe(7);
  });

  it("keeps what is being opened from requests that come later", async () => {
    const { ask, opened, openings, gates, pool } = bench({ slow: true });
    ask();
    await settle();
    pool.clear();
    ask();
    await settle();
    expect(openings.length).toBe(2);
    for (const gate of gates) gate.resolve();
    await settle();
    expect(opened.map(({ requests }) => requests.length)).toEqual([1, 1]);
  });
});

describe("close", () => {
  it("ends all connections, refuses who waits and who comes later, and leaves no timer", async () => {
    const { ask, whole, opened, pool, clock } = bench();
    await whole({ isolation: "idle" });
    const asked = Array.from({ length: 7 }, () => ask());
    await settle();
    const error = new TorError("aborted", "ALLIUM_E_CLOSED", "closed");
    pool.close(error);
    expect(opened.every(({ isOpen }) => !isOpen)).toBe(true);
    expect(await rejection(asked[6] as Promise<unknown>)).toBe(error);
    expect(await rejection(ask())).toBe(error);
    await settle();
    expect(clock.pendingTimers).toBe(0);
  });

  it("ends what is being opened", async () => {
    const { ask, openings, opened, gates, pool } = bench({ slow: true });
    const asked = rejection(ask());
    await settle();
    pool.close(new TorError("aborted", "ALLIUM_E_CLOSED", "closed"));
    expect((await asked).code).toBe("ALLIUM_E_CLOSED");
    expect(openings[0]?.signal.aborted).toBe(true);
    gates[0]?.resolve();
    await settle();
    expect(opened[0]?.isOpen).toBe(false);
  });
});

describe("a request that waits", () => {
  it("can be aborted, and what is opened for it is given up", async () => {
    const { ask, openings, opened, gates, clock } = bench({ slow: true });
    const controller = new AbortController();
    const asked = rejection(ask({ signal: controller.signal }));
    await settle();
    controller.abort();
    expect((await asked).code).toBe("ALLIUM_E_ABORTED");
    expect(openings[0]?.signal.aborted).toBe(true);
    gates[0]?.resolve();
    await settle();
    expect([opened[0]?.isOpen, opened[0]?.requests.length, clock.pendingTimers]).toEqual([false, 0, 0]);
  });

  it("waits no longer than five minutes, and says for what", async () => {
    const { ask, clock } = bench();
    const asked = Array.from({ length: 7 }, () => ask());
    await settle();
    clock.advance(300_000);
    expect(await rejection(asked[6] as Promise<unknown>)).toMatchObject({
      kind: "limit",
      code: "ALLIUM_E_HTTP_BUSY",
    });
  });

  it("is one of 1024 at most", async () => {
    const { ask } = bench({ slow: true });
    for (let i = 0; i < 1024; i++) ask();
    expect((await rejection(ask())).code).toBe("ALLIUM_E_HTTP_BUSY");
  });

  it("for room, where there are 128 connections, gets that of one that is idle, or of the first that ends", async () => {
    const { ask, whole, opened } = bench();
    await whole({ isolation: "idle" });
    for (let i = 0; i < 127; i++) ask({ isolation: `busy ${i}` });
    await settle();
    expect(opened.length).toBe(128);
    ask({ isolation: "one more" });
    await settle();
    expect([opened.length, opened[0]?.isOpen]).toEqual([129, false]);
    ask({ isolation: "yet one more" });
    await settle();
    expect(opened.length).toBe(129);
    opened[7]?.requests[0]?.fail(failure("ALLIUM_E_TEST"));
    await settle();
    expect(opened.length).toBe(130);
  });
});
