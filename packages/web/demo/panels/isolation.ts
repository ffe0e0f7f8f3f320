// The panel of isolation: two identities ask the same site who they are, each over a circuit of its own.

import type { CircuitInfo, StreamInfo, TorClientLike } from "@allium/core";
import { element, textElement } from "../dom.ts";
import { attempt, clearProblem } from "../problems.ts";
import type { Session } from "../session.ts";

const IDENTITIES = ["a", "b"] as const;
const MAX_ANSWER = 400;

export function isolationPanel(session: Session): void {
  const { network, signal } = session;
  clearProblem("isolation-problem");
  element("isolation-site").textContent = network.whoami;
  element("isolation-verdict").textContent = "";
  for (const name of IDENTITIES) draw(name, undefined, "");
  const work = () => compare(session);
  element("isolation-go").addEventListener(
    "click",
    () => void attempt({ button: "isolation-go", problem: "isolation-problem", signal }, work),
    { signal },
  );
}

async function compare({ client, network, signal }: Session): Promise<void> {
  const circuits: (CircuitInfo | undefined)[] = [];
  // One after the other: a stream does not say whose it is.
  for (const name of IDENTITIES) {
    const { circuit, result } = await onWhichCircuit(client, async () => {
      const response = await client.isolate(name).fetch(network.whoami, { signal });
      return (await response.text()).slice(0, MAX_ANSWER);
    });
    if (signal.aborted) return;
    circuits.push(circuit);
    draw(name, circuit, seenAddress(result));
  }
  const [one, other] = circuits.map((circuit) => circuit?.id);
  element("isolation-verdict").textContent =
    one !== undefined && other !== undefined && one !== other
      ? "Two circuits: the site cannot tell by them that both are you."
      : "";
}

/** Runs `work`, which opens a stream, and tells the circuit that carried the first one. */
async function onWhichCircuit<T>(
  client: TorClientLike,
  work: () => Promise<T>,
): Promise<{ readonly circuit: CircuitInfo | undefined; readonly result: T }> {
  let circuit: CircuitInfo | undefined;
  const listening = new AbortController();
  const listen = ({ detail: { state, circuitId } }: { readonly detail: StreamInfo }) => {
    if (state === "open") circuit ??= client.circuits().find(({ id }) => id === circuitId);
  };
  client.addEventListener("stream", listen, { signal: listening.signal });
  try {
    const result = await work();
    return { circuit, result };
  } finally {
    listening.abort();
  }
}

function draw(name: string, circuit: CircuitInfo | undefined, answer: string): void {
  const hops = circuit?.hops.map(({ nickname }) => textElement("li", nickname)) ?? [];
  element(`isolation-${name}-path`).replaceChildren(...hops);
  element(`isolation-${name}-answer`).textContent = answer;
}

function seenAddress(answer: string): string {
  try {
    const { IP: address } = JSON.parse(answer) as { readonly IP?: unknown };
    if (typeof address !== "string") return answer;
    return address.startsWith("127.")
      ? `The site saw ${address}, as every relay is on this machine.`
      : `The site saw ${address}.`;
  } catch {
    // Shown as it is.
  }
  return answer;
}
