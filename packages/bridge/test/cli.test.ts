import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { publicNetwork } from "@allium/core";
import { describe, expect, it } from "vitest";
import { readOptions } from "../src/cli.ts";

const dir = mkdtempSync(join(tmpdir(), "allium-cli-"));

describe("the command line", () => {
  it("listens on loopback for the public network unless told otherwise", () => {
    const options = readOptions([]);
    expect(options.listen).toEqual({ host: "127.0.0.1", port: 8080 });
    expect(options.network).toBe(publicNetwork);
  });

  it("takes an address, an IPv6 address, and port 0", () => {
    expect(readOptions(["--listen", "0.0.0.0:443"]).listen).toEqual({ host: "0.0.0.0", port: 443 });
    expect(readOptions(["--listen", "[::1]:8081"]).listen).toEqual({ host: "::1", port: 8081 });
    expect(readOptions(["--listen", "127.0.0.1:0"]).listen).toEqual({ host: "127.0.0.1", port: 0 });
  });

  it("serves directory documents unless told otherwise", () => {
    expect(readOptions([]).snapshots).toBe(true);
    expect(readOptions(["--no-snapshots"]).snapshots).toBe(false);
  });

  it("reads a network from its file", () => {
    const file = join(dir, "network.json");
    const network = {
      authorities: [{ nickname: "a", v3ident: "AB".repeat(20) }],
      fallbacks: [{ rsaId: "CD".repeat(20), ed25519Id: "A".repeat(43), orPorts: ["127.0.0.1:5001"] }],
    };
    writeFileSync(file, JSON.stringify(network));
    expect(readOptions(["--network", file]).network.fallbacks[0]?.orPorts).toEqual(["127.0.0.1:5001"]);
  });

  it.each([
    [["--listen", "localhost:80"]],
    [["--listen", "127.0.0.1"]],
    [["--listen", "127.0.0.1:70000"]],
    [["--network", join(dir, "missing.json")]],
    [["--nonsense"]],
    [["stray"]],
  ])("refuses %j", (args) => {
    expect(() => readOptions(args)).toThrow();
  });
});
