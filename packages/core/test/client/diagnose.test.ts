// Which layer is named for which failure, and what is said of those before and behind it.

import { describe, expect, it } from "vitest";
import { TorError, type TorErrorCode, type TorErrorKind } from "../../src/base/errors.ts";
import { diagnose, LAYERS, type Layer, type Patient } from "../../src/client/diagnose.ts";
import type { Phase } from "../../src/client/status.ts";
import { fetchRejection } from "../../src/net/fetch-error.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";

type At = "ready" | "stream" | "site";

/** A client that fails with this where it is told to. */
function patient(at?: At, error?: unknown, phase: Phase = "ready") {
  const asked: string[] = [];
  const step = async (name: At): Promise<void> => {
    asked.push(name);
    if (at === name) throw error;
  };
  const view = {
    status: { phase },
    ready: () => step("ready"),
    isolate: () => view,
    connect: () => ({ opened: step("stream"), close: async () => {} }),
    fetch: async () => {
      await step("site").catch((thrown) => {
        throw fetchRejection(thrown, undefined);
      });
      return new Response("");
    },
  };
  return { asked, client: view as unknown as Patient };
}

const failure = (kind: TorErrorKind, code: TorErrorCode, cause?: unknown) =>
  new TorError(kind, code, "said so", { cause });

const collapse = (cause: unknown) => failure("circuit-collapse", "ALLIUM_E_LINK_CLOSED", cause);

describe("diagnose", () => {
  it("tries all layers and finds them good", async () => {
    const { client, asked } = patient();
    const found = await diagnose(client, new ManualClock(), { url: "https://example.com/" });
    expect(asked).toEqual(["ready", "stream", "site"]);
    expect(found.good).toBe(true);
    expect(found.steps.map(({ layer, outcome }) => [layer, outcome])).toEqual(LAYERS.map((l) => [l, "good"]));
    expect(found.steps.at(-1)?.ms).toBe(0);
  });

  it("does not try streams and sites where no site is named", async () => {
    const { client, asked } = patient();
    const { good, steps } = await diagnose(client, new ManualClock(), {});
    expect(asked).toEqual(["ready"]);
    expect(good).toBe(true);
    expect(steps.slice(-3).map(({ outcome }) => outcome)).toEqual(["good", "untried", "untried"]);
  });

  it.each<[string, At, TorError, Layer, Phase?]>([
    ["storage", "ready", failure("storage-denied", "ALLIUM_E_STORAGE"), "storage"],
    ["an unreachable bridge", "ready", failure("bridge-unreachable", "ALLIUM_E_BRIDGE"), "bridge"],
    ["a bridge that refuses", "ready", failure("bridge-refused", "ALLIUM_E_BRIDGE"), "bridge"],
    ["the link's TLS", "ready", failure("protocol-violation", "ALLIUM_E_TLS_ALERT"), "tls"],
    ["the link's TLS in time", "ready", failure("offline", "ALLIUM_E_TLS_TIMEOUT"), "tls"],
    ["the link", "ready", failure("protocol-violation", "ALLIUM_E_LINK_ORDER"), "link"],
    ["a relay's certificates", "ready", failure("protocol-violation", "ALLIUM_E_CERT_CELL"), "link"],
    ["another relay", "ready", failure("relay-identity-mismatch", "ALLIUM_E_LINK_RSA_IDENTITY"), "link"],
    ["the clock", "ready", failure("clock-skew", "ALLIUM_E_CLOCK_WRONG"), "consensus"],
    ["an old version", "ready", failure("limit", "ALLIUM_E_OBSOLETE"), "consensus"],
    ["a start that hung", "ready", failure("offline", "ALLIUM_E_NOT_READY"), "consensus", "microdescriptors"],
    ["a start that never began", "ready", failure("offline", "ALLIUM_E_NOT_READY"), "bridge", "bridge"],
    ["no path", "ready", failure("no-path", "ALLIUM_E_NO_RELAY"), "circuit"],
    ["a circuit", "stream", collapse(undefined), "link"],
    ["what a circuit broke of", "stream", collapse(failure("bridge-unreachable", "ALLIUM_E_B")), "bridge"],
    ["an exit", "stream", failure("exit-timeout", "ALLIUM_E_STREAM_CONNECT_TIMEOUT"), "stream"],
    ["something unknown", "stream", failure("internal", "ALLIUM_E_INTERNAL"), "stream"],
    ["a site that refuses", "stream", failure("remote-refused", "ALLIUM_E_STREAM_CONNECTREFUSED"), "site"],
    ["a name that is not", "stream", failure("remote-host-not-found", "ALLIUM_E_STREAM_R"), "site"],
    ["a site's TLS", "site", failure("remote-tls", "ALLIUM_E_TLS_ALERT"), "site"],
    ["a site's HTTP", "site", failure("protocol-violation", "ALLIUM_E_HTTP_FIELD"), "site"],
  ])("names the layer of %s", async (_, at, error, layer, phase) => {
    const { client } = patient(at, error, phase);
    const found = await diagnose(client, new ManualClock(), { url: "https://example.com/" });
    expect(found).toMatchObject({ good: false, layer, error: { kind: error.kind, code: error.code } });
    const failed = LAYERS.indexOf(layer);
    const outcomes = found.steps.map(({ outcome }) => outcome);
    expect(outcomes).toEqual(
      LAYERS.map((_, i) => (i < failed ? "good" : i === failed ? "failed" : "untried")),
    );
  });

  it("ends in its time, with the layer that the client had come to", async () => {
    const clock = new ManualClock();
    const { client } = patient(undefined, undefined, "link");
    const found = diagnose({ ...client, ready: () => new Promise(() => {}) } as Patient, clock, {
      timeout: 5000,
    });
    await clock.advance(5000);
    expect(await found).toMatchObject({ layer: "link", error: { code: "ALLIUM_E_DIAGNOSIS_TIMEOUT" } });
  });

  it("is given up by the caller's signal, and refuses what is no URL", async () => {
    const { client } = patient("ready", failure("aborted", "ALLIUM_E_ABORTED"));
    const signal = AbortSignal.abort();
    await expect(diagnose(client, new ManualClock(), { signal })).rejects.toMatchObject({ kind: "aborted" });
    for (const [url, code] of [
      ["nowhere", "ALLIUM_E_FETCH_URL"],
      ["ftp://example.com/", "ALLIUM_E_FETCH_SCHEME"],
      ["http://example.com:25/", "ALLIUM_E_FETCH_PORT"],
    ] as const)
      await expect(diagnose(client, new ManualClock(), { url })).rejects.toMatchObject({ code });
  });
});
