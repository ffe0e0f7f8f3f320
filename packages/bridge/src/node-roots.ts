// Mozilla's roots for a TorClient in Node: the file of @allium/core.

import { readFile } from "node:fs/promises";
import { rootsUrl } from "@allium/core/roots";

/** For `new TorClient({ tls: { roots: nodeRoots }, … })`. */
export async function nodeRoots(): Promise<Uint8Array> {
  return new Uint8Array(await readFile(rootsUrl));
}
