// The panel of the connection: the status element, and another try when something is wrong.

import { loadGeoData } from "@allium/core/geo";
import { defineTorStatus } from "@allium/web/status";
import { element, show } from "../dom.ts";
import type { Session } from "../session.ts";

defineTorStatus();

export function statusPanel(session: Session): void {
  const { client, network, signal } = session;
  const status = element<HTMLElementTagNameMap["tor-status"]>("tor");
  status.client = client;
  signal.addEventListener("abort", () => {
    status.client = undefined;
  });
  document.body.dataset.phases = "";
  const look = () => {
    notePhase(client.status.phase);
    show("retry", client.status.blocked !== undefined);
  };
  client.addEventListener("status", look, { signal });
  element("retry").addEventListener("click", () => void startClient(session), { signal });
  look();
  if (network.id === "public") void showCountries(session);
}

export async function startClient({ client, signal }: Session): Promise<void> {
  const began = performance.now();
  try {
    await client.ready({ signal });
    // Left on the page for whoever looks.
    document.body.dataset.readyMs = String(Math.round(performance.now() - began));
  } catch {
    // The status says what is wrong.
  }
}

/** Leaves on the page which phases this start went through. */
function notePhase(phase: string): void {
  const seen = (document.body.dataset.phases ?? "").split(" ").filter(Boolean);
  if (seen.at(-1) !== phase) document.body.dataset.phases = [...seen, phase].join(" ");
}

/** The table is larger than the page: it comes once the client works, and only where relays are in countries at all. */
async function showCountries({ client, signal }: Session): Promise<void> {
  try {
    await client.ready({ signal });
    const file = await fetch(new URL("../../../core/data/geo.bin", import.meta.url), { signal });
    const table = await loadGeoData(new Uint8Array(await file.arrayBuffer()));
    if (signal.aborted) return;
    element<HTMLElementTagNameMap["tor-status"]>("tor").countries = table;
    element("countries-notice").textContent = table.notice;
  } catch {
    // The circuit is shown without countries.
  }
}
