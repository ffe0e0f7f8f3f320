// `npm run bench`: on one private network, in one run, C tor over SOCKS, Allium in Node and Allium in Chromium take turns.
// Prints a table with ratios to C tor and writes it as JSON. Options: --rounds N, --scheduler KIST|Vanilla, --json FILE.

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { createBridge } from "@allium/bridge";
import { startTornet } from "../tornet/tornet.ts";
import type { Scheduler, Tornet } from "../tornet/types.ts";
import { measureCTor } from "./c-tor.ts";
import { measureCTorStarts } from "./c-tor-start.ts";
import { runInChromium } from "./chromium.ts";
import type { BenchTarget } from "./measure.ts";

type Figures = Record<string, number | readonly number[] | undefined>;
type Runs = Record<"C tor" | "Allium, Node" | "Allium, Chromium", Figures[]>;

const RUN_TIMEOUT = 300_000;

const ROWS: readonly (readonly [key: string, title: string, unit: string, scale: number])[] = [
  ["download", "download of 64 MiB", "MB/s", 1],
  ["upload", "upload of 16 MiB", "MB/s", 1],
  ["circuitBuilds", "circuit build (Allium: and first page)", "ms", 1],
  ["firstByte", "small page on a built circuit", "ms", 1],
  ["coldStart", "cold start", "ms", 1],
  ["warmStart", "warm start", "ms", 1],
  ["memory", "memory (process; Chromium: JS heap)", "MiB", 1 / 1024 / 1024],
  ["cpuSeconds", "CPU of the whole run", "s", 1],
];

async function runInNode(job: object): Promise<Figures> {
  const script = fileURLToPath(new URL("./node-client.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--conditions=@allium/source", script, JSON.stringify(job)],
    { timeout: RUN_TIMEOUT, maxBuffer: 1 << 24 },
  );
  return JSON.parse(stdout) as Figures;
}

function median(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

function medianOf(runs: readonly Figures[], key: string): number | undefined {
  return median(runs.flatMap((run) => run[key] ?? []));
}

function table(runs: Runs): string {
  const columns = Object.keys(runs) as (keyof Runs)[];
  const lines = ROWS.map(([key, title, unit, scale]) => {
    const baseline = medianOf(runs["C tor"], key);
    const cells = columns.map((column) => {
      const value = medianOf(runs[column], key);
      if (value === undefined) return "-";
      const ratio =
        baseline === undefined || column === "C tor" ? "" : ` (${(value / baseline).toFixed(2)}x)`;
      return `${(value * scale).toFixed(1)} ${unit}${ratio}`;
    });
    return `| ${title} | ${cells.join(" | ")} |`;
  });
  return [`| | ${columns.join(" | ")} |`, `|---${"|---".repeat(columns.length)}|`, ...lines].join("\n");
}

async function measureAll(tornet: Tornet, rounds: number, say: (text: string) => void): Promise<Runs> {
  const bridge = createBridge({ network: tornet.network, listen: { host: "127.0.0.1", port: 0 } });
  const bridges = [await bridge.listen()];
  await bridge.ready;
  const { network, info } = tornet;
  const mib = 1024 * 1024;
  const target: BenchTarget = {
    url: info.http.url,
    downloadBytes: 64 * mib,
    uploadBytes: 16 * mib,
    builds: 5,
  };
  const runs: Runs = { "C tor": [], "Allium, Node": [], "Allium, Chromium": [] };
  for (let round = 1; round <= rounds; round++) {
    say(`round ${round} of ${rounds}: C tor`);
    const starts = await measureCTorStarts(info, join(info.dir, `second-client-${round}`));
    runs["C tor"].push({ ...starts, ...(await measureCTor(info, target)) });
    say(`round ${round} of ${rounds}: Allium in Node`);
    runs["Allium, Node"].push(await runInNode({ network, target }));
    say(`round ${round} of ${rounds}: Allium in Chromium`);
    runs["Allium, Chromium"].push(
      (await runInChromium({ network, bridges, target }, RUN_TIMEOUT)) as Figures,
    );
  }
  await bridge.close();
  return runs;
}

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    scheduler: { type: "string", default: "Vanilla" },
    json: { type: "string" },
  },
});
const say = (text: string) => process.stderr.write(`${text}\n`);
const dir = mkdtempSync(join(tmpdir(), "allium-bench-net-"));
const tornet = await startTornet({
  dir,
  scheduler: values.scheduler as Scheduler,
  onProgress: ({ message }) => say(message),
});
try {
  const runs = await measureAll(tornet, Number(values.rounds), say);
  process.stdout.write(
    `\nPrivate network, ${values.scheduler} scheduler, medians of ${values.rounds} rounds\n\n${table(runs)}\n`,
  );
  const report = { scheduler: values.scheduler, torVersion: tornet.info.torVersion, runs };
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
  else process.stdout.write(`\n${JSON.stringify(report)}\n`);
} finally {
  await tornet.stop();
  rmSync(dir, { recursive: true, force: true });
}
