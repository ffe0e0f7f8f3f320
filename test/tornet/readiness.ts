// When the network may be used: first every relay has every microdescriptor (a client started earlier gets a 404 and
// marks that guard down for ten minutes), then the C tor client has fetched the page through an exit, by name.

import { setTimeout as sleep } from "node:timers/promises";
import { type Control, ControlError, withControl } from "./control.ts";
import { PAGE } from "./servers/http.ts";
import { socksGet } from "./socks.ts";
import type { NodeInfo } from "./types.ts";

const POLL_MS = 200;
/** How long a relay that has no consensus yet is left alone before its download back-off is reset again. */
const RELOAD_MS = 1500;
/** Long enough for the consensus after the first, where a relay has missed that. */
const RELAYS_TIMEOUT_MS = 180_000;
const FETCH_TIMEOUT_MS = 60_000;
const ATTEMPT_TIMEOUT_MS = 10_000;

export interface Patience {
  readonly signal: AbortSignal;
  /** Called with a part of the whole, 0..1. */
  readonly onPart: (part: number) => void;
}

/** Whether an answer of "no" or a closed port means only "not yet". */
function isNotYet(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return (
    error instanceof ControlError || code === "ECONNREFUSED" || code === "ECONNRESET" || code === "ENOENT"
  );
}

/** Polls until `probe` holds. Errors that mean "not yet" are waited out. */
async function until(probe: () => Promise<boolean>, deadline: number, what: string, signal: AbortSignal) {
  for (;;) {
    try {
      if (await probe()) return;
    } catch (error) {
      if (!isNotYet(error)) throw error;
    }
    if (performance.now() > deadline) throw new Error(`${what}: not within the time allowed`);
    await sleep(POLL_MS, undefined, { signal });
  }
}

async function hasEveryMicrodescriptor(control: Control, relays: readonly NodeInfo[]): Promise<boolean> {
  for (const relay of relays) {
    const reply = await control.send(`GETINFO md/id/${relay.rsaId}`);
    if (!reply.includes("onion-key")) return false;
  }
  return true;
}

async function relayIsReady(
  node: NodeInfo,
  relays: readonly NodeInfo[],
  deadline: number,
  signal: AbortSignal,
) {
  let reloadAt = Number.POSITIVE_INFINITY;
  const probe = (): Promise<boolean> =>
    withControl(node.control, async (control) => {
      if (await hasEveryMicrodescriptor(control, relays).catch(() => false)) return true;
      // The authorities hold a consensus by the time that a relay is asked; SIGHUP makes it try again at once.
      if (reloadAt === Number.POSITIVE_INFINITY) reloadAt = performance.now() + RELOAD_MS;
      if (node.role !== "authority" && performance.now() > reloadAt) {
        await control.send("SIGNAL RELOAD");
        reloadAt = performance.now() + RELOAD_MS;
      }
      return false;
    });
  await until(probe, deadline, `${node.nickname} serves every microdescriptor`, signal);
}

/** Waits until every relay can serve every microdescriptor; authorities first, since the others ask them. */
export async function relaysReady(relays: readonly NodeInfo[], { signal, onPart }: Patience): Promise<void> {
  const deadline = performance.now() + RELAYS_TIMEOUT_MS;
  let ready = 0;
  const waitFor = async (node: NodeInfo): Promise<void> => {
    await relayIsReady(node, relays, deadline, signal);
    ready++;
    onPart(ready / relays.length);
  };
  await Promise.all(relays.filter((node) => node.role === "authority").map(waitFor));
  await Promise.all(relays.filter((node) => node.role !== "authority").map(waitFor));
}

async function fetchesPage(socks: { host: string; port: number }, url: string): Promise<boolean> {
  const response = await socksGet(socks, url, ATTEMPT_TIMEOUT_MS);
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) text += chunk;
  return response.statusCode === 200 && text === PAGE;
}

/** Waits until the C tor client has fetched the page at `url`. */
export async function clientReady(
  client: NodeInfo,
  socks: { readonly host: string; readonly port: number },
  url: string,
  { signal, onPart }: Patience,
): Promise<void> {
  const deadline = performance.now() + FETCH_TIMEOUT_MS;
  const bootstrapped = async (): Promise<boolean> => {
    const reply = await withControl(client.control, (control) =>
      control.send("GETINFO status/bootstrap-phase"),
    );
    const percent = Number(/PROGRESS=(\d+)/.exec(reply)?.[1] ?? 0);
    onPart((percent / 100) * 0.9);
    return percent === 100;
  };
  await until(bootstrapped, deadline, "the C tor client bootstraps", signal);
  const fetched = (): Promise<boolean> => fetchesPage(socks, url).catch(() => false);
  await until(fetched, deadline, "the C tor client fetches a page through an exit", signal);
  onPart(1);
}
