// Name resolution at the exits of the private network (tor-spec 6.4).

import { describe, expect, inject, it } from "vitest";
import { directClient } from "./helpers.ts";

const { http, names } = inject("info");

describe("resolve()", () => {
  it("gives the addresses of a name, through a circuit that streams of the same view share", async () => {
    const tor = directClient();
    const answers = await tor.resolve(http.hostname);
    expect(answers).toEqual([{ address: http.address, ttl: expect.any(Number) }]);
    expect(answers[0]?.ttl).toBeGreaterThan(0);
    const general = () => tor.circuits().filter(({ purpose }) => purpose === "general").length;
    const before = general();
    expect((await tor.fetch(http.namedUrl)).status).toBe(200);
    expect(general()).toBe(before);
    expect(await tor.isolate("other").resolve(http.hostname)).toEqual(answers);
    expect(general()).toBeGreaterThan(before);
  });

  it("says that a name does not exist", async () => {
    const tor = directClient();
    await expect(tor.resolve(names.missing)).rejects.toMatchObject({ kind: "remote-host-not-found" });
    expect(await tor.resolve(http.hostname)).toHaveLength(1);
  });

  it("answers for an IP literal itself, and asks nobody about onions", async () => {
    const tor = directClient();
    expect(await tor.resolve(http.address)).toEqual([{ address: http.address, ttl: 0 }]);
    await expect(tor.resolve(`${"a".repeat(56)}.onion`)).rejects.toMatchObject({ kind: "bad-api-usage" });
    expect(tor.circuits()).toEqual([]);
  });

  it("stops when it is aborted, and the circuit goes on", async () => {
    const tor = directClient();
    await tor.ready();
    const controller = new AbortController();
    const silent = tor.resolve(names.silent, { signal: controller.signal });
    setTimeout(() => controller.abort(), 20);
    await expect(silent).rejects.toMatchObject({ kind: "aborted" });
    expect(await tor.resolve(http.hostname)).toHaveLength(1);
  });
});
