// The command line of `npm run bench`.

import { parseArgs } from "node:util";
import type { Scheduler } from "../tornet/types.ts";
import type { Kind } from "./contenders/contender.ts";
import type { BenchOptions, Suite } from "./context.ts";
import { FORMS, isForm } from "./forms.ts";

const MIB = 1024 * 1024;
const KINDS: readonly Kind[] = ["c-tor", "c-tor-conflux", "node", "chromium", "chromium-worker"];
/** Who takes part where nobody is named. */
const USUAL_KINDS: readonly Kind[] = ["c-tor", "c-tor-conflux", "node", "chromium"];
const SCHEDULERS: readonly Scheduler[] = ["KIST", "Vanilla"];

export interface CommandLine {
  readonly suites: readonly Suite[];
  readonly options: BenchOptions;
  readonly json: string | undefined;
  readonly markdown: string | undefined;
  readonly help: boolean;
}

function list<T extends string>(text: string, known: readonly T[], what: string): T[] {
  return text.split(",").map((name) => {
    const found = known.find((candidate) => candidate === name);
    if (found === undefined) throw new Error(`--${what} takes ${known.join(", ")}; not "${name}"`);
    return found;
  });
}

function whole(text: string, what: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new Error(`--${what} takes whole numbers, not "${text}"`);
  return value;
}

/** @throws Error that says what is wrong with the arguments */
export function parseCommandLine(
  args: readonly string[],
  suites: readonly Suite[],
  usual: string,
): CommandLine {
  const text = (fallback: string) => ({ type: "string", default: fallback }) as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      suite: text(usual),
      rounds: text("5"),
      scheduler: text("Vanilla"),
      form: text("legacy,cgo"),
      contender: text(USUAL_KINDS.join(",")),
      streams: text("1"),
      down: text("64"),
      up: text("16"),
      json: { type: "string" },
      markdown: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const names = suites.map(({ name }) => name);
  const wanted = values.suite === "all" ? names : list(values.suite, names, "suite");
  return {
    suites: suites.filter(({ name }) => wanted.includes(name)),
    options: {
      rounds: whole(values.rounds, "rounds"),
      schedulers: list(values.scheduler, SCHEDULERS, "scheduler"),
      forms: list(values.form, Object.keys(FORMS).filter(isForm), "form"),
      contenders: list(values.contender, KINDS, "contender"),
      streams: values.streams.split(",").map((count) => whole(count, "streams")),
      downloadBytes: whole(values.down, "down") * MIB,
      uploadBytes: whole(values.up, "up") * MIB,
    },
    json: values.json,
    markdown: values.markdown,
    help: values.help,
  };
}

export function usage(suites: readonly Suite[], usual: string): string {
  return [
    "npm run bench -- [options]",
    "",
    `--suite NAME,…       of those below, or all (${usual})`,
    "--rounds N           how often everything is measured (5)",
    `--scheduler NAME,…   tor's cell scheduler: ${SCHEDULERS.join(", ")} (Vanilla)`,
    `--form NAME,…        of circuits: ${Object.keys(FORMS).join(", ")} (legacy,cgo)`,
    `--contender NAME,…   ${KINDS.join(", ")} (all but the last)`,
    "--streams N,…        streams at once, in `transfer` (1)",
    "--down MIB --up MIB  sizes of transfers (64, 16)",
    "--json FILE          all samples; --markdown FILE: the tables",
    "",
    ...suites.map(({ name, about }) => `${name.padEnd(10)} ${about}`),
  ].join("\n");
}
