// docs/metrics.md says of every metric what the source says, and its example works.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Activity } from "../../src/client/activity.ts";
import { METRICS, Meter, type Metric } from "../../src/client/metrics.ts";
import { type ClientStats, clientStats } from "../../src/client/stats.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";

const DOCUMENT = readFileSync(new URL("../../../../docs/metrics.md", import.meta.url), "utf8");

function cells(row: string): string[] {
  return row
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());
}

const unquoted = (text: string) => [...text.matchAll(/`([^`]*)`/g)].map(([, inner]) => inner);

describe("the document", () => {
  const rows = DOCUMENT.split("\n").filter((line) => line.startsWith("| `tor."));

  it("lists every metric with its kind, unit and attributes, and no other", () => {
    const documented = rows.map((row) => {
      const [name = "", kind, unit = "", attributes = ""] = cells(row);
      return [unquoted(name)[0], { kind, unit: unquoted(unit)[0], attributes: unquoted(attributes) }];
    });
    expect(Object.fromEntries(documented)).toEqual(METRICS);
    expect(rows).toHaveLength(Object.keys(METRICS).length);
  });

  it("explains every attribute", () => {
    const used = new Set(Object.values(METRICS).flatMap(({ attributes }) => attributes as readonly string[]));
    for (const attribute of used) expect(DOCUMENT).toMatch(new RegExp(`^\\| \`${attribute}\` \\| `, "m"));
  });

  it("names every field of stats()", () => {
    const [, table = ""] = DOCUMENT.split("## ");
    const empty = { export: () => ({ last_updated: "", guards: [] }), list: () => [], netdir: undefined };
    const stats = clientStats(
      {
        ...{ bridges: empty, channels: { size: 0 }, directory: empty, guards: empty },
        memory: { used: 0, limit: 0 },
        registry: {
          ...{ list: () => [], counts: { built: 0, failed: 0 }, traffic: () => new Map() },
          totalTraffic: () => ({ general: { received: 0, sent: 0 }, directory: { received: 0, sent: 0 } }),
        },
      } as unknown as Parameters<typeof clientStats>[0],
      new Activity(new ManualClock(), new Meter(() => {})),
      { dormant: false, now: 0 },
    );
    const named = new Set(unquoted(table).flatMap((text = "") => text.split(".")));
    for (const [name, value] of Object.entries(stats) as [keyof ClientStats, unknown][]) {
      expect(named).toContain(name);
      for (const field of Object.keys(Object(value))) expect(named).toContain(field);
    }
  });
});

describe("the example", () => {
  const [, code = ""] = DOCUMENT.split("```ts\n");

  it("feeds each metric to the instrument of its kind, made once", async () => {
    const made: unknown[][] = [];
    const fed: unknown[][] = [];
    const gauges: ((result: { observe(value: number): void }) => Promise<void>)[] = [];
    const meter = {
      createCounter(name: string, options: object) {
        made.push([name, options]);
        return { add: (value: number, attributes: object) => fed.push(["add", name, value, attributes]) };
      },
      createHistogram(name: string, options: object) {
        made.push([name, options]);
        return {
          record: (value: number, attributes: object) => fed.push(["record", name, value, attributes]),
        };
      },
      createObservableGauge: () => ({ addCallback: (callback: (typeof gauges)[0]) => gauges.push(callback) }),
    };
    const listeners: ((event: { detail: Metric }) => void)[] = [];
    const tor = {
      addEventListener: (_: string, listener: (typeof listeners)[0]) => listeners.push(listener),
      stats: async () => ({ circuits: { open: 7 } }),
    };
    const body = code.slice(0, code.indexOf("```")).replace(/^import .*$/m, "");
    new Function("metrics", "tor", body)({ getMeter: () => meter }, tor);
    const clientMeter = new Meter((detail) => listeners[0]?.({ detail }));
    clientMeter.listen();
    clientMeter.tell("tor.bytes.sent", 514, { purpose: "general" });
    clientMeter.tell("tor.bytes.sent", 1028, { purpose: "directory" });
    clientMeter.tell("tor.stream.open.duration", 0.5, {});
    expect(made).toEqual([
      ["tor.bytes.sent", { unit: "By" }],
      ["tor.stream.open.duration", { unit: "s" }],
    ]);
    expect(fed).toEqual([
      ["add", "tor.bytes.sent", 514, { purpose: "general" }],
      ["add", "tor.bytes.sent", 1028, { purpose: "directory" }],
      ["record", "tor.stream.open.duration", 0.5, {}],
    ]);
    const observed: number[] = [];
    await gauges[0]?.({ observe: (value) => observed.push(value) });
    expect(observed).toEqual([7]);
  });
});
