// ntor and CREATE_FAST: the vectors of arti (crates/tor-proto/src/crypto/handshake), and every check that must not be missing.

import { describe, expect, test } from "vitest";
import { concat } from "../../src/base/bytes.ts";
import { fromHex, toHex } from "../../src/base/encoding.ts";
import { randomBytes } from "../../src/base/random.ts";
import { decodeCreate2, decodeCreated2, encodeCreate2 } from "../../src/circuit/handshake/create-cells.ts";
import { fastHandshake } from "../../src/circuit/handshake/fast.ts";
import { ntorHandshake, ntorSecrets } from "../../src/circuit/handshake/ntor.ts";
import { kdfTor } from "../../src/crypto/kdf.ts";
import { x25519FromPrivate } from "../../src/crypto/x25519.ts";
import { answerNtor } from "../../src/testing/relay/handshakes.ts";
import { scriptedRelay } from "../../src/testing/relay/keys.ts";

const NTOR = {
  b: "4820544f4c4420594f5520444f474954204b454550532048415050454e494e47",
  B: "ccbc8541904d18af08753eae967874749e6149f873de937f57f8fd903a21c471",
  x: "706f6461792069207075742e2e2e2e2e2e2e2e4a454c4c59206f6e2074686973",
  X: "e65dfdbef8b2635837fe2cebc086a8096eae3213e6830dc407516083d412b078",
  y: "70686520737175697272656c2e2e2e2e2e2e2e2e686173206869732067616d65",
  id: "69546f6c64596f7541626f75745374616972732e",
  reply:
    "390480a14362761d6aec1fea840f6e9e928fb2adb7b25c670be1045e35133a371cbdf68b89923e1f85e8e18ee6e805ea333fe4849c790ffd2670bd80fec95cc8",
  keys: "0c62dee7f48893370d0ef896758d35729867beef1a5121df80e00f79ed349af39b51cae125719182f19d932a667dae1afbf2e336e6910e7822223e763afad0a13342157969dc6b79",
};

const FAST = [
  {
    x: "080e247df7c252fcd2dc10f459703480c223e3a6",
    reply: "ba95c0d092335428bf80093bbed0b7a26c49e1e8696fbf9c8d6be26504219c000d26afe370fcef04",
    keys: "afa89b4fc8cf882335a582c52478b5fcb1e08daf707e2c2d23b8c27d30bd461f3df98a3af82221cb658ad0aa8680b99067e4f7dbc546970ea9a56b26433c71da867bdd09c14a1308bc327d6a448d71d2382b3ab6af0bb4e19649a8dff607db9c57a04ac3",
  },
  {
    x: "5f786c724c2f5978474a04fa63772057ad896a03",
    reply: "6210b037001405742fe78b6f5b34e6db3c9f2f7e24239498613e0ed872e110a00774a3fcb37a7507",
    keys: "d41b65d83fb4b34a322b658be4d706edcd8b62813757e719118c394e1f22e1c8ea8959bab30e856a914c3054946f547397094de031f5bca384c65c8880bf7aab9ce7bee33971f9de8c22a23366f46bf8b5e5112321e216b0e02c62eea3abb72a0e062592",
  },
];

const refused = { kind: "protocol-violation", code: "ALLIUM_E_CIRCUIT_HANDSHAKE" };

async function ntorVector() {
  const target = { rsaId: fromHex(NTOR.id), ntorOnionKey: fromHex(NTOR.B) };
  return ntorHandshake(target, await x25519FromPrivate(fromHex(NTOR.x)));
}

describe("ntor", () => {
  test("the vector, as the client", async () => {
    const handshake = await ntorVector();
    expect(toHex(handshake.clientPart)).toBe(NTOR.id + NTOR.B + NTOR.X);
    const { keyMaterial, message } = await handshake.finish(fromHex(NTOR.reply), 72);
    expect(toHex(keyMaterial)).toBe(NTOR.keys);
    expect(message).toBeUndefined();
  });

  test("the vector, as the test relay", async () => {
    const relay = { ...(await scriptedRelay()), onionKey: await x25519FromPrivate(fromHex(NTOR.b)) };
    const onionskin = fromHex(NTOR.id + NTOR.B + NTOR.X);
    const y = await x25519FromPrivate(fromHex(NTOR.y));
    const { reply, keyMaterial } = await answerNtor(relay, onionskin, 72, y);
    expect(toHex(reply)).toBe(NTOR.reply);
    expect(toHex(keyMaterial)).toBe(NTOR.keys);
  });

  test("any changed byte of the answer is refused", async () => {
    for (let i = 0; i < 64; i++) {
      const reply = fromHex(NTOR.reply);
      reply[i] = (reply[i] as number) ^ 0x10;
      await expect((await ntorVector()).finish(reply, 72)).rejects.toMatchObject(refused);
    }
  });

  test("a relay with another onion key or another identity is refused", async () => {
    const [relay, other] = [await scriptedRelay(), await scriptedRelay()];
    const withOtherKey = await ntorHandshake({ ...relay, ntorOnionKey: other.ntorOnionKey });
    const first = await answerNtor(relay, withOtherKey.clientPart, 72);
    await expect(withOtherKey.finish(first.reply, 72)).rejects.toMatchObject(refused);

    const handshake = await ntorHandshake(relay);
    const forged = concat(other.rsaId, handshake.clientPart.subarray(20));
    const second = await answerNtor(relay, forged, 72);
    await expect(handshake.finish(second.reply, 72)).rejects.toMatchObject(refused);
  });

  // With Y of small order the AUTH of an all-zero EXP(Y,x) is computable by anyone who knows b, and the keys are not fresh.
  test.each(["00".repeat(32), `01${"00".repeat(31)}`])("Y of small order (%s) is refused", async (y) => {
    const relay = await scriptedRelay();
    const handshake = await ntorHandshake(relay);
    const Y = fromHex(y);
    const X = handshake.clientPart.subarray(52);
    const xb = await relay.onionKey.diffieHellman(X);
    const { auth } = ntorSecrets({ xy: new Uint8Array(32), xb }, relay.rsaId, {
      B: relay.ntorOnionKey,
      X,
      Y,
    });
    await expect(handshake.finish(concat(Y, auth), 72)).rejects.toMatchObject({ code: "ALLIUM_E_X25519" });
  });

  test("an onion key of small order is refused", async () => {
    const relay = await scriptedRelay();
    const B = new Uint8Array(32);
    const handshake = await ntorHandshake({ ...relay, ntorOnionKey: B });
    const y = await x25519FromPrivate(randomBytes(32));
    const X = handshake.clientPart.subarray(52);
    const xy = await y.diffieHellman(X);
    const keys = { B, X, Y: y.publicKey };
    const { auth } = ntorSecrets({ xy, xb: new Uint8Array(32) }, relay.rsaId, keys);
    const reply = concat(y.publicKey, auth);
    await expect(handshake.finish(reply, 72)).rejects.toMatchObject({ code: "ALLIUM_E_X25519" });
  });

  test.each([0, 63, 65])("an answer of %d bytes is refused", async (length) => {
    await expect((await ntorVector()).finish(new Uint8Array(length), 72)).rejects.toMatchObject(refused);
  });
});

describe("CREATE_FAST", () => {
  test.each(FAST)("vector $x", async ({ x, reply, keys }) => {
    const handshake = fastHandshake(fromHex(x));
    expect(toHex(handshake.clientPart)).toBe(x);
    const { keyMaterial, message } = await handshake.finish(fromHex(reply), 100);
    expect(toHex(keyMaterial)).toBe(keys);
    expect(message).toBeUndefined();
  });

  test("any changed byte of the answer is refused", async () => {
    for (let i = 0; i < 40; i++) {
      const reply = fromHex((FAST[0] as (typeof FAST)[0]).reply);
      reply[i] = (reply[i] as number) ^ 1;
      const handshake = fastHandshake(fromHex((FAST[0] as (typeof FAST)[0]).x));
      await expect(handshake.finish(reply, 72)).rejects.toMatchObject(refused);
    }
  });

  test("X is fresh each time", () => {
    expect(toHex(fastHandshake().clientPart)).not.toBe(toHex(fastHandshake().clientPart));
  });

  test("a wrong length is refused even where the key data fit", async () => {
    const handshake = fastHandshake();
    const kh = kdfTor(handshake.clientPart, 20);
    await expect(handshake.finish(kh, 72)).rejects.toMatchObject(refused);
  });
});

describe("CREATE2 and CREATED2", () => {
  test("type, length and data, padded with zeros to 509 bytes", () => {
    const body = encodeCreate2({ type: 2, data: fromHex("aabbcc") });
    expect(body.length).toBe(509);
    expect(toHex(body.subarray(0, 8))).toBe("00020003aabbcc00");
    expect(decodeCreate2(body)).toEqual({ type: 2, data: fromHex("aabbcc") });
  });

  test("CREATED2 that claims more than it has is refused", () => {
    const body = new Uint8Array(509);
    body[0] = 1;
    body[1] = 252;
    expect(() => decodeCreated2(body)).toThrow(
      expect.objectContaining({ code: "ALLIUM_E_CIRCUIT_MALFORMED" }),
    );
    body[1] = 251;
    expect(decodeCreated2(body).length).toBe(507);
  });
});
