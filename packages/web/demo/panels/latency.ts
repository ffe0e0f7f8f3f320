// The panel that compares how long a request takes: to the page's own server, and through Tor.

import { element, tableRow } from "../dom.ts";
import { formatMs, median } from "../format.ts";
import { attempt, clearProblem } from "../problems.ts";
import type { Session } from "../session.ts";

const TRIES = 5;

export function latencyPanel(session: Session): void {
  const { network, signal } = session;
  clearProblem("latency-problem");
  element("latency-rows").replaceChildren();
  element("latency-note").textContent = "";
  element<HTMLInputElement>("latency-address").value = network.suggestions[0] ?? "";
  const work = () => compare(session);
  element("latency").addEventListener(
    "submit",
    () => void attempt({ button: "latency-go", problem: "latency-problem", signal }, work),
    { signal },
  );
}

async function compare({ client, signal }: Session): Promise<void> {
  const address = element<HTMLInputElement>("latency-address").value.trim();
  const direct: number[] = [];
  const tor: number[] = [];
  const rows = element("latency-rows");
  rows.replaceChildren();
  element("latency-note").textContent = "";
  for (let i = 1; i <= TRIES; i++) {
    direct.push(await time(() => fetch("config.json", { cache: "no-store", signal })));
    tor.push(await time(() => client.fetch(address, { signal })));
    rows.append(tableRow(`Try ${i}`, formatMs(direct.at(-1) as number), formatMs(tor.at(-1) as number)));
  }
  const [one, other] = [median(direct) as number, median(tor) as number];
  const row = tableRow("Median", formatMs(one), formatMs(other));
  row.className = "sum";
  rows.append(row);
  element("latency-note").textContent =
    other > one ? `Through Tor it takes ${formatMs(other - one)} more.` : "Through Tor it takes no longer.";
}

/** Milliseconds until the whole answer is there. */
async function time(request: () => Promise<Response>): Promise<number> {
  const began = performance.now();
  await (await request()).arrayBuffer();
  return performance.now() - began;
}
