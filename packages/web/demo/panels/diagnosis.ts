// The panel of diagnosis: which layer fails between this page and a site, and whether a site sees a Tor exit.

import type { Diagnosis, Layer } from "@allium/core";
import { englishLabels } from "@allium/web/status";
import { element, show, tableRow, textElement } from "../dom.ts";
import { formatMs } from "../format.ts";
import { attempt, clearProblem } from "../problems.ts";
import type { Session } from "../session.ts";

const TIMEOUT_MS = 60_000;

const LAYERS: Readonly<Record<Layer, string>> = {
  storage: "Storage of the browser",
  bridge: "Bridge",
  tls: "TLS to the guard",
  link: "The guard's identity",
  consensus: "Directory of the network",
  circuit: "Circuit of three relays",
  stream: "Stream through the exit",
  site: "The site",
};

export function diagnosisPanel(session: Session): void {
  const { client, network, signal } = session;
  clearProblem("diagnosis-problem");
  show("diagnosis-table", false);
  for (const id of ["diagnosis-verdict", "check-verdict"]) element(id).textContent = "";
  const address = element<HTMLInputElement>("diagnosis-address");
  address.value = network.suggestions[0] ?? "";
  const diagnose = async () => {
    const verdict = element("diagnosis-verdict");
    verdict.textContent = "Trying each layer in its turn…";
    const options = { url: address.value.trim(), timeout: TIMEOUT_MS, signal };
    const diagnosis = await client.diagnose(options).finally(() => verdict.replaceChildren());
    if (!signal.aborted) drawDiagnosis(diagnosis);
  };
  const problem = "diagnosis-problem";
  element("diagnosis").addEventListener(
    "submit",
    () => void attempt({ button: "diagnosis-go", problem, signal }, diagnose),
    { signal },
  );
  element("check-go").addEventListener(
    "click",
    () => void attempt({ button: "check-go", problem, signal }, () => check(session)),
    { signal },
  );
}

async function check({ client, network, signal }: Session): Promise<void> {
  const verdict = element("check-verdict");
  verdict.textContent = "";
  const result = await client.check({ url: network.whoami, signal });
  if (signal.aborted) return;
  const exit = result.exit === undefined ? "" : ` The exit was ${result.exit.nickname}.`;
  verdict.textContent = result.isTor
    ? `Yes: the site saw the exit's address ${result.address}.${exit}`
    : `The site saw ${result.address}, and knows no Tor exit there.${exit}`;
}

function drawDiagnosis({ good, error, steps }: Diagnosis): void {
  const verdict = element("diagnosis-verdict");
  verdict.replaceChildren(
    good ? "All that was tried works." : error ? englishLabels.problems[error.kind] : "",
  );
  if (error !== undefined) verdict.append(" ", textElement("code", error.code), ` ${error.message}`);
  show("diagnosis-table", true);
  element("diagnosis-rows").replaceChildren(
    ...steps.map(({ layer, outcome, ms }) => {
      const row = tableRow(LAYERS[layer], outcome, ms === undefined ? "" : formatMs(ms));
      row.dataset.outcome = outcome;
      return row;
    }),
  );
}
