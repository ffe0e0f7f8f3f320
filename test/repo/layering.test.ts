// The house rules that imports must obey: rooms import only from rooms above them, no cycles, nothing of a platform in core.

import { describe, expect, it } from "vitest";
import { importsOf, listFiles, readText, resolveImport } from "./files.ts";

/** Rooms from the top floor down; the index is how low a room stands. */
const ROOMS = [
  "base",
  "geo",
  "crypto",
  "tls",
  "roots",
  "link",
  "circuit",
  "directory",
  "path",
  "onion",
  "net",
  "client",
];
const CORE = "packages/core/src/";

const coreFiles = listFiles("packages/core/src", ".ts");

function roomOf(file: string): string {
  return file.slice(CORE.length).split("/")[0] as string;
}

function relativeImports(file: string): string[] {
  return importsOf(file)
    .filter((specifier) => specifier.startsWith("."))
    .map((specifier) => resolveImport(file, specifier));
}

describe("layering", () => {
  it("reads real imports", () => {
    expect(coreFiles.length).toBeGreaterThan(40);
    expect(relativeImports(`${CORE}base/abort.ts`)).toContain(`${CORE}base/errors.ts`);
  });

  it("lets a room of core import only from its own or from rooms above", () => {
    const wrong = coreFiles
      .filter((file) => ROOMS.includes(roomOf(file)))
      .flatMap((file) =>
        relativeImports(file)
          .filter(
            (target) =>
              !(
                ROOMS.indexOf(roomOf(target)) >= 0 &&
                ROOMS.indexOf(roomOf(target)) <= ROOMS.indexOf(roomOf(file))
              ),
          )
          .map((target) => `${file} imports ${target}`),
      );
    expect(wrong).toEqual([]);
  });

  it("keeps every file of core in a room", () => {
    const entries = ["index.ts", "internal.ts", "testing"];
    const strays = coreFiles.filter(
      (file) => !ROOMS.includes(roomOf(file)) && !entries.includes(roomOf(file)),
    );
    expect(strays).toEqual([]);
  });

  it("keeps testing out of everything that is shipped to users", () => {
    const sources = ["packages/core/src", "packages/web/src", "packages/bridge/src"].flatMap((d) =>
      listFiles(d, ".ts"),
    );
    const wrong = sources.filter(
      (file) => !file.startsWith(`${CORE}testing/`) && importsOf(file).some((s) => s.includes("/testing")),
    );
    expect(wrong).toEqual([]);
  });

  it("lets core import only itself and the noble libraries", () => {
    const wrong = coreFiles.flatMap((file) =>
      importsOf(file)
        .filter(
          (specifier) => !specifier.startsWith(".") && !/^@noble\/(curves|hashes|ciphers)\//.test(specifier),
        )
        .map((specifier) => `${file} imports ${specifier}`),
    );
    expect(wrong).toEqual([]);
  });

  it("keeps node: out of what the bridge shares with the Worker", () => {
    const shared = listFiles("packages/bridge/src/shared", ".ts");
    expect(shared.length).toBeGreaterThan(0);
    const wrong = shared.filter((file) =>
      importsOf(file).some((s) => s.startsWith("node:") || s.startsWith("../")),
    );
    expect(wrong).toEqual([]);
  });

  it("has no eval, no Function constructor and no WebAssembly", () => {
    const sources = listFiles("packages", ".ts").filter(
      (file) => file.includes("/src/") || file.includes("/demo/"),
    );
    const wrong = sources.filter((file) => /\beval\(|new Function\(|\bWebAssembly\b/.test(readText(file)));
    expect(wrong).toEqual([]);
  });
});

it("lets a client run in a service worker: nothing is imported late, no worker is made, no script must be a module", () => {
  const sources = ["packages/core/src", "packages/web/src"]
    .flatMap((folder) => listFiles(folder, ".ts"))
    // An entry of its own, for modules.
    .filter((file) => file !== "packages/core/src/roots/index.ts");
  const code = (file: string) => readText(file).replace(/^\s*(\/\/|\/?\*).*$/gm, "");
  // Methods of that name have a parameter with a type.
  const late = /(?<!\.)\bimport(?:\.meta\b|\((?!\w+: ))|\bnew (Shared)?Worker\(/;
  const wrong = sources.filter((file) => late.test(code(file)));
  expect(wrong).toEqual([]);
});

describe("cycles", () => {
  it("has none between files of any package", () => {
    const files = ["packages/core/src", "packages/web/src", "packages/bridge/src"].flatMap((d) =>
      listFiles(d, ".ts"),
    );
    const graph = new Map(files.map((file) => [file, relativeImports(file)]));
    expect(findCycle(graph)).toBeUndefined();
  });

  it("would find one", () => {
    const graph = new Map([
      ["a", ["b"]],
      ["b", ["c"]],
      ["c", ["a"]],
    ]);
    expect(findCycle(graph)).toEqual(["a", "b", "c", "a"]);
  });
});

/** The first import cycle as a path that ends where it began. */
function findCycle(graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (file: string): string[] | undefined => {
    if (done.has(file)) return undefined;
    if (trail.includes(file)) return [...trail.slice(trail.indexOf(file)), file];
    trail.push(file);
    for (const next of graph.get(file) ?? []) {
      const cycle = visit(next);
      if (cycle !== undefined) return cycle;
    }
    trail.pop();
    done.add(file);
    return undefined;
  };
  for (const file of graph.keys()) {
    const cycle = visit(file);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}
