// A start from a bridge's snapshot on the private network: no directory circuit where the bridge is honest, and a start
// through Tor as ever where it is not.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type BridgeOptions, createBridge } from "@allium/bridge";
import { type CircuitInfo, type LogEvent, memoryStore, type Store, TorClient } from "@allium/core";
import { webDialer, webSnapshots } from "@allium/web";
import { describe, expect, inject, it, onTestFinished, vi } from "vitest";

const network = inject("network");
const { http } = inject("info");

async function documentOf(url: string, name: string): Promise<string> {
  const response = await fetch(`${url.replace("ws:", "http:")}dir/${name}`);
  return response.status === 200 ? response.text() : "";
}

const count = (text: string, start: RegExp) => [...text.matchAll(start)].length;

/** A bridge that has all documents; its URL. */
async function fullBridge(options: BridgeOptions = {}): Promise<string> {
  const bridge = createBridge({ network, listen: { host: "127.0.0.1", port: 0 }, ...options });
  onTestFinished(() => bridge.close());
  const url = await bridge.listen();
  await bridge.ready;
  await vi.waitFor(
    async () => {
      const consensus = await documentOf(url, "consensus-microdesc");
      const microdescriptors = await documentOf(url, "microdescriptors");
      const certificates = await documentOf(url, "certificates");
      expect(count(microdescriptors, /^onion-key$/gm)).toBe(new Set(consensus.match(/^m .*$/gm)).size);
      expect(count(certificates, /^dir-key-certificate-version /gm)).toBe(network.authorities.length);
    },
    { timeout: 60_000, interval: 200 },
  );
  return url;
}

/** A server of documents that lies about the consensus: one digit of one relay's weight is another. */
async function lyingServer(honest: string): Promise<string> {
  const server = createServer(async (request, response) => {
    const name = request.url?.replace("/dir/", "") as string;
    const text = await documentOf(honest, name);
    response.end(
      text.replace(/^(w Bandwidth=\d*)(\d)$/m, (_, head, digit) => head + ((Number(digit) + 1) % 10)),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

function clientOf(bridge: string, documents: string, store: Store = memoryStore()) {
  const circuits: CircuitInfo[] = [];
  const logged: LogEvent[] = [];
  const tor = new TorClient({
    dialer: webDialer({ bridges: [bridge] }),
    snapshots: webSnapshots({ bridges: [documents] }),
    ...{ network, store, log: (event) => logged.push(event) },
  });
  tor.addEventListener("circuit", ({ detail }) => circuits.push(detail));
  onTestFinished(() => tor.close());
  const purposes = () => new Set(circuits.map(({ purpose }) => purpose));
  const codes = () => logged.map(({ code }) => code);
  return { tor, purposes, codes };
}

describe("a client", () => {
  it("starts from its bridge's snapshot without any directory circuit", async () => {
    const url = await fullBridge();
    const { tor, purposes, codes } = clientOf(url, url);
    await tor.ready();
    expect((await tor.fetch(http.url)).status).toBe(200);
    expect(purposes()).not.toContain("directory");
    expect(purposes()).toContain("general");
    expect((await tor.stats()).channels).toBeGreaterThan(0);
    expect(codes()).not.toContain("directory-snapshot-refused");
  });

  it("starts through Tor where the snapshot was tampered with", async () => {
    const url = await fullBridge();
    const { tor, purposes, codes } = clientOf(url, await lyingServer(url));
    expect((await tor.fetch(http.url)).status).toBe(200);
    expect(codes()).toContain("directory-snapshot-refused");
    expect(purposes()).toContain("directory");
  });

  it("starts through Tor where the bridge has no snapshot", async () => {
    const bridge = createBridge({ network, listen: { host: "127.0.0.1", port: 0 }, snapshots: false });
    onTestFinished(() => bridge.close());
    const url = await bridge.listen();
    await bridge.ready;
    const { tor, purposes, codes } = clientOf(url, url);
    expect((await tor.fetch(http.url)).status).toBe(200);
    expect(codes()).not.toContain("directory-snapshot-refused");
    expect(purposes()).toContain("directory");
  });
});
