// What the documents promise to list is listed: dependencies with their licences.

import { expect, it } from "vitest";
import { listFiles, readText } from "./files.ts";

interface Manifest {
  license?: string;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}

const PERMISSIVE =
  /^(MIT|ISC|0BSD|BSD-2-Clause|BSD-3-Clause|Apache-2\.0|CC0-1\.0|Unlicense|BlueOak-1\.0\.0|Python-2\.0|MPL-2\.0)$/;

const manifests = ["package.json", ...listFiles("packages", "package.json")].map(
  (file) => JSON.parse(readText(file)) as Manifest,
);

it("names every dependency in docs/dependencies.md", () => {
  const text = readText("docs/dependencies.md");
  const names = new Set(
    manifests.flatMap((manifest) => Object.keys({ ...manifest.dependencies, ...manifest.devDependencies })),
  );
  const missing = [...names].filter((name) => !name.startsWith("@allium/") && !text.includes(`\`${name}\``));
  expect(names.size).toBeGreaterThan(5);
  expect(missing).toEqual([]);
});

it("uses only permissive licences in what it publishes", () => {
  const lock = JSON.parse(readText("package-lock.json")) as {
    packages: Record<string, { dev?: boolean; link?: boolean; license?: string }>;
  };
  const shipped = Object.entries(lock.packages).filter(
    ([path, entry]) => path.startsWith("node_modules/") && !entry.dev && !entry.link,
  );
  expect(shipped.length).toBeGreaterThan(3);
  const wrong = shipped.filter(([, entry]) => !PERMISSIVE.test(entry.license ?? ""));
  expect(wrong.map(([path]) => path)).toEqual([]);
});

it("is itself under MIT, in every package", () => {
  expect(manifests.map((manifest) => manifest.license)).toEqual(manifests.map(() => "MIT"));
  expect(readText("LICENSE")).toContain("MIT License");
});
