import { describe, expect, it } from "vitest";
import { parseProtocols } from "../../src/directory/documents/protocols.ts";
import { missingRecommended, requireImplemented } from "../../src/directory/protocol-status.ts";

const BEFORE_RELEASE = Date.UTC(2026, 0, 1);

/** One of now, which is after any release. */
const consensus = (required: string, recommended = "", validAfter = Date.now()) => ({
  validAfter,
  requiredClientProtocols: parseProtocols(required),
  recommendedClientProtocols: parseProtocols(recommended),
});

/** Those of the public network in 2026. */
const REQUIRED = "Cons=2 Desc=2 FlowCtrl=1 Link=4 Microdesc=2 Relay=2";
const RECOMMENDED =
  "Cons=2 Desc=2 DirCache=2 FlowCtrl=1-2 HSDir=2 HSIntro=4 HSRend=2 Link=4-5 Microdesc=2 Relay=2-4";

describe("the protocols that the network requires of its clients (tor-spec 9, proposal 297)", () => {
  it("are there, those of 2026 and those of C tor 0.4.9's authorities", () => {
    requireImplemented(consensus(REQUIRED));
    requireImplemented(consensus(""));
  });

  it("stop a client that lacks one, with what it lacks", () => {
    const obsolete = expect.objectContaining({
      kind: "limit",
      code: "ALLIUM_E_OBSOLETE",
      message: expect.stringMatching(/\(Relay=60 Future=1\)/),
    });
    expect(() => requireImplemented(consensus("Cons=2 Relay=2,60 Future=1"))).toThrow(obsolete);
    expect(() => requireImplemented(consensus(`${REQUIRED} Padding=2`))).toThrow();
  });

  it("stop nobody when the consensus is older than this release", () => {
    requireImplemented(consensus("Relay=60", "", BEFORE_RELEASE));
    expect(() => requireImplemented(consensus("Relay=60"))).toThrow();
  });

  it("do not name everything of a hostile list", () => {
    const all = Array.from({ length: 60 }, (_, i) => `p${i}=0-63`).join(" ");
    expect(() => requireImplemented(consensus(all))).toThrow(/^.{0,200}$/);
  });
});

describe("the protocols that the network recommends to its clients", () => {
  it("are all there in 2026, but for those of onion services, which are known to be missing", () => {
    expect(missingRecommended(consensus(REQUIRED, RECOMMENDED))).toEqual([]);
  });

  it("are named when missing, and stop nobody", () => {
    const newer = consensus(REQUIRED, `${RECOMMENDED} Future=1,3`);
    requireImplemented(newer);
    expect(missingRecommended(newer)).toEqual(["Future=1", "Future=3"]);
    expect(missingRecommended(consensus(REQUIRED, "Relay=0-63")).length).toBe(8);
  });

  it("are of no account when the consensus is older than this release", () => {
    expect(missingRecommended(consensus("", "Future=1", BEFORE_RELEASE))).toEqual([]);
  });
});
