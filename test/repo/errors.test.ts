// docs/errors.md lists every error code, and no other. Some codes are a prefix and the name of a rule: `ALLIUM_E_LINK_` and
// "ORDER", for example; those are looked up in the file that puts them together.

import { expect, it } from "vitest";
import { listFiles, readText } from "./files.ts";

const sources = ["packages/core/src", "packages/web/src", "packages/bridge/src"].flatMap((folder) =>
  listFiles(folder, ".ts").map(readText),
);
const listed = [...readText("docs/errors.md").matchAll(/^\| `(ALLIUM_E_[A-Z0-9_]+)` \|/gm)].map(
  (match) => match[1] as string,
);

/** Names of rules in a file that composes codes: quoted, or the tail of a composed name. */
function ruleNames(text: string): string[] {
  const found = text.matchAll(/"((?!ALLIUM_E_)[A-Z][A-Z0-9_]+)"|\}_([A-Z0-9_]+)`/g);
  return [...found].map((match) => (match[1] ?? match[2]) as string);
}

const families = sources
  .filter((text) => /`ALLIUM_E_[A-Z0-9_]*\$\{[a-z]/.test(text) && !text.includes("type TorErrorCode"))
  .map((text) => ({
    prefixes: [...text.matchAll(/`ALLIUM_E_([A-Z0-9_]*)\$\{/g)].map((match) => `ALLIUM_E_${match[1]}`),
    names: new Set(ruleNames(text)),
  }));

/** Whether `name` is one of the names, or several of them joined. */
function isMadeOf(name: string, names: ReadonlySet<string>): boolean {
  if (names.has(name)) return true;
  return [...names].some(
    (first) => name.startsWith(`${first}_`) && isMadeOf(name.slice(first.length + 1), names),
  );
}

it("lists every code that is written out", () => {
  const used = new Set(sources.flatMap((text) => text.match(/"ALLIUM_E_[A-Z0-9_]+"/g) ?? []));
  expect(used.size).toBeGreaterThan(50);
  const missing = [...used].map((code) => code.slice(1, -1)).filter((code) => !listed.includes(code));
  expect(missing).toEqual([]);
});

it("lists every name of the codes that are composed", () => {
  expect(families.length).toBeGreaterThanOrEqual(3);
  const missing = families.flatMap(({ prefixes, names }) =>
    [...names].filter(
      (name) =>
        !listed.some((code) => prefixes.some((prefix) => code.startsWith(prefix)) && code.includes(name)),
    ),
  );
  expect(missing).toEqual([]);
});

it("lists no code that is not there, and none twice", () => {
  const all = sources.join("\n");
  const stray = listed.filter(
    (code) =>
      !all.includes(`"${code}"`) &&
      !families.some(({ prefixes, names }) =>
        prefixes.some((prefix) => code.startsWith(prefix) && isMadeOf(code.slice(prefix.length), names)),
      ),
  );
  expect(stray).toEqual([]);
  expect(listed.filter((code, i) => listed.indexOf(code) !== i)).toEqual([]);
});
