// Long-term keys of the network: relay identities, and the authorities' v3 keys and certificates. Making them is a
// third of a start, so they are kept in a cache, one set per instance: no two networks that run share a key.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Layout, NodePlan } from "./layout.ts";

const CERTIFICATE_MONTHS = 12;
/** Keys are made anew well before the authorities' certificates run out. */
const MAX_AGE_MS = 180 * 24 * 3600 * 1000;
const TOOL_TIMEOUT_MS = 60_000;

export interface NodeKeys {
  /** 40 upper-case hex digits. */
  readonly rsaId: string;
  /** Unpadded base64, 43 characters. */
  readonly ed25519Id: string;
  /** Authorities only: 40 upper-case hex digits. */
  readonly v3ident?: string;
}

function run(file: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile(file, args, { timeout: TOOL_TIMEOUT_MS }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${file} failed: ${error.message}\n${stdout}${stderr}`));
      else resolve();
    });
  });
}

/** tor-gencert takes its passphrase from a descriptor; the key is a throw-away, so it is empty of meaning. */
async function makeAuthorityKeys(directory: string): Promise<void> {
  const path = (name: string): string => join(directory, "keys", name);
  const months = String(CERTIFICATE_MONTHS);
  const files = [
    "-i",
    path("authority_identity_key"),
    "-s",
    path("authority_signing_key"),
    "-c",
    path("authority_certificate"),
  ];
  const child = spawn(
    "tor-gencert",
    ["--create-identity-key", "--passphrase-fd", "0", "-m", months, ...files],
    {
      stdio: ["pipe", "ignore", "pipe"],
      timeout: TOOL_TIMEOUT_MS,
    },
  );
  let errors = "";
  child.stderr.on("data", (chunk) => {
    errors += chunk;
  });
  child.stdin.on("error", () => {});
  child.stdin.end("tornet\n");
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`tor-gencert failed with ${code}: ${errors}`);
}

/** `tor --list-fingerprint` makes a relay's identity keys; it opens no socket, and the authority named is a dummy. */
async function makeRelayKeys(node: NodePlan, directory: string, emptyFile: string): Promise<void> {
  const zeros = "0".repeat(40);
  const authority = `dummy orport=1 no-v2 v3ident=${zeros} 127.0.0.1:1 ${zeros}`;
  await run("tor", [
    ...["--list-fingerprint", "--quiet", "--defaults-torrc", emptyFile, "-f", emptyFile],
    ...["--TestingTorNetwork", "1", "--UseDefaultFallbackDirs", "0", "--DirAuthority", authority],
    ...["--OutboundBindAddress", node.address, "--Address", node.address, "--ORPort", "1"],
    ...["--SocksPort", "0", "--Nickname", node.nickname, "--DataDirectory", directory],
  ]);
}

async function makeNodeKeys(node: NodePlan, directory: string, emptyFile: string): Promise<void> {
  await mkdir(join(directory, "keys"), { recursive: true, mode: 0o700 });
  await Promise.all([
    makeRelayKeys(node, directory, emptyFile),
    node.role === "authority" ? makeAuthorityKeys(directory) : undefined,
  ]);
}

async function makeAll(layout: Layout, directory: string): Promise<void> {
  const temporary = `${directory}.${process.pid}`;
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary, { recursive: true, mode: 0o700 });
  const emptyFile = join(temporary, "empty");
  await writeFile(emptyFile, "");
  const relays = layout.nodes.filter((node) => node.role !== "client");
  await Promise.all(relays.map((node) => makeNodeKeys(node, join(temporary, node.nickname), emptyFile)));
  await writeFile(join(temporary, "complete"), "");
  await rm(directory, { recursive: true, force: true });
  await rename(temporary, directory);
}

async function isUsable(layout: Layout, directory: string): Promise<boolean> {
  try {
    const made = (await stat(join(directory, "complete"))).mtimeMs;
    const relays = layout.nodes.filter((node) => node.role !== "client");
    await Promise.all(relays.map((node) => readNodeKeys(node, join(directory, node.nickname))));
    return Math.abs(Date.now() - made) < MAX_AGE_MS;
  } catch {
    return false;
  }
}

function match(text: string, pattern: RegExp, what: string): string {
  const found = pattern.exec(text)?.[1];
  if (found === undefined) throw new Error(`${what} not found in what tor wrote`);
  return found;
}

async function readNodeKeys(node: NodePlan, directory: string): Promise<NodeKeys> {
  const read = (name: string): Promise<string> => readFile(join(directory, name), "utf8");
  const keys = {
    rsaId: match(await read("fingerprint"), /^\S+ ([0-9A-F]{40})$/m, "RSA fingerprint"),
    ed25519Id: match(
      await read("fingerprint-ed25519"),
      /^\S+ ([A-Za-z0-9+/]{43})=?$/m,
      "Ed25519 fingerprint",
    ),
  };
  if (node.role !== "authority") return keys;
  const certificate = await read("keys/authority_certificate");
  return { ...keys, v3ident: match(certificate, /^fingerprint ([0-9A-F]{40})$/m, "v3 identity") };
}

/**
 * Puts every relay's keys into its data directory under `nodesDir`, from the cache or newly made.
 * @returns the identities by nickname
 */
export async function provideKeys(
  layout: Layout,
  cacheDir: string,
  nodesDir: string,
): Promise<ReadonlyMap<string, NodeKeys>> {
  if (!(await isUsable(layout, cacheDir))) await makeAll(layout, cacheDir);
  const identities = new Map<string, NodeKeys>();
  for (const node of layout.nodes) {
    const directory = join(nodesDir, node.nickname);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    if (node.role === "client") continue;
    const cached = join(cacheDir, node.nickname);
    await cp(join(cached, "keys"), join(directory, "keys"), { recursive: true });
    identities.set(node.nickname, await readNodeKeys(node, cached));
  }
  return identities;
}
