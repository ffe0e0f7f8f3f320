// What a bridge may try against its client: each is refused with its own error, and nothing hangs.

import {
  type Clock,
  isTorError,
  memoryStore,
  parseSocketAddress,
  systemClock,
  TorClient,
  type TorError,
} from "@allium/core";
import { webDialer } from "@allium/web";
import { describe, expect, inject, it, onTestFinished } from "vitest";
import { type Misbehaviour, startEvilBridge } from "./evil-bridge.ts";

const network = inject("network");
const { http, nodes } = inject("info");

/** A clock by which the client's waits pass so many times as fast. */
function hurried(factor: number): Clock {
  return { ...systemClock, timer: (ms) => systemClock.timer(ms / factor) };
}

async function refusal(misbehaviour: Misbehaviour, clock = hurried(8)): Promise<TorError> {
  const bridge = await startEvilBridge(misbehaviour);
  const tor = new TorClient({
    dialer: webDialer({ bridges: [bridge.url] }),
    store: memoryStore(),
    network,
    clock,
    retry: { attempts: 2, initialDelay: 1, maxDelay: 1 },
  });
  onTestFinished(async () => {
    await tor.close();
    await bridge.close();
  });
  try {
    await tor.fetch(http.url);
  } catch (error) {
    expect(bridge.connections).toBeGreaterThan(0);
    expect(tor.status.ready).toBe(false);
    if (isTorError(error)) return error;
    throw error;
  }
  throw new Error("the client accepted it");
}

/** Flips one bit of the relay's byte at `position`. */
function flipAt(position: number): Misbehaviour {
  return {
    downstream(chunk, offset) {
      const at = position - offset;
      if (at < 0 || at >= chunk.length) return chunk;
      const changed = Uint8Array.from(chunk);
      changed[at] = (changed[at] as number) ^ 0x10;
      return changed;
    },
  };
}

describe("a bridge", () => {
  it("is harmless when it behaves", async () => {
    await expect(refusal({})).rejects.toThrow("the client accepted it");
  });

  it("cannot connect to another relay", async () => {
    const other = nodes.find(({ role }) => role === "exit");
    const redirect = () => parseSocketAddress(`${other?.address}:${other?.orPort}`);
    const error = await refusal({ redirect });
    expect(error.kind).toBe("relay-identity-mismatch");
  });

  it.each([7, 60, 120, 200, 600, 1000, 1500, 2000])(
    "cannot change a bit of the handshake (byte %i)",
    async (position) => {
      const error = await refusal(flipAt(position));
      expect(error.kind).toBe("protocol-violation");
      expect(error.code).toMatch(/^ALLIUM_E_(TLS|AEAD|P256|X25519|DER)/);
    },
  );

  it("cannot change a bit of what the relay sends later", async () => {
    const error = await refusal(flipAt(6000));
    expect(error.kind).toBe("protocol-violation");
  });

  it.each([0, 3, 100, 1200, 4000])("cannot pass off a cut after %i bytes as an end", async (length) => {
    const error = await refusal({
      downstream: (chunk, offset) => (offset + chunk.length > length ? undefined : chunk),
    });
    expect(["circuit-collapse", "protocol-violation", "bridge-unreachable"]).toContain(error.kind);
  });

  it("cannot hang its client by silence, at the start or later", async () => {
    const ended = ["ALLIUM_E_NOT_READY", "ALLIUM_E_LINK_TIMEOUT", "ALLIUM_E_TLS_TIMEOUT"];
    expect(ended).toContain((await refusal({ stall: true }, hurried(50))).code);
    const silence = (chunk: Uint8Array, offset: number) => (offset > 4000 ? new Uint8Array(0) : chunk);
    expect((await refusal({ downstream: silence }, hurried(50))).kind).not.toBe("internal");
  });

  it("cannot make its client take noise for a relay", async () => {
    const error = await refusal({ downstream: (chunk) => Uint8Array.from(chunk, (_, i) => (i * 7) & 255) });
    expect(error.kind).toBe("protocol-violation");
  });
});
