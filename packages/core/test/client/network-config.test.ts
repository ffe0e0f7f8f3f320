import { describe, expect, it } from "vitest";
import { parseNetworkConfig } from "../../src/client/network-config.ts";

const V3IDENT = "0123456789abcdef0123456789ABCDEF01234567";
const AUTHORITY = { nickname: "auth1", v3ident: V3IDENT };
const FALLBACK = {
  rsaId: V3IDENT,
  ed25519Id: "A".repeat(43),
  orPorts: ["127.0.0.1:5001", "[2001:db8::1]:443"],
};
const NETWORK = {
  authorities: [AUTHORITY],
  fallbacks: [FALLBACK],
  params: { circwindow: 1000, negative: -1 },
  onionTimePeriod: { minutes: 24, offsetMinutes: 12 },
  allowPrivateAddresses: true,
};

describe("a network description", () => {
  it("is read as it was written", () => {
    expect(parseNetworkConfig(JSON.parse(JSON.stringify(NETWORK)))).toEqual(NETWORK);
  });

  it("needs only authorities and fallbacks, and unknown fields are left out", () => {
    const { authorities, fallbacks } = NETWORK;
    expect(parseNetworkConfig({ authorities, fallbacks, comment: "mine" })).toEqual({
      authorities,
      fallbacks,
    });
  });

  const mistakes: [string, object | null, string][] = [
    ["nothing", null, "it"],
    ["a list", [], "it"],
    ["no authorities", { authorities: [] }, "authorities"],
    ["no fallbacks", { fallbacks: undefined }, "fallbacks"],
    ["a short fingerprint", { authorities: [{ ...AUTHORITY, v3ident: "ab" }] }, "authorities[0].v3ident"],
    [
      "a nickname that is none",
      { authorities: [{ ...AUTHORITY, nickname: "a b" }] },
      "authorities[0].nickname",
    ],
    [
      "a padded identity",
      { fallbacks: [{ ...FALLBACK, ed25519Id: `${"A".repeat(43)}=` }] },
      "fallbacks[0].ed25519Id",
    ],
    [
      "stray bits",
      { fallbacks: [{ ...FALLBACK, ed25519Id: `${"A".repeat(42)}B` }] },
      "fallbacks[0].ed25519Id",
    ],
    ["a host name", { fallbacks: [{ ...FALLBACK, orPorts: ["localhost:9001"] }] }, "fallbacks[0].orPorts[0]"],
    [
      "no port",
      { fallbacks: [FALLBACK, { ...FALLBACK, orPorts: ["127.0.0.1"] }] },
      "fallbacks[1].orPorts[0]",
    ],
    ["no address", { fallbacks: [{ ...FALLBACK, orPorts: [] }] }, "fallbacks[0].orPorts"],
    ["a parameter that is no whole number", { params: { circwindow: 0.5 } }, "params.circwindow"],
    ["a period without offset", { onionTimePeriod: { minutes: 24 } }, "onionTimePeriod.offsetMinutes"],
    ["a switch that is a text", { allowPrivateAddresses: "yes" }, "allowPrivateAddresses"],
  ];

  it.each(mistakes)("with %s is refused, naming the field", (_, change, field) => {
    const value = change === null || Array.isArray(change) ? change : { ...NETWORK, ...change };
    expect(() => parseNetworkConfig(value)).toThrow(
      expect.objectContaining({ code: "ALLIUM_E_BAD_NETWORK" }),
    );
    expect(() => parseNetworkConfig(value)).toThrow(`network: ${field} `);
  });
});
