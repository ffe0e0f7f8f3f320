// Data that wait for their reader: in order, in pieces that grow while they are filled faster than read, and charged for as
// long as they are held.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { concat } from "../../src/base/bytes.ts";
import type { TorError } from "../../src/base/errors.ts";
import { type MemoryAccount, type MemoryHolder, MemoryQuota } from "../../src/base/memory-quota.ts";
import { Inbox, SparePiece } from "../../src/circuit/inbox.ts";
import { pattern } from "./relay.ts";

const KIB = 1024;
const CELL = 498;

function opened() {
  let now = 0;
  let charged = 0;
  const charges: number[] = [];
  const account: MemoryAccount = {
    charge(bytes) {
      charges.push(bytes);
      charged += bytes;
    },
  };
  const inbox = new Inbox(account, () => now, new SparePiece());
  return {
    inbox,
    charges,
    charged: () => charged,
    at: (time: number) => {
      now = time;
    },
    /** Fills in cells of `length` bytes. */
    fill(count: number, length = CELL) {
      for (let i = 0; i < count; i++) inbox.append(new Uint8Array(length), 0, length);
    },
    /** Sizes of all that waits, in cells. */
    drain() {
      const cells: number[] = [];
      for (let taken = inbox.take(); taken !== undefined; taken = inbox.take()) cells.push(taken.cells);
      return cells;
    },
  };
}

describe("what is taken", () => {
  test("is what came, in order, with the number of its cells", () => {
    const { inbox } = opened();
    const data = pattern(1000 * CELL);
    for (let i = 0; i < 1000; i++) inbox.append(data, i * CELL, (i + 1) * CELL);
    expect(inbox.length).toBe(data.length);
    const parts: Uint8Array[] = [];
    let cells = 0;
    for (let taken = inbox.take(); taken !== undefined; taken = inbox.take()) {
      expect(taken.bytes.length).toBe(taken.cells * CELL);
      parts.push(taken.bytes);
      cells += taken.cells;
      expect(inbox.length).toBe(data.length - concat(...parts).length);
    }
    expect(cells).toBe(1000);
    expect(Buffer.compare(concat(...parts), data)).toBe(0);
  });

  test("is nothing when nothing came", () => {
    const { inbox } = opened();
    expect([inbox.take(), inbox.length, inbox.oldest]).toEqual([undefined, 0, Number.POSITIVE_INFINITY]);
  });

  test("is a copy: the cell's bytes may change at once, and what was taken never does", () => {
    const { inbox } = opened();
    const cell = new Uint8Array(509);
    const taken: Uint8Array[] = [];
    for (let i = 1; i < 50; i++) {
      cell.fill(i);
      inbox.append(cell, 11, 11 + i);
      cell.fill(0xee);
      if (i % 3 === 0) taken.push((inbox.take() as { bytes: Uint8Array }).bytes);
    }
    taken.push((inbox.take() as { bytes: Uint8Array }).bytes);
    const expected = Array.from({ length: 49 }, (_, i) => new Uint8Array(i + 1).fill(i + 1));
    expect(concat(...taken)).toEqual(concat(...expected));
  });

  test("is in a buffer that holds nothing else, be it a full piece or the start of one", () => {
    const { inbox, fill } = opened();
    fill(70);
    fill(3, 17);
    for (let taken = inbox.take(); taken !== undefined; taken = inbox.take())
      expect(taken.bytes.buffer.byteLength).toBe(taken.bytes.length);
  });

  test("never parts a cell, of whatever size", () => {
    const lengths = fc.array(fc.integer({ min: 1, max: CELL }), { maxLength: 400 });
    fc.assert(
      fc.property(lengths, fc.integer({ min: 1, max: 40 }), (cells, every) => {
        const { inbox } = opened();
        const borders = new Set([0]);
        const sent: Uint8Array[] = [];
        const read: Uint8Array[] = [];
        let [written, at] = [0, 0];
        const take = () => {
          const taken = inbox.take();
          if (taken === undefined) return false;
          read.push(taken.bytes);
          at += taken.bytes.length;
          expect(borders.has(at)).toBe(true);
          return true;
        };
        for (const [i, length] of cells.entries()) {
          const bytes = pattern(length, i + 1);
          sent.push(bytes);
          inbox.append(bytes, 0, length);
          written += length;
          borders.add(written);
          if (i % every === 0) take();
        }
        while (take());
        expect(Buffer.compare(concat(...read), concat(...sent))).toBe(0);
      }),
      { numRuns: 50 },
    );
  });
});

describe("pieces", () => {
  test("are of 2 KiB at first, and twice as large each time while nobody reads, up to 64 KiB", () => {
    const { charges, fill, drain } = opened();
    fill(520);
    expect(charges.map((bytes) => bytes / KIB)).toEqual([2, 4, 8, 16, 32, 64, 64, 64, 64]);
    expect(drain()).toEqual([4, 8, 16, 32, 65, 131, 131, 131, 2]);
  });

  test("go on growing while a reader takes them one by one and never catches up", () => {
    const { inbox, charges, fill } = opened();
    for (let i = 0; i < 8; i++) {
      fill(200);
      inbox.take();
    }
    expect(charges.filter((bytes) => bytes > 0).slice(-5)).toEqual(new Array(5).fill(64 * KIB));
  });

  test("shrink by half at a time once the reader has caught up, and not below what comes at a time", () => {
    const sizes = (cells: number) => {
      const { charges, fill, drain } = opened();
      fill(125);
      drain();
      charges.length = 0;
      for (let i = 0; i < 7; i++) {
        fill(cells);
        drain();
      }
      return charges.filter((bytes) => bytes > 0).map((bytes) => bytes / KIB);
    };
    // What was read last serves once more where it is twice what is wanted.
    expect(sizes(1)).toEqual([32, 32, 8, 8, 2, 2, 2]);
    expect(sizes(9)).toEqual([32, 32, 8, 8, 8, 8, 8]);
    expect(sizes(65)).toEqual([32, 32, 32, 32, 32, 32, 32]);
  });

  test("of a reader that keeps up with single cells stay small", () => {
    const { inbox, charges, fill } = opened();
    for (let i = 0; i < 100; i++) {
      fill(1);
      inbox.take();
    }
    expect(new Set(charges)).toEqual(new Set([2 * KIB, -2 * KIB]));
  });
});

describe("the spare piece", () => {
  test("is what was read last, for a piece of the same size or half of it", () => {
    const spare = new SparePiece();
    const bytes = new Uint8Array(2 * KIB);
    spare.keep(bytes);
    expect(spare.take(4 * KIB)).not.toBe(bytes);
    expect(spare.take(1023)).not.toBe(bytes);
    expect(spare.take(1024)).toBe(bytes);
    spare.keep(bytes);
    expect(spare.take(2 * KIB)).toBe(bytes);
    expect(spare.take(2 * KIB)).not.toBe(bytes);
    spare.keep(bytes);
    spare.clear();
    expect(spare.take(2 * KIB)).not.toBe(bytes);
  });

  test("goes from one stream to another, and nothing of its bytes with it", () => {
    const spare = new SparePiece();
    const account: MemoryAccount = { charge() {} };
    const [one, other] = [new Inbox(account, () => 0, spare), new Inbox(account, () => 0, spare)];
    one.append(pattern(CELL, 1), 0, CELL);
    const first = one.take()?.bytes;
    other.append(pattern(7, 2), 0, 7);
    const second = other.take()?.bytes;
    expect([first, second]).toEqual([pattern(CELL, 1), pattern(7, 2)]);
    expect(second?.buffer.byteLength).toBe(7);
  });

  test("is nothing that somebody still reads", () => {
    const spare = new SparePiece();
    const inbox = new Inbox({ charge() {} }, () => 0, spare);
    inbox.append(pattern(CELL, 1), 0, CELL);
    inbox.clear();
    inbox.append(pattern(CELL, 2), 0, CELL);
    const taken = inbox.take()?.bytes;
    inbox.append(pattern(CELL, 3), 0, CELL);
    expect(taken).toEqual(pattern(CELL, 2));
  });
});

describe("memory", () => {
  test("is charged by the piece while it is held, and given back with it", () => {
    const { charged, charges, fill, drain, inbox } = opened();
    fill(4);
    expect(charges).toEqual([2 * KIB]);
    fill(1);
    expect(charged()).toBe(6 * KIB);
    inbox.take();
    expect(charged()).toBe(4 * KIB);
    fill(300);
    expect(charged()).toBeGreaterThanOrEqual(inbox.length);
    drain();
    expect(charged()).toBe(0);
  });

  test("is at most twice what waits, beside the first piece", () => {
    const { charged, fill, inbox } = opened();
    for (let i = 0; i < 2000; i++) {
      fill(1);
      expect(charged()).toBeGreaterThanOrEqual(inbox.length);
      expect(charged()).toBeLessThanOrEqual(Math.max(2 * KIB, 2.3 * inbox.length + 2 * KIB));
    }
  });

  test("is given back by clear(), which leaves an inbox that can be used", () => {
    const { charged, fill, drain, inbox } = opened();
    fill(300);
    inbox.clear();
    expect([charged(), inbox.length, inbox.oldest, inbox.take()]).toEqual([
      0,
      0,
      Number.POSITIVE_INFINITY,
      undefined,
    ]);
    fill(3);
    expect(inbox.length).toBe(3 * CELL);
    expect(drain()).toEqual([3]);
    expect(charged()).toBe(0);
  });

  test("may be reclaimed by the very cell that is too much, which leaves an inbox that can be used", () => {
    const errors: TorError[] = [];
    const quota = new MemoryQuota(10 * KIB, "a test");
    const holder: MemoryHolder = {
      oldest: () => inbox.oldest,
      reclaim(error) {
        errors.push(error);
        inbox.clear();
      },
    };
    const inbox = new Inbox(quota.account(holder), () => 0, new SparePiece());
    const cell = new Uint8Array(CELL);
    for (let i = 0; i < 12; i++) inbox.append(cell, 0, CELL);
    expect([errors.length, quota.used]).toEqual([0, 6 * KIB]);
    inbox.append(cell, 0, CELL);
    expect([errors.length, quota.used, inbox.length]).toEqual([1, 0, 0]);
    inbox.append(cell, 0, CELL);
    expect(inbox.take()?.bytes.length).toBe(CELL);
    expect(quota.used).toBe(0);
  });
});

describe("the oldest byte", () => {
  test("is as old as the first piece that is left", () => {
    const { inbox, at, fill } = opened();
    at(100);
    fill(1);
    at(150);
    fill(3);
    expect(inbox.oldest).toBe(100);
    at(200);
    fill(8);
    at(300);
    fill(1);
    expect(inbox.oldest).toBe(100);
    inbox.take();
    expect(inbox.oldest).toBe(200);
    inbox.take();
    expect(inbox.oldest).toBe(300);
    inbox.take();
    expect(inbox.oldest).toBe(Number.POSITIVE_INFINITY);
    at(400);
    fill(1);
    expect(inbox.oldest).toBe(400);
  });
});
