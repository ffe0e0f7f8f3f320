// stats() and metrics on the private network: what they say is what happened, and names nobody who should not be named.

import { type Metric, memoryStore } from "@allium/core";
import { describe, expect, inject, it } from "vitest";
import { directClient } from "./helpers.ts";

const { http, nodes, guards, exits } = inject("info");
const MIB = 1024 * 1024;

describe("what a client counts", () => {
  it("are the circuits, channels and bytes that a download took", async () => {
    const tor = directClient();
    await tor.ready();
    const before = tor.stats().traffic;
    const body = await (await tor.fetch(`${http.url}bytes/${MIB}`)).arrayBuffer();
    expect(body.byteLength).toBe(MIB);
    const stats = tor.stats();
    // A cell of 514 bytes carries some 490; acknowledgements go the other way.
    const received = stats.traffic.received - before.received;
    expect(received).toBeGreaterThan(MIB * (514 / 500));
    expect(received).toBeLessThan(MIB * 1.15);
    expect(stats.traffic.received % 514).toBe(0);
    expect(stats.traffic.sent).toBeGreaterThan(before.sent);
    const open = tor.circuits().filter(({ state }) => state === "open");
    expect(stats.traffic.circuits.map(({ id }) => id)).toEqual(open.map(({ id }) => id));
    expect(stats.circuits.open).toBe(open.length);
    expect(stats.circuits.built).toBeGreaterThanOrEqual(2);
    expect(stats.buildTimes.median).toBeGreaterThan(0);
    expect(stats.handshakes.completed).toBeGreaterThanOrEqual(1);
    expect(stats.streams.opened).toBe(1);
    expect(stats.guards.confirmations).toBeGreaterThanOrEqual(1);
    const { consensus } = stats.directory;
    expect(consensus?.usable).toBe(consensus?.listed);
    expect(consensus?.usable).toBeGreaterThanOrEqual(new Set([...guards, ...exits]).size);
    expect(Date.parse(consensus?.validAfter ?? "") + (consensus?.age ?? 0)).toBeCloseTo(Date.now(), -4);
    const guard = open.find(({ purpose }) => purpose === "general")?.hops[0];
    expect(stats.relays.find(({ rsaId }) => rsaId === guard?.rsaId)?.built).toBeGreaterThanOrEqual(1);
    expect(stats.dormant).toBe(false);
  });

  it("are kept in the sum when circuits are gone", async () => {
    const tor = directClient();
    await (await tor.fetch(http.url)).arrayBuffer();
    const { received } = tor.stats().traffic;
    await tor.close();
    await expect.poll(() => tor.stats().traffic.circuits).toEqual([]);
    expect(tor.stats().traffic.received).toBeGreaterThanOrEqual(received);
  });

  it("is told as metrics that add up to it, and name neither relay nor destination", async () => {
    const tor = directClient(memoryStore());
    const metrics: Metric[] = [];
    tor.addEventListener("metric", ({ detail }) => metrics.push(detail));
    await (await tor.fetch(http.namedUrl)).arrayBuffer();
    await tor.fetch("http://127.0.0.1:2/").catch(() => {});
    tor.newIdentity();
    await tor.close();
    await expect.poll(() => tor.stats().traffic.circuits).toEqual([]);
    const sum = (name: string) =>
      metrics.reduce((total, metric) => total + (metric.name === name ? metric.value : 0), 0);
    const stats = tor.stats();
    expect(sum("tor.bytes.received")).toBe(stats.traffic.received);
    expect(sum("tor.bytes.sent")).toBe(stats.traffic.sent);
    expect(sum("tor.stream.opens")).toBe(stats.streams.opened + stats.streams.failed);
    expect(sum("tor.identity.rotations")).toBe(1);
    const built = metrics.filter(({ attributes }) => attributes.outcome === "built").length;
    expect(built).toBe(stats.circuits.built);
    const told = JSON.stringify(metrics).toLowerCase();
    for (const { nickname } of nodes) expect(told).not.toContain(`"${nickname.toLowerCase()}"`);
    expect(told).not.toMatch(/127\.0\.0|[0-9a-f]{40}/);
    expect(told).not.toContain(new URL(http.namedUrl).hostname);
  });
});
