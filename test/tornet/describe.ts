// What a network tells about itself: its nodes, `info.json` and `network.json`.

import { join } from "node:path";
import type { NetworkConfig } from "@allium/core";
import type { NodeKeys } from "./keys.ts";
import { CONTROL_PORT, DIR_PORT, type NodePlan, OR_PORT, SOCKS_PORT } from "./layout.ts";
import { LARGE_BYTES, LARGE_SHA256 } from "./servers/content.ts";
import { ZONE } from "./servers/dns.ts";
import type { KeeperReport } from "./servers/keeper.ts";
import { onionTimePeriod } from "./torrc.ts";
import type { NodeInfo, TornetInfo, Voting } from "./types.ts";

export function nodeInfo(
  plan: NodePlan,
  pid: number,
  keys: NodeKeys | undefined,
  dataDirectory: string,
): NodeInfo {
  return {
    nickname: plan.nickname,
    role: plan.role,
    pid,
    address: plan.address,
    orPort: plan.role === "client" ? 0 : OR_PORT,
    ...(plan.role === "authority" ? { dirPort: DIR_PORT } : {}),
    rsaId: keys?.rsaId ?? "",
    ed25519Id: keys?.ed25519Id ?? "",
    control: {
      host: plan.address,
      port: CONTROL_PORT,
      cookieFile: join(dataDirectory, "control_auth_cookie"),
    },
    dataDirectory,
    logFile: join(dataDirectory, "notice.log"),
  };
}

export function networkConfig(
  nodes: readonly NodeInfo[],
  keys: ReadonlyMap<string, NodeKeys>,
  voting: Voting,
): NetworkConfig {
  const authorities = nodes
    .filter((node) => node.role === "authority")
    .map(({ nickname }) => ({ nickname, v3ident: keys.get(nickname)?.v3ident ?? "" }));
  const fallbacks = nodes
    .filter((node) => node.role === "guard")
    .map(({ rsaId, ed25519Id, address, orPort }) => ({
      rsaId,
      ed25519Id,
      orPorts: [`${address}:${orPort}`],
    }));
  return { authorities, fallbacks, onionTimePeriod: onionTimePeriod(voting), allowPrivateAddresses: true };
}

/** What the destination's servers and the nodes come to. */
export function describeNetwork(
  own: Pick<
    TornetInfo,
    | "dir"
    | "instance"
    | "ownerPid"
    | "scheduler"
    | "torVersion"
    | "consensusParams"
    | "keeperPid"
    | "slowPathPid"
  >,
  nodes: readonly NodeInfo[],
  address: string,
  servers: KeeperReport,
): TornetInfo {
  const nicknames = (role: string): string[] =>
    nodes.filter((node) => node.role === role).map((node) => node.nickname);
  const [client, conflux] = nodes.filter(({ role }) => role === "client");
  return {
    ...own,
    socks: { host: client?.address ?? "", port: SOCKS_PORT },
    ...(conflux === undefined ? {} : { confluxSocks: { host: conflux.address, port: SOCKS_PORT } }),
    http: {
      address,
      port: servers.httpPort,
      hostname: `site.${ZONE}`,
      url: `http://${address}:${servers.httpPort}/`,
      namedUrl: `http://site.${ZONE}:${servers.httpPort}/`,
      large: { path: "/large", bytes: LARGE_BYTES, sha256: LARGE_SHA256 },
    },
    https: {
      address,
      port: servers.httpsPort,
      hostname: `site.${ZONE}`,
      url: `https://${address}:${servers.httpsPort}/`,
      namedUrl: `https://site.${ZONE}:${servers.httpsPort}/`,
      root: servers.root,
    },
    echo: { address, port: servers.echoPort, hostname: `echo.${ZONE}` },
    dns: { address, port: servers.dnsPort },
    names: { missing: `missing.${ZONE}`, silent: `silent.${ZONE}` },
    nodes,
    exits: nicknames("exit"),
    guards: nicknames("guard"),
  };
}
