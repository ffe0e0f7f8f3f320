// Connections that a server leaves with GOAWAY while their answers go on: they count, and end, as all others do.

import { expect, it } from "vitest";
import { TorError } from "../../../src/base/errors.ts";
import { ConnectionPool } from "../../../src/net/connections/pool.ts";
import { GOAWAY, numbersFrame } from "../../../src/net/http2/frames.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";
import { rejection, settle } from "../streams.ts";
import { get, headers, OK, Peer, settings } from "./peer.ts";

const ORIGIN = { secure: true, hostname: "a.example", port: 443 };

it("connections that are left with unread answers are six to an origin, and end with the pool", async () => {
  const clock = new ManualClock();
  const peers: Peer[] = [];
  const open = async () => {
    const peer = new Peer(clock);
    peers.push(peer);
    peer.send(settings());
    return peer.connection;
  };
  const pool = new ConnectionPool({ clock, maxAge: 600_000, waitTimeout: 300_000, open });
  const asked: ReturnType<ConnectionPool["request"]>[] = [];
  for (let i = 0; i < 8; i++) {
    asked.push(pool.request(ORIGIN, undefined, get(), undefined));
    await settle();
    if (i < 6) peers[i]?.send(headers(1, OK), numbersFrame(GOAWAY, 0, 1, 0));
    await settle();
  }
  expect(peers.length).toBe(6);
  const body = (await asked[0])?.body;
  const reading = rejection(Promise.resolve(body?.next()));
  const waiting = asked.slice(6).map(rejection);
  pool.close(new TorError("aborted", "ALLIUM_E_CLOSED", "closed"));
  for (const error of [await reading, ...(await Promise.all(waiting))])
    expect(error.code).toBe("ALLIUM_E_CLOSED");
  expect(peers.every(({ closedWith }) => closedWith.length > 0)).toBe(true);
  expect(clock.pendingTimers).toBe(0);
});
