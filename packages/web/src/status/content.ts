// What is inside the status element. It changes only what differs: a live region that is written again is read again.

import type { ClientStatus } from "@allium/core";
import type { StatusLabels, StatusState } from "./labels.ts";

/** A place on the way of what is asked for. */
export interface Station {
  readonly name: string;
  readonly isRelay: boolean;
  readonly role?: string;
  readonly country?: string;
}

export class StatusContent {
  readonly root: HTMLElement = make("div", "panel", "panel");
  readonly button = make("button", "new-identity", "button");
  readonly #state = make("span", "state", "state");
  readonly #progress = make("progress", "progress", "progress");
  readonly #message = make("p", "message", "message");
  readonly #detail = make("p", "detail", "detail");
  readonly #code = make("code", "code", "code");
  readonly #reason = make("span", "reason", "reason");
  readonly #circuit = make("ol", "circuit", "circuit");
  #drawn = "";

  constructor() {
    const row = make("div", "row", "row");
    row.append(this.#state, this.button, document.createElement("slot"));
    this.root.role = "group";
    this.#message.role = "status";
    // Browsers may take the role from a list that shows no markers.
    this.#circuit.role = "list";
    this.#progress.max = 1;
    this.button.type = "button";
    this.#detail.append(this.#code, " ", this.#reason);
    this.root.append(row, this.#progress, this.#message, this.#detail, this.#circuit);
  }

  label(labels: StatusLabels): void {
    this.root.ariaLabel = labels.title;
    this.#progress.ariaLabel = labels.progress;
    this.#circuit.ariaLabel = labels.circuit;
    setText(this.button, labels.newIdentity);
  }

  showStatus(state: StatusState, status: ClientStatus | undefined, labels: StatusLabels): void {
    const { fraction = 0, phase, blocked } = status ?? {};
    for (const element of [this.#state, this.#message]) element.dataset.state = state;
    setText(this.#state, labels.states[state]);
    this.#progress.hidden = state === "none" || state === "ready";
    this.#progress.value = fraction;
    const said = blocked ? labels.problems[blocked.kind] : phase && labels.phases[phase];
    setText(this.#message, said ?? "");
    this.#detail.hidden = blocked === undefined;
    setText(this.#code, blocked?.code ?? "");
    setText(this.#reason, blocked?.message ?? "");
    // Not `disabled`: a button that has the focus would lose it at every short trouble.
    this.button.ariaDisabled = String(state !== "ready");
  }

  /** Says it anew even where it stands there already. */
  announce(text: string): void {
    this.#message.textContent = text;
  }

  showCircuit(stations: readonly Station[]): void {
    const wanted = JSON.stringify(stations);
    if (wanted === this.#drawn) return;
    this.#drawn = wanted;
    this.#circuit.hidden = stations.length === 0;
    this.#circuit.replaceChildren(...stations.map(stationItem));
  }
}

function stationItem({ name, isRelay, role, country }: Station): HTMLLIElement {
  const item = make("li", isRelay ? "relay" : "end", isRelay ? "station relay" : "station end");
  const title = make("bdi", "name", "name");
  title.textContent = name;
  item.append(title);
  for (const [part, text] of Object.entries({ role, country })) {
    if (text === undefined) continue;
    const span = make("span", part, part);
    span.textContent = text;
    item.append(" ", span);
  }
  return item;
}

function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className: string,
  part: string,
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  made.className = className;
  made.setAttribute("part", part);
  return made;
}
