// <tor-status>: how far a client is, what is wrong, the circuit in use, and a button for a new identity. It only reads the
// client: making and closing one is the page's business. Not here: its texts (labels.ts), its looks (style.ts).

import type { CircuitInfo, ClientStatus, TorClientLike } from "@allium/core";
import type { CountryTable } from "@allium/core/geo";
import { type Station, StatusContent } from "./content.ts";
import { countryName } from "./country.ts";
import { CurrentCircuit } from "./current-circuit.ts";
import {
  englishLabels,
  mergeLabels,
  type StatusLabelChanges,
  type StatusLabels,
  type StatusState,
} from "./labels.ts";
import { styleSheet } from "./style.ts";

/** Where pages are made on a server there are no elements, but the module must load. */
const Base = (globalThis.HTMLElement ?? class {}) as typeof HTMLElement;

/**
 * The element's class. Properties that were set before it was defined count.
 * @fires new-identity before the button's work; `preventDefault()` leaves it undone
 */
export class TorStatus extends Base {
  readonly #content: StatusContent;
  #client: TorClientLike | undefined;
  #countries: CountryTable | undefined;
  #labels = englishLabels;
  #changes: StatusLabelChanges = {};
  #current = new CurrentCircuit();
  #listening: AbortController | undefined;

  constructor() {
    super();
    this.#content = new StatusContent();
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [styleSheet()];
    root.append(this.#content.root);
    this.#content.button.addEventListener("click", () => this.#renew());
    for (const name of ["client", "countries", "labels"] as const) this.#adopt(name);
    this.#content.label(this.#labels);
  }

  /** The client that is shown; none at first. Set it to undefined when it is closed. */
  get client(): TorClientLike | undefined {
    return this.#client;
  }

  set client(client: TorClientLike | null | undefined) {
    if ((client ?? undefined) === this.#client) return;
    this.#client = client ?? undefined;
    this.#current = new CurrentCircuit();
    this.#listen();
  }

  /** Names the relays' countries, when it is set: see `@allium/core/geo`. */
  get countries(): CountryTable | undefined {
    return this.#countries;
  }

  set countries(table: CountryTable | null | undefined) {
    this.#countries = table ?? undefined;
    this.#drawCircuit();
  }

  /** The texts that are not to be the English ones. */
  get labels(): StatusLabelChanges {
    return this.#changes;
  }

  set labels(changes: StatusLabelChanges | null | undefined) {
    this.#changes = changes ?? {};
    this.#labels = mergeLabels(this.#changes);
    this.#content.label(this.#labels);
    this.#draw();
  }

  connectedCallback(): void {
    this.#listen();
  }

  disconnectedCallback(): void {
    this.#listening?.abort();
    this.#listening = undefined;
  }

  /** Hears the client while the element is in a document, and only then, so that neither keeps the other alive. */
  #listen(): void {
    this.#listening?.abort();
    if (!this.isConnected) return;
    const listening = new AbortController();
    this.#listening = listening;
    const { signal } = listening;
    this.#client?.addEventListener("status", () => this.#draw(), { signal });
    this.#client?.addEventListener("circuit", () => this.#drawCircuit(), { signal });
    this.#client?.addEventListener("stream", ({ detail }) => this.#noteStream(detail), { signal });
    this.#draw();
  }

  #noteStream(stream: Parameters<CurrentCircuit["note"]>[0]): void {
    this.#current.note(stream);
    this.#drawCircuit();
  }

  #draw(): void {
    const status = this.#client?.status;
    this.#content.showStatus(stateOf(status), status, this.#labels);
    this.#drawCircuit();
  }

  #drawCircuit(): void {
    const circuit = this.#current.pick(this.#client?.circuits() ?? []);
    this.#content.showCircuit(circuit === undefined ? [] : this.#stations(circuit));
  }

  #stations({ hops }: CircuitInfo): Station[] {
    const { here, site, roles } = this.#labels;
    const language = this.closest<HTMLElement>("[lang]")?.lang ?? "";
    const relays = hops.map((hop, i): Station => {
      const country = this.#countries && countryName(hop, this.#countries, language);
      return {
        name: hop.nickname || `$${hop.rsaId.slice(0, 8)}`,
        isRelay: true,
        role: roleOf(i, hops.length, roles),
        ...(country !== undefined && { country }),
      };
    });
    return [{ name: here, isRelay: false }, ...relays, { name: site, isRelay: false }];
  }

  #renew(): void {
    const client = this.#client;
    if (client === undefined || !client.status.ready) return;
    const event = new Event("new-identity", { bubbles: true, composed: true, cancelable: true });
    if (!this.dispatchEvent(event)) return;
    client.newIdentity();
    this.#current.leave(client.circuits());
    this.#drawCircuit();
    this.#content.announce(this.#labels.renewed);
  }

  /** What was set before the class was known hides the class's own property. */
  #adopt(name: "client" | "countries" | "labels"): void {
    if (!Object.hasOwn(this, name)) return;
    const early = this[name];
    delete this[name];
    Object.assign(this, { [name]: early });
  }
}

function stateOf(status: ClientStatus | undefined): StatusState {
  if (status === undefined) return "none";
  if (status.blocked !== undefined) return "blocked";
  if (status.ready) return "ready";
  return status.fraction === 0 ? "idle" : "starting";
}

function roleOf(at: number, length: number, [guard, middle, exit]: StatusLabels["roles"]): string {
  if (at === 0) return guard;
  return at === length - 1 ? exit : middle;
}

/** Makes `<tor-status>`, or an element of another name, known to the page. Does nothing where the name is taken. */
export function defineTorStatus(name = "tor-status"): void {
  const registry = globalThis.customElements;
  // A class can have one name only.
  if (registry !== undefined && registry.get(name) === undefined)
    registry.define(name, class extends TorStatus {});
}

declare global {
  interface HTMLElementTagNameMap {
    "tor-status": TorStatus;
  }
}
