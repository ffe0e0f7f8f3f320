// What of the status element needs no document: its texts, the choice of the circuit, names of countries.

import { readFile } from "node:fs/promises";
import type { HopInfo } from "@allium/core";
import { loadGeoData } from "@allium/core/geo";
import { defineTorStatus, englishLabels } from "@allium/web/status";
import { describe, expect, it } from "vitest";
import { countryName } from "../src/status/country.ts";
import { CurrentCircuit } from "../src/status/current-circuit.ts";
import { mergeLabels } from "../src/status/labels.ts";
import { circuit } from "./browser/fake-client.ts";

const one = circuit(1, ["a", "b", "c"]);
const two = circuit(2, ["d", "e", "f"]);

it("can be loaded where there are no elements, and then defines nothing", () => {
  expect("customElements" in globalThis).toBe(false);
  expect(() => defineTorStatus()).not.toThrow();
});

describe("the texts", () => {
  it("say for every kind of problem, in one sentence, what is wrong and what helps", () => {
    for (const text of Object.values(englishLabels.problems)) expect(text).toMatch(/^[A-Z][^.:]+: [^.]+\.$/);
  });

  it("are replaced one by one", () => {
    const { states, roles, title } = mergeLabels({ title: "Tor", states: { idle: "Aus" } });
    expect({ states, roles, title }).toEqual({
      states: { ...englishLabels.states, idle: "Aus" },
      roles: englishLabels.roles,
      title: "Tor",
    });
  });
});

describe("the circuit that is shown", () => {
  it("is the one that carried the last stream, as long as it is open", () => {
    const current = new CurrentCircuit();
    expect(current.pick([one, two])).toBe(two);
    current.note({ state: "open", circuitId: 1 });
    current.note({ state: "opening" });
    current.note({ state: "closed", circuitId: 2 });
    expect(current.pick([one, two])).toBe(one);
    expect(current.pick([two])).toBe(two);
    expect(
      current.pick([
        { ...one, state: "building" },
        { ...two, purpose: "directory" },
      ]),
    ).toBe(undefined);
  });

  it("is none of an identity that was left, even where that one still opens a stream", () => {
    const current = new CurrentCircuit();
    current.leave([one, two]);
    current.note({ state: "open", circuitId: 2 });
    expect(current.pick([one, two])).toBe(undefined);
    const three = circuit(3, ["g", "h", "i"]);
    expect(current.pick([one, two, three])).toBe(three);
    current.leave([]);
    expect(current.pick([one, two])).toBe(undefined);
  });
});

it("names the country of the first address that is in one, in the language wanted", async () => {
  const geo = await loadGeoData(await readFile(new URL("../../core/data/geo.bin", import.meta.url)));
  const hop = (...addresses: string[]): HopInfo => ({ nickname: "x", rsaId: "", addresses });
  const german = hop("127.0.0.1:9001", "[2001:638::1]:9001");
  expect(countryName(german, geo, "fr")).toBe("Allemagne");
  expect(countryName(german, geo, "en-GB")).toBe("Germany");
  expect(typeof countryName(german, geo, "no language!")).toBe("string");
  expect(countryName(hop("127.0.0.1:9001"), geo, "en")).toBe(undefined);
  expect(countryName(hop(), geo, "en")).toBe(undefined);
});
