// Asks a site that knows Tor's exits whether requests come from one, and says which exit that was.

import { toHex } from "../base/encoding.ts";
import { TorError } from "../base/errors.ts";
import { randomBytes } from "../base/random.ts";
import type { Fetcher } from "../net/fetch.ts";
import type { CircuitInfo, HopInfo } from "../path/registry.ts";

/** How `check` asks. */
export interface CheckOptions {
  /** Answers with JSON `{ "IsTor": boolean, "IP": string }`; the Tor Project's unless told otherwise. */
  readonly url?: string | URL;
  readonly signal?: AbortSignal;
}

/** What came of it. */
export interface CheckResult {
  /** What the site says. It may err: its list of exits is some minutes old. */
  readonly isTor: boolean;
  /** The address that the site saw. */
  readonly address: string;
  /** The relay that the request left the network at, as this client chose it. */
  readonly exit: HopInfo | undefined;
}

/** A fetcher of its own, which tells on which circuits its streams go. */
export type TracedFetcher = (onCircuit: (id: number) => void) => Pick<Fetcher, "fetch" | "close">;

const CHECK_URL = "https://check.torproject.org/api/ip";

/** The answer has some 40 bytes. */
const MAX_ANSWER = 4096;

/** @throws TypeError of `fetch`; TorError `remote-refused` for an answer that is none; the signal's reason */
export async function check(
  traced: TracedFetcher,
  circuits: () => readonly CircuitInfo[],
  { url = CHECK_URL, signal }: CheckOptions,
): Promise<CheckResult> {
  let exit: HopInfo | undefined;
  const fetcher = traced((id) => {
    exit = circuits()
      .find((circuit) => circuit.id === id)
      ?.hops.at(-1);
  });
  // On a circuit of its own: the site could otherwise tie what else goes over it to this question.
  const isolation = `check ${toHex(randomBytes(16))}`;
  try {
    const response = await fetcher.fetch(url, signal === undefined ? {} : { signal }, isolation);
    const answer = parseAnswer(response.ok ? await boundedText(response) : "");
    if (answer !== undefined) return { ...answer, exit };
    throw new TorError("remote-refused", "ALLIUM_E_CHECK_ANSWER", "the site's answer is not about Tor");
  } finally {
    fetcher.close(new TorError("aborted", "ALLIUM_E_CLOSED", "the check is over"));
  }
}

async function boundedText(response: Response): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  // Not every browser can iterate over a stream.
  const reader = response.body?.getReader();
  for (let read = await reader?.read(); read?.value !== undefined; read = await reader?.read()) {
    text += decoder.decode(read.value, { stream: true });
    if (text.length > MAX_ANSWER) return "";
  }
  return text;
}

function parseAnswer(text: string): Pick<CheckResult, "isTor" | "address"> | undefined {
  try {
    const { IsTor: isTor, IP: address } = JSON.parse(text) as Record<string, unknown>;
    return typeof isTor === "boolean" && typeof address === "string" ? { isTor, address } : undefined;
  } catch {
    return undefined;
  }
}
