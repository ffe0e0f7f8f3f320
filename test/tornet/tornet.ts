// A private Tor network of real C tor, wholly on 127.0.0.0/8: three directory authorities, four guards, three exits to
// loopback, a client, and a destination for streams. `startTornet` is the library form; main.ts is the command.

import { execFile, fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { availableParallelism, loadavg } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import type { NetworkConfig } from "@allium/core";
import { writeTorWithoutCgo } from "./binary.ts";
import { describeNetwork, networkConfig, nodeInfo } from "./describe.ts";
import { provideFamilyKeys } from "./families.ts";
import { type NodeKeys, provideKeys } from "./keys.ts";
import { type Claim, claimInstance, type NodePlan, SOCKS_PORT } from "./layout.ts";
import { OWN_PARAMS, voteParams } from "./params.ts";
import { record, stopRecorded } from "./processes.ts";
import { clientReady, relaysReady } from "./readiness.ts";
import { ZONE } from "./servers/dns.ts";
import type { KeeperReport } from "./servers/keeper.ts";
import { isBehindProxy, SlowPathProxy } from "./slow-path.ts";
import { TorProcess } from "./tor-process.ts";
import { bandwidthFile, OWN_VOTING, type Timing, torrc } from "./torrc.ts";
import type {
  ConsensusParams,
  NodeInfo,
  Scheduler,
  SlowPath,
  Tornet,
  TornetInfo,
  TornetOptions,
} from "./types.ts";

const repository = resolve(import.meta.dirname, "../..");
const cacheRoot = join(repository, ".cache/tornet");
/** Files that are there only while the network is; logs and data in `nodes` stay for a look. */
const results = ["network.json", "info.json", "owner"];
const OLDEST_TOR = [0, 4, 9];
/** Load per processor, over the last minute, from which the first vote is put off. */
const BUSY = 0.75;
const KEEPER_TIMEOUT_MS = 20_000;

async function torVersion(): Promise<string> {
  const { stdout } = await promisify(execFile)("tor", ["--version", "--quiet"]).catch((error: Error) => {
    throw new Error(`the private network needs C tor (Debian: apt-get install tor): ${error.message}`);
  });
  const version = /Tor version (\d+\.\d+\.\d+\.\d+)/.exec(stdout)?.[1] ?? "unknown";
  const parts = version.split(".").map(Number);
  for (const [i, wanted] of OLDEST_TOR.entries()) {
    const part = parts[i] ?? 0;
    if (part > wanted) break;
    if (!(part >= wanted))
      throw new Error(`the private network needs tor 0.4.9 or later; this is ${version}`);
  }
  return version;
}

/** Ends what a crashed run has left in `dir` and removes its files; a run that lives is left alone. */
async function clear(dir: string): Promise<void> {
  const owner = join(dir, "owner");
  const [pid, started] = existsSync(owner) ? readFileSync(owner, "utf8").split(" ") : [];
  if (pid !== undefined && started !== undefined && startTime(Number(pid)) === started) {
    throw new Error(`process ${pid} runs a private network in ${dir}: choose another directory, or end it`);
  }
  await stopRecorded(dir);
  for (const name of ["nodes", ...results]) {
    await rm(join(dir, name), { recursive: true, force: true });
  }
}

/** When a process began, in ticks since boot (proc(5), /proc/PID/stat field 22); undefined where there is none. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}

/** One start: what is built up step by step, and taken down by `stop` wherever it has got to. */
class Run implements Tornet {
  readonly #dir: string;
  readonly #claim: Claim;
  readonly #options: TornetOptions;
  readonly #failure = new AbortController();
  readonly #signal: AbortSignal;
  readonly #nodes: NodeInfo[] = [];
  readonly #processes = new Map<string, TorProcess>();
  readonly #params: ConsensusParams;
  #keeper: ReturnType<typeof fork> | undefined;
  #slowPath: SlowPathProxy | undefined;
  #keys: ReadonlyMap<string, NodeKeys> = new Map();
  #info: TornetInfo | undefined;
  #stopped: Promise<void> | undefined;

  constructor(dir: string, claim: Claim, options: TornetOptions) {
    this.#dir = dir;
    this.#claim = claim;
    this.#options = options;
    this.#params = { ...OWN_PARAMS, ...options.consensusParams };
    const own = this.#failure.signal;
    this.#signal = options.signal === undefined ? own : AbortSignal.any([own, options.signal]);
  }

  get network(): NetworkConfig {
    return networkConfig(this.#nodes, this.#keys, this.#options.voting ?? OWN_VOTING);
  }

  get info(): TornetInfo {
    if (this.#info === undefined) throw new Error("the private network is not up");
    return this.#info;
  }

  async setSlowPath(path: SlowPath): Promise<void> {
    if (this.#slowPath === undefined)
      throw new Error("the private network was started without a slow path's proxy");
    await this.#slowPath.set(path);
  }

  setConsensusParams(params: ConsensusParams): Promise<void> {
    const relays = this.#nodes.filter(({ role }) => role !== "client");
    return voteParams(relays, { ...this.#params, ...params }, this.#signal);
  }

  async kill(nicknames: readonly string[]): Promise<void> {
    await Promise.all(nicknames.map((nickname) => this.#process(nickname).kill()));
  }

  async revive(nicknames: readonly string[]): Promise<void> {
    for (const nickname of nicknames) {
      const pid = await this.#process(nickname).start();
      const at = this.#nodes.findIndex((node) => node.nickname === nickname);
      this.#nodes[at] = { ...(this.#nodes[at] as NodeInfo), pid };
    }
    const revived = this.#nodes.filter(({ nickname }) => nicknames.includes(nickname));
    await relaysReady(revived, { signal: this.#signal, onPart: () => {} });
  }

  #process(nickname: string): TorProcess {
    const found = this.#processes.get(nickname);
    if (found === undefined) throw new Error(`the private network has no node ${nickname}`);
    return found;
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#failure.abort(new Error("the private network is stopped"));
    try {
      await stopRecorded(this.#dir);
    } finally {
      this.#keeper?.removeAllListeners();
      if (this.#keeper?.connected === true) this.#keeper.disconnect();
      this.#slowPath?.release();
      for (const name of results) await rm(join(this.#dir, name), { force: true });
      await this.#claim.release();
    }
  }

  /** Where the copy of tor without CGO is. */
  get #ownTor(): string {
    return join(this.#dir, "nodes/tor-without-cgo");
  }

  #progress(fraction: number, message: string): void {
    this.#options.onProgress?.({ fraction, message });
  }

  /** @throws why it did not come up: the first process to fail, the caller's abort, or a time-out */
  async up(version: string): Promise<void> {
    try {
      await this.#up(version);
    } catch (error) {
      throw this.#signal.aborted ? this.#signal.reason : error;
    }
  }

  async #up(version: string): Promise<void> {
    const { layout } = this.#claim;
    const scheduler = this.#options.scheduler ?? "KIST";
    await mkdir(join(this.#dir, "nodes"), { recursive: true, mode: 0o700 });
    await writeFile(join(this.#dir, "owner"), `${process.pid} ${startTime(process.pid)}`);
    this.#progress(0.02, "making keys");
    const nodes = join(this.#dir, "nodes");
    const keyCache = join(
      cacheRoot,
      `keys-${layout.instance}${this.#options.nodes === undefined ? "" : "-other"}`,
    );
    this.#keys = await provideKeys(layout, keyCache, nodes);
    await provideFamilyKeys(layout, nodes);
    this.#progress(0.15, "starting the relays");
    const servers = await this.#startKeeper();
    await this.#writeShared(servers);
    const timing = { startedAt: Date.now(), isBusy: (loadavg()[0] ?? 0) > BUSY * availableParallelism() };
    await this.#startSlowPath();
    const plans = layout.nodes.filter((node) => node.role !== "client");
    for (const plan of plans) await this.#startNode(plan, scheduler, timing);
    const relays = [...this.#nodes];
    this.#progress(0.25, "the authorities vote");
    await relaysReady(relays, {
      signal: this.#signal,
      onPart: (part) =>
        this.#progress(0.3 + 0.5 * part, `${Math.round(part * relays.length)} relays know the network`),
    });
    const clients = layout.nodes.filter(({ role }) => role === "client");
    for (const plan of this.#options.confluxClient === true ? clients : clients.slice(0, 1))
      await this.#startClient(plan, scheduler, servers, timing);
    this.#info = this.#describe(version, scheduler, servers);
    await this.#writeResults();
    const { slowPath } = this.#options;
    if (slowPath !== undefined) await this.setSlowPath(slowPath);
    this.#progress(1, "ready");
  }

  async #startSlowPath(): Promise<void> {
    const { slowPath } = this.#options;
    if (slowPath === undefined) return;
    const { nodes } = this.#claim.layout;
    const died = (code: number | null) => this.#died("the slow path's proxy", code);
    this.#slowPath = await SlowPathProxy.start(this.#dir, nodes, slowPath.links ?? "guard", died);
  }

  async #startKeeper(): Promise<KeeperReport> {
    const file = join(import.meta.dirname, "servers/keeper.ts");
    const keeper = fork(file, [this.#dir, this.#claim.layout.serviceAddress], {
      detached: true,
      execArgv: [],
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    this.#keeper = keeper;
    await once(keeper, "spawn");
    if (keeper.pid !== undefined) record(this.#dir, keeper.pid);
    keeper.on("exit", (code) => this.#died("the destination's server", code));
    const timeout = AbortSignal.timeout(KEEPER_TIMEOUT_MS);
    const [report] = await once(keeper, "message", { signal: AbortSignal.any([this.#signal, timeout]) });
    // The owner may end without a word; the channel is there for that and keeps nothing alive.
    keeper.unref();
    keeper.channel?.unref();
    return report;
  }

  #died(what: string, code: number | null, output?: string): void {
    if (this.#failure.signal.aborted) return;
    const words = output === undefined ? "" : `\n${readFileSync(output, "utf8").slice(-2000)}`;
    const error = new Error(`${what} of the private network ended by itself (${code})${words}`);
    this.#options.log?.(error.message);
    this.#failure.abort(error);
  }

  async #writeShared(servers: KeeperReport): Promise<void> {
    const { layout } = this.#claim;
    const nodes = join(this.#dir, "nodes");
    await writeFile(join(nodes, "empty"), "");
    // libevent reads a port here, which resolv.conf(5) does not know; so port 53 and root are not needed.
    await writeFile(join(nodes, "resolv.conf"), `nameserver ${layout.serviceAddress}:${servers.dnsPort}\n`);
    await writeFile(join(nodes, "bwfile"), bandwidthFile(layout, this.#keys, Date.now()));
    if (this.#options.withoutCgo === true) await writeTorWithoutCgo(this.#ownTor);
  }

  async #startNode(plan: NodePlan, scheduler: Scheduler, timing: Timing): Promise<NodeInfo> {
    const nodes = join(this.#dir, "nodes");
    const dataDirectory = join(nodes, plan.nickname);
    const { slowPath, confluxClient, withoutCgo, voting = OWN_VOTING, everyRelayIsGuard } = this.#options;
    const text = torrc(plan, {
      layout: this.#claim.layout,
      keys: this.#keys,
      scheduler,
      dataDirectory,
      resolvConf: join(nodes, "resolv.conf"),
      bandwidthFile: join(nodes, "bwfile"),
      ownerPid: process.pid,
      timing,
      consensusParams: this.#params,
      voting,
      everyRelayIsGuard: everyRelayIsGuard === true,
      isBehindProxy: isBehindProxy(plan, slowPath && (slowPath.links ?? "guard")),
      conflux: confluxClient === true ? plan.nickname === "conflux" : undefined,
    });
    const file = join(dataDirectory, "torrc");
    await writeFile(file, text);
    const args = ["--hush", "--defaults-torrc", join(nodes, "empty"), "-f", file];
    const output = join(dataDirectory, "output");
    const program = withoutCgo === true && plan.role === "exit" ? this.#ownTor : "tor";
    const onDeath = (code: number | null) => this.#died(plan.nickname, code, output);
    const tor = new TorProcess({ dir: this.#dir, program, args, output, onDeath });
    this.#processes.set(plan.nickname, tor);
    const info = nodeInfo(plan, await tor.start(), this.#keys.get(plan.nickname), dataDirectory);
    this.#nodes.push(info);
    return info;
  }

  async #startClient(
    plan: NodePlan,
    scheduler: Scheduler,
    servers: KeeperReport,
    timing: Timing,
  ): Promise<void> {
    const client = await this.#startNode(plan, scheduler, timing);
    const socks = { host: client.address, port: SOCKS_PORT };
    await clientReady(client, socks, pageUrl(servers), {
      signal: this.#signal,
      onPart: (part) => this.#progress(0.8 + 0.19 * part, "the C tor client builds its circuits"),
    });
  }

  #describe(version: string, scheduler: Scheduler, servers: KeeperReport): TornetInfo {
    const { instance, serviceAddress } = this.#claim.layout;
    const slowPath = this.#slowPath;
    const own = {
      dir: this.#dir,
      instance,
      ownerPid: process.pid,
      scheduler,
      torVersion: version,
      consensusParams: this.#params,
      keeperPid: this.#keeper?.pid ?? 0,
      ...(slowPath === undefined ? {} : { slowPathPid: slowPath.pid }),
    };
    return describeNetwork(own, this.#nodes, serviceAddress, servers);
  }

  async #writeResults(): Promise<void> {
    const write = (name: string, value: unknown): Promise<void> =>
      writeFile(join(this.#dir, name), `${JSON.stringify(value, undefined, 2)}\n`);
    await write("network.json", this.network);
    await write("info.json", this.info);
  }
}

/** By name, so that the exits' resolver is asked. */
function pageUrl({ httpPort }: KeeperReport): string {
  return `http://site.${ZONE}:${httpPort}/`;
}

/** Starts a private network and resolves once the C tor client has fetched a page through one of its exits. */
export async function startTornet(options: TornetOptions = {}): Promise<Tornet> {
  const version = await torVersion();
  const directoryOf = (instance: number): string =>
    resolve(options.dir ?? join(cacheRoot, `run-${instance}`));
  const claim = await claimInstance((instance) => clear(directoryOf(instance)), options.nodes);
  const run = new Run(directoryOf(claim.layout.instance), claim, options);
  try {
    await run.up(version);
    return run;
  } catch (error) {
    await run.stop();
    throw error;
  }
}
