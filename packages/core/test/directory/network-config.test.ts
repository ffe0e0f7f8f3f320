import { describe, expect, it } from "vitest";
import { formatSocketAddress, isInternalIp, parseSocketAddress } from "../../src/base/address.ts";
import { fallbackTargets, parseNetworkConfig } from "../../src/directory/network-config.ts";
import { publicNetwork } from "../../src/directory/public-network.ts";

const good = {
  authorities: [{ nickname: "auth1", v3ident: "a".repeat(40) }],
  fallbacks: [
    { rsaId: "B".repeat(40), ed25519Id: "A".repeat(43), orPorts: ["127.0.0.1:5001", "[::1]:5001"] },
  ],
  params: { circwindow: 100, constructor: 1 },
  onionTimePeriod: { minutes: 24, offsetMinutes: 12 },
  allowPrivateAddresses: true,
};

describe("a network.json", () => {
  it("is taken whole", () => {
    const config = parseNetworkConfig(JSON.parse(JSON.stringify(good)));
    expect(config.authorities[0]?.v3ident).toBe("A".repeat(40));
    expect(Object.entries(config.params ?? {})).toEqual(Object.entries(good.params));
    expect(config.onionTimePeriod).toEqual(good.onionTimePeriod);
    const [target] = fallbackTargets(config);
    expect(target?.rsaId).toEqual(new Uint8Array(20).fill(0xbb));
    expect(target?.ed25519Id).toEqual(new Uint8Array(32));
    expect(target?.addresses.map(formatSocketAddress)).toEqual(["127.0.0.1:5001", "[::1]:5001"]);
  });

  it("needs authorities and fallbacks only", () => {
    const { authorities, fallbacks } = good;
    expect(Object.keys(parseNetworkConfig({ authorities, fallbacks }))).toEqual(["authorities", "fallbacks"]);
  });

  const [authority] = good.authorities;
  const [fallback] = good.fallbacks;
  const cases: [string, unknown, RegExp][] = [
    ["nothing", undefined, /the whole is not an object/],
    ["a list", [], /the whole is not an object/],
    ["a misspelt field", { ...good, param: {} }, /unknown field "param"/],
    ["no authorities", { ...good, authorities: [] }, /authorities is not a list/],
    ["too many authorities", { ...good, authorities: Array(65).fill(authority) }, /more than 64/],
    ["an authority twice", { ...good, authorities: [authority, authority] }, /twice/],
    [
      "a short v3ident",
      { ...good, authorities: [{ ...authority, v3ident: "AB" }] },
      /authorities\[0\].v3ident/,
    ],
    ["a nickname that is none", { ...good, authorities: [{ ...authority, nickname: "a b" }] }, /nickname/],
    ["no fallbacks", { ...good, fallbacks: undefined }, /fallbacks is not a list/],
    ["a fallback that is none", { ...good, fallbacks: ["x"] }, /fallbacks\[0\] is not an object/],
    [
      "a padded identity",
      { ...good, fallbacks: [{ ...fallback, ed25519Id: `${"A".repeat(43)}=` }] },
      /ed25519Id/,
    ],
    [
      "an identity with stray bits",
      { ...good, fallbacks: [{ ...fallback, ed25519Id: `${"A".repeat(42)}B` }] },
      /canonical/,
    ],
    ["a host name", { ...good, fallbacks: [{ ...fallback, orPorts: ["example.com:1"] }] }, /orPorts\[0\]/],
    ["no ORPort", { ...good, fallbacks: [{ ...fallback, orPorts: [] }] }, /orPorts/],
    ["a parameter that is no integer", { ...good, params: { a: 1.5 } }, /params/],
    ["a parameter beyond 32 bits", { ...good, params: { a: 2 ** 31 } }, /params/],
    ["parameters as a list", { ...good, params: [1] }, /params/],
    [
      "a time period without minutes",
      { ...good, onionTimePeriod: { offsetMinutes: 1 } },
      /onionTimePeriod.minutes/,
    ],
    ["a time period of none", { ...good, onionTimePeriod: { minutes: 0, offsetMinutes: 0 } }, /minutes/],
    ["a yes that is no boolean", { ...good, allowPrivateAddresses: "yes" }, /allowPrivateAddresses/],
  ];
  it.each(cases)("with %s is refused and says where", (_, value, message) => {
    expect(() => parseNetworkConfig(value)).toThrow(expect.objectContaining({ kind: "bad-api-usage" }));
    expect(() => parseNetworkConfig(value)).toThrow(message);
  });
});

describe("the public network", () => {
  it("has nine authorities and 200 fallbacks with distinct identities and public addresses", () => {
    const { authorities, fallbacks } = parseNetworkConfig({ ...publicNetwork });
    expect(new Set(authorities.map(({ v3ident }) => v3ident)).size).toBe(9);
    expect(new Set(fallbacks.map(({ rsaId }) => rsaId)).size).toBe(200);
    expect(new Set(fallbacks.map(({ ed25519Id }) => ed25519Id)).size).toBe(200);
    const addresses = fallbacks.flatMap(({ orPorts }) => orPorts).map(parseSocketAddress);
    expect(addresses.filter(({ address }) => isInternalIp(address))).toEqual([]);
    expect(fallbacks[0]).toEqual({
      rsaId: "4F067C5C488173987B568CD7245F1CA71DEE996B",
      ed25519Id: "FHUcFKNjymucq0DnjGUpYaI0ecPBOa8TGZFD76Hgcog",
      orPorts: ["64.65.62.122:443"],
    });
  });
});
