// `npm run bench`: measures Allium beside C tor's client on private networks of its own, every pair in one run and by turns.
// Prints Markdown tables; `--json` writes every sample. docs/benchmarks.md says what each suite is for.

import { writeFileSync } from "node:fs";
import { interruption } from "../../scripts/interrupt.ts";
import { Context, type Suite } from "./context.ts";
import { machine } from "./machine.ts";
import { parseCommandLine, usage } from "./options.ts";
import { build } from "./suites/build.ts";
import { cells } from "./suites/cells.ts";
import { directory } from "./suites/directory.ts";
import { firstByte } from "./suites/first-byte.ts";
import { overview } from "./suites/overview.ts";
import { page } from "./suites/page.ts";
import { paths } from "./suites/paths.ts";
import { pipeline } from "./suites/pipeline.ts";
import { scale } from "./suites/scale.ts";
import { slowPath } from "./suites/slow-path.ts";
import { transfer } from "./suites/transfer.ts";
import { web } from "./suites/web.ts";
import { render, type Table } from "./table.ts";

const SUITES: readonly Suite[] = [
  overview,
  transfer,
  web,
  slowPath,
  firstByte,
  build,
  scale,
  page,
  paths,
  pipeline,
  cells,
  directory,
];
/** What runs where nothing is asked for. */
const USUAL = "overview,build";

interface Report {
  readonly suite: string;
  readonly seconds: number;
  /** Load averages of the machine before and after. */
  readonly load: { readonly before: readonly number[]; readonly after: readonly number[] };
  readonly tables: readonly Table[];
}

async function runSuite(suite: Suite, context: Context): Promise<Report> {
  context.say(`suite ${suite.name}`);
  const before = machine().load;
  const began = performance.now();
  const tables = await suite.run(context);
  const seconds = Math.round((performance.now() - began) / 1000);
  return { suite: suite.name, seconds, load: { before, after: machine().load }, tables };
}

function show({ suite, seconds, load, tables }: Report): string {
  const loads = [...load.before.slice(0, 1), ...load.after.slice(0, 1)].map((value) => value.toFixed(2));
  return `## ${suite}: ${seconds} s, load ${loads.join(" before, ")} after\n\n${render(tables)}`;
}

async function main(signal: AbortSignal): Promise<void> {
  const command = parseCommandLine(process.argv.slice(2), SUITES, USUAL);
  if (command.help) {
    process.stdout.write(`${usage(SUITES, USUAL)}\n`);
    return;
  }
  const { cpu, cores } = machine();
  const head = `${cpu}, ${cores} cores, Node ${process.version}; MB is 1e6 bytes; medians of ${command.options.rounds} rounds (range of all samples)`;
  const texts = [head];
  process.stdout.write(`${head}\n\n`);
  const context = new Context(command.options, (text) => process.stderr.write(`${text}\n`), signal);
  const reports: Report[] = [];
  for (const suite of command.suites) {
    const report = await runSuite(suite, context);
    reports.push(report);
    texts.push(show(report));
    process.stdout.write(`${show(report)}\n`);
    // After every suite: what was measured is not lost with what comes after it.
    const all = { machine: { cpu, cores }, options: command.options, reports };
    if (command.json !== undefined) writeFileSync(command.json, `${JSON.stringify(all, undefined, 1)}\n`);
    if (command.markdown !== undefined) writeFileSync(command.markdown, `${texts.join("\n\n")}\n`);
  }
}

/** Milliseconds that what is being measured has to end in order, once interrupted; all processes end with this one. */
const PATIENCE = 5000;

const interrupted = interruption();
interrupted.addEventListener("abort", () => setTimeout(() => process.exit(1), PATIENCE).unref());
main(interrupted).catch((error: unknown) => {
  console.error(interrupted.aborted ? interrupted.reason.message : error);
  process.exitCode = 1;
});
