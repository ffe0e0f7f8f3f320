// The numbered cases of Autobahn's fuzzing server, each against a client that echoes.

import { describe, expect, it } from "vitest";
import { CASES, type Case, FAIL_FAST } from "./autobahn.ts";
import { type Peer, serve, watch } from "./rig.ts";

const ERRORS: Readonly<Record<number, string>> = { 1002: "ALLIUM_E_WS_FRAME", 1007: "ALLIUM_E_WS_UTF8" };

/** Messages and pongs, put together: large ones come back in fragments. */
function answersOf(peer: Peer): [number, string][] {
  const answers: [number, Buffer[]][] = [];
  for (const { first, payload } of peer.frames) {
    if (first === 0x88) continue;
    if ((first & 15) === 0) answers.at(-1)?.[1].push(payload);
    else answers.push([first & 15, [payload]]);
  }
  return answers.map(([opcode, parts]) => [opcode, Buffer.concat(parts).toString("latin1")]);
}

function chunks({ send, chop }: Case): Buffer[] {
  if (chop === "frames") return [...send];
  const all = Buffer.concat(send);
  if (chop === undefined) return [all];
  return Array.from({ length: Math.ceil(all.length / chop) }, (_, i) =>
    all.subarray(i * chop, (i + 1) * chop),
  );
}

async function echoing() {
  const { WebSocket, peers } = await serve();
  const seen = watch(new WebSocket("ws://site.example/"));
  seen.socket.addEventListener("message", ({ data }) => seen.socket.send(data as string));
  await seen.opened;
  const peer = peers[0] as Peer;
  peer.socket.setNoDelay();
  return { ...seen, peer };
}

describe("Autobahn's case", () => {
  it("list is whole", () => {
    const count = (section: string) => CASES.filter(({ id }) => id.startsWith(`${section}.`)).length;
    expect(["1", "2", "3", "4", "5", "6", "7", "9", "10"].map(count)).toEqual([
      16, 11, 7, 10, 20, 141, 37, 54, 1,
    ]);
    expect(new Set(CASES.map(({ id }) => id)).size).toBe(CASES.length);
  });

  it.each(CASES.map((one) => [one.id, one] as const))("%s", async (_, one) => {
    const { peer, closed, error } = await echoing();
    peer.send(...chunks(one));
    await expect.poll(() => peer.closeCode, { interval: 1, timeout: 10_000 }).toBe(one.code);
    peer.socket.end();
    const { code, wasClean } = await closed;
    expect(answersOf(peer)).toEqual(
      one.back.map(([opcode, payload]) => [opcode, payload.toString("latin1")]),
    );
    // The server's own code comes back only where nothing was wrong.
    const own = one.send.some((sent) => sent[0] === 0x88 && error() === undefined);
    expect({ code, wasClean }).toEqual(
      own ? { code: one.code, wasClean: true } : { code: 1006, wasClean: false },
    );
    expect(error()?.code).toBe(own ? undefined : ERRORS[one.code]);
  });

  it.each(FAIL_FAST.map(({ id, parts }) => [id, parts] as const))(
    "%s, before all has come",
    async (_, parts) => {
      const { peer, closed, error, events } = await echoing();
      peer.send(...parts.slice(0, -1));
      await new Promise((resolve) => setTimeout(resolve, 30));
      expect(peer.closeCode).toBeUndefined();
      peer.send(parts.at(-1) as Buffer);
      await closed;
      expect(error()?.code).toBe("ALLIUM_E_WS_UTF8");
      await expect.poll(() => peer.closeCode).toBe(1007);
      expect(events).toEqual(["open", "error", "close 1006"]);
    },
  );
});
