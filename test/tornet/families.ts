// Families of relays: by lists of one another (tor(1) "MyFamily"), and by a key that they share ("FamilyId", proposal 321).

import { execFile } from "node:child_process";
import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { NodeKeys } from "./keys.ts";
import type { Layout, NodePlan } from "./layout.ts";

const TIMEOUT_MS = 20_000;

/** What a relay's torrc says of its families. */
export function familyLines(
  { family, familyKey }: NodePlan,
  { nodes }: Layout,
  keys: ReadonlyMap<string, NodeKeys>,
): string[] {
  const lines = familyKey === undefined ? [] : ["FamilyId *"];
  if (family === undefined) return lines;
  const members = nodes.filter((node) => node.family === family);
  return [...lines, `MyFamily ${members.map(({ nickname }) => `$${keys.get(nickname)?.rsaId}`).join(",")}`];
}

/** Makes a key for each family that has one, and gives it to its members. It is made anew for each network. */
export async function provideFamilyKeys({ nodes }: Layout, nodesDir: string): Promise<void> {
  const empty = join(nodesDir, "empty");
  for (const name of new Set(nodes.map(({ familyKey }) => familyKey))) {
    if (name === undefined) continue;
    await writeFile(empty, "");
    const args = ["--defaults-torrc", empty, "-f", empty, "--keygen-family", join(nodesDir, name)];
    await promisify(execFile)("tor", args, { timeout: TIMEOUT_MS });
    const file = `${name}.secret_family_key`;
    for (const { nickname } of nodes.filter(({ familyKey }) => familyKey === name))
      await copyFile(join(nodesDir, file), join(nodesDir, nickname, "keys", file));
  }
}
