// What other web sites in the same browser could do to the demo page's server.

import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { DemoConfig } from "../../packages/web/demo/config.ts";
import { type DemoServer, startDemoServer } from "../../scripts/demo-server.ts";

let server: DemoServer;
let started = 0;

beforeEach(async () => {
  started = 0;
  const startPublicBridge = async () => void started++;
  server = await startDemoServer({ port: 0, config: { networks: [] }, startPublicBridge });
});

afterEach(() => server.close());

/** The status of the answer to a request as it stands on the wire. */
async function status(request: string, fields: Record<string, string> = {}, at?: number): Promise<number> {
  const { host, port } = new URL(server.url);
  const all = { Host: host, Connection: "close", ...fields };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const socket = connect(at ?? Number(port), "127.0.0.1");
  let answer = "";
  socket.on("data", (data) => {
    answer += data;
  });
  socket.write(`${request} HTTP/1.1\r\n${lines.join("")}\r\n`);
  await once(socket, "close");
  return Number(answer.split(" ")[1]);
}

const START = "POST /start-public-bridge";

describe("the demo page's server", () => {
  it("lets its own page start the public bridge", async () => {
    for (const host of [new URL(server.url).host, "localhost:5173"]) {
      expect(await status(START, { Host: host, Origin: `http://${host}` })).toBe(200);
    }
    expect(started).toBe(2);
  });

  it("lets no other site do so, its own name resolved to this machine or not", async () => {
    const { host, port } = new URL(server.url);
    const sites = [host, `evil.example:${port}`, `127.0.0.1.evil.example:${port}`, "localhost.evil.example"];
    for (const site of sites) {
      expect(await status(START, { Host: site, Origin: "http://evil.example" })).toBe(403);
      if (site !== host) expect(await status(START, { Host: site, Origin: `http://${site}` })).toBe(403);
    }
    expect(await status(START)).toBe(403);
    expect(started).toBe(0);
  });

  it("tells no other site which networks and bridges there are", async () => {
    expect(await status("GET /config.json")).toBe(200);
    expect(await status("GET /config.json", { Host: "evil.example" })).toBe(403);
  });

  it("has hosts for the viewer's sites, with the frame's document and nothing else, and no other host there", async () => {
    const { viewer } = (await (await fetch(`${server.url}config.json`)).json()) as DemoConfig;
    const [parent, port] = viewer.split(":");
    const label = "0123456789abcdef".repeat(2);
    const at = (path: string, Host: string) => status(`GET ${path}`, { Host }, Number(port));
    expect(await at("/allium-frame.html", `${label}.${viewer}`)).toBe(200);
    expect(await at("/config.json", `${label}.${viewer}`)).toBe(404);
    expect(await at("/allium-frame.html?x", `${label}.${viewer}`)).toBe(404);
    const hosts = [
      viewer,
      `a.${viewer}`,
      `${label}.${parent}`,
      `${label}.localhost:${port}`,
      `127.0.0.1:${port}`,
    ];
    for (const host of [
      ...hosts,
      `${label}.${parent}.evil.example:${port}`,
      `${label}.evil.example:${port}`,
    ]) {
      expect(await at("/allium-frame.html", host), host).toBe(403);
    }
    expect(await status("GET /config.json", { Host: `${label}.${viewer}` })).toBe(403);
  });

  it("lets into its frames the viewer's hosts alone, and nobody else frame these", async () => {
    const { viewer } = (await (await fetch(`${server.url}config.json`)).json()) as DemoConfig;
    const policy = async (url: string) =>
      (await fetch(url)).headers.get("content-security-policy")?.split("; ");
    expect(await policy(server.url)).toContain(`frame-src http://*.${viewer}`);
    const { port } = new URL(server.url);
    const pages = ["127.0.0.1", "localhost", "allium.localhost"].map((host) => `http://${host}:${port}`);
    expect(await policy(`http://127.0.0.1:${viewer.split(":")[1]}/`)).toEqual([
      ...["default-src 'none'", "script-src 'self'", "worker-src 'self'"],
      `frame-ancestors ${pages.join(" ")}`,
    ]);
  });

  it.each(["//", "http://[", "*", "/../index.html", "//../index.html", "/..%2findex.html", "/%00.js"])(
    "has no file %s",
    async (path) => {
      expect(await status(`GET ${path}`)).toBe(404);
      expect(await status("GET /config.json")).toBe(200);
    },
  );
});
