import { type NetworkConfig, parseSocketAddress } from "@allium/core";
import { describe, expect, it } from "vitest";
import { DestinationPolicy, type RelayList, STALE_AFTER } from "../src/shared/policy.ts";
import { closeReason, parseDestination } from "../src/shared/protocol.ts";

const HOUR = 3600_000;
const network: NetworkConfig = {
  authorities: [],
  fallbacks: [
    { rsaId: "00".repeat(20), ed25519Id: "A".repeat(43), orPorts: ["9.9.9.9:443", "[2620:fe::9]:443"] },
  ],
};

function list(validAfter: number, ...orPorts: string[]): RelayList {
  return { validAfter, validUntil: validAfter + 3 * HOUR, orPorts: () => new Set(orPorts) };
}

describe("the destination policy", () => {
  it("allows relays of the verified consensus and nothing else", () => {
    const policy = new DestinationPolicy(network);
    policy.add(list(0, "8.8.4.4:9001", "[2a00:1450::5]:9001"));
    expect(policy.judge(parseSocketAddress("8.8.4.4:9001"), HOUR)).toBe("allowed");
    expect(policy.judge(parseSocketAddress("[2a00:1450:0:0::5]:9001"), HOUR)).toBe("allowed");
    expect(policy.judge(parseSocketAddress("8.8.4.4:9002"), HOUR)).toBe("not-a-relay");
    expect(policy.judge(parseSocketAddress("8.8.4.5:9001"), HOUR)).toBe("not-a-relay");
  });

  it("allows only fallbacks before a consensus is verified", () => {
    const policy = new DestinationPolicy(network);
    expect(policy.isReady(0)).toBe(false);
    expect(policy.judge(parseSocketAddress("9.9.9.9:443"), 0)).toBe("allowed");
    expect(policy.judge(parseSocketAddress("[2620:fe::9]:443"), 0)).toBe("allowed");
    expect(policy.judge(parseSocketAddress("8.8.4.4:9001"), 0)).toBe("no-consensus");
  });

  it("keeps the relays of the last three consensuses together", () => {
    const policy = new DestinationPolicy(network);
    for (const [hour, ip] of ["8.0.0.1", "8.0.0.2", "8.0.0.3", "8.0.0.4"].entries())
      policy.add(list(hour * HOUR, `${ip}:1`));
    expect(policy.judge(parseSocketAddress("8.0.0.1:1"), 3 * HOUR)).toBe("not-a-relay");
    for (const ip of ["8.0.0.2", "8.0.0.3", "8.0.0.4"]) {
      expect(policy.judge(parseSocketAddress(`${ip}:1`), 3 * HOUR)).toBe("allowed");
    }
    expect(policy.size(3 * HOUR)).toBe(5);
  });

  it("fails closed when the newest consensus is stale", () => {
    const policy = new DestinationPolicy(network);
    policy.add(list(0, "8.8.4.4:9001"));
    const stale = 3 * HOUR + STALE_AFTER;
    expect(policy.judge(parseSocketAddress("8.8.4.4:9001"), stale)).toBe("allowed");
    expect(policy.judge(parseSocketAddress("8.8.4.4:9001"), stale + 1)).toBe("no-consensus");
    expect(policy.isReady(stale + 1)).toBe(false);
  });

  it.each([
    "127.0.0.1:9001",
    "10.1.2.3:9001",
    "100.64.0.1:9001",
    "169.254.169.254:80",
    "172.31.0.1:9001",
    "192.168.0.1:9001",
    "0.0.0.0:9001",
    "224.0.0.1:9001",
    "255.255.255.255:9001",
    "[::]:9001",
    "[::1]:9001",
    "[::ffff:127.0.0.1]:9001",
    "[::ffff:8.8.4.4]:9001",
    "[64:ff9b::7f00:1]:9001",
    "[64:ff9b:1::1]:9001",
    "[2002:7f00:1::]:9001",
    "[2001::1]:9001",
    "[fc00::1]:9001",
    "[fe80::1]:9001",
    "[ff02::1]:9001",
  ])("refuses the internal address %s even if a consensus lists it", (address) => {
    const policy = new DestinationPolicy(network);
    policy.add(list(0, address));
    expect(policy.judge(parseSocketAddress(address), HOUR)).toBe("internal-address");
  });

  it("allows internal addresses only in a network that says so", () => {
    const policy = new DestinationPolicy({ ...network, allowPrivateAddresses: true });
    policy.add(list(0, "127.0.0.1:9001"));
    expect(policy.judge(parseSocketAddress("127.0.0.1:9001"), HOUR)).toBe("allowed");
    expect(policy.judge(parseSocketAddress("127.0.0.1:22"), HOUR)).toBe("not-a-relay");
  });
});

describe("the destination frame", () => {
  it("is type, address, port", () => {
    expect(parseDestination(Uint8Array.of(4, 1, 2, 3, 4, 0x01, 0xbb))).toEqual(
      parseSocketAddress("1.2.3.4:443"),
    );
    const v6 = Uint8Array.of(6, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x23, 0x29);
    expect(parseDestination(v6)).toEqual(parseSocketAddress("[2001:db8::1]:9001"));
  });

  it.each([
    ["empty", []],
    ["of an unknown type", [5, 1, 2, 3, 4, 1, 187]],
    ["too short", [4, 1, 2, 3, 4, 1]],
    ["with a tail", [4, 1, 2, 3, 4, 1, 187, 0]],
    ["of the other family's length", [6, 1, 2, 3, 4, 1, 187]],
    ["with port 0", [4, 1, 2, 3, 4, 0, 0]],
    ["as text", [...new TextEncoder().encode("example.com:443")]],
  ])("is refused when %s", (_, bytes) => {
    expect(parseDestination(Uint8Array.from(bytes))).toBeUndefined();
  });

  it("keeps close reasons within a close frame", () => {
    expect(closeReason("x".repeat(500)).length).toBeLessThanOrEqual(123);
  });
});
