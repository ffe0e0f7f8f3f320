import { describe, expect, it } from "vitest";
import { TorError } from "../../src/base/errors.ts";
import { type ClientStatus, StatusTracker } from "../../src/client/status.ts";

function bench() {
  const seen: ClientStatus[] = [];
  return { seen, tracker: new StatusTracker((status) => seen.push(status)) };
}

describe("the status", () => {
  it("rises through the phases to ready", () => {
    const { seen, tracker } = bench();
    tracker.advance("link");
    tracker.advance("consensus", 0.5);
    tracker.advance("microdescriptors", 0.25);
    tracker.advance("circuit");
    tracker.advance("ready");
    expect(seen.map(({ phase }) => phase)).toEqual([
      "link",
      "consensus",
      "microdescriptors",
      "circuit",
      "ready",
    ]);
    const fractions = seen.map(({ fraction }) => fraction);
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
    expect(tracker.current).toEqual({ fraction: 1, phase: "ready", ready: true });
  });

  it("does not fall back within a bootstrap, as when another channel is opened", () => {
    const { seen, tracker } = bench();
    tracker.advance("microdescriptors", 0.5);
    tracker.advance("link");
    tracker.advance("microdescriptors", 0.4);
    expect(seen).toHaveLength(1);
  });

  it("is told in whole percent, not for every document", () => {
    const { seen, tracker } = bench();
    for (let i = 0; i <= 10_000; i++) tracker.advance("microdescriptors", i / 10_000);
    expect(seen).toHaveLength(51);
  });

  it("stays ready while later channels come and go", () => {
    const { seen, tracker } = bench();
    tracker.advance("ready");
    tracker.advance("link");
    tracker.advance("microdescriptors", 0.5);
    expect(seen).toHaveLength(1);
  });

  it("says what is wrong, where it stands, and starts over", () => {
    const { tracker } = bench();
    tracker.advance("link");
    tracker.block(new TorError("consensus-unverified", "ALLIUM_E_TEST", "too few signatures"));
    expect(tracker.current).toMatchObject({
      phase: "link",
      ready: false,
      blocked: { kind: "consensus-unverified", code: "ALLIUM_E_TEST", message: "too few signatures" },
    });
    tracker.restart();
    expect(tracker.current).toEqual({ fraction: 0, phase: "bridge", ready: false });
  });

  it("is no longer ready when the client gets stuck later", () => {
    const { tracker } = bench();
    tracker.advance("ready");
    tracker.block(new TorError("directory-expired", "ALLIUM_E_TEST", "expired"));
    expect(tracker.current).toMatchObject({ ready: false, phase: "consensus" });
  });

  it("is told only when it changes", () => {
    const { seen, tracker } = bench();
    tracker.restart();
    tracker.advance("link");
    tracker.advance("link");
    expect(seen).toHaveLength(1);
  });
});
