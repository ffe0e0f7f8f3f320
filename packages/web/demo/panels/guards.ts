// The panel of the guards: what the client keeps of them, to be saved, and to be forgotten after a question.

import type { GuardRecord } from "@allium/core";
import { element, saveFile, show, tableRow, textElement, twoLines } from "../dom.ts";
import { attempt, clearProblem } from "../problems.ts";
import type { Session } from "../session.ts";

export function guardsPanel(session: Session): void {
  const { client, signal } = session;
  clearProblem("guards-problem");
  draw([]);
  const refresh = () => drawGuards(session).catch(() => {});
  client.addEventListener("guard", refresh, { signal });
  // Circuits are counted at their guard.
  client.addEventListener("circuit", ({ detail }) => detail.state === "open" && refresh(), { signal });
  client.ready({ signal }).then(refresh, () => {});
  element("guards-save").addEventListener("click", () => void save(session).catch(() => {}), { signal });
  const dialog = element<HTMLDialogElement>("guards-dialog");
  element("guards-reset").addEventListener("click", () => dialog.showModal(), { signal });
  element("guards-keep").addEventListener("click", () => dialog.close(), { signal });
  element("guards-forget").addEventListener(
    "click",
    () => {
      dialog.close();
      void attempt({ button: "guards-reset", problem: "guards-problem", signal }, async () => {
        await client.guards.reset();
        // So that the page does not go on with circuits through them.
        client.newIdentity();
        await drawGuards(session);
      });
    },
    { signal },
  );
}

async function drawGuards({ client, signal }: Session): Promise<void> {
  const { guards } = await client.guards.export();
  if (!signal.aborted) draw(guards);
}

async function save({ client }: Session): Promise<void> {
  const json = JSON.stringify(await client.guards.export(), undefined, 2);
  saveFile(new TextEncoder().encode(json), "guards.json", "application/json");
}

function draw(guards: readonly GuardRecord[]): void {
  show("guards-table", guards.length > 0);
  show("guards-none", guards.length === 0);
  show("guards-save", guards.length > 0);
  element("guards-rows").replaceChildren(...guards.map(guardRow));
}

function guardRow(guard: GuardRecord): HTMLTableRowElement {
  const { pb_circ_successes: built = 0, pb_circ_attempts: tried = 0 } = guard;
  const row = tableRow(
    twoLines(guard.nickname, guard.address),
    guard.disabled ? "disabled" : guard.confirmed ? "used" : "reserve",
    textElement("span", guard.added_on.slice(0, 10), "nowrap"),
    tried === 0 ? "–" : `${Math.round(built)} of ${Math.round(tried)}`,
  );
  row.dataset.fingerprint = guard.fingerprint;
  return row;
}
