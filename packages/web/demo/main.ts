// The demo page: one Tor client at a time, and panels that show what it does and what can be done with it.

import type { TorClientLike } from "@allium/core";
import { makeClient } from "./client.ts";
import type { DemoConfig, DemoNetwork } from "./config.ts";
import { element } from "./dom.ts";
import { circuitsPanel } from "./panels/circuits.ts";
import { diagnosisPanel } from "./panels/diagnosis.ts";
import { fetchPanel } from "./panels/fetch.ts";
import { guardsPanel } from "./panels/guards.ts";
import { isolationPanel } from "./panels/isolation.ts";
import { latencyPanel } from "./panels/latency.ts";
import { startClient, statusPanel } from "./panels/status.ts";
import { viewerPanel } from "./panels/viewer.ts";
import { webSocketPanel } from "./panels/websocket.ts";
import type { Panel } from "./session.ts";

const PANELS: readonly Panel[] = [
  statusPanel,
  fetchPanel,
  viewerPanel,
  circuitsPanel,
  isolationPanel,
  webSocketPanel,
  latencyPanel,
  guardsPanel,
  diagnosisPanel,
];

const config = (await (await fetch("config.json")).json()) as DemoConfig;
let current: { readonly end: AbortController; client?: TorClientLike } | undefined;

async function connect(network: DemoNetwork): Promise<void> {
  const before = current;
  const mine: NonNullable<typeof current> = { end: new AbortController() };
  current = mine;
  before?.end.abort();
  await before?.client?.close();
  if (network.id === "public") await fetch("start-public-bridge", { method: "POST" });
  const client = await makeClient(network);
  // Another one was picked meanwhile.
  if (current !== mine) return void client.close();
  mine.client = client;
  const session = { client, network, viewerHost: config.viewer, signal: mine.end.signal };
  for (const panel of PANELS) panel(session);
  await startClient(session);
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

// No form is ever sent; its panel listens to it.
document.addEventListener("submit", (event) => event.preventDefault());
drawNetworks();
const [first] = config.networks;
if (first) await connect(first);
