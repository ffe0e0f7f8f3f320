// How a page says whom to trust: the address of `roots.bin`, in this thread and in a worker's.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { createWorkerClient } from "../src/remote/index.ts";
import { trustOf } from "../src/trust.ts";

async function serving(status: number, bytes: string): Promise<string> {
  const server = createServer((_, response) => response.writeHead(status).end(bytes)).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/roots.bin`;
}

describe("trustOf", () => {
  it("fetches the roots from the address given, when they are asked for", async () => {
    const { roots, extraAnchors } = trustOf({ roots: await serving(200, "roots"), extraAnchors: ["pem"] });
    expect(new TextDecoder().decode(await roots?.())).toBe("roots");
    expect(extraAnchors).toEqual(["pem"]);
  });

  it("takes an address as the page means it", async () => {
    const url = await serving(200, "roots");
    vi.stubGlobal("location", { href: url.replace("roots.bin", "some/page.html") });
    onTestFinished(() => void vi.unstubAllGlobals());
    expect((await trustOf({ roots: "../roots.bin" }).roots?.())?.length).toBe(5);
    expect((await trustOf({}).roots?.())?.length).toBe(5);
  });

  it("fails where the server has none, and keeps what brings them by itself", async () => {
    await expect(trustOf({ roots: await serving(404, "no") }).roots?.()).rejects.toThrow("404");
    const roots = async () => new Uint8Array(1);
    expect(trustOf({ roots }).roots).toBe(roots);
  });

  it("has no roots by itself where there is no origin to ask", () => {
    for (const href of [undefined, "blob:https://a.example/uuid"]) {
      vi.stubGlobal("location", href && { href });
      expect(trustOf({ pins: {} })).toEqual({ pins: {} });
    }
    vi.unstubAllGlobals();
  });

  it("refuses at once what is no address", () => {
    expect(() => trustOf({ roots: "http://[" })).toThrow(
      expect.objectContaining({ kind: "bad-api-usage", code: "ALLIUM_E_BAD_OPTIONS" }),
    );
  });
});

describe("a client in a worker", () => {
  it("is sent the address in full, and nothing that cannot be sent", () => {
    const posted: { options?: string }[] = [];
    const port = Object.assign(new EventTarget(), {
      postMessage: (message: { options?: string }) => void posted.push(message),
    });
    const make = (tls: object) =>
      createWorkerClient({
        worker: port as unknown as Worker,
        bridges: ["wss://a.example/"],
        persist: false,
        tls,
      });
    vi.stubGlobal("location", { href: "https://page.example/app/" });
    onTestFinished(() => void vi.unstubAllGlobals());
    make({ roots: "roots.bin", pins: { "a.example": ["x"] } });
    expect(JSON.parse(posted[0]?.options ?? "").tls).toEqual({
      ...{ roots: "https://page.example/app/roots.bin", pins: { "a.example": ["x"] } },
    });
    for (const tls of [{ roots: async () => new Uint8Array() }, { extraAnchors: [new Uint8Array(3)] }])
      expect(() => make(tls)).toThrow(expect.objectContaining({ code: "ALLIUM_E_BAD_OPTIONS" }));
  });
});
