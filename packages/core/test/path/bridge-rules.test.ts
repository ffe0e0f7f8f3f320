// What a guard is not blamed for when bridges are between, whichever way the client came to it.

import { describe, expect, it } from "vitest";
import { bench, nameOf, ONE, SILENT } from "./guard-bench.ts";

describe("a guard that was reached through one bridge", () => {
  it("and then not through a second has only that one's word against it", async () => {
    const { choose, watch, events } = await bench();
    const first = await choose();
    const name = nameOf(first.relay);
    watch.reached(name, ONE);
    await first.built();
    const second = await choose();
    expect(nameOf(second.relay)).toBe(name);
    watch.failed(name, new Set(["two"]));
    second.failed(SILENT, false);
    expect(events.map(({ type }) => type)).not.toContain("failed");
  });

  it("is not to blame when that bridge cuts its link off after the same guards were imported: links stay", async () => {
    const { choose, guards, watch, events } = await bench();
    const first = await choose();
    watch.reached(nameOf(first.relay), ONE);
    await first.built();
    await guards.import(guards.export());
    const second = await choose();
    expect(second.relay).toBe(first.relay);
    second.failed(SILENT, true);
    expect(events.map(({ type }) => type)).not.toContain("failed");
  });
});
