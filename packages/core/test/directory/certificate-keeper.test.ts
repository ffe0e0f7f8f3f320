// The certificates at hand: which are forgotten, and when others are asked for.

import { describe, expect, it } from "vitest";
import { fromUtf8, utf8 } from "../../src/base/encoding.ts";
import { CertificateKeeper } from "../../src/directory/certificate-keeper.ts";
import { parseConsensus } from "../../src/directory/documents/consensus.ts";
import { Downloader } from "../../src/directory/download.ts";
import { HOUR, NOW, signedConsensus, type TestAuthority } from "./builder.ts";
import { TestCaches } from "./cache-server.ts";
import { TestClock } from "./manual-clock.ts";
import { authorities, good, never, strangers } from "./setup.ts";

const [a, b, c] = authorities as [TestAuthority, TestAuthority, TestAuthority];
const identities = new Set(authorities.map(({ identity }) => identity.id));

function keeper() {
  const caches = new TestCaches(good);
  const downloader = new Downloader({ connector: caches, clock: new TestClock(NOW) });
  return { caches, certificates: new CertificateKeeper(identities, downloader) };
}

describe("a certificate that has expired", () => {
  it("is forgotten, and the others are kept", () => {
    const { certificates } = keeper();
    const short = a.certificate({ expires: NOW + HOUR });
    const long = b.certificate({ expires: NOW + 3 * HOUR });
    certificates.load(utf8(short + long));
    const live = (now: number) => certificates.live(now).map(fromUtf8);
    expect(live(NOW + HOUR)).toEqual([short, long]);
    expect(live(NOW + 2 * HOUR)).toEqual([long]);
    expect(live(NOW)).toEqual([long]);
  });
});

describe("the certificates for a consensus", () => {
  it.each<[string, readonly TestAuthority[], requests: number]>([
    ["one authority", [a], 0],
    ["one authority, twice", [a, a], 0],
    ["one authority and strangers", [a, ...strangers], 0],
    ["two of three authorities", [a, c], 1],
  ])("that %s signed are asked for only where they could make it believed", async (_, signers, requests) => {
    const { caches, certificates } = keeper();
    const consensus = await parseConsensus(signedConsensus(signers));
    await certificates.fetchNeeded(consensus, NOW, { signal: never, netdir: undefined });
    expect(caches.kinds).toEqual(Array(requests).fill("keys"));
  });

  it("are not waited for where those at hand suffice", async () => {
    const { caches, certificates } = keeper();
    certificates.load(utf8(a.certificate() + b.certificate()));
    const consensus = await parseConsensus(signedConsensus(authorities));
    await certificates.fetchNeeded(consensus, NOW, { signal: never, netdir: undefined });
    expect(caches.asked).toEqual([]);
    certificates.requireSignatures(consensus, NOW);
  });
});
