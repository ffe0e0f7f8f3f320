// The panel that fetches an address through Tor.

import { element, show, suggest, typedAddress } from "../dom.ts";
import { formatBytes } from "../format.ts";
import { clearProblem, drawProblem } from "../problems.ts";
import { drawResponse, readBody } from "../response.ts";
import type { Session } from "../session.ts";

export function fetchPanel(session: Session): void {
  const { network, signal } = session;
  const address = element<HTMLInputElement>("address");
  let latest: AbortController | undefined;
  const go = async () => {
    latest?.abort();
    const mine = new AbortController();
    latest = mine;
    // A later request draws in this one's place.
    const isShown = () => latest === mine && !signal.aborted;
    await fetchAddress(session, typedAddress("address"), AbortSignal.any([signal, mine.signal]), isShown);
  };
  address.value = network.suggestions[0] ?? "";
  for (const id of ["result", "fetch-problem", "stop"]) show(id, false);
  element("fetch-progress").textContent = "";
  element("fetch").addEventListener("submit", () => void go(), { signal });
  element("stop").addEventListener("click", () => latest?.abort(), { signal });
  suggest("suggestions", network.suggestions, (suggestion) => {
    address.value = suggestion;
    void go();
  });
}

async function fetchAddress(
  { client }: Session,
  address: string,
  signal: AbortSignal,
  isShown: () => boolean,
): Promise<void> {
  const progress = element("fetch-progress");
  clearProblem("fetch-problem");
  show("result", false);
  show("stop", true);
  progress.textContent = "Waiting for the answer…";
  try {
    const began = performance.now();
    const response = await client.fetch(address, { signal });
    const firstMs = performance.now() - began;
    const body = await readBody(response, (size) => {
      progress.textContent = `Receiving: ${formatBytes(size)}`;
    });
    if (!isShown()) return;
    drawResponse(response, body, firstMs);
    show("result", true);
  } catch (error) {
    if (!isShown()) return;
    drawProblem("fetch-problem", error);
  }
  progress.textContent = "";
  show("stop", false);
}
