// The whole way in Node: webDialer, the bridge, three relays; and the command line tool as a process.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createBridge } from "@allium/bridge";
import { memoryStore, TorClient } from "@allium/core";
import { webDialer } from "@allium/web";
import { describe, expect, inject, it, onTestFinished } from "vitest";
import { build } from "../../scripts/build.ts";
import { ROOT } from "../repo/files.ts";
import { digestOf } from "./helpers.ts";

const network = inject("network");
const { http, nodes } = inject("info");

function clientOver(url: string): TorClient {
  const client = new TorClient({ dialer: webDialer({ bridges: [url] }), store: memoryStore(), network });
  onTestFinished(() => client.close());
  return client;
}

/** The machine's own Node, where npm was started with one: the published build must run on the oldest that it claims. */
const NODE = process.env.npm_node_execpath ?? "node";

describe("over the bridge", () => {
  it("bootstraps and fetches, and the bridge allows just the relays of the consensus", async () => {
    const bridge = createBridge({ network, listen: { host: "127.0.0.1", port: 0 } });
    onTestFinished(() => bridge.close());
    const url = await bridge.listen();
    await bridge.ready;
    expect((await fetch(`${url.replace("ws:", "http:")}ready`)).status).toBe(200);
    const tor = clientOver(url);
    const { bytes } = await digestOf(await tor.fetch(`${http.url}bytes/4194304`));
    expect(bytes).toBe(4194304);
    const relay = nodes.find(({ role }) => role === "exit");
    const allowed = await closeCode(url, relay?.address as string, relay?.orPort as number);
    expect(allowed).toBe(undefined);
    expect(await closeCode(url, http.address, http.port)).toBe(4403);
  });

  it("runs as a command from the published build", async () => {
    build();
    const dir = mkdtempSync(join(tmpdir(), "allium-bridge-"));
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
    const file = join(dir, "network.json");
    writeFileSync(file, JSON.stringify(network));
    const child = spawn(
      "node",
      ["node_modules/.bin/allium-bridge", "--listen", "127.0.0.1:0", "--network", file],
      {
        cwd: ROOT,
      },
    );
    onTestFinished(() => {
      child.kill("SIGKILL");
    });
    let output = "";
    const url = await new Promise<string>((resolve, reject) => {
      child.stdout.on("data", (chunk) => {
        output += chunk;
        const found = /ws:\/\/[0-9.:]+\//.exec(output);
        if (found) resolve(found[0]);
      });
      child.once("exit", () => reject(new Error(`the bridge ended: ${output}`)));
    });
    expect((await clientOver(url).fetch(http.url)).status).toBe(200);
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([0, null]);
  });

  it("is found by a plain script as three packages", async () => {
    build();
    const script = `
      const core = await import("@allium/core");
      const web = await import("@allium/web");
      const bridge = await import("@allium/bridge");
      console.log(typeof core.TorClient, typeof web.webDialer, typeof bridge.createBridge);
    `;
    const output = await new Promise((resolve, reject) => {
      execFile(NODE, ["--input-type=module", "-e", script], { cwd: ROOT }, (error, stdout) =>
        error ? reject(error) : resolve(stdout.trim()),
      );
    });
    expect(output).toBe("function function function");
  });
});

/** The bridge's close code for a destination; undefined when it is still open after its first byte could have come. */
async function closeCode(url: string, address: string, port: number): Promise<number | undefined> {
  const ws = new WebSocket(`${url}v1/connect`, "tor-bridge.v1");
  await once(ws, "open");
  ws.send(Uint8Array.of(4, ...address.split(".").map(Number), port >> 8, port & 255));
  const closed = once(ws, "close").then(([event]) => (event as CloseEvent).code);
  const code = await Promise.race([
    closed,
    new Promise<undefined>((resolve) => setTimeout(resolve, 300, undefined)),
  ]);
  ws.close();
  return code;
}
