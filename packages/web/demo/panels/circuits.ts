// The panel of the circuits, live: the drawing, throughput over time, what each relay carries, and all circuits as a list.

import type { CircuitInfo, HopInfo, Traffic } from "@allium/core";
import { History } from "../circuits/history.ts";
import { CircuitMap } from "../circuits/map.ts";
import { ThroughputPlot } from "../circuits/plot.ts";
import { type Rates, ratesOf, relayRates, type Sample, sampleOf } from "../circuits/rates.ts";
import { RelayTable } from "../circuits/relays.ts";
import { element, tableRow } from "../dom.ts";
import { formatBytes, formatRate } from "../format.ts";
import type { Session } from "../session.ts";

const INTERVAL_MS = 1000;
const NO_RATES: Rates = { total: { received: 0, sent: 0 }, circuits: new Map() };

export function circuitsPanel({ client, signal }: Session): void {
  const map = new CircuitMap(element("circuit-map"));
  const plot = new ThroughputPlot(element("throughput"), signal);
  const table = new RelayTable(element("relay-rows"));
  const history = new History();
  let before: Sample | undefined;
  let rates = NO_RATES;
  const drawMap = () => map.draw(client.circuits(), rates.circuits);
  const tick = async () => {
    const now = sampleOf(await client.stats(), performance.now());
    if (signal.aborted) return;
    rates = before === undefined ? NO_RATES : ratesOf(before, now);
    before = now;
    history.add(now.at, rates.total, relayRates(client.circuits(), rates.circuits));
    drawMap();
    drawFigures(now.total, rates.total);
    plot.draw(history.columns(now.at));
    table.draw(history);
    drawList(client.circuits(), now.circuits);
  };
  client.addEventListener("circuit", drawMap, { signal });
  drawMap();
  void everySecond(tick, signal);
}

/** Not while nobody can see it, and never twice at a time. */
async function everySecond(tick: () => Promise<void>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    if (!document.hidden) await tick().catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
  }
}

function drawFigures(total: Traffic, rate: Traffic): void {
  for (const way of ["received", "sent"] as const) {
    element(`rate-${way}`).textContent = formatRate(rate[way]);
    element(`total-${way}`).textContent = formatBytes(total[way]);
  }
}

function drawList(circuits: readonly CircuitInfo[], traffic: ReadonlyMap<number, Traffic>): void {
  // Drawn only for who has opened it.
  if (!element<HTMLDetailsElement>("circuit-details").open) return;
  element("circuit-rows").replaceChildren(
    ...circuits.map(({ id, purpose, state, hops }) => {
      const { received = 0, sent = 0 } = traffic.get(id) ?? {};
      const path = hops.map(({ nickname, rsaId }) => nickname || `$${rsaId.slice(0, 8)}`).join(" → ");
      const form = [purpose, state, ...formOf(hops.at(-1))].join(", ");
      return tableRow(String(id), path, form, formatBytes(received), formatBytes(sent));
    }),
  );
}

/** What the last hop agreed to beyond what every relay does. */
function formOf(hop: HopInfo | undefined): string[] {
  return [
    ...(hop?.flowControl === "congestion-control" ? ["congestion control"] : []),
    ...(hop?.relayCrypto === "cgo" ? ["CGO"] : []),
  ];
}
