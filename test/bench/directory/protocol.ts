// What the suite `directory` asks of its agents, in Node and in a page. Asked over the same links as the questions of the others.

import type { NetworkConfig } from "@allium/core";
import type { Link, Question } from "../contenders/protocol.ts";

export type DocumentName =
  /** As the public network has it, where it is at hand. */
  | "consensus"
  | "diff"
  /** The same relays with microdescriptors of ours, signed by authorities of ours. */
  | "signed"
  | "certificates"
  | "microdescriptors"
  | Piece;

/** Some of the microdescriptors. */
export type Piece = `microdescriptors/${number}`;

export interface DirectoryStart {
  /** Where the documents are, by their names; ends in "/". */
  readonly url: string;
  /** Whose authorities signed `signed`. */
  readonly network: NetworkConfig;
  /** Milliseconds since the epoch: when the consensus becomes valid, which is taken for the time of day. */
  readonly now: number;
  readonly relays: number;
  /** Pieces that the microdescriptors are in. */
  readonly pieces: number;
}

export interface Figure {
  readonly title: string;
  readonly unit: string;
  readonly value: number;
  readonly digits?: number;
}

/**
 * - `consensus`, `relays`: what each part takes, code and caches warm
 * - `memory`: what is kept of the documents
 * - `fill`: stores a directory, and leaves the agent as if it had just started where it can
 * - `start`: load from the store until a path is chosen
 * - `watched-start`: the same, for its longest piece
 */
export type DirectoryQuestion = "consensus" | "relays" | "memory" | "fill" | "start" | "watched-start";

/** The links carry any JSON; their types know the questions of a client only. */
export async function askDirectory(link: Link, ask: DirectoryQuestion): Promise<readonly Figure[]> {
  const answer: unknown = await link.ask({ ask } as unknown as Question);
  return (answer ?? []) as readonly Figure[];
}
