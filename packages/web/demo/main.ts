// The demo page: one Tor client, what it is doing, the circuit in use, and a form that fetches through it.

import { type HopInfo, isTorError, type TorClientLike } from "@allium/core";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { makeClient } from "./client.ts";
import type { DemoConfig, DemoNetwork } from "./config.ts";
import { describePhase, describeProblem } from "./messages.ts";
import { drawBody, drawCircuit, drawFacts, element, formatBytes, show, textElement } from "./view.ts";

/** What is beyond this is hashed as it comes but not kept for showing. */
const KEPT_BODY = 8 * 1024 * 1024;

const config = (await (await fetch("config.json")).json()) as DemoConfig;
const session: { client?: TorClientLike; network?: DemoNetwork; request?: AbortController } = {};

async function connect(network: DemoNetwork): Promise<void> {
  await session.client?.close();
  session.network = network;
  session.request?.abort();
  for (const stale of ["result", "problem", "stop"]) show(stale, false);
  document.body.dataset.phases = "";
  if (network.id === "public") await fetch("start-public-bridge", { method: "POST" });
  const client = await makeClient(network);
  // Another one was picked meanwhile.
  if (session.network !== network) return void client.close();
  session.client = client;
  client.addEventListener("status", () => drawStatus(client));
  client.addEventListener("circuit", () => drawCircuits(client));
  drawStatus(client);
  drawCircuits(client);
  drawSuggestions(network);
  await start(client);
}

async function start(client: TorClientLike): Promise<void> {
  const began = performance.now();
  try {
    await client.ready();
    document.body.dataset.readyMs = String(Math.round(performance.now() - began));
  } catch {
    // The status says what is wrong.
  }
  drawStatus(client);
}

function drawStatus(client: TorClientLike): void {
  if (client !== session.client) return;
  const { fraction, phase, ready, blocked } = client.status;
  element<HTMLProgressElement>("progress").value = fraction;
  element("phase").textContent = describePhase(phase);
  notePhase(phase);
  const badge = element("state");
  badge.dataset.state = blocked ? "blocked" : ready ? "ready" : "starting";
  badge.textContent = blocked ? "blocked" : ready ? "ready" : `${Math.round(fraction * 100)} %`;
  element<HTMLButtonElement>("new-identity").disabled = !ready;
  show("blocked", blocked !== undefined);
  if (blocked) {
    element("blocked-title").textContent = describeProblem(blocked.kind);
    element("blocked-text").textContent = blocked.message;
  }
}

/** Leaves on the page, for whoever looks, which phases this start went through. */
function notePhase(phase: string): void {
  const seen = (document.body.dataset.phases ?? "").split(" ").filter(Boolean);
  if (seen.at(-1) !== phase) document.body.dataset.phases = [...seen, phase].join(" ");
}

function drawCircuits(client: TorClientLike): void {
  if (client !== session.client) return;
  const circuit = client
    .circuits()
    .filter(({ purpose, state, hops }) => purpose === "general" && state === "open" && hops.length === 3)
    .at(-1);
  show("circuit-note", circuit === undefined);
  if (circuit === undefined) return drawCircuit([]);
  const roles = ["guard", "middle", "exit"];
  drawCircuit([
    { title: "This page", detail: `through the bridge ${session.network?.bridges[0] ?? ""}`, relay: false },
    ...circuit.hops.map((hop, i) => ({
      title: hop.nickname,
      detail: [roles[i], hop.addresses.join(", "), ...formOf(hop)].join(" · "),
      relay: true,
    })),
    { title: "The site", detail: "sees the exit's address only", relay: false },
  ]);
}

/** What the hop agreed to beyond what every relay does. */
function formOf({ flowControl, relayCrypto }: HopInfo): string[] {
  return [
    ...(flowControl === "congestion-control" ? ["congestion control"] : []),
    ...(relayCrypto === "cgo" ? ["CGO"] : []),
  ];
}

function drawSuggestions(network: DemoNetwork): void {
  show("suggestions", network.suggestions.length > 0);
  const links = network.suggestions.map((address) => {
    const link = textElement("button", address);
    link.type = "button";
    link.className = "link";
    link.addEventListener("click", () => {
      element<HTMLInputElement>("address").value = address;
      void fetchAddress(address);
    });
    return link;
  });
  element("suggestions").replaceChildren(
    "Try ",
    ...links.flatMap((link, i) => (i === 0 ? [link] : [" · ", link])),
  );
}

async function fetchAddress(typed: string): Promise<void> {
  const { client } = session;
  if (client === undefined) return;
  session.request?.abort();
  const request = new AbortController();
  session.request = request;
  show("result", false);
  show("problem", false);
  show("stop", true);
  try {
    const address = /^[a-z][a-z0-9+.-]*:\/\//i.test(typed) ? typed : `http://${typed}`;
    await drawResponse(client, await client.fetch(address, { signal: request.signal }), request);
  } catch (error) {
    if (session.request === request) drawProblem(error);
  } finally {
    if (session.request === request) show("stop", false);
  }
}

async function drawResponse(
  client: TorClientLike,
  response: Response,
  request: AbortController,
): Promise<void> {
  const began = performance.now();
  const digest = sha256.create();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    digest.update(chunk);
    if (size <= KEPT_BODY) chunks.push(chunk);
    element("phase").textContent = `Receiving: ${formatBytes(size)}`;
  }
  if (session.request !== request) return;
  const seconds = (performance.now() - began) / 1000;
  const body = new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer());
  drawFacts([
    ["Status", `${response.status} ${response.statusText}`],
    ["Address", response.url],
    ["Type", response.headers.get("content-type") ?? "not said"],
    ["Size", `${formatBytes(size)} in ${seconds.toFixed(2)} s`],
    ["SHA-256", bytesToHex(digest.digest())],
  ]);
  element("headers").textContent = [...response.headers]
    .map(([name, value]) => `${name}: ${value}`)
    .join("\n");
  if (size <= KEPT_BODY) drawBody(response.headers.get("content-type") ?? "", body);
  else element("view").replaceChildren(textElement("p", "The body is too large to be shown."));
  show("result", true);
  drawStatus(client);
  drawCircuits(client);
}

function drawProblem(error: unknown): void {
  const aborted = error instanceof DOMException && error.name === "AbortError";
  element("problem-title").textContent = aborted
    ? "Stopped."
    : describeProblem(isTorError(error) ? error.kind : "");
  const code = isTorError(error) ? ` (${error.code})` : "";
  element("problem-text").textContent = aborted
    ? ""
    : `${error instanceof Error ? error.message : error}${code}`;
  show("problem", true);
}

function drawNetworks(): void {
  for (const [i, network] of config.networks.entries()) {
    const label = document.createElement("label");
    const choice = document.createElement("input");
    choice.type = "radio";
    choice.name = "network";
    choice.value = network.id;
    choice.checked = i === 0;
    choice.addEventListener("change", () => void connect(network));
    label.append(choice, ` ${network.label}`);
    element("networks").append(label);
  }
}

element("fetch").addEventListener("submit", (event) => {
  event.preventDefault();
  void fetchAddress(element<HTMLInputElement>("address").value.trim());
});
element("stop").addEventListener("click", () => session.request?.abort());
element("retry").addEventListener("click", () => session.client && void start(session.client));
element("new-identity").addEventListener("click", () => {
  session.client?.newIdentity();
  if (session.client) drawCircuits(session.client);
});
drawNetworks();
const [first] = config.networks;
if (first) await connect(first);
