// What a hop is asked for and what comes of it, with the test relay's answers; and each rule broken once.

import { describe, expect, test } from "vitest";
import { fromHex, toHex } from "../../src/base/encoding.ts";
import {
  CC_REQUEST,
  ccResponse,
  encodeExtensions,
  subprotocolRequest,
} from "../../src/circuit/handshake/extensions.ts";
import { type HopRequest, negotiatedHop, requestMessage } from "../../src/circuit/handshake/negotiation.ts";
import { ntorV3Handshake } from "../../src/circuit/handshake/ntor-v3.ts";
import { answerExtensions, answerNtorV3 } from "../../src/testing/relay/handshakes.ts";
import { scriptedRelay } from "../../src/testing/relay/keys.ts";

const refused = expect.objectContaining({
  kind: "protocol-violation",
  code: "ALLIUM_E_CIRCUIT_HANDSHAKE",
});

const sendmeInc = 31;
const NTOR: HopRequest = { handshake: "ntor", congestionControl: undefined, cgo: false };
const NOTHING: HopRequest = { handshake: "ntor-v3", congestionControl: undefined, cgo: false };
const CC: HopRequest = { handshake: "ntor-v3", congestionControl: { sendmeInc }, cgo: false };
const CC_CGO: HopRequest = { ...CC, cgo: true };

const LEGACY = { congestionControl: undefined, cgo: false };

describe("what is asked", () => {
  test.each([
    ["nothing", NOTHING, "00"],
    ["congestion control", CC, "010100"],
    ["congestion control and Counter Galois Onion", CC_CGO, "02010003020206"],
  ])("%s", (_, request, hex) => {
    expect(toHex(requestMessage(request))).toBe(hex);
  });
});

describe("what comes of it", () => {
  const answer = (inc: number) => encodeExtensions([ccResponse(inc)]);

  test("ntor: windows and tor1", () => {
    expect(negotiatedHop(NTOR, undefined)).toEqual(LEGACY);
  });

  test("nothing asked, nothing answered", () => {
    expect(negotiatedHop(NOTHING, fromHex("00"))).toEqual(LEGACY);
  });

  test.each([30, 31, 32])("congestion control with the relay's sendme_inc, %d", (inc) => {
    const congestionControl = { sendmeInc: inc };
    expect(negotiatedHop(CC, answer(inc))).toEqual({ congestionControl, cgo: false });
    expect(negotiatedHop(CC_CGO, answer(inc))).toEqual({ congestionControl, cgo: true });
  });

  test("a relay may decline congestion control", () => {
    expect(negotiatedHop(CC, fromHex("00"))).toEqual(LEGACY);
  });

  test("unknown extensions are ignored, twice of one type too", () => {
    expect(negotiatedHop(CC, fromHex("040900" + "02011f" + "0901aa" + "0103000000"))).toEqual({
      congestionControl: { sendmeInc },
      cgo: false,
    });
    expect(negotiatedHop(NOTHING, fromHex("01" + "7f020102"))).toEqual(LEGACY);
  });
});

describe("refused", () => {
  const withInc = (consensus: number): HopRequest => ({
    handshake: "ntor-v3",
    congestionControl: { sendmeInc: consensus },
    cgo: false,
  });
  const answer = (inc: number) => encodeExtensions([ccResponse(inc)]);

  test.each([0, 1, 29, 33, 62, 255])("sendme_inc %d where the consensus has 31", (inc) => {
    expect(() => negotiatedHop(CC, answer(inc))).toThrow(refused);
    expect(() => negotiatedHop(CC_CGO, answer(inc))).toThrow(refused);
  });

  test("sendme_inc 0 where it is within one of the consensus's", () => {
    expect(() => negotiatedHop(withInc(1), answer(0))).toThrow(refused);
    expect(negotiatedHop(withInc(1), answer(2)).congestionControl).toEqual({ sendmeInc: 2 });
    expect(negotiatedHop(withInc(254), answer(255)).congestionControl).toEqual({ sendmeInc: 255 });
  });

  test("CC_RESPONSE where congestion control was not asked for", () => {
    expect(() => negotiatedHop(NOTHING, answer(31))).toThrow(refused);
  });

  test("Counter Galois Onion without congestion control: its streams would have no window", () => {
    expect(() => negotiatedHop(CC_CGO, fromHex("00"))).toThrow(refused);
  });

  test.each([
    ["an empty message", ""],
    ["a list that ends too soon", "01"],
    ["an extension that ends too soon", "010201"],
    ["bytes after the list", "0102011f00"],
    ["two of CC_RESPONSE", "0202011f02011f"],
    ["CC_RESPONSE without a body", "010200"],
    ["CC_RESPONSE of two bytes", "0102021f1f"],
  ])("%s", (_, hex) => {
    expect(() => negotiatedHop(CC, fromHex(hex))).toThrow(refused);
  });

  test("a malformed list where nothing was asked for", () => {
    expect(() => negotiatedHop(NOTHING, fromHex(""))).toThrow(refused);
    expect(() => negotiatedHop(NOTHING, fromHex("0000"))).toThrow(refused);
  });

  test("a message in an ntor handshake, and none in an ntor-v3 one", () => {
    expect(() => negotiatedHop(NTOR, fromHex("00"))).toThrow(refused);
    expect(() => negotiatedHop(CC, undefined)).toThrow(refused);
  });
});

describe("with the test relay", () => {
  test.each([
    ["nothing", NOTHING, { sendmeInc: 32 }, LEGACY],
    ["congestion control", CC, { sendmeInc: 32 }, { congestionControl: { sendmeInc: 32 }, cgo: false }],
    ["congestion control, declined", CC, undefined, LEGACY],
    ["both", CC_CGO, { sendmeInc }, { congestionControl: { sendmeInc }, cgo: true }],
  ])("both sides agree: %s", async (_, request, congestionControl, agreed) => {
    const relay = await scriptedRelay();
    const handshake = await ntorV3Handshake(relay, requestMessage(request));
    const { reply } = await answerNtorV3(relay, handshake.clientPart, (asked) => {
      const { message, hop } = answerExtensions(asked, { congestionControl });
      expect(hop).toEqual(agreed);
      return { message, length: 92 };
    });
    const { message } = await handshake.finish(reply, 92);
    expect(negotiatedHop(request, message)).toEqual(agreed);
  });

  test("it refuses what C tor's relays refuse", () => {
    const on = { congestionControl: { sendmeInc } };
    const cgo = subprotocolRequest([["Relay", 6]]);
    expect(() => answerExtensions(requestMessage(CC_CGO), { congestionControl: undefined })).toThrow("CGO");
    expect(() => answerExtensions(encodeExtensions([cgo]), on)).toThrow("CGO");
    const other = subprotocolRequest([
      ["Relay", 6],
      ["Conflux", 1],
    ]);
    expect(() => answerExtensions(encodeExtensions([CC_REQUEST, other]), on)).toThrow("SUBPROTOCOL_REQUEST");
    expect(() => answerExtensions(fromHex("0103020206"), on)).toThrow("CGO");
    expect(() => answerExtensions(fromHex("01"), on)).toThrow(refused);
    expect(answerExtensions(fromHex("02010003" + "00"), on).hop.cgo).toBe(false);
  });
});
