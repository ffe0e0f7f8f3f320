// Circuit extensions on the wire: arti's vectors for SUBPROTOCOL_REQUEST (tor-cell, relaycell/extend.rs), properties of the
// list, and everything that must not be read.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromHex, toHex } from "../../src/base/encoding.ts";
import {
  CC_REQUEST,
  ccResponse,
  decodeCcResponse,
  decodeExtensions,
  decodeSubprotocolRequest,
  encodeExtensions,
  findExtension,
  RequestExtension,
  type Subprotocol,
  subprotocolRequest,
} from "../../src/circuit/handshake/extensions.ts";

const refused = expect.objectContaining({
  kind: "protocol-violation",
  code: "ALLIUM_E_CIRCUIT_HANDSHAKE",
});

const extension = fc.record({ type: fc.nat(255), body: fc.uint8Array({ maxLength: 255 }) });
const extensions = fc.uniqueArray(extension, { selector: ({ type }) => type, maxLength: 12 });

describe("the list", () => {
  test.each([
    ["nothing", [], "00"],
    ["CC_REQUEST", [CC_REQUEST], "010100"],
    ["CC_REQUEST and Relay=6", [CC_REQUEST, subprotocolRequest([["Relay", 6]])], "02010003020206"],
    ["CC_RESPONSE", [ccResponse(31)], "0102011f"],
  ])("%s", (_, list, hex) => {
    expect(toHex(encodeExtensions(list))).toBe(hex);
    expect(decodeExtensions(fromHex(hex))).toEqual(list);
  });

  test("is written in ascending order and read as it was written", () => {
    fc.assert(
      fc.property(extensions, (list) => {
        const read = decodeExtensions(encodeExtensions(list));
        expect(read).toEqual([...list].sort((a, b) => a.type - b.type));
        for (const { type, body } of list) expect(findExtension(read, type)).toEqual(body);
      }),
    );
  });

  test("holds 255 entries, and no more", () => {
    const all = Array.from({ length: 256 }, (_, type) => ({ type, body: new Uint8Array(0) }));
    expect(decodeExtensions(encodeExtensions(all.slice(1))).length).toBe(255);
    expect(() => encodeExtensions(all)).toThrow(RangeError);
  });

  test("is never written with one type twice, or a body that its length cannot tell", () => {
    expect(() => encodeExtensions([CC_REQUEST, CC_REQUEST])).toThrow(RangeError);
    expect(() => encodeExtensions([{ type: 9, body: new Uint8Array(256) }])).toThrow(RangeError);
  });

  test("is read in any order", () => {
    expect(decodeExtensions(fromHex("02030202060100")).map(({ type }) => type)).toEqual([3, 1]);
  });

  test("cut anywhere is refused", () => {
    fc.assert(
      fc.property(extensions, fc.nat(), (list, at) => {
        const message = encodeExtensions(list);
        expect(() => decodeExtensions(message.subarray(0, at % message.length))).toThrow(refused);
      }),
    );
  });

  test("with bytes after its end is refused", () => {
    fc.assert(
      fc.property(extensions, fc.uint8Array({ minLength: 1, maxLength: 9 }), (list, more) => {
        const message = Uint8Array.from([...encodeExtensions(list), ...more]);
        expect(() => decodeExtensions(message)).toThrow(refused);
      }),
    );
  });

  test("anything at all is either read to its last byte or refused", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (message) => {
        try {
          const read = decodeExtensions(message);
          expect(message[0]).toBe(read.length);
          const bytes = read.reduce((sum, { body }) => sum + 2 + body.length, 1);
          expect(bytes).toBe(message.length);
        } catch (error) {
          expect(error).toEqual(refused);
        }
      }),
    );
  });
});

describe("one extension of the list", () => {
  test("that is not there", () => {
    expect(findExtension(decodeExtensions(fromHex("00")), 2)).toBeUndefined();
  });

  test("that is there twice is refused, even where both say the same", () => {
    const twice = decodeExtensions(fromHex("0202011f02011f"));
    expect(() => findExtension(twice, 2)).toThrow(refused);
    expect(findExtension(twice, 3)).toBeUndefined();
  });
});

describe("SUBPROTOCOL_REQUEST", () => {
  test.each<[Subprotocol[], string]>([
    [[["Relay", 6]], "0206"],
    // arti: sorted, without duplicates
    [
      [
        ["Relay", 4],
        ["Relay", 4],
        ["Link", 4],
      ],
      "00040204",
    ],
    [
      [
        ["Relay", 6],
        ["Relay", 5],
        ["Conflux", 1],
        ["FlowCtrl", 2],
      ],
      "020502060b020c01",
    ],
    [[], ""],
  ])("%j", (wanted, hex) => {
    const { type, body } = subprotocolRequest(wanted);
    expect(type).toBe(RequestExtension.SUBPROTOCOL_REQUEST);
    expect(toHex(body)).toBe(hex);
  });

  test("every protocol has its number", () => {
    const names = [
      ["Link", "LinkAuth", "Relay", "DirCache", "HSDir", "HSIntro", "HSRend"],
      ["Desc", "Microdesc", "Cons", "Padding", "FlowCtrl", "Conflux"],
    ].flat() as Subprotocol[0][];
    const { body } = subprotocolRequest(names.map((name) => [name, 1]));
    expect(decodeSubprotocolRequest(body)).toEqual(names.map((_, id) => ({ id, version: 1 })));
  });

  test("a version that one byte cannot hold is never written", () => {
    expect(() => subprotocolRequest([["Relay", 256]])).toThrow(RangeError);
    expect(() => subprotocolRequest([["Relay", -1]])).toThrow(RangeError);
    expect(() => subprotocolRequest([["Relay", 1.5]])).toThrow(RangeError);
  });

  test.each([
    ["an odd length", "000402"],
    ["a duplicate", "00040004"],
    ["ids in descending order", "02040004"],
    ["versions in descending order", "02060205"],
  ])("with %s is refused", (_, hex) => {
    expect(() => decodeSubprotocolRequest(fromHex(hex))).toThrow(refused);
  });

  test("ids that are not known are read", () => {
    expect(decodeSubprotocolRequest(fromHex("0206ff09"))).toEqual([
      { id: 2, version: 6 },
      { id: 255, version: 9 },
    ]);
  });
});

describe("CC_RESPONSE", () => {
  test("one byte", () => {
    expect(decodeCcResponse(ccResponse(254).body)).toBe(254);
    expect(() => ccResponse(256)).toThrow(RangeError);
  });

  test.each(["", "1f00"])("of %j is refused", (hex) => {
    expect(() => decodeCcResponse(fromHex(hex))).toThrow(refused);
  });
});
