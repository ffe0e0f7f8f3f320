// The public network's documents of 2026-02-22, read from beside the repository where they are present.

import { existsSync, readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { brotliDecompressSync } from "node:zlib";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { toHex } from "../../src/base/encoding.ts";
import { type Consensus, parseConsensus } from "../../src/directory/documents/consensus.ts";
import {
  MicrodescriptorPool,
  microdescriptorDigest,
  parseMicrodescriptor,
  splitMicrodescriptors,
} from "../../src/directory/documents/microdescriptor.ts";
import { missingRecommended, requireImplemented } from "../../src/directory/protocol-status.ts";
import { vector } from "./vectors.ts";

const data = new URL("../../../../../shared/data/", import.meta.url);

function read(name: string): Uint8Array {
  return new Uint8Array(brotliDecompressSync(readFileSync(new URL(`${name}-2026-02-22.br`, data))));
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

describe.skipIf(!existsSync(data))("the public network's consensus", () => {
  let whole: Consensus;
  beforeAll(async () => {
    whole = await parseConsensus(read("consensus-microdesc"));
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it("has its times, parameters, weights and signed part", () => {
    const { validAfter, freshUntil, validUntil, params, bandwidthWeights, digest, signatures } = whole;
    expect([validAfter, freshUntil, validUntil]).toEqual(
      [6, 7, 9].map((hour) => Date.UTC(2026, 1, 22, hour)),
    );
    expect(params.size).toBe(45);
    expect(params.get("cc_alg")).toBe(2);
    expect(params.get("guard-n-primary-guards-to-use")).toBe(2);
    expect(bandwidthWeights.size).toBe(19);
    expect(["Wgg", "Wmg", "Wed", "Wbd"].map((name) => bandwidthWeights.get(name))).toEqual([
      5995, 4005, 7321, 1339,
    ]);
    expect(toHex(digest)).toBe("5267f0b0f784866a501006cc3aed2ece39e77e9d25f64c90d22cdeac48739490");
    expect(signatures.map(({ identity }) => identity.slice(0, 4))).toEqual([
      "0232",
      "23D1",
      "2710",
      "2F3D",
      "4901",
      "7084",
      "E8A9",
      "ED03",
      "F533",
    ]);
    expect(new Set(signatures.map(({ signature }) => signature.length))).toEqual(new Set([256, 384]));
  });

  it("lists all its relays, with flags, addresses, bandwidths and protocols", () => {
    const { routers } = whole;
    expect(routers.length).toBe(9678);
    const flagged = (flag: Consensus["routers"][number]["flags"] extends ReadonlySet<infer F> ? F : never) =>
      routers.filter(({ flags }) => flags.has(flag)).length;
    expect({
      Authority: flagged("Authority"),
      BadExit: flagged("BadExit"),
      Exit: flagged("Exit"),
      Guard: flagged("Guard"),
      HSDir: flagged("HSDir"),
      MiddleOnly: flagged("MiddleOnly"),
      Running: flagged("Running"),
      StaleDesc: flagged("StaleDesc"),
      V2Dir: flagged("V2Dir"),
    }).toEqual({
      Authority: 10,
      BadExit: 97,
      Exit: 2808,
      Guard: 6049,
      HSDir: 4765,
      MiddleOnly: 89,
      Running: 9678,
      StaleDesc: 9,
      V2Dir: 8297,
    });
    expect(sum(routers.map(({ addresses }) => addresses.length))).toBe(9678 + 4903);
    expect(sum(routers.map(({ bandwidth }) => bandwidth))).toBe(216_038_933);
    expect(routers.filter(({ unmeasured }) => unmeasured).length).toBe(41);
    expect(routers.filter(({ protocols }) => protocols.supports("Relay", 6)).length).toBe(4806);
    expect(new Set(routers.map(({ microdescriptor }) => microdescriptor)).size).toBeGreaterThan(9600);
    expect(routers[0]).toMatchObject({
      nickname: "lisdex",
      microdescriptor: "KCiOr801jc1168aqFUYT7ZwnVvWRWn979qOxxmKvSAk",
      addresses: [
        { family: 4, address: Uint8Array.of(152, 53, 144, 50), port: 8443 },
        {
          family: 6,
          address: Uint8Array.of(0x2a, 0x0a, 0x4c, 0xc0, 0, 0xc1, 0x2a, 0xac, 0, 0, 0, 0, 0, 0, 0, 1),
          port: 8443,
        },
      ],
      bandwidth: 110_000,
    });
  });

  it("requires and recommends nothing that is not there or known to be missing", () => {
    const consensus = { ...whole, validAfter: Date.now() };
    requireImplemented(consensus);
    expect(missingRecommended(consensus)).toEqual([]);
    expect(consensus.recommendedClientProtocols.supports("HSIntro", 4)).toBe(true);
  });

  it("gives way every 128 KiB, so that nothing else waits long; a small one does not", async () => {
    const posted = vi.spyOn(MessagePort.prototype, "postMessage");
    await parseConsensus(read("consensus-microdesc"));
    expect(posted.mock.calls.length).toBeGreaterThan(3_475_175 / 140_000);
    posted.mockClear();
    await parseConsensus(vector("mdconsensus1"));
    expect(posted).not.toHaveBeenCalled();
    posted.mockRestore();
  });

  it("takes less than 8 MB once it is read, and keeps nothing of the document", async () => {
    setFlagsFromString("--expose-gc");
    const collect: () => void = runInNewContext("gc");
    const bytes = read("consensus-microdesc");
    await parseConsensus(bytes);
    const used = () => {
      collect();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      return heapUsed + arrayBuffers;
    };
    const before = used();
    const held = await parseConsensus(bytes);
    expect(used() - before).toBeLessThan(8_000_000);
    expect(held.routers.length).toBe(9678);
    for (const { rsaId } of held.routers) expect(rsaId.buffer).not.toBe(bytes.buffer);
  });
});

describe.skipIf(!existsSync(data))("the public network's microdescriptors", () => {
  it("are 450 that the consensus lists by their digests, and all can be read", async () => {
    const { routers } = await parseConsensus(read("consensus-microdesc"));
    const listed = new Set(routers.map(({ microdescriptor }) => microdescriptor));
    const bytes = read("microdescriptors");
    const parts = [...splitMicrodescriptors(bytes)];
    expect(parts.length).toBe(450);
    expect(sum(parts.map(({ length }) => length))).toBe(bytes.length);
    expect(parts.filter((part) => listed.has(microdescriptorDigest(part))).length).toBe(450);
    const pool = new MicrodescriptorPool();
    const parsed = parts.map((part) => parseMicrodescriptor(part, pool));
    for (const { ed25519Id, ntorOnionKey } of parsed)
      expect([ed25519Id?.length, ntorOnionKey.length]).toEqual([32, 32]);
    expect(parsed.filter(({ exitPolicy }) => !exitPolicy.rejectsAll).length).toBe(103 + 29);
    expect(parsed.filter(({ exitPolicyIpv6 }) => !exitPolicyIpv6.rejectsAll).length).toBe(103);
    expect(parsed.filter(({ family }) => family.names.size > 0).length).toBe(274);
  });
});
