// The compliance suite of the Duplex that a Dialer returns, run on both of its ends.

import { concat } from "../base/bytes.ts";
import { protocolViolation } from "../base/errors.ts";
import type { Duplex } from "../base/ports.ts";
import { type Case, check, checkBytes, checkRejects, numberedBytes, turn } from "./case.ts";

/** The two ends of one pipe; `near` is the one under test. */
export interface DuplexEnds {
  readonly near: Duplex;
  readonly far: Duplex;
}

const CHUNK = 65536;
/** More than any pipe may hold while nobody reads: 64 MiB. */
const TOO_MUCH = 1024;

/** What every Duplex does. `setup` gives a fresh pipe each time. */
export function duplexCases(setup: () => Promise<DuplexEnds>): readonly Case[] {
  const on = (name: string, body: (ends: DuplexEnds) => Promise<void>): Case => ({
    name,
    run: async () => {
      const ends = await setup();
      ends.near.closed.catch(() => {});
      ends.far.closed.catch(() => {});
      try {
        await body(ends);
      } finally {
        ends.near.close();
        ends.far.close();
      }
    },
  });
  return [...flowCases(on), ...endCases(on)];
}

type On = (name: string, body: (ends: DuplexEnds) => Promise<void>) => Case;

function flowCases(on: On): readonly Case[] {
  return [
    on("bytes arrive whole and in order, both ways at once", async ({ near, far }) => {
      const [there, back] = [numberedBytes(300_000, 1), numberedBytes(200_000, 2)];
      const [atFar, atNear] = await Promise.all([
        readExactly(far, there.length),
        readExactly(near, back.length),
        writeAll(near, there, 7777),
        writeAll(far, back, 50_000),
      ]);
      checkBytes(atFar, there, "what arrives far");
      checkBytes(atNear, back, "what arrives near");
    }),
    on("one byte arrives without waiting for more", async ({ near, far }) => {
      await writeAll(near, Uint8Array.of(42), 1);
      checkBytes(await readExactly(far, 1), Uint8Array.of(42), "the byte");
    }),
    on("a writer whose bytes nobody reads has to wait, and nothing is lost", async ({ near, far }) => {
      const writer = near.writable.getWriter();
      const chunk = numberedBytes(CHUNK, 3);
      let written = 0;
      for (; written < TOO_MUCH; written++) {
        if (!(await readyWithin(writer, 20))) break;
        writer.write(chunk).catch(() => {});
      }
      check(written < TOO_MUCH, "it takes 64 MiB");
      const reader = far.readable.getReader();
      for (let left = written * CHUNK, at = 0; left > 0; ) {
        const { value } = await reader.read();
        check(value !== undefined, "the pipe ends early");
        for (const byte of value) check(byte === chunk[at++ % CHUNK], `byte ${at - 1} differs`);
        left -= value.length;
      }
      await writer.ready;
    }),
  ];
}

function endCases(on: On): readonly Case[] {
  return [
    on("a pipe that is closed far ends near, after everything that was written", async ({ near, far }) => {
      const bytes = numberedBytes(10_000);
      const writer = far.writable.getWriter();
      await writer.write(bytes);
      await writer.close();
      checkBytes(await readToEnd(near), bytes, "what arrives before the end");
    }),
    on("close() ends both directions at once, and may be called again", async ({ near, far }) => {
      const reader = near.readable.getReader();
      const pending = reader.read();
      near.close();
      near.close();
      check((await pending).done === true, "a pending read goes on");
      await near.closed;
      await checkRejects(near.writable.getWriter().write(Uint8Array.of(1)), "writing after close()");
      const end = await far.readable.getReader().read();
      check(end.done === true, "the far end does not see the end");
    }),
    on("close() with an error is what reads, writes and `closed` reject with", async ({ near }) => {
      const reason = protocolViolation("ALLIUM_E_MALFORMED", "the peer misbehaves");
      const pending = near.readable.getReader().read();
      near.close(reason);
      await checkRejects(pending, "a pending read", ["protocol-violation"]);
      await checkRejects(near.closed, "closed", ["protocol-violation"]);
      await checkRejects(near.writable.getWriter().write(Uint8Array.of(1)), "writing", [
        "protocol-violation",
      ]);
    }),
    on("the end of the far side settles `closed`", async ({ near, far }) => {
      far.close();
      await readToEnd(near).catch(() => {});
      await near.closed.catch(() => {});
    }),
  ];
}

export async function writeAll(duplex: Duplex, bytes: Uint8Array, pieceLength: number): Promise<void> {
  const writer = duplex.writable.getWriter();
  for (let at = 0; at < bytes.length; at += pieceLength) {
    await writer.write(bytes.slice(at, at + pieceLength));
  }
  writer.releaseLock();
}

export async function readExactly(duplex: Duplex, length: number): Promise<Uint8Array> {
  const reader = duplex.readable.getReader();
  const parts: Uint8Array[] = [];
  for (let have = 0; have < length; ) {
    const { value } = await reader.read();
    check(value !== undefined, `the pipe ends after ${have} of ${length} bytes`);
    parts.push(value);
    have += value.length;
  }
  reader.releaseLock();
  return concat(...parts);
}

async function readToEnd(duplex: Duplex): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const reader = duplex.readable.getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) parts.push(next.value);
  return concat(...parts);
}

async function readyWithin(writer: { readonly ready: Promise<undefined> }, turns: number): Promise<boolean> {
  let ready = false;
  writer.ready.then(() => {
    ready = true;
  });
  await Promise.resolve();
  for (let i = 0; i < turns && !ready; i++) await turn();
  return ready;
}
