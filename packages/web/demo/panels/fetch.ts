// The panel that fetches an address through Tor.

import { element, show, suggest, textElement } from "../dom.ts";
import { formatBytes } from "../format.ts";
import { clearProblem, drawProblem } from "../problems.ts";
import { drawResponse, readBody } from "../response.ts";
import type { Session } from "../session.ts";

export function fetchPanel(session: Session): void {
  const { network, signal } = session;
  const address = element<HTMLInputElement>("address");
  let latest: AbortController | undefined;
  const go = async (typed: string) => {
    latest?.abort();
    const mine = new AbortController();
    latest = mine;
    // A later request draws in this one's place.
    const isShown = () => latest === mine && !signal.aborted;
    await fetchAddress(session, withScheme(typed), AbortSignal.any([signal, mine.signal]), isShown);
  };
  address.value = network.suggestions[0] ?? "";
  for (const id of ["result", "fetch-problem", "stop"]) show(id, false);
  element("fetch-progress").textContent = "";
  element("fetch").addEventListener("submit", () => void go(address.value.trim()), { signal });
  element("stop").addEventListener("click", () => latest?.abort(), { signal });
  suggest("suggestions", network.suggestions, (suggestion) => {
    address.value = suggestion;
    void go(suggestion);
  });
}

function withScheme(typed: string): string {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(typed) ? typed : `http://${typed}`;
}

async function fetchAddress(
  { client, network }: Session,
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
    element("viewer").replaceChildren(...viewerLink(network.viewer, response.url));
    show("result", true);
  } catch (error) {
    if (!isShown()) return;
    drawProblem("fetch-problem", error);
  }
  progress.textContent = "";
  show("stop", false);
}

function viewerLink(viewer: string | undefined, address: string): HTMLElement[] {
  if (viewer === undefined) return [];
  const link = textElement("a", "Open in the viewer");
  link.href = `${viewer}${encodeURIComponent(address)}`;
  link.target = "_blank";
  link.rel = "noreferrer";
  return [link];
}
