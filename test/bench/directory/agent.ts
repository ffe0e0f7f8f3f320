// What the suite `directory` measures of the client's own parsers, verification and path choice: the same in Node and in a page.

import type { Store } from "@allium/core";
import { sha256 } from "../../../packages/core/src/crypto/hash.ts";
import { parseConsensus } from "../../../packages/core/src/directory/documents/consensus.ts";
import {
  applyConsensusDiff,
  signedPartDigest,
} from "../../../packages/core/src/directory/documents/consensus-diff.ts";
import { parseKeyCertificates } from "../../../packages/core/src/directory/documents/key-certificate.ts";
import {
  type Microdescriptor,
  MicrodescriptorPool,
  microdescriptorDigest,
  parseMicrodescriptor,
  splitMicrodescriptors,
} from "../../../packages/core/src/directory/documents/microdescriptor.ts";
import { makeNetDir } from "../../../packages/core/src/directory/netdir.ts";
import { configuredAuthorities, countSignatures } from "../../../packages/core/src/directory/signatures.ts";
import { shortageOf } from "../../../packages/core/src/path/coverage.ts";
import { PathSelector } from "../../../packages/core/src/path/select.ts";
import { median } from "../statistics.ts";
import type { DirectoryQuestion, DirectoryStart, DocumentName, Figure } from "./protocol.ts";
import { choosePath, fewGuards, startFromStore, storeDirectory } from "./stored.ts";
import { type Later, longestPiece, warmLongestPiece, warmMs } from "./timing.ts";

const MIB = 1024 * 1024;
/** A consensus may have this many bytes, as in fetch-documents.ts. */
const MAX_CONSENSUS = 16 * MIB;
const PATHS = 1000;
const BATCH = 64;
/** How often the whole directory is read, and once before. */
const READS = 3;

/** What a platform knows and the language does not. */
export interface Place {
  readonly store: Store;
  readonly later: Later;
  /** Bytes of objects and buffers after collecting garbage. */
  memory(): Promise<number>;
  /** Begins anew with what is stored, and does not come back; where a place cannot, it does nothing. */
  restart(): Promise<void>;
}

type Stages = Record<string, number>;

export class DirectoryAgent {
  readonly #start: DirectoryStart;
  readonly #place: Place;

  constructor(start: DirectoryStart, place: Place) {
    this.#start = start;
    this.#place = place;
  }

  async answer(question: DirectoryQuestion): Promise<readonly Figure[] | null> {
    if (question === "consensus") return [...(await this.#consensus()), ...(await this.#signatures())];
    if (question === "relays") return this.#relays();
    if (question === "memory") return this.#memory();
    if (question === "start") return this.#warmStart();
    if (question === "watched-start") return this.#watchedStart();
    await storeDirectory(this.#place.store, this.#start, this.#document);
    await this.#place.restart();
    return null;
  }

  #document = async (name: DocumentName): Promise<Uint8Array<ArrayBuffer>> => {
    const response = await fetch(this.#start.url + name);
    if (!response.ok) throw new Error(`no ${name}: ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  };

  async #consensus(): Promise<Figure[]> {
    const { later } = this.#place;
    const bytes = await this.#document("consensus");
    const diff = await this.#document("diff");
    const parse = () => parseConsensus(bytes);
    const apply = () => applyConsensusDiff(bytes, diff, { maxLength: MAX_CONSENSUS });
    const webCrypto = await warmMs(() => crypto.subtle.digest("SHA-256", bytes));
    const noble = await warmMs(() => sha256(bytes));
    const parsing = await warmMs(parse);
    return [
      ms("SHA-256 of the consensus, WebCrypto", webCrypto),
      ms("SHA-256 of the consensus, noble", noble),
      ms("parse the consensus", parsing),
      { title: "parse, to one SHA-256 by WebCrypto", unit: "times", value: parsing / webCrypto },
      { title: "parse, to one SHA-256 by noble", unit: "times", value: parsing / noble },
      ms("parse: longest piece", await warmLongestPiece(parse, later)),
      ms("digest that names it in a request for a diff", await warmMs(() => signedPartDigest(bytes))),
      ms("apply a diff of 3,000 commands", await warmMs(apply)),
      ms("apply: longest piece", await warmLongestPiece(apply, later)),
    ];
  }

  async #signatures(): Promise<Figure[]> {
    const { network, now } = this.#start;
    const authorities = configuredAuthorities(network);
    const consensus = await parseConsensus(await this.#document("signed"));
    const bytes = await this.#document("certificates");
    const certificates = parseKeyCertificates(bytes);
    const verify = () => {
      const count = countSignatures(consensus, authorities, certificates, now);
      if (count !== authorities.size) throw new Error(`${count} signatures hold`);
    };
    return [
      ms("parse and verify nine key certificates", await warmMs(() => parseKeyCertificates(bytes))),
      ms("verify nine signatures", await warmMs(verify)),
    ];
  }

  async #relays(): Promise<Figure[]> {
    const [signed, microdescriptors] = await this.#directory();
    const reads: Stages[] = [];
    for (let i = 0; i <= READS; i++) reads.push(await this.#read(signed, microdescriptors));
    const [first = {}, ...counted] = reads;
    return Object.keys(first).map((title) => ({
      title,
      unit: title.startsWith("a path") ? "µs" : "ms",
      value: median(counted.map((stages) => stages[title] as number)),
    }));
  }

  /** All of a directory, stage by stage. */
  async #read(signed: Uint8Array, bytes: Uint8Array): Promise<Stages> {
    const stages: Stages = {};
    let last = performance.now();
    const done = (title: string, times = 1) => {
      stages[title] = (performance.now() - last) * times;
      last = performance.now();
    };
    const consensus = await parseConsensus(signed);
    last = performance.now();
    const parts = [...splitMicrodescriptors(bytes)];
    done("cut all microdescriptors apart");
    const digests = parts.map(microdescriptorDigest);
    done("their digests");
    await inBatches(parts, (part) => crypto.subtle.digest("SHA-256", part as Uint8Array<ArrayBuffer>));
    done("their digests, were they WebCrypto's");
    const pool = new MicrodescriptorPool();
    const held = new Map<string, Microdescriptor>();
    for (const [i, part] of parts.entries()) held.set(digests[i] as string, parseMicrodescriptor(part, pool));
    done("parse them");
    const netdir = makeNetDir(consensus, held, this.#start.network);
    done("view of all relays");
    if (shortageOf(netdir, new Set()) !== undefined) throw new Error("the directory is not whole");
    done("whether it suffices");
    const selector = new PathSelector(netdir, true);
    const guards = fewGuards(selector);
    await choosePath(selector, guards);
    done("first path");
    for (let i = 0; i < PATHS; i++) await choosePath(selector, guards);
    done("a path of the first 1,000", 1000 / PATHS);
    for (let i = 0; i < PATHS; i++) await choosePath(selector, guards);
    done("a path of the second 1,000", 1000 / PATHS);
    return stages;
  }

  async #directory(): Promise<[signed: Uint8Array, microdescriptors: Uint8Array]> {
    return [await this.#document("signed"), await this.#document("microdescriptors")];
  }

  async #memory(): Promise<Figure[]> {
    const [signed, bytes] = await this.#directory();
    const before = await this.#place.memory();
    const consensus = await parseConsensus(signed);
    const figures = [mib("kept of the consensus", (await this.#place.memory()) - before)];
    const pool = new MicrodescriptorPool();
    const held = new Map<string, Microdescriptor>();
    for (const part of splitMicrodescriptors(bytes))
      held.set(microdescriptorDigest(part), parseMicrodescriptor(part, pool));
    const netdir = makeNetDir(consensus, held, this.#start.network);
    const selector = new PathSelector(netdir, true);
    const guards = fewGuards(selector);
    for (let i = 0; i < PATHS; i++) await choosePath(selector, guards);
    figures.push(mib("kept of it all, 1,000 paths chosen", (await this.#place.memory()) - before));
    // All of it is looked at once more: what nobody asks for any more is garbage.
    const isWhole = held.size === consensus.routers.length && signed.length < bytes.length;
    if (!isWhole) throw new Error("not all relays are described");
    return figures;
  }

  async #warmStart(): Promise<Figure[]> {
    const { store } = this.#place;
    const before = await this.#place.memory();
    const began = performance.now();
    const { netdir } = await startFromStore(store, this.#start);
    const taken = performance.now() - began;
    const kept = (await this.#place.memory()) - before;
    if (netdir.relays.length !== netdir.listed) throw new Error("not all relays were stored");
    return [ms("from the store to the first path", taken), mib("kept after it", kept)];
  }

  async #watchedStart(): Promise<Figure[]> {
    const { store, later } = this.#place;
    const longest = await longestPiece(() => startFromStore(store, this.#start), later);
    return [ms("its longest piece", longest)];
  }
}

/** WebCrypto's threads are kept busy, and its queue short. */
async function inBatches<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  for (let at = 0; at < items.length; at += BATCH) await Promise.all(items.slice(at, at + BATCH).map(work));
}

function ms(title: string, value: number): Figure {
  return { title, unit: "ms", value };
}

function mib(title: string, bytes: number): Figure {
  return { title, unit: "MiB", value: bytes / MIB };
}
