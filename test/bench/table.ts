// Results as tables: what a suite measured, with ratios to the first column, as Markdown for readers and JSON for programs.

import { ratio, type Samples, summarize } from "./statistics.ts";

export interface Row {
  readonly title: string;
  /** "MB/s", "ms", … */
  readonly unit: string;
  /** Decimal places. */
  readonly digits: number;
  /** By column; a column may have none. */
  readonly samples: Readonly<Record<string, Samples | undefined>>;
}

export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  /** The column to which ratios are; none where undefined. */
  readonly baseline?: string;
  readonly rows: readonly Row[];
}

function cell(row: Row, column: string, baseline: string | undefined): string {
  const samples = row.samples[column];
  const summary = samples && summarize(samples);
  if (samples === undefined || summary === undefined) return "-";
  const show = (value: number) => value.toFixed(row.digits);
  const range = summary.min === summary.max ? "" : ` (${show(summary.min)}-${show(summary.max)})`;
  const base = baseline === undefined || baseline === column ? undefined : row.samples[baseline];
  const times = base && ratio(samples, base);
  return `${show(summary.median)}${range}${times === undefined ? "" : ` **${times.toFixed(2)}x**`}`;
}

function markdown({ title, columns, baseline, rows }: Table): string {
  const lines = rows.map(
    (row) =>
      `| ${row.title}, ${row.unit} | ${columns.map((column) => cell(row, column, baseline)).join(" | ")} |`,
  );
  const head = `| | ${columns.join(" | ")} |\n|---${"|---".repeat(columns.length)}|`;
  const heading = baseline === undefined ? title : `${title} (**x**: to ${baseline})`;
  return `### ${heading}\n\n${head}\n${lines.join("\n")}\n`;
}

/** One suite's tables, each cell a median with its range in brackets and its ratio to the baseline in bold. */
export function render(tables: readonly Table[]): string {
  return tables.map(markdown).join("\n");
}

/** Gathers samples by row and column while a suite runs. */
export class Sheet {
  readonly #rows = new Map<string, { unit: string; digits: number; samples: Map<string, number[][]> }>();

  add(
    round: number,
    title: string,
    unit: string,
    column: string,
    values: readonly number[],
    digits = 1,
  ): void {
    const row = this.#rows.get(title) ?? { unit, digits, samples: new Map<string, number[][]>() };
    this.#rows.set(title, row);
    const rounds = row.samples.get(column) ?? [];
    row.samples.set(column, rounds);
    while (rounds.length <= round) rounds.push([]);
    rounds[round]?.push(...values);
  }

  /** The rows that stand under `columns`, in the order in which they first came. */
  table(title: string, columns: readonly string[], baseline?: string): Table {
    const rows = [...this.#rows].map(([name, { unit, digits, samples }]) => ({
      title: name,
      unit,
      digits,
      samples: Object.fromEntries(samples),
    }));
    return { title, columns, rows, ...(baseline === undefined ? {} : { baseline }) };
  }
}
