// The client on the private network: what it verifies and keeps, which circuits it makes, what it says when things fail.

import { isTorError, memoryStore } from "@allium/core";
import { describe, expect, inject, it } from "vitest";
import { directClient } from "./helpers.ts";

const { http, names, nodes, exits, guards } = inject("info");

function general(tor: ReturnType<typeof directClient>) {
  return tor.circuits().filter(({ purpose, state }) => purpose === "general" && state === "open");
}

async function errorOf(operation: Promise<unknown>): Promise<{ kind: string; code: string }> {
  try {
    await operation;
  } catch (error) {
    if (isTorError(error)) return { kind: error.kind, code: error.code };
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("the client", () => {
  it("goes through a guard, a middle and an exit of the network, all different", async () => {
    const tor = directClient();
    expect((await tor.fetch(http.url)).status).toBe(200);
    const [circuit] = general(tor);
    const hops = circuit?.hops.map(({ nickname }) => nickname) ?? [];
    expect(hops).toHaveLength(3);
    expect(new Set(hops).size).toBe(3);
    expect(guards).toContain(hops[0]);
    expect(exits).toContain(hops[2]);
    expect(nodes.map(({ nickname }) => nickname)).toEqual(expect.arrayContaining(hops));
  });

  it("tells the site nothing of itself in the request", async () => {
    const tor = directClient();
    const seen = (await (await tor.fetch(`${http.url}headers`)).json()) as { headers: object };
    expect(Object.keys(seen.headers).sort()).toEqual(["accept", "accept-encoding", "connection", "host"]);
  });

  it("resolves names at the exit", async () => {
    const tor = directClient();
    expect((await tor.fetch(http.namedUrl)).status).toBe(200);
  });

  it("keeps guard and consensus over a restart, and asks no directory then", async () => {
    const store = memoryStore();
    const first = directClient(store);
    await first.fetch(http.url);
    const guard = general(first)[0]?.hops[0]?.nickname;
    await first.close();
    const second = directClient(store);
    const phases = new Set<string>();
    second.addEventListener("status", () => phases.add(second.status.phase));
    await second.fetch(http.url);
    expect(general(second)[0]?.hops[0]?.nickname).toBe(guard);
    expect(phases).not.toContain("certificates");
    expect(phases).not.toContain("microdescriptors");
  });

  it("gives isolation keys circuits of their own, and shares one within a key", async () => {
    const tor = directClient();
    await tor.fetch(http.url, { isolation: "a" });
    await tor.fetch(http.url, { isolation: "a" });
    await tor.isolate("b").fetch(http.url);
    expect(general(tor).length).toBeGreaterThanOrEqual(2);
    const before = new Set(general(tor).map(({ id }) => id));
    await tor.isolate("b").fetch(http.url);
    expect(general(tor).filter(({ id }) => !before.has(id))).toEqual([]);
  });

  it("uses no circuit of before after newIdentity()", async () => {
    const tor = directClient();
    await tor.fetch(http.url);
    const before = new Set(general(tor).map(({ id }) => id));
    tor.newIdentity();
    await tor.fetch(http.url);
    expect(general(tor).some(({ id }) => !before.has(id))).toBe(true);
  });

  it("says why a destination cannot be reached", async () => {
    const tor = directClient();
    // C tor's exits often lose the cause of a connection refused after it was begun, and say MISC.
    const refused = await errorOf(tor.fetch("http://127.0.0.1:2/"));
    expect(["ALLIUM_E_STREAM_CONNECTREFUSED", "ALLIUM_E_STREAM_MISC"]).toContain(refused.code);
    expect((await errorOf(tor.fetch(`http://${names.missing}/`))).kind).toBe("remote-host-not-found");
    expect((await errorOf(tor.fetch("http://abcdefghijklmnop.onion/"))).kind).not.toBe("internal");
    expect(
      (await errorOf(tor.fetch(`${http.url}cut`).then((response) => response.text()))).kind,
    ).toBeTruthy();
  });

  it("stops at once when it is aborted, at any stage", async () => {
    const tor = directClient();
    await expect(tor.fetch(http.url, { signal: AbortSignal.abort() })).rejects.toThrow();
    await tor.ready();
    const abort = new AbortController();
    const slow = tor.fetch(`${http.url}slow?ms=60000`, { signal: abort.signal });
    setTimeout(() => abort.abort(), 20);
    await expect(slow).rejects.toThrow();
    expect((await tor.fetch(http.url)).status).toBe(200);
  });

  it("leaves nothing behind when it is closed", async () => {
    const tor = directClient();
    await tor.fetch(http.url);
    await tor.close();
    expect(tor.circuits()).toEqual([]);
    expect((await errorOf(tor.fetch(http.url))).code).toBe("ALLIUM_E_CLOSED");
  });
});
