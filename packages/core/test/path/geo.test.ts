import { describe, expect, it } from "vitest";
import { parseSocketAddress } from "../../src/base/address.ts";
import { toHex } from "../../src/base/encoding.ts";
import type { TorError } from "../../src/base/errors.ts";
import type { Relay } from "../../src/directory/api.ts";
import { checkExitCountries, type ExitCountryOptions, exitsIn, type GeoData } from "../../src/path/geo.ts";
import { type ExitTarget, PathSelector } from "../../src/path/select.ts";
import { anyGuard } from "./path-rules.ts";
import { exitRelay, guardRelay, netdir, relay } from "./synthetic.ts";

const WEB: ExitTarget = { port: 443, family: 4 };
const WEB6: ExitTarget = { port: 443, family: 6 };
const MAIL: ExitTarget = { port: 25, family: 4 };
const NONE: ReadonlySet<string> = new Set();

/** By the first number of an address. */
const geo: GeoData = {
  countryOf: ({ address }) =>
    new Map([
      [30, "DE"],
      [31, "FR"],
      [32, "DE"],
      [38, "NL"],
    ]).get(address[0] as number),
};

const german = exitRelay(3, { addresses: ["30.1.0.1:1"] });
const french = exitRelay(4, { addresses: ["31.2.0.1:1"], ports: [25, 443] });
/** In France by IPv4, in the Netherlands by IPv6. */
const mixed = exitRelay(5, { addresses: ["31.3.0.1:1", "[2600:db9::1]:1"], ports6: [443] });
const others = [guardRelay(1, { addresses: ["40.1.0.1:1"] }), relay({ id: 2, addresses: ["41.1.0.1:1"] })];

function setup(exits: readonly Relay[], exitCountries: readonly string[], strict = false) {
  const reasons: TorError[] = [];
  const selector = new PathSelector(netdir([...others, ...exits]), true, {
    exits: checkExitCountries({ exitCountries, strict, geo }),
    onElsewhere: (error) => reasons.push(error),
  });
  const path = (target: ExitTarget, avoid = NONE) => selector.path(target, anyGuard(selector), avoid);
  return { selector, path, reasons };
}

describe("exits by country", () => {
  it("are those of the wanted countries, written in either case", async () => {
    const { path, reasons } = setup([german, french], ["de"]);
    for (let i = 0; i < 50; i++) expect((await path(WEB)).exit).toBe(german);
    expect(reasons).toEqual([]);
  });

  it("are in none of them when nobody knows where they are", async () => {
    const lost = exitRelay(6, { addresses: ["50.1.0.1:1"] });
    await expect(setup([lost], ["DE"], true).path(WEB)).rejects.toMatchObject({ kind: "no-path" });
  });

  it("are elsewhere when none of the wanted can do it, which is said", async () => {
    const { path, reasons } = setup([german, french], ["DE", "NL"]);
    expect((await path(MAIL)).exit).toBe(french);
    expect(reasons.map(({ code }) => code)).toEqual(["ALLIUM_E_NO_EXIT_IN_COUNTRY"]);
    expect(reasons[0]?.message).toBe('no exit: none of 1 relays meets "in DE or NL"');
  });

  it("are elsewhere when those of the wanted have failed", async () => {
    const { path, reasons } = setup([german, french], ["DE"]);
    expect((await path(WEB, new Set([toHex(german.rsaId)]))).exit).toBe(french);
    expect(reasons.length).toBe(1);
  });

  it("are never elsewhere when that is strict", async () => {
    const { path, reasons } = setup([german, french], ["DE"], true);
    for (let i = 0; i < 50; i++) expect((await path(WEB)).exit).toBe(german);
    const refusal = expect.objectContaining({ kind: "no-path", code: "ALLIUM_E_NO_EXIT_IN_COUNTRY" });
    await expect(path(MAIL)).rejects.toEqual(refusal);
    await expect(path(WEB, new Set([toHex(german.rsaId)]))).rejects.toEqual(refusal);
    expect(reasons).toEqual([]);
  });

  it("are refused for another reason where the country is not the reason", async () => {
    const attempt = setup([german, french], ["DE"], true).path({ port: 6667, family: 4 });
    await expect(attempt).rejects.toMatchObject({ code: "ALLIUM_E_NO_RELAY" });
    await expect(attempt).rejects.toThrow("an exit policy for port 6667");
  });

  it("are not said to be elsewhere when there is no path at all", async () => {
    const { path, reasons } = setup([], ["DE"]);
    await expect(path(WEB)).rejects.toMatchObject({ code: "ALLIUM_E_NO_RELAY" });
    expect(reasons).toEqual([]);
  });

  it("are where the ORPort is that has the family of the destination", async () => {
    const exits = checkExitCountries({ exitCountries: ["NL"], geo });
    if (exits === undefined) throw new Error("unreachable");
    expect([4, 6].map((family) => exitsIn(mixed, family as 4 | 6, exits))).toEqual([false, true]);
    // Without an address of that family it is the first one.
    const dutch = exitRelay(7, { addresses: ["38.1.0.1:1"] });
    expect([4, 6].map((family) => exitsIn(dutch, family as 4 | 6, exits))).toEqual([true, true]);
    const { path } = setup([german, mixed], ["NL"], true);
    expect((await path(WEB6)).exit).toBe(mixed);
    await expect(path(WEB)).rejects.toMatchObject({ code: "ALLIUM_E_NO_EXIT_IN_COUNTRY" });
  });
});

describe("a circuit that is there", () => {
  it("serves what its exit lets out, wherever it is, when no country is wanted", async () => {
    const selector = new PathSelector(netdir([...others, french]), true);
    const path = await selector.path(MAIL, anyGuard(selector), NONE);
    expect([WEB, MAIL, WEB6].map((target) => selector.serves(path, target))).toEqual([true, true, false]);
  });

  it("serves no target that an exit of the wanted countries can reach when its own is elsewhere", async () => {
    const { path, selector } = setup([german, french], ["DE"]);
    const abroad = await path(MAIL);
    expect([MAIL, WEB].map((target) => selector.serves(abroad, target))).toEqual([true, false]);
    expect(selector.serves(await path(WEB), WEB)).toBe(true);
  });

  it("serves nothing elsewhere when that is strict", async () => {
    const abroad = await setup([german, french], ["DE"]).path(MAIL);
    const { selector } = setup([german, french], ["DE"], true);
    expect([MAIL, WEB].map((target) => selector.serves(abroad, target))).toEqual([false, false]);
  });

  it("serves long-lived connections only when all its hops are Stable", async () => {
    const exit = exitRelay(3, { flags: ["Fast", "Valid", "Exit"], ports: [22, 443] });
    const selector = new PathSelector(netdir([...others, exit]), true);
    const path = await selector.path(WEB, anyGuard(selector), NONE);
    expect([WEB, { ...WEB, port: 22 }].map((target) => selector.serves(path, target))).toEqual([true, false]);
  });
});

describe("the options", () => {
  it("are none when no country is named", () => {
    expect(checkExitCountries({})).toBeUndefined();
    expect(checkExitCountries({ geo, strict: true })).toBeUndefined();
  });

  it("are not strict unless told so, and upper-case", () => {
    const checked = checkExitCountries({ exitCountries: ["de", "FR", "De"], geo });
    expect(checked).toMatchObject({ strict: false, countries: new Set(["DE", "FR"]) });
    expect(checked?.countryOf(parseSocketAddress("30.0.0.1:1"))).toBe("DE");
  });

  it.each<[string, unknown, string]>([
    ["no list", { exitCountries: "DE", geo }, "must be a list of countries"],
    ["an empty list", { exitCountries: [], geo }, "must be a list of countries"],
    ["an endless list", { exitCountries: new Array(301).fill("DE"), geo }, "must be a list of countries"],
    ["three letters", { exitCountries: ["DEU"], geo }, "two letters"],
    ["braces, as C tor has them", { exitCountries: ["{de}"], geo }, "two letters"],
    ["another letter", { exitCountries: ["DÉ"], geo }, "two letters"],
    ["a number", { exitCountries: [49], geo }, "two letters"],
    ["no table", { exitCountries: ["DE"] }, "needs path.geo"],
    ["the bytes of a table", { exitCountries: ["DE"], geo: new Uint8Array(9) }, "must be GeoData"],
    ["null for a table", { geo: null }, "must be GeoData"],
    ["a text for strict", { strict: "yes" }, "path.strict must be true or false"],
  ])("are refused with %s", (_, options, message) => {
    const check = () => checkExitCountries(options as ExitCountryOptions);
    expect(check).toThrow(expect.objectContaining({ kind: "bad-api-usage", code: "ALLIUM_E_BAD_OPTIONS" }));
    expect(check).toThrow(message);
  });
});
