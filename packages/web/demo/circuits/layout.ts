// Where the drawing of the circuits has its nodes and lines. Columns from the page to the exits; a relay has a node in each
// column that it is used in.

import type { CircuitInfo } from "@allium/core";

export interface MapNode {
  readonly key: string;
  readonly name: string;
  readonly column: number;
  readonly x: number;
  readonly y: number;
}

export interface MapLine {
  readonly circuit: CircuitInfo;
  /** SVG path data. */
  readonly path: string;
}

export interface MapLayout {
  readonly height: number;
  /** Where the columns are. */
  readonly columns: readonly number[];
  readonly nodes: readonly MapNode[];
  readonly lines: readonly MapLine[];
}

/** The page and the bridge, then the hops. */
const COLUMNS = 5;
const SIDE = 10;
const HEAD = 28;
const ROW = 48;
/** Of this height it always is, unless there is more: what is beneath should not move. */
const LEAST_ROWS = 5;
/** Between the lines of circuits that share an edge. */
const STRAND = 4;

export function layoutCircuits(circuits: readonly CircuitInfo[], width: number): MapLayout {
  const columns = Array.from({ length: COLUMNS }, (_, i) => SIDE + (i * (width - 2 * SIDE)) / (COLUMNS - 1));
  const names = namesByColumn(circuits);
  const rows = Math.max(LEAST_ROWS, ...names.map((column) => column.size));
  const nodes = names.flatMap((column, i) =>
    [...column].map(([key, name], at): MapNode => {
      const y = HEAD + ((at + 0.5) * rows * ROW) / column.size - 8;
      return { key: `${i} ${key}`, name, column: i, x: columns[i] as number, y };
    }),
  );
  const places = new Map(nodes.map((node) => [node.key, node]));
  const lines = circuits.map((circuit, i): MapLine => {
    const shift = (i - (circuits.length - 1) / 2) * Math.min(STRAND, 20 / circuits.length);
    return { circuit, path: pathThrough(stationsOf(circuit, places), shift) };
  });
  return { height: HEAD + rows * ROW, columns, nodes, lines };
}

function namesByColumn(circuits: readonly CircuitInfo[]): Map<string, string>[] {
  const ends = [new Map([["page", "You"]]), new Map([["bridge", "Bridge"]])];
  const hops = Array.from({ length: COLUMNS - ends.length }, (_, i) => {
    const named = circuits.flatMap(({ hops }) => hops[i] ?? []);
    return new Map(named.map(({ rsaId, nickname }) => [rsaId, nickname || `$${rsaId.slice(0, 8)}`]));
  });
  return [...ends, ...hops];
}

function stationsOf({ hops }: CircuitInfo, places: ReadonlyMap<string, MapNode>): MapNode[] {
  const keys = ["page", "bridge", ...hops.map(({ rsaId }) => rsaId)];
  return keys.flatMap((key, column) => places.get(`${column} ${key}`) ?? []);
}

/** A curve that is level at each station, and beside it by `shift` between two. */
function pathThrough(stations: readonly MapNode[], shift: number): string {
  return stations
    .map(({ x, y }, i) => {
      const before = stations[i - 1];
      if (before === undefined) return `M${round(x)} ${round(y)}`;
      const middle = (before.x + x) / 2;
      const [from, to] = [before.y + shift, y + shift];
      return `C${round(middle)} ${round(from)} ${round(middle)} ${round(to)} ${round(x)} ${round(y)}`;
    })
    .join(" ");
}

function round(value: number): number {
  return Math.round(10 * value) / 10;
}
