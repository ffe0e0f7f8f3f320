// Relay messages and cells: the vectors of arti (crates/tor-cell/tests/testvec_relaymsg.rs), what must not parse, and
// that whatever is encoded is decoded again.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseIp, parseSocketAddress } from "../../src/base/address.ts";
import { fromHex, toHex, utf8 } from "../../src/base/encoding.ts";
import { RelayCommand } from "../../src/circuit/relaycell/command.ts";
import { padCell, type RelayHeader, relayCellV0 } from "../../src/circuit/relaycell/format.ts";
import { linkSpecifiers } from "../../src/circuit/relaycell/link-specifiers.ts";
import { decodeMessage, encodeMessage, type RelayMessage } from "../../src/circuit/relaycell/messages.ts";
import { circuitEndError, streamEndError } from "../../src/circuit/relaycell/reasons.ts";
import { CellBody } from "../../src/circuit/relaycrypto/cell-body.ts";

const {
  BEGIN,
  BEGIN_DIR,
  CONNECTED,
  DATA,
  DROP,
  END,
  EXTEND2,
  EXTENDED2,
  RESOLVE,
  RESOLVED,
  SENDME,
  TRUNCATED,
  XOFF,
  XON,
} = RelayCommand;

const ip = (text: string) => parseIp(text) as Uint8Array;
const RSA = "03479e93ebf3ff2c58c1c9dbf2de9de9c2801b3e";
const NTOR = `${RSA}36a3e0bdb1f1a10579820243dd2e228b902940eb49ef842646e3926768c28410074bee50a535116d657c6bfb7e5114119dc69f05df907ef62002ea782b0a357f`;
const EXTENDED =
  "0026619058eb2661834d54c2624828728f28915587cdad1ad3373b85f33a480eea9d3b2cef8d39c1dbd2fa519e75296b96960690c79a28d6a0d9454f8e9634bd";
const malformed = expect.objectContaining({ kind: "protocol-violation", code: "ALLIUM_E_CIRCUIT_MALFORMED" });

const VECTORS: readonly (readonly [hex: string, message: RelayMessage])[] = [
  ["3132372e302e302e313a3730303300", { command: BEGIN, hostname: "127.0.0.1", port: 7003, flags: 0 }],
  [
    "7777772e786b63642e636f6d3a3434330000000003",
    { command: BEGIN, hostname: "www.xkcd.com", port: 443, flags: 3 },
  ],
  ["5b323030313a6462383a3a315d3a323200", { command: BEGIN, hostname: "2001:db8::1", port: 22, flags: 0 }],
  ["", { command: BEGIN_DIR }],
  ["", { command: CONNECTED }],
  ["7f00000100000e10", { command: CONNECTED, address: ip("127.0.0.1"), ttl: 3600 }],
  [
    "000000000620010db800000000000000000000112200000e10",
    { command: CONNECTED, address: ip("2001:db8::1122"), ttl: 3600 },
  ],
  ["", { command: DROP }],
  ["01", { command: END, reason: 1 }],
  ["06", { command: END, reason: 6 }],
  ["047f00000700000100", { command: END, reason: 4, address: ip("127.0.0.7"), ttl: 256 }],
  [
    "0420010db800000000000000000000f00b00000200",
    { command: END, reason: 4, address: ip("2001:db8::f00b"), ttl: 512 },
  ],
  ["08", { command: TRUNCATED, reason: 8 }],
  ["7777772e746f7270726f6a6563742e6f726700", { command: RESOLVE, hostname: "www.torproject.org" }],
  ["", { command: RESOLVED, answers: [] }],
  ["f00000000e10", { command: RESOLVED, answers: [{ type: 0xf0, value: fromHex(""), ttl: 3600 }] }],
  ["f10000000e10", { command: RESOLVED, answers: [{ type: 0xf1, value: fromHex(""), ttl: 3600 }] }],
  [
    "04047f00000100000e1004047f00000200001c20",
    {
      command: RESOLVED,
      answers: [
        { type: 4, value: ip("127.0.0.1"), ttl: 3600 },
        { type: 4, value: ip("127.0.0.2"), ttl: 7200 },
      ],
    },
  ],
  [
    "06101234000000000000000000000000567800000080",
    { command: RESOLVED, answers: [{ type: 6, value: ip("1234::5678"), ttl: 128 }] },
  ],
  [
    "00127777772e746f7270726f6a6563742e6f726700000258",
    { command: RESOLVED, answers: [{ type: 0, value: utf8("www.torproject.org"), ttl: 600 }] },
  ],
  [
    "63127777772e746f7270726f6a6563742e6f726700000258",
    { command: RESOLVED, answers: [{ type: 99, value: utf8("www.torproject.org"), ttl: 600 }] },
  ],
  [`0040${EXTENDED}`, { command: EXTENDED2, handshake: fromHex(EXTENDED) }],
  [
    `0200067f00000113880214${RSA}00020054${NTOR}`,
    {
      command: EXTEND2,
      linkSpecifiers: [
        { type: 0, data: fromHex("7f0000011388") },
        { type: 2, data: fromHex(RSA) },
      ],
      handshake: { type: 2, data: fromHex(NTOR) },
    },
  ],
];

describe("vectors", () => {
  test.each(VECTORS)("%s", (hex, message) => {
    expect(toHex(encodeMessage(message))).toBe(hex);
    expect(decodeMessage(message.command, fromHex(hex))).toEqual(message);
  });

  test("the numbers of the commands", () => {
    expect([BEGIN, DATA, END, CONNECTED, SENDME, TRUNCATED, DROP, RESOLVE, RESOLVED]).toEqual([
      1, 2, 3, 4, 5, 9, 10, 11, 12,
    ]);
    expect([BEGIN_DIR, EXTEND2, EXTENDED2]).toEqual([13, 14, 15]);
    expect([XOFF, XON]).toEqual([43, 44]);
  });

  test("forms that are not ours but valid", () => {
    expect(decodeMessage(END, fromHex(""))).toEqual({ command: END, reason: 1 });
    const noTtl = { command: END, reason: 4, address: ip("127.0.0.7"), ttl: 0xffffffff };
    expect(decodeMessage(END, fromHex("047f000007"))).toEqual(noTtl);
    expect(decodeMessage(END, fromHex("047f0000"))).toEqual({ command: END, reason: 4 });
    expect(decodeMessage(END, fromHex("ff"))).toEqual({ command: END, reason: 255 });
    expect(decodeMessage(CONNECTED, fromHex("5db8d822"))).toMatchObject({ address: ip("93.184.216.34") });
  });

  test.each([
    [BEGIN, "5b3a3a5d21"],
    [BEGIN, "746f7270726f6a656374e284a22e6f72673a34343300"],
    [BEGIN, "6578616d706c652e6f72673a393939393900"],
    [CONNECTED, "000000000720010db800000000000000000000112200000e10"],
    [CONNECTED, "0000000006"],
    [CONNECTED, "7f0000"],
    [EXTENDED2, `0041${EXTENDED}`],
    [EXTEND2, "0100057f0000011300020000"],
    [EXTEND2, "0202"],
    [TRUNCATED, ""],
    [SENDME, "01"],
    [SENDME, "010014aabb"],
    [RESOLVED, "040301020300000001"],
    [RESOLVED, "06047f00000100000e10"],
    [RESOLVED, "04047f000001000000"],
    [RESOLVED, "04047f00000100000e1004"],
    [RESOLVED, "00ff6100000001"],
  ])("command %d with %s does not parse", (command, hex) => {
    expect(() => decodeMessage(command, fromHex(hex))).toThrow(malformed);
  });
});

describe("SENDME", () => {
  test("version 1 is 3 bytes and the tag", () => {
    const tag = new Uint8Array(20).fill(0xab);
    const bytes = encodeMessage({ command: SENDME, version: 1, tag });
    expect(toHex(bytes)).toBe(`010014${"ab".repeat(20)}`);
    expect(decodeMessage(SENDME, bytes)).toEqual({ command: SENDME, version: 1, tag });
  });

  test("an empty body and a first zero byte are version 0", () => {
    const v0 = { command: SENDME, version: 0, tag: new Uint8Array(0) };
    expect(decodeMessage(SENDME, new Uint8Array(0))).toEqual(v0);
    expect(decodeMessage(SENDME, fromHex("00ffff"))).toEqual(v0);
  });
});

describe("link specifiers", () => {
  const target = { rsaId: new Uint8Array(20).fill(1), ed25519Id: new Uint8Array(32).fill(2) };

  test("in C tor's order: IPv4, RSA, Ed25519, the first IPv4 address and no IPv6 one, as C tor's clients do", () => {
    const addresses = ["[2001:db8::1]:443", "192.0.2.1:9001", "192.0.2.2:9001"].map(parseSocketAddress);
    expect(linkSpecifiers({ ...target, addresses })).toEqual([
      { type: 0, data: fromHex("c00002012329") },
      { type: 2, data: target.rsaId },
      { type: 3, data: target.ed25519Id },
    ]);
  });

  test("a relay without IPv6 has the same three", () => {
    const addresses = [parseSocketAddress("192.0.2.1:9001")];
    expect(linkSpecifiers({ ...target, addresses }).map(({ type }) => type)).toEqual([0, 2, 3]);
  });

  test("the first IPv6 address stands where there is no other", () => {
    const addresses = ["[2001:db8::1]:443", "[2001:db8::2]:443"].map(parseSocketAddress);
    expect(linkSpecifiers({ ...target, addresses })).toEqual([
      { type: 2, data: target.rsaId },
      { type: 3, data: target.ed25519Id },
      { type: 1, data: fromHex("20010db800000000000000000000000101bb") },
    ]);
  });
});

/** A cell whose every byte has been used before. */
function usedCell(): CellBody {
  const cell = new CellBody();
  cell.bytes.fill(0xee);
  return cell;
}

/** What a cell says, with its data copied. */
function read(cell: CellBody) {
  const header: RelayHeader = { command: 99, streamId: 99, dataFrom: 99, dataTo: 99 };
  relayCellV0.decode(cell, header);
  const { command, streamId, dataFrom, dataTo } = header;
  return { command, streamId, data: cell.bytes.slice(dataFrom, dataTo) };
}

describe("relay cell format V0", () => {
  test("the header, the data, four zeros, then random bytes", () => {
    const bodies = [0, 1].map(() => {
      const cell = usedCell();
      relayCellV0.encode(cell, 2, 0x1234, Uint8Array.of(7, 8, 9));
      return cell.body;
    }) as [Uint8Array, Uint8Array];
    for (const body of bodies) {
      expect(body.length).toBe(509);
      expect(toHex(body.subarray(0, 18))).toBe("020000123400000000000307080900000000");
    }
    expect(toHex(bodies[0].subarray(18))).not.toBe(toHex(bodies[1].subarray(18)));
    expect(new Set(bodies[0].subarray(18)).size).toBeGreaterThan(100);
  });

  test.each([0, 1, 493, 494, 495, 497, 498])("%d bytes of data", (length) => {
    const cell = usedCell();
    const data = new Uint8Array(length).fill(5);
    relayCellV0.encode(cell, 2, 1, data);
    expect(read(cell)).toEqual({ command: 2, streamId: 1, data });
    const gap = cell.body.subarray(11 + length, 15 + length);
    expect([...gap]).toEqual(new Array(Math.min(4, 498 - length)).fill(0));
  });

  test("a cell laid out anew has nothing left of the one before", () => {
    const cell = usedCell();
    relayCellV0.encode(cell, 2, 1, new Uint8Array(498).fill(0xee));
    relayCellV0.encode(cell, 3, 0xffff, Uint8Array.of(6));
    expect(read(cell)).toEqual({ command: 3, streamId: 0xffff, data: Uint8Array.of(6) });
    expect(cell.body.subarray(12).filter((byte) => byte === 0xee).length).toBeLessThan(20);
  });

  test("one header serves for cell after cell", () => {
    const header: RelayHeader = { command: 0, streamId: 0, dataFrom: 0, dataTo: 0 };
    const cell = usedCell();
    for (const [command, streamId, length] of [
      [2, 1, 498],
      [255, 65535, 0],
      [5, 0, 23],
    ] as const) {
      relayCellV0.encode(cell, command, streamId, new Uint8Array(length));
      relayCellV0.decode(cell, header);
      expect(header).toEqual({ command, streamId, dataFrom: 11, dataTo: 11 + length });
    }
  });

  test("498 bytes are the most, for every command, and more are neither written nor believed", () => {
    for (let command = 0; command < 256; command++) expect(relayCellV0.maxData(command)).toBe(498);
    const cell = usedCell();
    expect(() => relayCellV0.encode(cell, 2, 1, new Uint8Array(499))).toThrow(RangeError);
    for (const claimed of [499, 512, 0xffff]) {
      relayCellV0.encode(cell, 2, 1, new Uint8Array(0));
      cell.view.setUint16(9, claimed);
      expect(() => read(cell)).toThrow(malformed);
    }
    cell.view.setUint16(9, 498);
    expect(read(cell).data.length).toBe(498);
  });

  test("padding begins with four zeros, as far as there is room", () => {
    for (let end = 11; end <= 509; end++) {
      const cell = usedCell();
      padCell(cell.bytes, end);
      expect(cell.bytes.subarray(11, end).every((byte) => byte === 0xee)).toBe(true);
      expect(cell.body.subarray(end, end + 4).every((byte) => byte === 0)).toBe(true);
      // What fills the last word is nobody's.
      expect([...cell.bytes.subarray(509)]).toEqual([0xee, 0xee, 0xee]);
    }
  });
});

describe("decode(encode(x)) is x", () => {
  const bytes = (minLength: number, maxLength = minLength) => fc.uint8Array({ minLength, maxLength });
  const u32 = fc.integer({ min: 0, max: 0xffffffff });
  const port = fc.integer({ min: 1, max: 65535 });
  const address = fc.oneof(
    bytes(4).filter((b) => b.some((x) => x !== 0)),
    bytes(16),
  );
  const hostname = fc.oneof(fc.domain(), fc.constantFrom("192.0.2.1", "2001:db8::1", "a_b.example."));
  const specifier = fc.oneof(
    bytes(6).map((data) => ({ type: 0, data })),
    bytes(18).map((data) => ({ type: 1, data })),
    bytes(20).map((data) => ({ type: 2, data })),
    bytes(32).map((data) => ({ type: 3, data })),
    bytes(0, 40).map((data) => ({ type: 77, data })),
  );
  const answer = fc.oneof(
    fc.record({ type: fc.constant(4), value: bytes(4), ttl: u32 }),
    fc.record({ type: fc.constant(6), value: bytes(16), ttl: u32 }),
    fc.record({ type: fc.constantFrom(0, 99, 0xf0, 0xf1), value: bytes(0, 255), ttl: u32 }),
  );
  const message: fc.Arbitrary<RelayMessage> = fc.oneof(
    fc.record({ command: fc.constant(BEGIN), hostname, port, flags: u32 }),
    fc.record({ command: fc.constant(DATA), data: bytes(1, 498) }),
    fc.record({ command: fc.constant(END), reason: fc.integer({ min: 0, max: 255 }) }),
    fc.record({ command: fc.constant(END), reason: fc.constant(4), address, ttl: u32 }),
    fc.record({ command: fc.constant(CONNECTED), address, ttl: u32 }),
    fc.record({ command: fc.constant(SENDME), version: fc.constant(1), tag: bytes(0, 40) }),
    fc.record({ command: fc.constant(TRUNCATED), reason: fc.integer({ min: 0, max: 255 }) }),
    fc.record({
      command: fc.constant(EXTEND2),
      linkSpecifiers: fc.array(specifier, { maxLength: 6 }),
      handshake: fc.record({ type: fc.integer({ min: 0, max: 65535 }), data: bytes(0, 200) }),
    }),
    fc.record({ command: fc.constant(EXTENDED2), handshake: bytes(0, 400) }),
    fc.record({ command: fc.constant(RESOLVE), hostname: fc.domain() }),
    fc.record({ command: fc.constant(RESOLVED), answers: fc.array(answer, { maxLength: 20 }) }),
  );

  test("messages", () => {
    fc.assert(
      fc.property(message, (original) => {
        expect(decodeMessage(original.command, encodeMessage(original))).toEqual(original);
      }),
    );
  });

  test("messages inside cells", () => {
    fc.assert(
      fc.property(message, fc.integer({ min: 0, max: 65535 }), (original, streamId) => {
        const cell = usedCell();
        relayCellV0.encode(cell, original.command, streamId, encodeMessage(original));
        const { command, streamId: found, data } = read(cell);
        expect(found).toBe(streamId);
        expect(decodeMessage(command, data)).toEqual(original);
      }),
    );
  });

  test("any bytes are a message or a protocol violation, nothing else", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 255 }), bytes(0, 498), (command, data) => {
        try {
          decodeMessage(command, data);
        } catch (error) {
          expect(error).toMatchObject({ kind: "protocol-violation" });
        }
      }),
    );
  });
});

describe("reasons", () => {
  test.each([
    [1, "exit-policy", "ALLIUM_E_STREAM_MISC"],
    [2, "remote-host-not-found", "ALLIUM_E_STREAM_RESOLVEFAILED"],
    [3, "remote-refused", "ALLIUM_E_STREAM_CONNECTREFUSED"],
    [4, "exit-policy", "ALLIUM_E_STREAM_EXITPOLICY"],
    [5, "circuit-collapse", "ALLIUM_E_STREAM_DESTROY"],
    [6, "remote-refused", "ALLIUM_E_STREAM_DONE"],
    [7, "exit-timeout", "ALLIUM_E_STREAM_TIMEOUT"],
    [8, "remote-refused", "ALLIUM_E_STREAM_NOROUTE"],
    [9, "exit-policy", "ALLIUM_E_STREAM_HIBERNATING"],
    [10, "exit-policy", "ALLIUM_E_STREAM_INTERNAL"],
    [11, "exit-policy", "ALLIUM_E_STREAM_RESOURCELIMIT"],
    [12, "remote-refused", "ALLIUM_E_STREAM_CONNRESET"],
    [13, "internal", "ALLIUM_E_STREAM_TORPROTOCOL"],
    [14, "exit-policy", "ALLIUM_E_STREAM_NOTDIRECTORY"],
    [200, "exit-policy", "ALLIUM_E_STREAM_UNKNOWN_REASON"],
  ])("END %d is %s", (reason, kind, code) => {
    expect(streamEndError(reason)).toMatchObject({ kind, code });
  });

  test("DESTROY and TRUNCATED carry their reason's name", () => {
    expect(circuitEndError("DESTROY", 5)).toMatchObject({
      kind: "circuit-collapse",
      code: "ALLIUM_E_DESTROY_RESOURCELIMIT",
    });
    expect(circuitEndError("TRUNCATED", 6).code).toBe("ALLIUM_E_TRUNCATED_CONNECTFAILED");
    expect(circuitEndError("DESTROY", 99).code).toBe("ALLIUM_E_DESTROY_UNKNOWN_REASON");
  });
});
