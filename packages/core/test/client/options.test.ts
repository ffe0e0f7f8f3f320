import { describe, expect, it } from "vitest";
import { defaultRetryPolicy, retryPresets } from "../../src/base/backoff.ts";
import { memoryStore } from "../../src/base/memory-store.ts";
import type { Dialer } from "../../src/base/ports.ts";
import { checkOptions, type TorClientOptions } from "../../src/client/options.ts";
import { publicNetwork } from "../../src/directory/public-network.ts";

const dialer: Dialer = { dial: () => Promise.reject(new Error("no network in this test")) };
const GOOD: TorClientOptions = { dialer, store: memoryStore() };

describe("the options", () => {
  it("have defaults: the public network, ten minutes, build times that are learned, three tries", () => {
    expect(checkOptions(GOOD)).toMatchObject({
      network: publicNetwork,
      path: {
        maxCircuitDirtiness: 600_000,
        circuitBuildTimeout: undefined,
        preemptive: true,
        rotateEvery: undefined,
        exits: undefined,
      },
      retry: defaultRetryPolicy,
      circuits: { cgo: true },
      streams: { optimisticData: true, connectTimeout: 15_000 },
      ...{ memoryLimit: 64 * 1024 * 1024, padding: "normal" },
    });
  });

  it("may change single fields of path and retry", () => {
    const { path, retry } = checkOptions({
      ...GOOD,
      path: { circuitBuildTimeout: 5000 },
      retry: { attempts: 7 },
    });
    expect(path).toEqual({
      maxCircuitDirtiness: 600_000,
      circuitBuildTimeout: 5000,
      preemptive: true,
      rotateEvery: undefined,
      exits: undefined,
    });
    expect(retry).toEqual({ ...defaultRetryPolicy, attempts: 7 });
  });

  it("take a rotation from ten seconds on, and a preset of tries", () => {
    expect(checkOptions({ ...GOOD, path: { rotateEvery: 10_000 } }).path.rotateEvery).toBe(10_000);
    const { retry } = checkOptions({ ...GOOD, retry: retryPresets.highLatency });
    expect(retry).toEqual(retryPresets.highLatency);
  });

  const mistakes: [string, unknown][] = [
    ["nothing", undefined],
    ["no dialer", { store: memoryStore() }],
    ["a dialer that cannot dial", { ...GOOD, dialer: {} }],
    ["no store", { dialer }],
    ["a store that cannot lock", { dialer, store: { get: () => {}, set: () => {} } }],
    ["a misspelt option", { ...GOOD, netwrok: publicNetwork }],
    ["an option of path that is not there yet", { ...GOOD, path: { exitCountries: ["de"] } }],
    ["a network that is none", { ...GOOD, network: { authorities: [] } }],
    ["no time to build a circuit", { ...GOOD, path: { circuitBuildTimeout: 0 } }],
    ["a rotation of nearly ten seconds", { ...GOOD, path: { rotateEvery: 9999 } }],
    ["a rotation that never comes", { ...GOOD, path: { rotateEvery: Number.POSITIVE_INFINITY } }],
    ["a rotation that is no number", { ...GOOD, path: { rotateEvery: "10000" } }],
    ["circuits that are half ahead", { ...GOOD, path: { preemptive: 1 } }],
    ["snapshots that cannot be fetched", { ...GOOD, snapshots: {} }],
    ["an unknown name in retry", { ...GOOD, retry: { retries: 9 } }],
    ["an unknown name in tls", { ...GOOD, tls: { anchors: [] } }],
    ["roots that cannot be fetched", { ...GOOD, tls: { roots: "roots.bin" } }],
    ["a jitter that is not one", { ...GOOD, retry: { jitter: "some" } }],
    ["endless dirtiness", { ...GOOD, path: { maxCircuitDirtiness: Number.POSITIVE_INFINITY } }],
    ["no tries", { ...GOOD, retry: { attempts: 0 } }],
    ["a jitter above one", { ...GOOD, retry: { jitter: 1.5 } }],
    ["shrinking delays", { ...GOOD, retry: { multiplier: 0.5 } }],
    ["a log that is no function", { ...GOOD, log: console }],
    ["a clock that is none", { ...GOOD, clock: Date }],
    ["ciphers that are none", { ...GOOD, ciphers: { gcm: () => {} } }],
    ["a misspelt option of circuits", { ...GOOD, circuits: { cgo1: true } }],
    ["a cgo that is no boolean", { ...GOOD, circuits: { cgo: 1 } }],
    ["a misspelt option of streams", { ...GOOD, streams: { optimistic: true } }],
    ["optimistic data that are no boolean", { ...GOOD, streams: { optimisticData: "yes" } }],
    ["no time to connect", { ...GOOD, streams: { connectTimeout: 0 } }],
    ["memory for less than a read", { ...GOOD, memoryLimit: 1000 }],
    ["half a byte of memory", { ...GOOD, memoryLimit: 2 ** 20 + 0.5 }],
    ["an unknown padding", { ...GOOD, channelPadding: "some" }],
  ];

  it.each(mistakes)("with %s are refused", (_, options) => {
    expect(() => checkOptions(options as TorClientOptions)).toThrow(
      expect.objectContaining({ kind: "bad-api-usage" }),
    );
  });
});
