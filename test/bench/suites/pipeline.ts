// `pipeline`: the receive path alone, without a network: records prepared in advance, fed to the client's own TLS, link, circuit and
// stream, beside versions that do their cryptography in other ways. One version per process, with warm-up.

import { join } from "node:path";
import { BrowserLink } from "../contenders/browser.ts";
import { ChildLink } from "../contenders/child.ts";
import type { Link } from "../contenders/protocol.ts";
import type { Context, Suite } from "../context.ts";
import { CpuMeter } from "../machine.ts";
import { type Contents, PageSource } from "../pipeline/page-source.ts";
import { isClient, type PipelineStart, type VersionName } from "../pipeline/protocol.ts";
import { Relays } from "../pipeline/relay-link.ts";
import { type Synthetic, synthesize } from "../pipeline/synthetic.ts";
import { orderOf } from "../statistics.ts";
import { Sheet, type Table } from "../table.ts";

const MIB = 1024 * 1024;
const FOLDER = join(import.meta.dirname, "../pipeline");
const RECORDS = [4096, 16384];

interface Version {
  readonly name: VersionName;
  readonly title: string;
  /** Application bytes, so that the slow ones end as well; a quarter is warm-up. */
  readonly bytes: number;
}

const VERSIONS: readonly Version[] = [
  { name: "client", title: "Allium", bytes: 96 * MIB },
  { name: "client-cgo", title: "Allium, CGO exit", bytes: 48 * MIB },
  { name: "library", title: "library only", bytes: 16 * MIB },
  { name: "per-cell", title: "WebCrypto per cell", bytes: 4 * MIB },
  { name: "decrypt", title: "AES-GCM alone", bytes: 96 * MIB },
];
/** Where the platform's own ciphers are left out. */
const WEBCRYPTO: Version = { name: "client-webcrypto", title: "Allium, WebCrypto", bytes: 96 * MIB };
const FLOOR = "AES-GCM alone";
/** Where bytes come by a WebSocket. */
const BYTES: Version = { name: "bytes", title: "WebSocket alone", bytes: 96 * MIB };

interface Figures {
  /** Application MB a second. */
  readonly rate: number;
  /** Application MB for a second of CPU, by process. */
  readonly perCpu: Readonly<Record<string, number>>;
}

async function measured(
  link: Link,
  parts: Readonly<Record<string, () => readonly number[]>>,
): Promise<Figures> {
  await link.ask({ ask: "receive", warmUp: true });
  const pids = () => Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, part()]));
  const meter = new CpuMeter(pids);
  const { ms, bytes } = await link.ask({ ask: "receive", warmUp: false });
  const perCpu = Object.entries(meter.read()).map(([name, seconds]) => [name, bytes / 1e6 / seconds]);
  return { rate: bytes / 1000 / ms, perCpu: Object.fromEntries(perCpu) };
}

function startOf({ name, bytes }: Version, recordLength: number): PipelineStart {
  return { version: name, recordLength, bytes, warmUp: bytes / 4 };
}

async function inNode(version: Version, recordLength: number): Promise<Figures> {
  const link = await ChildLink.start(join(FOLDER, "node-agent.ts"), startOf(version, recordLength));
  try {
    return await measured(link, { process: () => link.pids() });
  } finally {
    await link.close();
  }
}

/** What pages are given, made when first wanted: only the client's has to be made anew for each. */
class Shelf {
  readonly #synthetic = new Map<string, Synthetic>();
  #relays: Relays | undefined;

  async contents({ name, bytes }: Version, recordLength: number): Promise<Contents> {
    if (isClient(name)) {
      this.#relays ??= await Relays.make();
      return { relays: this.#relays, bytes };
    }
    const key = `${bytes} ${recordLength}`;
    const synthetic = this.#synthetic.get(key) ?? synthesize(bytes, recordLength);
    this.#synthetic.set(key, synthetic);
    return { synthetic };
  }
}

async function inChromium(version: Version, recordLength: number, shelf: Shelf): Promise<Figures> {
  const contents = await shelf.contents(version, recordLength);
  const source = await PageSource.start(version.name, recordLength, contents);
  const start = { ...startOf(version, recordLength), source: source.description };
  const link = await BrowserLink.start(join(FOLDER, "page-agent.ts"), start);
  try {
    return await measured(link, { page: () => link.pagePids(), browser: () => link.pids() });
  } finally {
    await link.close();
    source.close();
  }
}

async function measureAll(
  context: Context,
  versions: readonly Version[],
  sheet: Sheet,
  run: (version: Version, recordLength: number) => Promise<Figures>,
): Promise<void> {
  const { rounds } = context.options;
  for (let round = 0; round < rounds; round++) {
    for (const recordLength of RECORDS) {
      const title = `records of ${recordLength / 1024} KiB`;
      context.say(`round ${round + 1} of ${rounds}: ${title}`);
      for (const version of orderOf(versions, round)) {
        context.check();
        const { rate, perCpu } = await run(version, recordLength);
        sheet.add(round, title, "MB/s", version.title, [rate]);
        for (const [name, value] of Object.entries(perCpu))
          sheet.add(round, `${title}, per CPU second of the ${name}`, "MB", version.title, [value]);
      }
    }
  }
}

export const pipeline: Suite = {
  name: "pipeline",
  about:
    "the receive path alone, from TLS records to the application, beside other ways to do its cryptography",
  async run(context) {
    const tables: Table[] = [];
    const kinds = context.options.contenders;
    if (kinds.includes("node")) {
      const sheet = new Sheet();
      const versions = [...VERSIONS, WEBCRYPTO];
      await measureAll(context, versions, sheet, inNode);
      const columns = versions.map(({ title }) => title);
      tables.push(sheet.table("Receiving three hops in Node", columns, FLOOR));
    }
    if (kinds.includes("chromium")) {
      const [sheet, shelf] = [new Sheet(), new Shelf()];
      const versions = [...VERSIONS, BYTES];
      await measureAll(context, versions, sheet, (version, length) => inChromium(version, length, shelf));
      const columns = versions.map(({ title }) => title);
      tables.push(sheet.table("Receiving three hops in Chromium, from its WebSocket", columns, FLOOR));
    }
    return tables;
  },
};
