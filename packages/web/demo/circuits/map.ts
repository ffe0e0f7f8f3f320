// Draws the circuits as lines from the page through bridge, guards, middles and exits; a line is the thicker the more it carries.

import type { CircuitInfo, Traffic } from "@allium/core";
import { layoutCircuits, type MapLine, type MapNode } from "./layout.ts";

const SVG = "http://www.w3.org/2000/svg";
const TITLES = ["", "", "Guard", "Middle", "Exit"];
/** Beyond these the drawing would be a knot. */
const MOST_CIRCUITS = 16;
const COLOURS = 6;
/** Width of a letter of a node's name, about. */
const LETTER = 7;

export class CircuitMap {
  readonly #svg: SVGElement;
  #drawn = "";

  constructor(into: HTMLElement) {
    this.#svg = make("svg", { class: "map", role: "img" });
    into.replaceChildren(this.#svg);
  }

  draw(all: readonly CircuitInfo[], rates: ReadonlyMap<number, Traffic>): void {
    const circuits = all.slice(-MOST_CIRCUITS);
    const width = Math.max(280, Math.round(this.#svg.parentElement?.clientWidth ?? 0));
    const wanted = JSON.stringify([width, circuits]);
    if (wanted !== this.#drawn) this.#redraw(circuits, width);
    this.#drawn = wanted;
    for (const line of this.#svg.querySelectorAll<SVGElement>("[data-circuit]")) {
      const { received = 0, sent = 0 } = rates.get(Number(line.dataset.circuit)) ?? {};
      const rate = received + sent;
      line.classList.toggle("busy", rate > 1);
      line.setAttribute("stroke-width", String(lineWidth(rate)));
    }
  }

  #redraw(circuits: readonly CircuitInfo[], width: number): void {
    const { height, columns, nodes, lines } = layoutCircuits(circuits, width);
    const room = Math.floor((width / (columns.length - 1) - 8) / LETTER);
    for (const [name, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}` }))
      this.#svg.setAttribute(name, String(value));
    this.#svg.setAttribute("aria-label", describe(circuits));
    this.#svg.replaceChildren(
      ...lines.map(lineElement),
      ...TITLES.map((title, i) => text(title, i, { x: columns[i], y: 14, class: "column" })),
      ...nodes.flatMap((node) => nodeElements(node, room)),
    );
  }
}

function lineWidth(rate: number): number {
  return rate < 1 ? 1.5 : 2 + Math.min(4, Math.max(0, Math.log10(rate) - 2));
}

/** The list beneath has the details. */
function describe(circuits: readonly CircuitInfo[]): string {
  const open = circuits.filter(({ state }) => state === "open").length;
  return `Drawing of ${open} open circuits and ${circuits.length - open} that are being built`;
}

function lineElement({ circuit, path }: MapLine): SVGElement {
  const { id, purpose, state, hops } = circuit;
  const line = make("path", {
    ...{ d: path, fill: "none", class: `line ${purpose} ${state} hue-${id % COLOURS}` },
    "data-circuit": id,
  });
  const title = make("title", {});
  title.textContent = `Circuit ${id}: ${hops.map(({ nickname }) => nickname).join(", ")}`;
  line.append(title);
  return line;
}

function nodeElements({ name, column, x, y }: MapNode, room: number): SVGElement[] {
  const short = name.length > room ? `${name.slice(0, Math.max(1, room - 1))}…` : name;
  const label = text(short, column, { x, y: y + 22, class: "name" });
  return [
    make("circle", { cx: x, cy: y, r: column < 2 ? 6 : 7, class: column < 2 ? "end" : "relay" }),
    label,
  ];
}

/** The first column's texts begin at its line, the last one's end there. */
function text(content: string, column: number, attributes: Record<string, unknown>): SVGElement {
  const anchor = column === 0 ? "start" : column === TITLES.length - 1 ? "end" : "middle";
  const x = Number(attributes.x) + (column === 0 ? -8 : column === TITLES.length - 1 ? 8 : 0);
  const made = make("text", { ...attributes, x, "text-anchor": anchor });
  made.textContent = content;
  return made;
}

function make(tag: string, attributes: Record<string, unknown>): SVGElement {
  const made = document.createElementNS(SVG, tag) as SVGElement;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  return made;
}
