// What the client's parts tell, as sums and as metrics.

import { describe, expect, it } from "vitest";
import type { TorErrorCode, TorErrorKind } from "../../src/base/errors.ts";
import { TorError } from "../../src/base/errors.ts";
import { Activity } from "../../src/client/activity.ts";
import { METRICS, Meter, type Metric } from "../../src/client/metrics.ts";
import type { CircuitInfo, CircuitPurpose } from "../../src/path/registry.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";

const GUARD = { nickname: "guard", rsaId: "A".repeat(40), addresses: ["192.0.2.1:9001"] };
const NOTHING = { received: 0, sent: 0 };

function bench({ listens = true } = {}) {
  const clock = new ManualClock();
  const metrics: Metric[] = [];
  const meter = new Meter((metric) => metrics.push(metric));
  if (listens) meter.listen();
  const activity = new Activity(clock, meter);
  const circuit = (id: number, state: CircuitInfo["state"], more: Partial<CircuitInfo> = {}) =>
    activity.circuit({ id, purpose: "general", state, hops: [GUARD], ...more });
  /** Values of a metric, with their attributes. */
  const told = (name: Metric["name"]) =>
    metrics.filter((metric) => metric.name === name).map(({ value, attributes }) => [value, attributes]);
  return { clock, metrics, meter, activity, circuit, told };
}

function failed(kind: TorErrorKind, code: TorErrorCode) {
  return { error: { kind, code } };
}

describe("a circuit", () => {
  it("that is built is timed from its beginning, and speaks for its first hop", () => {
    const { clock, activity, circuit, told } = bench();
    circuit(1, "building");
    clock.advance(400);
    circuit(2, "building", { purpose: "directory" });
    clock.advance(100);
    circuit(1, "open");
    circuit(2, "open", { purpose: "directory" });
    circuit(1, "closed", failed("circuit-collapse", "ALLIUM_E_TEST"));
    expect(told("tor.circuit.builds")).toEqual([
      [1, { purpose: "general", outcome: "built" }],
      [1, { purpose: "directory", outcome: "built" }],
    ]);
    expect(told("tor.circuit.build.duration")).toEqual([
      [0.5, { purpose: "general" }],
      [0.1, { purpose: "directory" }],
    ]);
    // Those of one hop would make the median worthless.
    expect(activity.buildTimes).toMatchObject({ count: 1, median: 500 });
    expect(activity.relays.list()).toEqual([{ nickname: "guard", rsaId: GUARD.rsaId, built: 2, failed: 0 }]);
    expect(activity.circuitsTimedOut).toBe(0);
  });

  const ENDS: readonly (readonly [string, Partial<CircuitInfo>, Metric["attributes"], boolean])[] = [
    [
      "that failed",
      failed("offline", "ALLIUM_E_LINK_TIMEOUT"),
      { purpose: "general", outcome: "failed", error: "ALLIUM_E_LINK_TIMEOUT" },
      true,
    ],
    [
      "whose time was over",
      failed("circuit-collapse", "ALLIUM_E_CIRCUIT_TIMEOUT"),
      { purpose: "general", outcome: "timed-out", error: "ALLIUM_E_CIRCUIT_TIMEOUT" },
      true,
    ],
    [
      "that a better guard's made needless",
      failed("circuit-collapse", "ALLIUM_E_BETTER_GUARD"),
      { purpose: "general", outcome: "not-needed", error: "ALLIUM_E_BETTER_GUARD" },
      false,
    ],
    [
      "that was given up",
      failed("aborted", "ALLIUM_E_CLOSED"),
      { purpose: "general", outcome: "aborted", error: "ALLIUM_E_CLOSED" },
      false,
    ],
    ["that we closed", {}, { purpose: "general", outcome: "aborted" }, false],
  ];

  it.each(ENDS)(
    "%s is told as that, and held against its first hop where it may be its",
    (_, how, as, isHealth) => {
      const { activity, circuit, told, clock } = bench();
      circuit(1, "building");
      circuit(1, "closed", how);
      expect(told("tor.circuit.builds")).toEqual([[1, as]]);
      expect(told("tor.circuit.build.duration")).toEqual([]);
      expect(activity.circuitsTimedOut).toBe(as.outcome === "timed-out" ? 1 : 0);
      expect(activity.buildTimes.count).toBe(0);
      const at = new Date(clock.now()).toISOString();
      expect(activity.relays.list()).toEqual(
        isHealth
          ? [
              {
                ...{ nickname: "guard", rsaId: GUARD.rsaId, built: 0, failed: 1 },
                lastFailure: { code: how.error?.code, at },
              },
            ]
          : [],
      );
    },
  );

  it("whose request is tried again is counted", () => {
    const { activity, told } = bench();
    activity.circuitRetried(new TorError("offline", "ALLIUM_E_TEST", "no"));
    expect(activity.circuitsRetried).toBe(1);
    expect(told("tor.circuit.retries")).toEqual([[1, { error: "ALLIUM_E_TEST" }]]);
  });
});

describe("streams", () => {
  it("are counted as they open, fail and end, and timed until they are open", () => {
    const { clock, activity, told } = bench();
    activity.stream({ id: 1, state: "opening" });
    clock.advance(250);
    activity.stream({ id: 2, state: "opening" });
    activity.stream({ id: 3, state: "opening" });
    activity.stream({ id: 1, circuitId: 4, state: "open" });
    activity.stream({ id: 2, state: "failed", ...failed("exit-policy", "ALLIUM_E_STREAM_EXITPOLICY") });
    activity.stream({ id: 3, state: "failed", ...failed("aborted", "ALLIUM_E_ABORTED") });
    expect(activity.streams).toEqual({ open: 1, opened: 1, failed: 2 });
    activity.stream({ id: 1, circuitId: 4, state: "closed" });
    expect(activity.streams).toEqual({ open: 0, opened: 1, failed: 2 });
    expect(told("tor.stream.opens")).toEqual([
      [1, { outcome: "opened" }],
      [1, { outcome: "failed", error: "ALLIUM_E_STREAM_EXITPOLICY" }],
      [1, { outcome: "aborted", error: "ALLIUM_E_ABORTED" }],
    ]);
    expect(told("tor.stream.open.duration")).toEqual([[0.25, {}]]);
  });
});

describe("links, guards, the directory and identities", () => {
  it("are counted by what became of them", () => {
    const { activity, told } = bench();
    activity.link({ ms: 125 });
    activity.link({ ms: 9, failed: { step: "tls", code: "ALLIUM_E_TLS_ALERT" } });
    activity.link({ ms: 9, failed: { step: "tls", code: "ALLIUM_E_TLS_ALERT" } });
    activity.link({ ms: 9, failed: { step: "certificates", code: "ALLIUM_E_CERT_CELL" } });
    expect(activity.links).toEqual({ completed: 1, failed: { dial: 0, tls: 2, certificates: 1, link: 0 } });
    expect(told("tor.link.handshakes").slice(0, 2)).toEqual([
      [1, { outcome: "completed" }],
      [1, { outcome: "failed", step: "tls", error: "ALLIUM_E_TLS_ALERT" }],
    ]);
    expect(told("tor.link.handshake.duration")).toEqual([[0.125, {}]]);
    const who = { nickname: "guard", fingerprint: "A".repeat(40) };
    for (const type of ["sampled", "confirmed", "failed", "reached", "failed"] as const)
      activity.guard({ type, ...who });
    expect(activity.guards).toEqual({ confirmations: 1, failures: 2 });
    expect(told("tor.guard.events").map(([, attributes]) => attributes)).toContainEqual({ event: "reached" });
    activity.directoryFailed(new TorError("offline", "ALLIUM_E_TEST", "no"));
    activity.rotated();
    expect([activity.directoryFailures, activity.rotations]).toEqual([1, 1]);
    expect(told("tor.directory.failures")).toEqual([[1, { error: "ALLIUM_E_TEST" }]]);
    expect(told("tor.identity.rotations")).toEqual([[1, {}]]);
  });
});

describe("bytes", () => {
  it("are told as what there is more than before, by purpose", () => {
    const { activity, told } = bench();
    const now = (received: number, sent: number, purpose: CircuitPurpose = "general") =>
      activity.traffic({ general: NOTHING, directory: NOTHING, [purpose]: { received, sent } });
    now(0, 0);
    now(1000, 10);
    now(1000, 10);
    now(1500, 10);
    expect(told("tor.bytes.received")).toEqual([
      [1000, { purpose: "general" }],
      [500, { purpose: "general" }],
    ]);
    expect(told("tor.bytes.sent")).toEqual([[10, { purpose: "general" }]]);
    activity.traffic({ general: { received: 1500, sent: 10 }, directory: { received: 3, sent: 4 } });
    expect(told("tor.bytes.received").at(-1)).toEqual([3, { purpose: "directory" }]);
  });

  it("of before the first listener are not told to it", () => {
    const { activity, meter, metrics } = bench({ listens: false });
    activity.traffic({ general: { received: 1000, sent: 1000 }, directory: NOTHING });
    meter.listen();
    activity.traffic({ general: { received: 1001, sent: 1000 }, directory: NOTHING });
    expect(metrics.map(({ name, value }) => [name, value])).toEqual([["tor.bytes.received", 1]]);
  });
});

describe("metrics", () => {
  it("are not made before somebody listens, and the sums are the same", () => {
    const [heard, silent] = [bench(), bench({ listens: false })];
    for (const { activity, circuit } of [heard, silent]) {
      circuit(1, "building");
      circuit(1, "open");
      activity.link({ ms: 1 });
    }
    expect(silent.metrics).toEqual([]);
    expect(heard.metrics.length).toBeGreaterThan(0);
    expect(silent.activity.links).toEqual(heard.activity.links);
    expect(silent.activity.relays.list()).toEqual(heard.activity.relays.list());
  });

  it("have the kind, unit and attributes that are listed for their names", () => {
    const { activity, circuit, metrics } = bench();
    circuit(1, "building");
    circuit(1, "open");
    circuit(2, "building");
    circuit(2, "closed", failed("offline", "ALLIUM_E_TEST"));
    activity.circuitRetried(new TorError("offline", "ALLIUM_E_TEST", "no"));
    activity.link({ ms: 1 });
    activity.link({ ms: 1, failed: { step: "dial", code: "ALLIUM_E_TEST" } });
    activity.stream({ id: 1, state: "opening" });
    activity.stream({ id: 1, state: "open" });
    activity.guard({ type: "failed", nickname: "guard", fingerprint: GUARD.rsaId });
    activity.directoryFailed(new TorError("offline", "ALLIUM_E_TEST", "no"));
    activity.rotated();
    activity.traffic({ general: { received: 1, sent: 1 }, directory: NOTHING });
    expect(new Set(metrics.map(({ name }) => name))).toEqual(new Set(Object.keys(METRICS)));
    for (const { name, kind, unit, attributes } of metrics) {
      expect({ kind, unit }).toEqual({ kind: METRICS[name].kind, unit: METRICS[name].unit });
      expect(METRICS[name].attributes).toEqual(expect.arrayContaining(Object.keys(attributes)));
    }
    expect(JSON.stringify(metrics)).not.toMatch(/guard"|AAAA|192\.0\.2/);
  });
});
