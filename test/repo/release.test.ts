// The date from which on a consensus may stop a client (proposal 297) moves with the releases: CHANGELOG.md says when.

import { expect, it } from "vitest";
import { listFiles, readText } from "./files.ts";

const SOURCE = "packages/core/src/directory/protocol-status.ts";
const headings = [...readText("CHANGELOG.md").matchAll(/^## (.+)$/gm)].map((match) => match[1] as string);
/** "0.1.0 (2026-08-01)". */
const releases = headings.map((heading) => /^(\d+\.\d+\.\d+) \((\d{4}-\d{2}-\d{2})\)$/.exec(heading));

/** Milliseconds since the epoch. */
function releasedAt(): number {
  const [, ...date] =
    /const RELEASED = Date\.UTC\((\d{4}), (\d{1,2}), (\d{1,2})\);/.exec(readText(SOURCE)) ?? [];
  expect(date.length).toBe(3);
  const [year, month, day] = date.map(Number) as [number, number, number];
  const time = Date.UTC(year, month, day);
  // Not the 31st of February.
  expect([new Date(time).getUTCMonth(), new Date(time).getUTCDate()]).toEqual([month, day]);
  return time;
}

it("lists releases with their dates, the newest first", () => {
  expect(headings.filter((heading, i) => heading !== "Unreleased" && releases[i] === null)).toEqual([]);
  const dates = releases.flatMap((release) => release?.[2] ?? []);
  expect(dates).toEqual([...dates].sort().reverse());
  expect(headings.indexOf("Unreleased")).toBeLessThanOrEqual(0);
});

it("gives all packages the version of the next release or of the newest", () => {
  const versions = ["package.json", ...listFiles("packages", "package.json")]
    .map((file) => (JSON.parse(readText(file)) as { version?: string }).version)
    .filter((version) => version !== undefined);
  expect(new Set(versions).size).toBe(1);
  const newest = releases.find((release) => release !== null)?.[1];
  if (headings[0] !== "Unreleased") expect(versions[0]).toBe(newest);
});

it("is stopped by no consensus older than the newest release, and by those that are made now", () => {
  const newest = releases.find((release) => release !== null)?.[2];
  if (newest !== undefined) expect(releasedAt()).toBeGreaterThanOrEqual(Date.parse(newest));
  // A date still to come would switch the check off.
  expect(releasedAt()).toBeLessThanOrEqual(Date.now());
});
