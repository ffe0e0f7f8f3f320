import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, inject, test } from "vitest";
import { withControl } from "../tornet/control.ts";
import { belongsTo, record, start, stopRecorded } from "../tornet/processes.ts";
import { contentDigest, LARGE_BYTES, LARGE_SHA256 } from "../tornet/servers/content.ts";
import { PAGE } from "../tornet/servers/http.ts";
import { socksConnect, socksGet } from "../tornet/socks.ts";
import type { NodeInfo } from "../tornet/types.ts";

const TIMEOUT = 30_000;
const network = inject("network");
const info = inject("info");

function nodeOf(role: NodeInfo["role"]): NodeInfo {
  const node = info.nodes.find((candidate) => candidate.role === role);
  if (node === undefined) throw new Error(`no ${role}`);
  return node;
}

async function read(path: string): Promise<string> {
  const response = await socksGet(info.socks, new URL(path, info.http.namedUrl).href, TIMEOUT);
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) text += chunk;
  return text;
}

describe("the consensus", () => {
  test("lists every relay, each with the flags of its role", async () => {
    const reply = await withControl(nodeOf("client").control, (control) => control.send("GETINFO ns/all"));
    const relays = info.nodes.filter((node) => node.role !== "client");
    const entries = reply.split(/^(?=r )/m).filter((entry) => entry.startsWith("r "));
    expect(entries).toHaveLength(relays.length);
    for (const { nickname, role, address } of relays) {
      const entry = entries.find((candidate) => candidate.startsWith(`r ${nickname} `)) ?? "";
      expect(entry).toContain(` ${address} 9001 `);
      const flags = /^s (.*)$/m.exec(entry)?.[1]?.trim().split(" ") ?? [];
      expect(flags).toEqual(expect.arrayContaining(["Fast", "Running", "Stable", "Valid"]));
      expect(flags.includes("Guard")).toBe(role === "guard");
      expect(flags.includes("Exit")).toBe(role === "exit");
      expect(flags.includes("Authority")).toBe(role === "authority");
    }
  });

  test("carries the parameters that all authorities vote for", async () => {
    const authority = nodeOf("authority").control;
    const what = "dir/status-vote/current/consensus-microdesc";
    const reply = await withControl(authority, (control) => control.send(`GETINFO ${what}`));
    expect(reply).toMatch(/^params .*\bcc_alg=2 cfx_enabled=1\b/m);
    expect(reply.match(/^directory-signature /gm)).toHaveLength(network.authorities.length);
  });
});

describe("network.json", () => {
  test("is what startTornet gives, with three authorities and the guards as fallbacks", () => {
    expect(JSON.parse(readFileSync(join(info.dir, "network.json"), "utf8"))).toEqual(network);
    expect(network.authorities.map(({ nickname }) => nickname)).toEqual(["auth1", "auth2", "auth3"]);
    for (const { v3ident } of network.authorities) expect(v3ident).toMatch(/^[0-9A-F]{40}$/);
    expect(network.fallbacks).toHaveLength(info.guards.length);
    expect(network.allowPrivateAddresses).toBe(true);
  });

  test("puts every relay into a /16 of its own, on loopback", () => {
    const networks = info.nodes.map(({ address }) => address.split(".").slice(0, 2).join("."));
    expect(new Set(networks).size).toBe(info.nodes.length);
    for (const prefix of networks) expect(prefix).toMatch(/^127\./);
  });
});

describe("the C tor client", () => {
  test("fetches the page through an exit, by name and by address", async () => {
    expect(await read("/")).toBe(PAGE);
    const response = await socksGet(info.socks, info.http.url, TIMEOUT);
    response.resume();
    expect(response.statusCode).toBe(200);
  });

  test("fetches the large file whole", async () => {
    const { path, bytes, sha256 } = info.http.large;
    const response = await socksGet(info.socks, new URL(path, info.http.namedUrl).href, TIMEOUT);
    const hash = createHash("sha256");
    let length = 0;
    for await (const chunk of response) {
      hash.update(chunk);
      length += chunk.length;
    }
    expect({ length, digest: hash.digest("hex") }).toEqual({ length: bytes, digest: sha256 });
  });

  test("is told of a name that does not exist", async () => {
    const target = { host: info.names.missing, port: info.http.port };
    await expect(socksConnect(info.socks, target, TIMEOUT)).rejects.toThrow("SOCKS");
  });

  test("reaches the echo service", async () => {
    const target = { host: info.echo.hostname, port: info.echo.port };
    const socket = await socksConnect(info.socks, target, TIMEOUT);
    socket.setEncoding("utf8").write("there and back");
    let text = "";
    for await (const chunk of socket) {
      text += chunk;
      if (text.length >= "there and back".length) break;
    }
    expect(text).toBe("there and back");
  });
});

describe("the destination", () => {
  const get = (path: string): Promise<Response> =>
    fetch(new URL(path, info.http.url), { redirect: "manual" });

  test("serves prefixes of one stream, of known digests", async () => {
    expect(contentDigest(LARGE_BYTES)).toBe(LARGE_SHA256);
    for (const path of ["/bytes/100000", "/chunked/100000"]) {
      const body = Buffer.from(await (await get(path)).arrayBuffer());
      expect(createHash("sha256").update(body).digest("hex")).toBe(contentDigest(100_000));
    }
    expect(await (await get("/digest/100000")).json()).toEqual({
      bytes: 100_000,
      sha256: contentDigest(100_000),
    });
  });

  test("tells length and digest of what is posted", async () => {
    const body = Buffer.alloc(300_000, "x");
    const answer = await fetch(new URL("/sink", info.http.url), { method: "POST", body });
    const sha256 = createHash("sha256").update(body).digest("hex");
    expect(await answer.json()).toEqual({ bytes: body.length, sha256 });
  });

  test("redirects, drips, cuts off, and refuses what it does not know", async () => {
    expect((await get("/redirect")).headers.get("location")).toBe("/");
    expect((await get("/redirect/3")).headers.get("location")).toBe("/redirect/2");
    expect(await (await get("/drip?chunks=3&ms=5")).text()).toBe("drop 0\ndrop 1\ndrop 2\n");
    await expect(get("/cut").then((response) => response.text())).rejects.toThrow();
    expect((await get("/status/503")).status).toBe(503);
    expect((await get("/bytes/-1")).status).toBe(400);
    expect((await get("/constructor")).status).toBe(404);
  });
});

describe("ending processes", () => {
  const directories: string[] = [];
  const directory = (): string => {
    const made = mkdtempSync(join(tmpdir(), "tornet-processes-"));
    directories.push(made);
    return made;
  };
  afterEach(() => {
    for (const made of directories.splice(0)) rmSync(made, { recursive: true, force: true });
  });

  async function startIdle(dir: string): Promise<number> {
    const args = ["-e", "setInterval(() => {}, 1000)", "--", `${dir}/x`];
    const child = await start(dir, process.execPath, args, join(dir, "output"));
    child.unref();
    return child.pid;
  }

  test("ends what is recorded and names the directory", async () => {
    const dir = directory();
    const pid = await startIdle(dir);
    expect(belongsTo(pid, dir)).toBe(true);
    await stopRecorded(dir);
    expect(belongsTo(pid, dir)).toBe(false);
    await stopRecorded(dir);
  });

  test("leaves alone a recorded number that now belongs to another", async () => {
    const [ours, others] = [directory(), directory()];
    const pid = await startIdle(others);
    record(ours, pid);
    await stopRecorded(ours);
    expect(belongsTo(pid, others)).toBe(true);
    await stopRecorded(others);
  });

  test("does not take a directory for another whose name it begins", async () => {
    const dir = directory();
    const pid = await startIdle(dir);
    expect(belongsTo(pid, dir.slice(0, -1))).toBe(false);
    await stopRecorded(dir);
  });

  test("kills what does not heed SIGINT", async () => {
    const dir = directory();
    const heedless = 'process.on("SIGINT", () => {}); setInterval(() => {}, 1000); console.log("up")';
    const output = join(dir, "output");
    writeFileSync(output, "");
    const child = await start(dir, process.execPath, ["-e", heedless, "--", `${dir}/x`], output);
    await expect.poll(() => readFileSync(output, "utf8")).toContain("up");
    const ended = once(child, "exit");
    await stopRecorded(dir, 50);
    expect(await ended).toEqual([null, "SIGKILL"]);
  });
});
