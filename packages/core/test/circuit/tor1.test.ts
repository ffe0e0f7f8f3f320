// tor1 relay crypto: cells of C tor (arti's cell_crypt.rs), the exchanges of C tor's test_relaycrypt.c, and tampering.

import { describe, expect, test } from "vitest";
import { toHex, utf8 } from "../../src/base/encoding.ts";
import { randomBytes } from "../../src/base/random.ts";
import { Onion } from "../../src/circuit/relaycrypto/onion.ts";
import { TOR1_KEY_MATERIAL, Tor1Crypto } from "../../src/circuit/relaycrypto/tor1.ts";
import { sha1, shake256 } from "../../src/crypto/hash.ts";
import { AesCtrKeystream } from "../../src/crypto/keystream.ts";
import { CELL_CRYPT } from "./cell-crypt-vectors.ts";
import { relaySide } from "./relay.ts";

const KEYS = [
  "    'My public key is in this signed x509 object', said Tom assertively.      (N-PREG-VIRYL)",
  "'Let's chart the pedal phlanges in the tomb', said Tom cryptographically.  (PELCG-GBR-TENCU)",
  "     'Segmentation fault bugs don't _just happen_', said Tom seethingly.        (P-GUVAT-YL)",
].map((text) => utf8(text).subarray(0, TOR1_KEY_MATERIAL));

const SEED = utf8(
  "'You mean to tell me that there's a version of Sha-3 with no limit on the output length?', said Tom shakily.",
);

function circuit(): { client: Onion; relays: Tor1Crypto[] } {
  const client = new Onion();
  for (const key of KEYS) client.add(new Tor1Crypto(key));
  return { client, relays: KEYS.map((key) => relaySide(key)) };
}

/** A random cell with what the digest covers cleared, as a sender lays it out. */
function randomCell(): Uint8Array {
  const body = randomBytes(509);
  body.fill(0, 1, 3);
  body.fill(0, 5, 9);
  return body;
}

/** Sends a cell from relay `hop` towards the client, through those before it. */
function inbound(relays: readonly Tor1Crypto[], hop: number, body: Uint8Array): Uint8Array {
  const tag = (relays[hop] as Tor1Crypto).originate(body);
  for (let i = hop - 1; i >= 0; i--) (relays[i] as Tor1Crypto).encrypt(body);
  return tag;
}

/** A cell's bytes without the digest, which a receiver leaves cleared. */
const content = (body: Uint8Array) => toHex(body.slice().fill(0, 5, 9));

test("cells for three hops are C tor's", () => {
  const { client } = circuit();
  const stream = shake256(SEED, 51 * 498);
  const cells = Array.from({ length: 51 }, (_, cell) => {
    const body = new Uint8Array(509);
    body.set([2, 0, 0, 0, 1, 0, 0, 0, 0, 1, 242]);
    body.set(stream.subarray(cell * 498, cell * 498 + 498), 11);
    client.encrypt(2, body);
    return toHex(body);
  });
  expect(CELL_CRYPT.length).toBeGreaterThan(5);
  for (const [cell, hex] of CELL_CRYPT) expect(cells[cell]).toBe(hex);
});

describe("exchanges", () => {
  test("50 cells outbound: recognised by the last hop alone", () => {
    const { client, relays } = circuit();
    for (let i = 0; i < 50; i++) {
      const original = randomCell();
      const body = original.slice();
      const sent = client.encrypt(2, body);
      const tags = relays.map((relay) => relay.decrypt(body));
      expect(tags).toEqual([undefined, undefined, sent]);
      expect(content(body)).toBe(content(original));
    }
  });

  test("inbound cells of all hops in turn, each recognised as its own", () => {
    const { client, relays } = circuit();
    for (let i = 0; i < 90; i++) {
      const original = randomCell();
      const body = original.slice();
      const tag = inbound(relays, i % 3, body);
      expect(client.decrypt(body)).toBe(i % 3);
      expect(client.tag).toEqual(tag);
      expect(content(body)).toBe(content(original));
    }
  });

  test("the tag is the whole running digest", () => {
    const key = KEYS[0] as Uint8Array;
    const crypto = new Tor1Crypto(key);
    const body = randomCell();
    const expected = sha1(new Uint8Array([...key.subarray(0, 20), ...body]));
    expect(crypto.originate(body)).toEqual(expected);
  });
});

describe("tampering", () => {
  test("a bit flipped anywhere makes the cell nobody's", () => {
    for (let at = 0; at < 509; at += 7) {
      const { client, relays } = circuit();
      const body = randomCell();
      inbound(relays, 2, body);
      body[at] = (body[at] as number) ^ 0x40;
      expect(client.decrypt(body)).toBeUndefined();
    }
  });

  test("a cell dropped or repeated makes what follows nobody's", () => {
    const { client, relays } = circuit();
    const first = randomCell();
    inbound(relays, 2, first);
    const second = randomCell();
    inbound(relays, 2, second);
    expect(client.decrypt(second)).toBeUndefined();
  });

  test("a passing cell that looks recognised does not disturb the digest", () => {
    // The relay passes on a cell whose `recognized` field is zero under its layer, as happens once in 65,536.
    const { client, relays } = circuit();
    const [first] = relays as [Tor1Crypto];
    const passing = randomCell();
    first.encrypt(passing);
    const body = passing.slice();
    expect(client.decrypt(body)).toBeUndefined();

    const own = randomCell();
    first.originate(own);
    expect(client.decrypt(own)).toBe(0);
  });

  test("a cell with the right digest but a `recognized` field that is not zero is nobody's", () => {
    const material = KEYS[0] as Uint8Array;
    const body = randomCell();
    body[2] = 1;
    const digest = sha1(new Uint8Array([...material.subarray(20, 40), ...body]));
    body.set(digest.subarray(0, 4), 5);
    new AesCtrKeystream(material.subarray(56, 72)).xor(body);
    expect(new Tor1Crypto(material).decrypt(body)).toBeUndefined();
  });

  test("a cell passed on keeps its bytes where they looked like a digest", () => {
    const relay = relaySide(KEYS[0] as Uint8Array);
    const client = new Tor1Crypto(KEYS[0] as Uint8Array);
    const body = randomCell();
    body.set([1, 2, 3, 4], 5);
    const original = body.slice();
    client.encrypt(body);
    expect(relay.decrypt(body)).toBeUndefined();
    expect(body).toEqual(original);
  });
});

test("keys that were destroyed encrypt nothing more", () => {
  const { client } = circuit();
  client.destroy();
  expect(() => client.encrypt(0, randomCell())).toThrow();
  expect(() => client.decrypt(randomCell())).toThrow();
});
