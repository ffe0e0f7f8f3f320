// Consensus diffs (dir-spec 4.5, appendix E): a consensus made of the one held and a script of ed commands for it.
// Not here: whether to believe the result. It is signed like any other consensus, and signatures.ts judges that.

import { sha3_256 } from "@noble/hashes/sha3.js";
import { fromLatin1, toHex } from "../../base/encoding.ts";
import { protocolViolation, type TorError } from "../../base/errors.ts";
import { Turn } from "../../base/turn.ts";
import { badDocument } from "./tokenizer.ts";

const NL = 0x0a;
const DOT = 0x2e;

const VERSION_LINE = "network-status-diff-version 1\n";
const HASH_LINE = /^hash ([0-9A-Fa-f]{64}) ([0-9A-Fa-f]{64})\n$/;
/** "hash", two spaces, two digests and the newline. */
const HASH_LINE_LENGTH = 4 + 2 + 2 * 64 + 1;
const SCRIPT_START = VERSION_LINE.length + HASH_LINE_LENGTH;

const COMMAND = /^(0|[1-9]\d{0,8})(?:,([1-9]\d{0,8}|\$))?([acd])$/;
/** Bytes of the longest line that COMMAND can match. */
const MAX_COMMAND = 9 + 1 + 9 + 1;

const CONSENSUS_START = "network-status-version ";
const SIGNATURE_START = "directory-signature ";

/** 240 blocks of SHA3-256: about a millisecond on a desktop, ten on a slow phone. */
const SLICE = 240 * 136;

function badDiff(message: string): TorError {
  return protocolViolation("ALLIUM_E_BAD_CONSENSUS_DIFF", message);
}

/** Whether a cache's answer is a consensus diff of the version that is known here, and not a consensus. */
export function isConsensusDiff(body: Uint8Array): boolean {
  return beginsWith(body, 0, VERSION_LINE);
}

/**
 * SHA3-256 of a consensus's signed part in lower-case hex, as X-Or-Diff-From-Consensus names it (dir-spec 4.5.2).
 * @throws TorError `protocol-violation`, `ALLIUM_E_BAD_DOCUMENT`, when there is no signed part
 */
export async function signedPartDigest(consensus: Uint8Array): Promise<string> {
  const digest = await signedPartHex(consensus, new Turn());
  if (digest === undefined) throw badDocument("a consensus without a signed part");
  return digest;
}

async function signedPartHex(consensus: Uint8Array, turn: Turn): Promise<string | undefined> {
  const signed = signedPart(consensus);
  return signed && sha3Hex(signed, turn);
}

/**
 * The consensus that `diff` makes of `base`, of at most `maxLength` bytes (dir-spec 4.5.1, appendix E). `baseDigest` is the
 * base's `signedPartDigest` where the caller has it: hashing 3.5 MB twice would cost a slow phone a second.
 * @throws TorError `protocol-violation`, `ALLIUM_E_BAD_CONSENSUS_DIFF`, when the diff is malformed, is not for this
 *   base, or does not give what it says
 */
export async function applyConsensusDiff(
  base: Uint8Array,
  diff: Uint8Array,
  options: { readonly maxLength: number; readonly baseDigest?: string },
): Promise<Uint8Array> {
  const turn = new Turn();
  const { from, to } = readHeader(diff);
  const digest = options.baseDigest ?? (await signedPartHex(base, turn));
  if (digest !== from) throw badDiff("a consensus diff is for another consensus");
  const ends = lineEnds(base);
  let length = 0;
  // Done twice, for the length and then for the bytes: a list of the pieces could outgrow the result.
  await eachPiece(base, ends, diff, turn, (_, start, end) => {
    length += end - start;
    if (length > options.maxLength) throw badDiff("a consensus diff gives too long a consensus");
  });
  const result = new Uint8Array(length);
  let at = length;
  await eachPiece(base, ends, diff, turn, (source, start, end) => {
    at -= end - start;
    result.set(source.subarray(start, end), at);
  });
  if ((await sha3Hex(result, turn)) !== to) throw badDiff("a consensus diff does not give what it says");
  return result;
}

function readHeader(diff: Uint8Array): { from: string; to: string } {
  if (!isConsensusDiff(diff)) throw badDiff("a consensus diff of another version");
  const [, from, to] = HASH_LINE.exec(fromLatin1(diff.subarray(VERSION_LINE.length, SCRIPT_START))) ?? [];
  if (from === undefined || to === undefined) throw badDiff("a consensus diff's hash line is malformed");
  return { from: from.toLowerCase(), to: to.toLowerCase() };
}

/** Where each line of `base` ends: element n for line n, from 1 as in ed, and 0 before them. */
function lineEnds(base: Uint8Array): Uint32Array {
  let count = 0;
  for (let at = base.indexOf(NL); at >= 0; at = base.indexOf(NL, at + 1)) count++;
  const ends = new Uint32Array(count + 1);
  let at = 0;
  for (let line = 1; line <= count; line++) {
    at = base.indexOf(NL, at) + 1;
    ends[line] = at;
  }
  if (at !== base.length) throw badDiff("the consensus that a diff is for ends inside a line");
  return ends;
}

/** Hands over what the result is made of, as ranges of `base` and `diff`, from its end to its beginning. */
async function eachPiece(
  base: Uint8Array,
  ends: Uint32Array,
  diff: Uint8Array,
  turn: Turn,
  take: (source: Uint8Array, start: number, end: number) => void,
): Promise<void> {
  const endOf = (line: number) => ends[line] as number;
  const script = new Script(diff);
  const count = ends.length - 1;
  /** Lines of the base that no command has passed yet. */
  let left = count;
  for (let isFirst = true; !script.atEnd; isFirst = false) {
    if (turn.isOver) await turn.giveWay();
    const { action, first, last = count } = script.command(isFirst);
    if (first > last) throw badDiff("a command's range is upside down or outside the consensus");
    if (last > left) throw badDiff("a command's range is outside what the commands before it left");
    take(base, endOf(last), endOf(left));
    if (action !== "d") {
      const { start, end } = await script.block(turn);
      take(diff, start, end);
    }
    left = action === "a" ? last : first - 1;
  }
  take(base, 0, endOf(left));
}

interface Command {
  readonly action: string;
  /** For "a" both are the line that the block follows, 0 for none. */
  readonly first: number;
  /** Missing for "$". */
  readonly last?: number;
}

/** Reads the commands of a diff and the blocks below them. */
class Script {
  readonly #bytes: Uint8Array;
  #at = SCRIPT_START;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  command(isFirst: boolean): Command {
    const start = this.#at;
    const end = this.#passLine() - 1;
    const match =
      end - start > MAX_COMMAND ? null : COMMAND.exec(fromLatin1(this.#bytes.subarray(start, end)));
    if (match === null) throw badDiff("a consensus diff holds something else than a known ed command");
    const [, first, last, action] = match as unknown as [string, string, string | undefined, string];
    if (action === "a" && last !== undefined) throw badDiff("a range to append after");
    if (action !== "a" && first === "0") throw badDiff("a command for a line 0");
    if (last !== "$") return { action, first: Number(first), last: Number(last ?? first) };
    if (action !== "d") throw badDiff('"$" in a command other than "d"');
    // Later on it could mean the end as it was or as it is: only the first command may say it (appendix E).
    if (!isFirst) throw badDiff('"$" after the first command');
    return { action, first: Number(first) };
  }

  /** Passes the block of an "a" or "c". @returns where its lines are, the lone dot left out */
  async block(turn: Turn): Promise<{ start: number; end: number }> {
    const start = this.#at;
    for (;;) {
      if (turn.isOver) await turn.giveWay();
      const end = this.#at;
      if (this.#passLine() === end + 2 && this.#bytes[end] === DOT) {
        if (end === start) throw badDiff("an ed command inserts nothing");
        return { start, end };
      }
    }
  }

  /** @returns the offset after the newline */
  #passLine(): number {
    const end = this.#bytes.indexOf(NL, this.#at);
    if (end < 0) throw badDiff("a consensus diff ends inside a command, a block or a line");
    this.#at = end + 1;
    return this.#at;
  }
}

/** From the start through the space of the first signature line (dir-spec 3.4.1). */
function signedPart(consensus: Uint8Array): Uint8Array | undefined {
  if (!beginsWith(consensus, 0, CONSENSUS_START)) return undefined;
  for (let at = consensus.indexOf(NL); at >= 0; at = consensus.indexOf(NL, at + 1)) {
    if (beginsWith(consensus, at + 1, SIGNATURE_START)) {
      return consensus.subarray(0, at + 1 + SIGNATURE_START.length);
    }
  }
  return undefined;
}

function beginsWith(bytes: Uint8Array, at: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false;
  return true;
}

async function sha3Hex(bytes: Uint8Array, turn: Turn): Promise<string> {
  const hash = sha3_256.create();
  for (let at = 0; at < bytes.length; at += SLICE) {
    if (turn.isOver) await turn.giveWay();
    hash.update(bytes.subarray(at, at + SLICE));
  }
  return toHex(hash.digest());
}
