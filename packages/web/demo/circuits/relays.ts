// The table of relays: what each carries now and carried in the last two minutes. Rows stay while their relay is in use, so
// that a reader is not thrown out of them each second.

import { tableRow, textElement, twoLines } from "../dom.ts";
import { formatRate } from "../format.ts";
import { type History, sparkline } from "./history.ts";
import type { RelayRate } from "./rates.ts";

const SVG = "http://www.w3.org/2000/svg";
const MOST_ROWS = 12;

interface Row {
  readonly row: HTMLTableRowElement;
  readonly circuits: HTMLElement;
  readonly rate: HTMLElement;
  readonly line: SVGElement;
}

export class RelayTable {
  readonly #body: HTMLElement;
  readonly #rows = new Map<string, Row>();

  constructor(body: HTMLElement) {
    this.#body = body;
    body.replaceChildren();
  }

  draw(history: History): void {
    const shown = history.relays().slice(0, MOST_ROWS);
    const most = Math.max(...shown.flatMap(({ rates }) => rates));
    const ids = new Set(shown.map(({ relay }) => relay.hop.rsaId));
    for (const [id, { row }] of this.#rows) {
      if (ids.has(id)) continue;
      row.remove();
      this.#rows.delete(id);
    }
    for (const { relay, rates } of shown) {
      const { circuits, rate, line } = this.#rowOf(relay);
      circuits.textContent = String(relay.circuits);
      rate.textContent = formatRate(relay.rate);
      line.setAttribute("points", sparkline(rates, most));
    }
  }

  #rowOf({ hop }: RelayRate): Row {
    const known = this.#rows.get(hop.rsaId);
    if (known !== undefined) return known;
    const [circuits, rate] = [textElement("span", ""), textElement("span", "", "nowrap")];
    const { svg, line } = makeSparkline();
    const name = twoLines(hop.nickname || `$${hop.rsaId.slice(0, 8)}`, hop.addresses.join(", "));
    const row = tableRow(name, circuits, rate, svg);
    this.#body.append(row);
    const made = { row, circuits, rate, line };
    this.#rows.set(hop.rsaId, made);
    return made;
  }
}

/** For the eye only: the number stands beside it. */
function makeSparkline(): { readonly svg: SVGElement; readonly line: SVGElement } {
  const svg = document.createElementNS(SVG, "svg");
  const attributes = {
    class: "spark",
    viewBox: "0 0 120 24",
    preserveAspectRatio: "none",
    "aria-hidden": "true",
  };
  for (const [name, value] of Object.entries(attributes)) svg.setAttribute(name, value);
  const line = document.createElementNS(SVG, "polyline");
  svg.append(line);
  return { svg, line };
}
