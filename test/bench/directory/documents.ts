// What the suite `directory` measures with: the public network's consensus where ../shared is beside the repository, one of the same
// size where not; and the same with microdescriptors and signatures of our own. Runs in Node only.

import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { brotliDecompressSync } from "node:zlib";
import type { NetworkConfig } from "@allium/core";
import {
  digestOf,
  HOUR,
  NOW,
  networkOf,
  rsaKey,
  TestAuthority,
  unsignedConsensus,
} from "../../../packages/core/test/directory/builder.ts";
import type { DocumentName, Piece } from "./protocol.ts";
import { bytesFor, microdescriptors, routerEntries, unpadded } from "./relays.ts";

const REAL = new URL("../../../../shared/data/consensus-microdesc-2026-02-22.br", import.meta.url);
/** As the public network had them. */
const RELAYS = 9678;
const AUTHORITIES = 9;

/** Commands of a diff: a relay in six has a new microdescriptor after some hours, as many another weight. */
const COMMANDS = 3000;

/** Microdescriptors that are stored at a time. */
const PIECE = 1000;

export interface Documents {
  readonly isReal: boolean;
  readonly relays: number;
  readonly network: NetworkConfig;
  /** When the consensus becomes valid, which is now for those who measure. */
  readonly now: number;
  readonly files: Readonly<Record<Exclude<DocumentName, Piece>, Buffer>>;
  /** The microdescriptors again, some thousand at a time. */
  readonly pieces: readonly Buffer[];
}

/** Keys of the authorities' usual sizes, which take seconds to make. */
function makeAuthorities(): TestAuthority[] {
  return Array.from(
    { length: AUTHORITIES },
    (_, i) => new TestAuthority(`authority${i}`, rsaKey(3072), rsaKey(2048)),
  );
}

function sign(text: string, authorities: readonly TestAuthority[]): string {
  return text + authorities.map((authority) => authority.sign(text)).join("");
}

const ENTRY = /^(r \S+ (\S+) .*\n(?:a .*\n)*)m \S+(\ns (.*))$/gm;

/** The consensus with other microdescriptors, without its signatures, and those. */
function described(consensus: string): { text: string; documents: string[] } {
  const unsigned = consensus.slice(0, consensus.indexOf("directory-signature "));
  const relays = [...unsigned.matchAll(ENTRY)].map(([, , id = "", , flags = ""]) => ({
    rsaId: Buffer.from(id, "base64"),
    isExit: flags.split(" ").includes("Exit"),
  }));
  const documents = microdescriptors(relays);
  let next = 0;
  const text = unsigned.replace(
    ENTRY,
    (_, head: string, _id, tail: string) => `${head}m ${digestOf(documents[next++] ?? "")}${tail}`,
  );
  return { text, documents };
}

function sha3(text: string): string {
  return createHash("sha3-256").update(text).digest("hex");
}

/** What makes of `base` one with other signatures, microdescriptors and weights: ed commands from its end to its beginning. */
export function makeDiff(base: string, commands: number): string {
  const signed = base.slice(0, base.indexOf("directory-signature ") + "directory-signature ".length);
  const lines = base.split("\n").slice(0, -1);
  const signatures = signed.split("\n").length;
  const changeable = lines.flatMap((line, i) => (/^[mw] /.test(line) && i < signatures ? [i] : []));
  const script = [`${signatures},${lines.length}c`, ...lines.slice(signatures - 1), "."];
  for (let command = commands - 2; command >= 0; command--) {
    const at = changeable[Math.floor((command * changeable.length) / (commands - 1))] ?? 0;
    const isDigest = lines[at]?.startsWith("m ");
    const line = isDigest ? `m ${unpadded(bytesFor(`diff ${at}`))}` : `w Bandwidth=${at}`;
    lines[at] = line;
    script.push(`${at + 1}c`, line, ".");
  }
  const result = `${lines.join("\n")}\n`;
  return `network-status-diff-version 1\nhash ${sha3(signed)} ${sha3(result)}\n${script.join("\n")}\n`;
}

function realConsensus(): string | undefined {
  return existsSync(REAL) ? brotliDecompressSync(readFileSync(REAL)).toString() : undefined;
}

function validAfterOf(consensus: string): number {
  return Date.parse(`${/^valid-after (.*)$/m.exec(consensus)?.[1]}Z`);
}

/** A consensus to the measure of the public network's. */
export function syntheticConsensus(relays: number, authorities: readonly TestAuthority[]): string {
  // The builder's "header" stands where entries do.
  return sign(unsignedConsensus({ validAfter: NOW, header: routerEntries(relays) }), authorities);
}

/** What is measured with a consensus, real or not, whose relays get microdescriptors and authorities of ours. */
export function documentsOf(
  consensus: string,
  authorities: readonly TestAuthority[],
): Omit<Documents, "isReal"> {
  const now = validAfterOf(consensus);
  const { text, documents } = described(consensus);
  const lifetime = { published: now - 24 * HOUR, expires: now + 90 * 24 * HOUR };
  const certificates = authorities.map((authority) => authority.certificate(lifetime));
  return {
    relays: documents.length,
    network: networkOf(authorities),
    now,
    files: {
      consensus: Buffer.from(consensus),
      diff: Buffer.from(makeDiff(consensus, COMMANDS)),
      signed: Buffer.from(sign(text, authorities)),
      certificates: Buffer.from(certificates.join("")),
      microdescriptors: Buffer.from(documents.join("")),
    },
    pieces: Array.from({ length: Math.ceil(documents.length / PIECE) }, (_, i) =>
      Buffer.from(documents.slice(i * PIECE, (i + 1) * PIECE).join("")),
    ),
  };
}

export function makeDocuments(): Documents {
  const authorities = makeAuthorities();
  const real = realConsensus();
  const consensus = real ?? syntheticConsensus(RELAYS, authorities);
  return { isReal: real !== undefined, ...documentsOf(consensus, authorities) };
}
