import { describe, expect, it } from "vitest";
import { concat } from "../../src/base/bytes.ts";
import { toHex } from "../../src/base/encoding.ts";
import { isTorError } from "../../src/base/errors.ts";
import type { ChannelTarget } from "../../src/link/api.ts";
import { type LinkHandshake, shakeHands } from "../../src/link/handshake.ts";
import { encodeNetinfo, estimateClockSkew, parseNetinfo } from "../../src/link/netinfo.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { type PipeEnd, pipePair } from "../tls/pipes.ts";
import { NOW, RelayKeys } from "./relay-certs.ts";
import {
  authChallengeCell,
  fixedCell,
  honestFlight,
  netinfoCell,
  paddingCell,
  ScriptedRelay,
  targetOf,
  variableCell,
  versionsCell,
} from "./scripted-relay.ts";
import * as recorded from "./vectors.ts";
import { hex } from "./vectors.ts";

const DAY = 24 * 3600_000;
const keys = new RelayKeys();
const target = targetOf(keys);
const certsCell = variableCell(0, 129, keys.certs());
const violation = (rule: string) =>
  expect.objectContaining({ kind: "protocol-violation", code: `ALLIUM_E_LINK_${rule}` });

interface Options {
  readonly clock?: ManualClock;
  readonly target?: ChannelTarget;
  readonly leaf?: Uint8Array;
  /** Bytes of a chunk. */
  readonly size?: number;
}

/** Runs our side against a relay that sends these bytes whatever it gets, and then ends its side. */
async function shake(
  cells: readonly Uint8Array[],
  options: Options = {},
): Promise<LinkHandshake & { pipe: PipeEnd }> {
  const [ours, theirs] = pipePair();
  const bytes = concat(...cells);
  const size = options.size ?? bytes.length;
  for (let at = 0; at < bytes.length; at += size) await theirs.write(bytes.slice(at, at + size));
  theirs.endWrites();
  const clock = options.clock ?? new ManualClock(NOW);
  const handshake = await shakeHands(ours, options.leaf ?? keys.leaf, options.target ?? target, clock);
  return { ...handshake, pipe: theirs };
}

describe("an honest relay", () => {
  it("gets VERSIONS with 4 and 5, then NETINFO without time and own address", async () => {
    const { pipe, linkProtocol } = await shake(honestFlight(keys));
    expect(linkProtocol).toBe(5);
    const relay = new ScriptedRelay(pipe);
    expect(toHex(await relay.readVersions())).toBe("000007000400040005");
    const netinfo = await relay.readCell();
    expect(netinfo.circuitId).toBe(0);
    expect(netinfo.command).toBe(8);
    expect(netinfo.body).toEqual(concat(hex("00000000 04 04 c0000207 00"), new Uint8Array(498)));
    expect(pipe.unread).toBe(0);
  });

  it("is believed with recorded cells", async () => {
    const clock = new ManualClock(recorded.recordedTime);
    const identity = { rsaId: recorded.recordedRsaId, ed25519Id: recorded.recordedEd25519Id };
    const cells = [
      hex("0000 07 0006 0003 0004 0005"),
      variableCell(0, 129, recorded.recordedCertsCell),
      variableCell(
        0,
        130,
        hex("00DA5C085DEE4F3656710DA3B73652E48ACD5BAE608335FCA3FB6C4DEE104A51 0002 0001 0003"),
      ),
      fixedCell(0, 8, hex("5F6F80E1 04 04 7F000001 01 04 04 7F000001")),
    ];
    const leaf = recorded.recordedCerts[1];
    const handshake = await shake(cells, { clock, leaf, target: { ...target, ...identity } });
    expect(handshake.linkProtocol).toBe(5);
    expect(handshake.clockSkew).toBe((0x5f6f80e1 + 1) * 1000 - recorded.recordedTime);
  });

  it.each([1, 7, 513, 1000])("may send in chunks of %i bytes", async (size) => {
    await shake(honestFlight(keys), { size });
  });

  it("may pad at any time", async () => {
    const [versions, ...others] = honestFlight(keys) as [Uint8Array, ...Uint8Array[]];
    const cells = [hex("0000 80 0003 ffffff"), versions, ...others.flatMap((cell) => [paddingCell, cell])];
    await shake(cells);
  });

  it("may send bytes behind the end of CERTS, AUTH_CHALLENGE and NETINFO", async () => {
    const certs = variableCell(0, 129, concat(keys.certs(), hex("010203")));
    const challenge = variableCell(0, 130, concat(authChallengeCell.slice(7), hex("010203")));
    await shake(honestFlight(keys, { certs, challenge }));
  });

  it("may send more VERSIONS, which are ignored", async () => {
    const [versions, ...others] = honestFlight(keys) as [Uint8Array, ...Uint8Array[]];
    const later = variableCell(0, 7, hex("0004"));
    const { linkProtocol } = await shake([versions, ...others.flatMap((cell) => [later, cell])]);
    expect(linkProtocol).toBe(5);
  });

  it("has its next cells kept for the channel", async () => {
    const { decoder } = await shake([...honestFlight(keys), fixedCell(0x80000001, 3)]);
    decoder.check = () => {};
    expect(decoder.next()).toBe(true);
    expect(decoder).toMatchObject({ circuitId: 0x80000001, command: 3 });
    expect(decoder.body()).toEqual(new Uint8Array(509));
    expect(decoder.next()).toBe(false);
  });
});

describe("VERSIONS", () => {
  it.each([
    [[4], 4],
    [[3, 4], 4],
    [[5, 4, 3, 9], 5],
    [[6, 5], 5],
  ])("%j leads to link protocol %i", async (versions, expected) => {
    const { linkProtocol } = await shake(honestFlight(keys, { versions: versionsCell(...versions) }));
    expect(linkProtocol).toBe(expected);
  });

  it.each([[[]], [[1, 2, 3]], [[6, 1029]]])("%j has none in common with ours", async (versions) => {
    const cells = honestFlight(keys, { versions: versionsCell(...versions) });
    await expect(shake(cells)).rejects.toThrow(violation("NO_COMMON_VERSION"));
  });

  it("of an odd length is refused", async () => {
    await expect(shake([hex("0000 07 0005 0004 0005 00")])).rejects.toThrow(violation("VERSIONS"));
  });
});

describe("what comes out of order", () => {
  const [versions, certs, challenge, netinfo] = honestFlight(keys) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const cases: [name: string, cells: Uint8Array[]][] = [
    ["CERTS is missing", [versions, challenge, netinfo]],
    ["CERTS and AUTH_CHALLENGE are missing", [versions, netinfo]],
    ["AUTH_CHALLENGE is missing", [versions, certs, netinfo]],
    ["AUTH_CHALLENGE comes before CERTS", [versions, challenge, certs, netinfo]],
    ["CERTS comes twice", [versions, certs, certs, challenge, netinfo]],
    ["AUTH_CHALLENGE comes twice", [versions, certs, challenge, challenge, netinfo]],
    ["CERTS comes again before NETINFO", [versions, certs, challenge, certs, netinfo]],
    ["PADDING comes between", [versions, certs, fixedCell(0, 0), challenge, netinfo]],
    ["an unknown fixed cell comes between", [versions, fixedCell(0, 99), certs]],
    ["an unknown variable cell comes between", [versions, variableCell(0, 200, hex("01")), certs]],
    ["AUTHENTICATE comes", [versions, variableCell(0, 131, hex("01")), certs]],
    ["a CREATE cell comes", [versions, fixedCell(0, 1)]],
    ["a RELAY cell comes", [versions, certs, challenge, fixedCell(0, 3), netinfo]],
    ["DESTROY comes", [versions, certs, fixedCell(0, 4), challenge, netinfo]],
    ["something that is not Tor's comes first", [hex("485454502f2f")]],
    ["NETINFO comes first", [hex("0000 08"), new Uint8Array(509)]],
  ];
  it.each(cases)("closes the link: %s", async (_name, cells) => {
    await expect(shake(cells)).rejects.toThrow(violation("ORDER"));
  });

  it("closes the link before its body is there", async () => {
    await expect(shake([versions, hex("00000000 03")])).rejects.toThrow(violation("ORDER"));
    await expect(shake([versions, hex("00000000 c8 ffff")])).rejects.toThrow(violation("ORDER"));
  });

  it.each([0, 1, 2, 3])("closes the link when cell %i is for a circuit", async (index) => {
    const cells = honestFlight(keys).map((cell) => cell.slice());
    (cells[index] as Uint8Array)[1] = 1;
    await expect(shake(cells)).rejects.toThrow(violation("CIRCUIT_ID"));
  });

  it("closes the link when padding is for a circuit", async () => {
    const cells = [versions, variableCell(1, 128, hex("00")), certs];
    await expect(shake(cells)).rejects.toThrow(violation("CIRCUIT_ID"));
  });
});

describe("what has the wrong form", () => {
  const closed = expect.objectContaining({ kind: "circuit-collapse", code: "ALLIUM_E_LINK_CLOSED" });

  it.each([
    ["a challenge that is too short", variableCell(0, 130, new Uint8Array(33))],
    ["a challenge whose methods are cut", variableCell(0, 130, concat(new Uint8Array(32), hex("0002 0001")))],
  ])("is refused: %s", async (_name, challenge) => {
    await expect(shake(honestFlight(keys, { challenge }))).rejects.toThrow(violation("AUTH_CHALLENGE"));
  });

  it("is refused: a NETINFO whose addresses go on behind its end", async () => {
    const body = concat(hex("00000000 04 04 7f000001 02"), new Uint8Array(498).fill(255));
    const netinfo = fixedCell(0, 8, body);
    await expect(shake(honestFlight(keys, { netinfo }))).rejects.toThrow(violation("NETINFO"));
  });

  it("is refused: CERTS that are too long, before they are there", async () => {
    const cells = [versionsCell(4, 5), hex("00000000 81 4001")];
    await expect(shake(cells)).rejects.toThrow(violation("CELL_LENGTH"));
  });

  it("is refused: padding without end", async () => {
    const padding = variableCell(0, 128, new Uint8Array(60_000));
    const cells = [versionsCell(4, 5), certsCell, padding, padding, padding];
    await expect(shake(cells, { size: 16_384 })).rejects.toThrow(violation("HANDSHAKE_LENGTH"));
  });

  it.each([0, 1, 2, 3])("is refused: an end after %i cells", async (count) => {
    await expect(shake(honestFlight(keys).slice(0, count))).rejects.toThrow(closed);
    const cut = concat(...honestFlight(keys).slice(0, count + 1)).slice(0, -1);
    await expect(shake([cut])).rejects.toThrow(closed);
  });
});

it("ends with a whole handshake or a typed error whatever byte of the flight is changed", async () => {
  const flight = concat(...honestFlight(keys));
  let refused = 0;
  for (let at = 0; at < flight.length; at += 11) {
    const changed = flight.slice();
    changed[at] = (changed[at] as number) ^ 0x41;
    await shake([changed]).catch((error: unknown) => {
      expect(isTorError(error)).toBe(true);
      expect(error).not.toMatchObject({ kind: "internal" });
      refused++;
    });
  }
  expect(refused).toBeGreaterThan(50);
});

describe("before the relay is believed", () => {
  it.each([
    [
      "its certificates are bad",
      { certs: variableCell(0, 129, keys.certs({ 5: keys.linkCert({ keyType: 1 }) })) },
    ],
    ["NETINFO has not come", { netinfo: new Uint8Array(0) }],
    [
      "its certificates have expired",
      { certs: variableCell(0, 129, keys.certs({ 7: keys.crossCert(NOW - DAY) })) },
    ],
  ])("it gets nothing but VERSIONS: %s", async (_name, replaced) => {
    const [ours, theirs] = pipePair();
    await theirs.write(concat(...honestFlight(keys, replaced)));
    theirs.endWrites();
    await expect(shakeHands(ours, keys.leaf, target, new ManualClock(NOW))).rejects.toThrow();
    expect(theirs.closedWith).toBeUndefined();
    expect(toHex(await new ScriptedRelay(theirs).readVersions())).toBe("000007000400040005");
    ours.close();
    expect(await theirs.read()).toBeUndefined();
  });
});

describe("clocks", () => {
  const skewOf = async (netinfo: Uint8Array, clock: ManualClock) =>
    (await shake(honestFlight(keys, { netinfo }), { clock })).clockSkew;

  it("that agree to the second have no skew", async () => {
    expect(await skewOf(netinfoCell(NOW), new ManualClock(NOW))).toBe(0);
    expect(await skewOf(netinfoCell(NOW), new ManualClock(NOW + 999))).toBe(0);
    expect(await skewOf(netinfoCell(0), new ManualClock(NOW))).toBe(0);
  });

  it("that differ have what is certain of it", async () => {
    expect(await skewOf(netinfoCell(NOW + 3600_000), new ManualClock(NOW))).toBe(3600_000);
    expect(await skewOf(netinfoCell(NOW - 3600_000), new ManualClock(NOW))).toBe(-3599_000);
  });

  it("are compared over the time that the handshake took, even when ours is set meanwhile", async () => {
    const [ours, theirs] = pipePair();
    const clock = new ManualClock(NOW);
    const [versions, ...others] = honestFlight(keys, { netinfo: netinfoCell(NOW + 4000) });
    await theirs.write(versions as Uint8Array);
    const handshake = shakeHands(ours, keys.leaf, target, clock);
    await new ScriptedRelay(theirs).readVersions();
    clock.advance(10_000);
    clock.set(NOW + 8000);
    await theirs.write(concat(...others));
    expect((await handshake).clockSkew).toBe(0);
  });

  it("bound the estimate by when we sent and received", () => {
    expect(estimateClockSkew(20_000, 10_000, 15_000)).toBe(5000);
    expect(estimateClockSkew(12_000, 10_000, 15_000)).toBe(0);
    expect(estimateClockSkew(5000, 10_000, 15_000)).toBe(-4000);
    expect(estimateClockSkew(undefined, 10_000, 15_000)).toBe(0);
  });

  it("explain certificates that hold for the relay and not for us", async () => {
    const skewed = expect.objectContaining({ kind: "clock-skew", code: "ALLIUM_E_CLOCK_SKEW" });
    for (const now of [NOW + 100 * DAY, NOW - 200 * DAY]) {
      await expect(shake(honestFlight(keys), { clock: new ManualClock(now) })).rejects.toThrow(skewed);
    }
  });

  it("do not explain certificates that have expired by the relay's clock too", async () => {
    const late = NOW + 100 * DAY;
    const cells = honestFlight(keys, { netinfo: netinfoCell(late) });
    const expired = expect.objectContaining({ code: "ALLIUM_E_CERT_SIGNING_EXPIRED" });
    await expect(shake(cells, { clock: new ManualClock(late) })).rejects.toThrow(expired);
  });

  it("do not hide that the relay is another", async () => {
    const other = { ...target, rsaId: new Uint8Array(20) };
    const clock = new ManualClock(NOW + 100 * DAY);
    const mismatch = expect.objectContaining({ kind: "relay-identity-mismatch" });
    await expect(shake(honestFlight(keys), { clock, target: other })).rejects.toThrow(mismatch);
  });
});

describe("NETINFO", () => {
  it("is read as recorded, addresses of a wrong length and type included", () => {
    const read = (text: string) => parseNetinfo(concat(hex(text), new Uint8Array(400)));
    expect(read("5F6F80E1 04 04 7F000001 01 04 04 7F000001")).toBe(0x5f6f80e1 * 1000);
    expect(
      read(`5F6F859C 06 09 000000000000000000 03 04 06 7F0000010000 BB 02 FFFF
        06 10 00000000000000000000000000000001`),
    ).toBe(0x5f6f859c * 1000);
    expect(read("00000000 04 04 00000000 00")).toBeUndefined();
  });

  it("tells the address that was asked for, of either family", () => {
    const address = hex("20010db8000000000000000000000001");
    expect(toHex(encodeNetinfo({ family: 6, address, port: 9001 }))).toBe(`000000000610${toHex(address)}00`);
    expect(toHex(encodeNetinfo({ family: 4, address: hex("7f000001"), port: 9001 }))).toBe(
      "0000000004047f00000100",
    );
  });
});
