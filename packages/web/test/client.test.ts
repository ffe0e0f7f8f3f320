// What createTorClient puts together: bridges for links and for documents, and what it hears from its page.

import { memoryStore, TorClient } from "@allium/core";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { WebSocketServer } from "ws";
import { createTorClient } from "../src/client.ts";
import { createWorkerClient } from "../src/remote/index.ts";
import { WorkerHost } from "../src/remote/serve.ts";
import { httpBridge, refusing } from "./http-bridge.ts";
import { FakeClient } from "./remote/rig.ts";

vi.mock("../src/store.ts", () => ({ webStore: () => memoryStore() }));

const NETWORK = {
  authorities: [{ nickname: "none", v3ident: "11".repeat(20) }],
  fallbacks: [{ rsaId: "00".repeat(20), ed25519Id: "A".repeat(43), orPorts: ["192.0.2.1:9001"] }],
};

describe("createTorClient", () => {
  async function askedBy(options: { snapshots?: boolean }): Promise<(string | undefined)[]> {
    const bridge = await httpBridge(refusing(404));
    const tor = createTorClient({ bridges: [bridge.url], network: NETWORK, ...options });
    onTestFinished(() => tor.close());
    tor.ready().catch(() => {});
    const asked = () => bridge.asked.map(({ url }) => url);
    await vi.waitFor(() => expect(asked()).toContain("/v1/connect"));
    return asked();
  }

  it("asks its bridges for snapshots first", async () => {
    const documents = ["/dir/consensus-microdesc", "/dir/certificates"];
    expect((await askedBy({})).slice(0, 3)).toEqual([...documents, "/v1/connect"]);
  });

  it("begins with the bridge that carries its links", async () => {
    // The first one has documents only, and the second lets no link come to anything.
    const one = await httpBridge(refusing(404));
    const two = await httpBridge(refusing(404));
    const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => "tor-bridge.v1" });
    sockets.on("connection", (socket) => socket.on("message", () => socket.send(Buffer.from("no TLS"))));
    two.server.on("upgrade", (request, socket, head) => {
      sockets.handleUpgrade(request, socket, head, (opened) => sockets.emit("connection", opened));
    });
    const tor = createTorClient({ bridges: [one.url, two.url], network: NETWORK, retry: { attempts: 1 } });
    onTestFinished(() => tor.close());
    const order: string[] = [];
    for (const [name, { server }] of Object.entries({ one, two }))
      server.on("request", ({ url }) => void (url?.startsWith("/dir/consensus") && order.push(name)));
    await expect(tor.ready()).rejects.toMatchObject({ kind: "protocol-violation" });
    await expect(tor.ready()).rejects.toMatchObject({ kind: "protocol-violation" });
    expect(order).toEqual(["one", "two", "two", "one"]);
  });

  it("hears from its page that the network is another one, and that it runs again", async () => {
    const heard = { networkChanged: 0, resumed: 0 };
    vi.spyOn(TorClient.prototype, "networkChanged").mockImplementation(() => void heard.networkChanged++);
    vi.spyOn(TorClient.prototype, "resumed").mockImplementation(() => void heard.resumed++);
    const [page, document] = [new EventTarget(), new EventTarget()];
    vi.stubGlobal("addEventListener", page.addEventListener.bind(page));
    vi.stubGlobal("removeEventListener", page.removeEventListener.bind(page));
    vi.stubGlobal("document", document);
    onTestFinished(() => {
      vi.unstubAllGlobals();
      vi.restoreAllMocks();
    });
    const tor = createTorClient({ bridges: ["wss://a.example/"], network: NETWORK });
    onTestFinished(() => tor.close());
    page.dispatchEvent(new Event("online"));
    document.dispatchEvent(new Event("visibilitychange"));
    expect(heard).toEqual({ networkChanged: 1, resumed: 1 });
  });

  it("does not where it is told so", async () => {
    expect(new Set(await askedBy({ snapshots: false }))).toEqual(new Set(["/v1/connect"]));
  });

  it("in a worker is told so by the page", async () => {
    const { port1, port2 } = new MessageChannel();
    const made: object[] = [];
    const create = (options: object) => {
      made.push(options);
      return new FakeClient();
    };
    new WorkerHost(create, () => {}).serve(port1);
    const options = { bridges: ["wss://a.example/"], snapshots: false };
    const tor = createWorkerClient({ worker: port2, ...options });
    onTestFinished(() => tor.close());
    await tor.ready();
    expect(made).toEqual([options]);
  });

  it("refuses what is neither true nor false", () => {
    const snapshots = "no" as unknown as boolean;
    expect(() => createTorClient({ bridges: ["wss://a.example/"], snapshots })).toThrow(
      expect.objectContaining({ kind: "bad-api-usage", code: "ALLIUM_E_BAD_OPTIONS" }),
    );
  });
});
