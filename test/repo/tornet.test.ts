// What the private network's configuration says, without a network.

import { describe, expect, it } from "vitest";
import { withoutCgo } from "../tornet/binary.ts";
import { layoutOf } from "../tornet/layout.ts";
import { hasParams, OWN_PARAMS, paramsLine } from "../tornet/params.ts";
import { OWN_VOTING, type TorrcContext, torrc } from "../tornet/torrc.ts";

const layout = layoutOf(0);

function contextOf(over: Partial<TorrcContext>): TorrcContext {
  return {
    layout,
    keys: new Map(
      layout.nodes.map(({ nickname }) => [nickname, { rsaId: "A", ed25519Id: "B", v3ident: "C" }]),
    ),
    scheduler: "KIST",
    dataDirectory: "/d",
    resolvConf: "/r",
    bandwidthFile: "/b",
    ownerPid: 1,
    timing: { startedAt: 0, isBusy: false },
    consensusParams: OWN_PARAMS,
    voting: OWN_VOTING,
    everyRelayIsGuard: false,
    isBehindProxy: false,
    ...over,
  };
}

function torrcOf(nickname: string, over: Partial<TorrcContext> = {}): string[] {
  const node = layout.nodes.find((candidate) => candidate.nickname === nickname);
  if (node === undefined) throw new Error(`no ${nickname}`);
  return torrc(node, contextOf(over)).split("\n");
}

describe("a node's torrc", () => {
  it("has the authorities vote the parameters, sorted by name", () => {
    expect(paramsLine({ cfx_enabled: 0, cc_alg: 2 })).toBe("cc_alg=2 cfx_enabled=0");
    const consensusParams = { ...OWN_PARAMS, cc_alg: 0 };
    expect(torrcOf("auth1", { consensusParams })).toContain(
      "ConsensusParams cc_alg=0 cfx_enabled=1 circwindow=1000 publish-family-list=1 use-family-ids=1",
    );
  });

  it("has the authorities vote as often, and make guards of whom, they are told", () => {
    expect(torrcOf("auth1")).toEqual(
      expect.arrayContaining(["V3AuthVotingInterval 60", "TestingDirAuthVoteGuard A,A,A,A"]),
    );
    const lines = torrcOf("auth1", { voting: { interval: 10, validFor: 2 }, everyRelayIsGuard: true });
    expect(lines).toEqual(expect.arrayContaining(["V3AuthVotingInterval 10", "V3AuthNIntervalsValid 2"]));
    expect(lines).toContain("TestingDirAuthVoteGuard *");
  });

  it("starts the votes at an offset that tor takes, on a busy machine too", () => {
    const timing = { startedAt: 14_000, isBusy: true };
    const lines = torrcOf("auth1", { voting: { interval: 10, validFor: 2 }, timing });
    expect(lines).toContain("TestingV3AuthInitialVotingInterval 10");
    expect(lines).toContain("TestingV3AuthVotingStartOffset 4");
  });

  it("leaves a relay's ORPort to the slow path's proxy, and none else", () => {
    expect(torrcOf("guard1")).toContain("ORPort 127.19.0.1:9001 IPv4Only");
    const behind = torrcOf("guard1", { isBehindProxy: true });
    expect(behind.filter((line) => line.startsWith("ORPort"))).toEqual([
      "ORPort 127.19.0.1:9001 NoListen IPv4Only",
      "ORPort 127.19.0.1:9002 NoAdvertise IPv4Only",
    ]);
  });

  it("leaves conflux to tor unless it is told of it", () => {
    const conflux = (over: Partial<TorrcContext>) =>
      torrcOf("client", over).filter((line) => line.startsWith("Conflux"));
    expect(conflux({})).toEqual([]);
    expect(conflux({ conflux: false })).toEqual(["ConfluxEnabled 0"]);
    expect(conflux({ conflux: true })).toEqual(["ConfluxEnabled 1"]);
  });
});

it("knows a consensus that has the parameters among others", () => {
  const consensus =
    "valid-after x\r\nparams AuthDirMaxServersPerAddr=0 cc_alg=20 cfx_enabled=1\r\nother cc_alg=2\r\n";
  expect(hasParams(consensus, { cfx_enabled: 1, cc_alg: 20 })).toBe(true);
  expect(hasParams(consensus, { cc_alg: 2 })).toBe(false);
  expect(hasParams("", { cc_alg: 2 })).toBe(false);
});

describe("a tor that does not announce CGO", () => {
  const line = "Microdesc=1-3 Padding=2 Relay=2-6\0";

  it("differs in one byte", () => {
    const program = Buffer.from(`code\0${line}Relay=2-6\0more`, "latin1");
    const changed = withoutCgo(program);
    expect(changed.toString("latin1")).toBe(`code\0${line.replace("2-6", "2-4")}Relay=2-6\0more`);
    expect(program.toString("latin1")).toContain(line);
  });

  it("is not made from one whose list is another, or of which there are two", () => {
    expect(() => withoutCgo(Buffer.from("Padding=2 Relay=2-7\0"))).toThrow("list of protocols");
    expect(() => withoutCgo(Buffer.from(line + line))).toThrow("list of protocols");
  });
});
