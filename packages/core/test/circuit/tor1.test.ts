// tor1 relay crypto: cells of C tor (arti's cell_crypt.rs), the exchanges of C tor's test_relaycrypt.c, and tampering.

import { describe, expect, test } from "vitest";
import { nodeCiphers } from "../../../bridge/src/node-ciphers.ts";
import { toHex, utf8 } from "../../src/base/encoding.ts";
import { randomBytes } from "../../src/base/random.ts";
import { CellBody } from "../../src/circuit/relaycrypto/cell-body.ts";
import { Onion } from "../../src/circuit/relaycrypto/onion.ts";
import { TOR1_KEY_MATERIAL, Tor1Crypto } from "../../src/circuit/relaycrypto/tor1.ts";
import { sha1, shake256 } from "../../src/crypto/hash.ts";
import { aesCtrKeystream } from "../../src/crypto/keystream.ts";
import { COMMAND } from "../../src/link/commands.ts";
import { tor1RelaySide } from "../../src/testing/relay/layer.ts";
import { CELL_CRYPT } from "./cell-crypt-vectors.ts";

const KEYS = [
  "    'My public key is in this signed x509 object', said Tom assertively.      (N-PREG-VIRYL)",
  "'Let's chart the pedal phlanges in the tomb', said Tom cryptographically.  (PELCG-GBR-TENCU)",
  "     'Segmentation fault bugs don't _just happen_', said Tom seethingly.        (P-GUVAT-YL)",
].map((text) => utf8(text).subarray(0, TOR1_KEY_MATERIAL));

const SEED = utf8(
  "'You mean to tell me that there's a version of Sha-3 with no limit on the output length?', said Tom shakily.",
);

const RELAY = COMMAND.relay;

function cellOf(body: Uint8Array): CellBody {
  const cell = new CellBody();
  cell.load(body, 0);
  return cell;
}

/** A random cell with what the digest covers cleared, as a sender lays it out. */
function randomCell(): CellBody {
  const cell = cellOf(randomBytes(509));
  cell.bytes.fill(0, 1, 3);
  cell.bytes.fill(0, 5, 9);
  return cell;
}

/** Sends a cell from relay `hop` towards the client, through those before it; gives its tag. */
function inbound(relays: readonly Tor1Crypto[], hop: number, cell: CellBody): Uint8Array {
  const origin = relays[hop] as Tor1Crypto;
  origin.originate(cell);
  for (let i = hop - 1; i >= 0; i--) (relays[i] as Tor1Crypto).encrypt(cell);
  return origin.sentTag();
}

/** A cell's bytes without the digest, which a receiver leaves cleared. */
const content = ({ body }: CellBody) => toHex(body.slice().fill(0, 5, 9));

test("a cell's body is 509 bytes, taken in from wherever they stand", () => {
  const bytes = randomBytes(1500);
  const cell = new CellBody();
  for (const from of [0, 1, 514, 991]) {
    cell.load(bytes, from);
    expect(cell.body).toEqual(bytes.subarray(from, from + 509));
  }
  expect(cell.body.length).toBe(509);
  cell.body[3] = 7;
  expect(cell.view.getUint8(3)).toBe(7);
});

describe.each([
  ["WebCrypto", undefined],
  ["the platform's synchronous ciphers", nodeCiphers()],
])("by %s", (_, ciphers) => {
  function circuit() {
    const client = new Onion();
    const layers = KEYS.map((key) => new Tor1Crypto(key, ciphers));
    for (const layer of layers) client.add(layer);
    return { client, layers, relays: KEYS.map((key) => tor1RelaySide(key)) };
  }

  test("cells for three hops are C tor's", () => {
    const { client } = circuit();
    const stream = shake256(SEED, 51 * 498);
    const cell = new CellBody();
    const cells = Array.from({ length: 51 }, (_, i) => {
      cell.bytes.fill(0);
      cell.bytes.set([2, 0, 0, 0, 1, 0, 0, 0, 0, 1, 242]);
      cell.bytes.set(stream.subarray(i * 498, i * 498 + 498), 11);
      client.encrypt(2, cell, RELAY);
      return toHex(cell.body);
    });
    expect(CELL_CRYPT.length).toBeGreaterThan(5);
    for (const [i, hex] of CELL_CRYPT) expect(cells[i]).toBe(hex);
  });

  describe("exchanges", () => {
    test("50 cells outbound: recognised by the last hop alone", () => {
      const { client, layers, relays } = circuit();
      for (let i = 0; i < 50; i++) {
        const original = randomCell();
        const cell = cellOf(original.body);
        client.encrypt(2, cell, i < 8 ? COMMAND.relayEarly : RELAY);
        expect(relays.map((relay) => relay.decrypt(cell))).toEqual([false, false, true]);
        expect(relays[2]?.receivedTag()).toEqual(layers[2]?.sentTag());
        expect(content(cell)).toBe(content(original));
      }
    });

    test("outbound cells to all hops in turn, each recognised by its own", () => {
      const { client, layers, relays } = circuit();
      for (let i = 0; i < 60; i++) {
        const hop = (i * 7) % 3;
        const original = randomCell();
        const cell = cellOf(original.body);
        client.encrypt(hop, cell, RELAY);
        for (let at = 0; at < hop; at++) expect(relays[at]?.decrypt(cell)).toBe(false);
        expect(relays[hop]?.decrypt(cell)).toBe(true);
        expect(relays[hop]?.receivedTag()).toEqual(layers[hop]?.sentTag());
        expect(content(cell)).toBe(content(original));
      }
    });

    test("inbound cells of all hops in turn, each recognised as its own", () => {
      const { client, layers, relays } = circuit();
      for (let i = 0; i < 90; i++) {
        const original = randomCell();
        const cell = cellOf(original.body);
        const tag = inbound(relays, i % 3, cell);
        expect(client.decrypt(cell, RELAY)).toBe(i % 3);
        expect(layers[i % 3]?.receivedTag()).toEqual(tag);
        expect(content(cell)).toBe(content(original));
      }
    });

    test("what stands in the last word behind the body changes nothing", () => {
      const { client, relays } = circuit();
      for (let i = 0; i < 10; i++) {
        const original = randomCell();
        const cell = cellOf(original.body);
        cell.bytes.fill(0x5a + i, 509);
        client.encrypt(2, cell, RELAY);
        cell.bytes.fill(0xa5 - i, 509);
        expect(relays.map((relay) => relay.decrypt(cell))).toEqual([false, false, true]);
        expect(content(cell)).toBe(content(original));
        inbound(relays, 2, cell);
        cell.bytes.fill(i, 509);
        expect(client.decrypt(cell, RELAY)).toBe(2);
        expect(content(cell)).toBe(content(original));
      }
    });

    test("the tag is the whole running digest, in a copy of its own", () => {
      const key = KEYS[0] as Uint8Array;
      const crypto = new Tor1Crypto(key, ciphers);
      const [first, second] = [randomCell(), randomCell()];
      const plain = [first, second].map(({ body }) => body.slice()) as [Uint8Array, Uint8Array];
      const digest = (...bodies: Uint8Array[]) =>
        sha1(new Uint8Array(Buffer.concat([key.subarray(0, 20), ...bodies])));
      crypto.originate(first);
      const tag = crypto.sentTag();
      expect(tag).toEqual(digest(plain[0]));
      crypto.originate(second);
      expect(crypto.sentTag()).toEqual(digest(...plain));
      expect(tag).toEqual(digest(plain[0]));
    });

    test("a cell of another hop changes no tag", () => {
      const { client, layers, relays } = circuit();
      const own = randomCell();
      const tag = inbound(relays, 2, own);
      client.decrypt(own, RELAY);
      const kept = layers[2]?.receivedTag() as Uint8Array;
      const other = randomCell();
      inbound(relays, 1, other);
      expect(client.decrypt(other, RELAY)).toBe(1);
      expect(layers[2]?.receivedTag()).toEqual(tag);
      expect(kept).toEqual(tag);
    });

    test("a rest loses nothing, wherever it comes", async () => {
      const { client, relays } = circuit();
      for (let i = 0; i < 120; i++) {
        const [out, back] = [randomCell(), randomCell()];
        const [sent, answered] = [content(out), content(back)];
        client.encrypt(2, out, RELAY);
        expect(relays.map((relay) => relay.decrypt(out))).toEqual([false, false, true]);
        inbound(relays, 2, back);
        expect(client.decrypt(back, RELAY)).toBe(2);
        expect([content(out), content(back)]).toEqual([sent, answered]);
        if (i % 20 === 3) await new Promise((resolve) => setTimeout(resolve, 3));
        if (i % 7 === 0) client.rest();
        if (i % 11 === 0) for (const relay of relays) relay.rest();
      }
    });
  });

  describe("tampering", () => {
    test("a bit flipped anywhere makes the cell nobody's", () => {
      for (let at = 0; at < 509; at += 7) {
        const { client, relays } = circuit();
        const cell = randomCell();
        inbound(relays, 2, cell);
        cell.bytes[at] = (cell.bytes[at] as number) ^ 0x40;
        expect(client.decrypt(cell, RELAY)).toBe(-1);
      }
    });

    test("a cell dropped or repeated makes what follows nobody's", () => {
      const dropped = circuit();
      const [first, second] = [randomCell(), randomCell()];
      inbound(dropped.relays, 2, first);
      inbound(dropped.relays, 2, second);
      expect(dropped.client.decrypt(second, RELAY)).toBe(-1);

      const repeated = circuit();
      const cell = randomCell();
      inbound(repeated.relays, 2, cell);
      const again = cellOf(cell.body);
      expect(repeated.client.decrypt(cell, RELAY)).toBe(2);
      expect(repeated.client.decrypt(again, RELAY)).toBe(-1);
    });

    test("a passing cell that looks recognised does not disturb the digest", () => {
      // The relay passes on a cell whose `recognized` field is zero under its layer, as happens once in 65,536.
      const { client, relays } = circuit();
      const [first] = relays as [Tor1Crypto];
      const passing = randomCell();
      first.encrypt(passing);
      expect(client.decrypt(cellOf(passing.body), RELAY)).toBe(-1);

      const own = randomCell();
      first.originate(own);
      expect(client.decrypt(own, RELAY)).toBe(0);
    });

    test("a cell with the right digest but a `recognized` field that is not zero is nobody's", () => {
      const material = KEYS[0] as Uint8Array;
      for (const at of [1, 2]) {
        const cell = randomCell();
        cell.bytes[at] = 1;
        const digest = sha1(new Uint8Array([...material.subarray(20, 40), ...cell.body]));
        cell.bytes.set(digest.subarray(0, 4), 5);
        aesCtrKeystream(material.subarray(56, 72), 509).xor(cell, 509);
        expect(new Tor1Crypto(material, ciphers).decrypt(cell)).toBe(false);
      }
    });

    test("a cell with three of the digest's four bytes is nobody's", () => {
      const material = KEYS[0] as Uint8Array;
      for (let wrong = -1; wrong < 4; wrong++) {
        const cell = randomCell();
        const digest = sha1(new Uint8Array([...material.subarray(20, 40), ...cell.body]));
        cell.bytes.set(digest.subarray(0, 4), 5);
        if (wrong >= 0) cell.bytes[5 + wrong] = (cell.bytes[5 + wrong] as number) ^ 1;
        aesCtrKeystream(material.subarray(56, 72), 509).xor(cell, 509);
        expect(new Tor1Crypto(material, ciphers).decrypt(cell)).toBe(wrong < 0);
      }
    });

    test("a cell passed on keeps its bytes where they looked like a digest", () => {
      const relay = tor1RelaySide(KEYS[0] as Uint8Array);
      const client = new Tor1Crypto(KEYS[0] as Uint8Array, ciphers);
      const cell = randomCell();
      cell.bytes.set([1, 2, 3, 4], 5);
      const original = cell.body.slice();
      client.encrypt(cell);
      expect(relay.decrypt(cell)).toBe(false);
      expect(cell.body).toEqual(original);
    });
  });

  test("keys that were destroyed encrypt nothing more", () => {
    const { client } = circuit();
    client.destroy();
    expect(() => client.encrypt(0, randomCell(), RELAY)).toThrow();
    expect(() => client.decrypt(randomCell(), RELAY)).toThrow();
  });
});

test("an onion asks its layers from the first on, and originates at the hop that is meant", () => {
  const calls: string[] = [];
  const layer = (name: string, own: boolean) => ({
    originate: (_: CellBody, command: number) => calls.push(`${name} originates ${command}`),
    encrypt: (_: CellBody, command: number) => calls.push(`${name} encrypts ${command}`),
    decrypt(_: CellBody, command: number) {
      calls.push(`${name} decrypts ${command}`);
      return own;
    },
    sentTag: () => new Uint8Array(20),
    receivedTag: () => new Uint8Array(20),
    rest: () => calls.push(`${name} rests`),
    destroy: () => calls.push(`${name} ends`),
  });
  const onion = new Onion();
  for (const [name, own] of [
    ["a", false],
    ["b", true],
    ["c", true],
  ] as const) {
    onion.add(layer(name, own));
  }
  const said = (act: () => unknown) => {
    calls.length = 0;
    act();
    return calls.join(", ");
  };
  const cell = new CellBody();
  expect(said(() => onion.encrypt(2, cell, 9))).toBe("c originates 9, b encrypts 9, a encrypts 9");
  expect(said(() => onion.encrypt(0, cell, 3))).toBe("a originates 3");
  expect(said(() => expect(onion.decrypt(cell, 3)).toBe(1))).toBe("a decrypts 3, b decrypts 3");
  expect(said(() => onion.rest())).toBe("a rests, b rests, c rests");
  expect(said(() => onion.destroy())).toBe("a ends, b ends, c ends");
});
