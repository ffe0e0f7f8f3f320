// A server's bytes with damage anywhere in them: whatever comes of it, nothing hangs and nothing is thrown but TorErrors.

import { expect, it } from "vitest";
import { concat } from "../../../src/base/bytes.ts";
import { isTorError } from "../../../src/base/errors.ts";
import * as F from "../../../src/net/http2/frames.ts";
import { turn } from "../../../src/testing/case.ts";
import { data, END, get, headers, OK, Peer, post, settings, textOf } from "./peer.ts";

/** Two responses, one of them with all that there is. */
const WHOLE = concat(
  settings([3, 100], [4, 70_000]),
  F.frame(F.SETTINGS, F.ACK, 0, new Uint8Array(0)),
  F.numbersFrame(F.WINDOW_UPDATE, 0, 1000),
  headers(3, [[":status", "103"]]),
  headers(1, OK),
  data(1, "\x02hello\0\0", 8),
  F.frame(F.PING, 0, 0, new Uint8Array(8)),
  headers(
    3,
    [
      [":status", "200"],
      ["content-length", "5"],
    ],
    0,
  ),
  F.frame(F.CONTINUATION, F.END_HEADERS, 3, Uint8Array.of(0, 1, 97, 1, 98)),
  data(3, "world", F.END_STREAM),
  headers(1, [["x-sum", "1"]], END),
  F.numbersFrame(F.GOAWAY, 0, 3, 0),
);

/** What became of both requests: their bodies, or that they failed. */
async function outcome(bytes: Uint8Array): Promise<(string | undefined)[]> {
  const peer = new Peer();
  const requests = [get(), post([new Uint8Array(10)], 10)].map((request) =>
    peer.connection
      .request(request, undefined)
      .then(textOf)
      .catch((error) => {
        expect(isTorError(error)).toBe(true);
        return undefined;
      }),
  );
  peer.send(bytes);
  peer.end();
  const reason = await peer.connection.closed;
  expect(reason === undefined || isTorError(reason)).toBe(true);
  const texts = await Promise.all(requests);
  await turn();
  expect(peer.connection.active).toBe(0);
  expect(peer.closedWith.length).toBeGreaterThan(0);
  expect(peer.clock.pendingTimers).toBe(0);
  return texts;
}

it("without damage, both responses are read", async () => {
  expect(await outcome(WHOLE)).toEqual(["hello", "world"]);
});

it("cut anywhere, no part of a response passes for the whole", async () => {
  for (let length = 0; length < WHOLE.length; length++) {
    for (const text of await outcome(WHOLE.subarray(0, length))) {
      expect([undefined, "hello", "world"]).toContain(text);
    }
  }
});

it.each([0, 2, 7])("with bit %i of any byte changed, it ends all the same", async (bit) => {
  let failed = 0;
  for (let at = 0; at < WHOLE.length; at++) {
    const damaged = WHOLE.slice();
    damaged[at] = (damaged[at] as number) ^ (1 << bit);
    if ((await outcome(damaged)).includes(undefined)) failed++;
  }
  expect(failed).toBeGreaterThan(WHOLE.length / 8);
});
