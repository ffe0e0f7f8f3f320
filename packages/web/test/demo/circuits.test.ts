// The figures and the drawing of the demo page's live circuits.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { History, sparkline } from "../../demo/circuits/history.ts";
import { layoutCircuits } from "../../demo/circuits/layout.ts";
import { ratesOf, relayRates, type Sample } from "../../demo/circuits/rates.ts";
import { formatBytes, formatMs, formatRate, median } from "../../demo/format.ts";
import { circuit } from "../browser/fake-client.ts";

function sample(at: number, total: number, circuits: Record<number, number>): Sample {
  const entries = Object.entries(circuits).map(
    ([id, received]) => [Number(id), { received, sent: 1 }] as const,
  );
  return { at, total: { received: total, sent: 0 }, circuits: new Map(entries) };
}

/** Three hops, the first of which all have in common. */
function sharing(id: number) {
  const { hops, ...rest } = circuit(id, ["guard", `middle${id}`, `exit${id}`]);
  return { ...rest, hops: [{ ...(hops[0] as (typeof hops)[0]), rsaId: "G" }, ...hops.slice(1)] };
}

describe("rates", () => {
  it("are bytes per second, of the whole and of each circuit, new ones included", () => {
    const { total, circuits } = ratesOf(sample(1000, 100, { 1: 50 }), sample(3000, 500, { 1: 250, 2: 40 }));
    expect(total).toEqual({ received: 200, sent: 0 });
    expect(circuits.get(1)).toEqual({ received: 100, sent: 0 });
    expect(circuits.get(2)).toEqual({ received: 20, sent: 0.5 });
  });

  it("are nothing where no time has passed, or a count went back", () => {
    expect(ratesOf(sample(5, 0, {}), sample(5, 9, {})).total).toEqual({ received: 0, sent: 0 });
    expect(ratesOf(sample(0, 9, {}), sample(5, 0, {})).total).toEqual({ received: 0, sent: 0 });
  });

  it("add up at the relays that circuits share, of open circuits alone", () => {
    const rates = new Map([1, 2, 3].map((id) => [id, { received: 10 * id, sent: 1 }]));
    const relays = relayRates([sharing(1), sharing(2), { ...sharing(3), state: "building" }], rates);
    expect(relays.get("G")).toMatchObject({ rate: 32, circuits: 2 });
    expect([...relays.values()].map(({ hop }) => hop.nickname)).toEqual([
      ...["guard", "middle1", "exit1", "middle2", "exit2"],
    ]);
  });
});

describe("the history", () => {
  const carry = (received: number) => relayRates([sharing(1)], new Map([[1, { received, sent: 0 }]]));

  it("keeps two minutes, and a relay for as long as it carried something in them", () => {
    const history = new History();
    for (let second = 0; second < 130; second++)
      history.add(1000 * second, { received: second, sent: 1 }, second < 5 ? carry(10) : new Map());
    const [times, received] = history.columns(129_000);
    expect([times.length, times[0], times.at(-1), received[0]]).toEqual([120, -119, 0, 10]);
    expect(history.relays()).toEqual([]);
  });

  it("has the relay first that carried most", () => {
    const history = new History();
    const both = [sharing(1), sharing(2)];
    const rates = new Map([
      [1, { received: 1, sent: 0 }],
      [2, { received: 5, sent: 0 }],
    ]);
    history.add(0, { received: 6, sent: 0 }, relayRates(both, rates));
    expect(
      history
        .relays()
        .map(({ relay }) => relay.hop.nickname)
        .slice(0, 2),
    ).toEqual(["guard", "middle2"]);
  });

  it("is drawn from the right, the largest at the top", () => {
    expect(sparkline([0, 5, 10], 10)).toBe("117,23.0 118,12.0 119,1.0");
    expect(sparkline([0], 0)).toBe("119,23.0");
  });
});

describe("the drawing", () => {
  it("leads every circuit from the page through the bridge and its relays, left to right", () => {
    const { nodes, lines } = layoutCircuits([sharing(1), sharing(2), circuit(3, ["cache"])], 500);
    const columns = [0, 1, 2, 3, 4].map((i) =>
      nodes.filter(({ column }) => column === i).map(({ name }) => name),
    );
    expect(columns).toEqual([
      ["You"],
      ["Bridge"],
      ["guard", "cache"],
      ["middle1", "middle2"],
      ["exit1", "exit2"],
    ]);
    expect(lines.map(({ path }) => path.split("C").length - 1)).toEqual([4, 4, 2]);
    expect(lines[0]?.path).toMatch(/^M10 .* 490 [\d.]+$/);
  });

  it("keeps to its box, and relays of a column apart, however many there are", () => {
    const many = fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 16 });
    fc.assert(
      fc.property(many, fc.integer({ min: 280, max: 1200 }), (ids, width) => {
        const { nodes, height } = layoutCircuits(
          ids.map((id) => circuit(id, [`g${id}`, `m${id}`, `e${id}`])),
          width,
        );
        for (const { x, y } of nodes) expect(x >= 0 && x <= width && y >= 14 && y <= height - 22).toBe(true);
        for (const one of nodes)
          for (const other of nodes)
            if (one !== other && one.column === other.column)
              expect(Math.abs(one.y - other.y)).toBeGreaterThan(40);
      }),
      { numRuns: 50 },
    );
  });
});

it("writes numbers for people", () => {
  expect([0, 1023, 1536, 5 << 20].map(formatBytes)).toEqual(["0 bytes", "1023 bytes", "1.5 KiB", "5.0 MiB"]);
  expect([0.5, 2048].map(formatRate)).toEqual(["0", "2.0 KiB/s"]);
  expect([12.4, 12_345].map(formatMs)).toEqual(["12 ms", "12.3 s"]);
  expect([[], [3, 1, 2], [1, 2, 4, 9]].map(median)).toEqual([undefined, 2, 3]);
});
