// The page of the status element's tests: elements that show clients which do what the tests say.

import type { CircuitInfo, ClientStatus, StreamInfo } from "@allium/core";
import type { CountryTable } from "@allium/core/geo";
import { defineTorStatus, type StatusLabelChanges, TorStatus } from "@allium/web/status";
import { FakeClient } from "./fake-client.ts";

const clients = [new FakeClient(), new FakeClient()] as const;
let mutations = 0;

/** By the last number of the address. */
const countries: CountryTable = {
  notice: "made up",
  countryOf: ({ address }) => ["DE", "IS", undefined][(address.at(-1) ?? 0) % 10],
};

const element = (index = 0): TorStatus => document.querySelectorAll("tor-status")[index] as TorStatus;

const page = {
  /** Elements that were in the page, with a client, before they were defined; then defined, twice. */
  define(count: number) {
    for (let i = 0; i < count; i++)
      document.body.append(Object.assign(document.createElement("tor-status"), { client: clients[0] }));
    defineTorStatus();
    defineTorStatus();
    defineTorStatus("other-status");
    const live = element().shadowRoot?.querySelector('[role="status"]');
    new MutationObserver(() => mutations++).observe(live as Element, { subtree: true, childList: true });
    const other = document.createElement("other-status");
    return [element(), other].map((one) => one instanceof TorStatus);
  },

  tell: (status: ClientStatus, client = 0) => clients[client]?.tell(status),
  have: (circuits: CircuitInfo[], client = 0) => clients[client]?.have(circuits),
  stream: (info: StreamInfo) => clients[0].stream(info),

  setClient(client: number | null, index = 0) {
    element(index).client = client === null ? undefined : clients[client];
  },
  showCountries: () => {
    element().countries = countries;
  },
  setLabels: (labels: StatusLabelChanges) => {
    element().labels = labels;
  },

  /** Takes the element out of the document, and puts it back. */
  detach(then: "back" | "gone") {
    const one = element();
    one.remove();
    const listeners = clients.map((client) => client.listeners);
    if (then === "back") document.body.prepend(one);
    return listeners;
  },

  /** From here on the page does the button's work by itself. */
  refuse: () => document.addEventListener("new-identity", (event) => event.preventDefault()),

  seen: () => ({
    mutations,
    renewals: clients.map(({ renewals }) => renewals),
    listeners: clients.map(({ listeners }) => listeners),
  }),
};

export type StatusPage = typeof page;
Object.assign(globalThis, { statusPage: page });
