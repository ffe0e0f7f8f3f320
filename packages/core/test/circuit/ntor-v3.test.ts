// ntor-v3: the vector of proposal 332 (X.2; the same in C tor and arti) for both sides, and every check that must not be
// missing.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { allZero, concat } from "../../src/base/bytes.ts";
import { fromHex, toHex, utf8 } from "../../src/base/encoding.ts";
import { randomBytes } from "../../src/base/random.ts";
import { encodeCreate2 } from "../../src/circuit/handshake/create-cells.ts";
import {
  CIRCUIT_VERIFICATION,
  NTOR_V3_MESSAGE_LIMIT,
  NTOR_V3_TYPE,
  ntorV3Handshake,
  ntorV3MessageKeys,
  ntorV3Secrets,
} from "../../src/circuit/handshake/ntor-v3.ts";
import { RelayCommand } from "../../src/circuit/relaycell/command.ts";
import { linkSpecifiers } from "../../src/circuit/relaycell/link-specifiers.ts";
import { encodeMessage } from "../../src/circuit/relaycell/messages.ts";
import { sha3_256 } from "../../src/crypto/hash.ts";
import { viaNoble, type X25519KeyPair, x25519FromPrivate } from "../../src/crypto/x25519.ts";
import { answerNtorV3 } from "../../src/testing/relay/handshakes.ts";
import { scriptedRelay } from "../../src/testing/relay/keys.ts";

const VECTOR = {
  b: "4051daa5921cfa2a1c27b08451324919538e79e788a81b38cbed097a5dff454a",
  B: "f8307a2bc1870b00b828bb74dbb8fd88e632a6375ab3bcd1ae706aaa8b6cdd1d",
  id: "9fad2af287ef942632833d21f946c6260c33fae6172b60006e86e4a6911753a2",
  x: "b825a3719147bcbe5fb1d0b0fcb9c09e51948048e2e3283d2ab7b45b5ef38b49",
  X: "252fe9ae91264c91d4ecb8501f79d0387e34ad8ca0f7c995184f7d11d5da4f46",
  y: "4865a5b7689dafd978f529291c7171bc159be076b92186405d13220b80e2a053",
  Y: "4bf4814326fdab45ad5184f5518bd7fae25dc59374062698201a50a22954246d",
  clientMessage: "68656c6c6f20776f726c64",
  relayMessage: "486f6c61204d756e646f",
  verification: "78797a7a79",
  mac: "9e044d53565f04d82bbb3bebed3d06cea65db8be9c72b68cd461942088502f67",
  auth: "2fc5f8773ca824542bc6cf6f57c7c29bbf4e5476461ab130c5b18ab0a9127665",
  clientPart:
    "9fad2af287ef942632833d21f946c6260c33fae6172b60006e86e4a6911753a2f8307a2bc1870b00b828bb74dbb8fd88e632a6375ab3bcd1ae706aaa8b6cdd1d252fe9ae91264c91d4ecb8501f79d0387e34ad8ca0f7c995184f7d11d5da4f463bebd9151fd3b47c180abc9e044d53565f04d82bbb3bebed3d06cea65db8be9c72b68cd461942088502f67",
  reply:
    "4bf4814326fdab45ad5184f5518bd7fae25dc59374062698201a50a22954246d2fc5f8773ca824542bc6cf6f57c7c29bbf4e5476461ab130c5b18ab0a91276651202c3e1e87c0d32054c",
  keyMaterial:
    "9c19b631fd94ed86a817e01f6c80b0743a43f5faebd39cfaa8b00fa8bcc65c3bfeaa403d91acbd68a821bf6ee8504602b094a254392a07737d5662768c7a9fb1b2814bb34780eaee6e867c773e28c212ead563e98a1cd5d5b4576f5ee61c59bde025ff2851bb19b721421694f263818e3531e43a9e4e3e2c661e2ad547d8984caa28ebecd3e4525452299be26b9185a20a90ce1eac20a91f2832d731b54502b09749b5a2a2949292f8cfcbeffb790c7790ed935a9d251e7e336148ea83b063a5618fcff674a44581585fd22077ca0e52c59a24347a38d1a1ceebddbf238541f226b8f88d0fb9c07a1bcd2ea764bbbb5dacdaf5312a14c0b9e4f06309b0333b4a",
};

const refused = { kind: "protocol-violation", code: "ALLIUM_E_CIRCUIT_HANDSHAKE" };
const verification = fromHex(VECTOR.verification);
const target = { ed25519Id: fromHex(VECTOR.id), ntorOnionKey: fromHex(VECTOR.B) };

async function vectorClient(change: Partial<typeof target> = {}) {
  const ephemeral = await x25519FromPrivate(fromHex(VECTOR.x));
  const message = fromHex(VECTOR.clientMessage);
  return ntorV3Handshake({ ...target, ...change }, message, { ephemeral, verification });
}

async function vectorRelay() {
  return {
    rsaId: new Uint8Array(20),
    ed25519Id: target.ed25519Id,
    onionKey: await x25519FromPrivate(fromHex(VECTOR.b)),
  };
}

/** A relay that says `message` and makes keys of 92 bytes. */
const says = (message: Uint8Array) => () => ({ message, length: 92 });

describe("the vector", () => {
  test("as the client", async () => {
    const handshake = await vectorClient();
    expect(toHex(handshake.clientPart)).toBe(VECTOR.clientPart);
    const { keyMaterial, message } = await handshake.finish(fromHex(VECTOR.reply), 256);
    expect(toHex(keyMaterial)).toBe(VECTOR.keyMaterial);
    expect(message && toHex(message)).toBe(VECTOR.relayMessage);
  });

  test("as the test relay", async () => {
    let heard = "";
    const respond = (message: Uint8Array) => {
      heard = toHex(message);
      return { message: fromHex(VECTOR.relayMessage), length: 256 };
    };
    const ephemeral = await x25519FromPrivate(fromHex(VECTOR.y));
    const onionskin = fromHex(VECTOR.clientPart);
    const answer = await answerNtorV3(await vectorRelay(), onionskin, respond, { ephemeral, verification });
    expect(heard).toBe(VECTOR.clientMessage);
    expect(toHex(answer.reply)).toBe(VECTOR.reply);
    expect(toHex(answer.keyMaterial)).toBe(VECTOR.keyMaterial);
  });

  test("both phases by themselves: MAC and AUTH", async () => {
    const x = await x25519FromPrivate(fromHex(VECTOR.x));
    const [B, Y] = [target.ntorOnionKey, fromHex(VECTOR.Y)];
    const seen = { id: target.ed25519Id, B, X: fromHex(VECTOR.X), verification };
    const xb = await x.diffieHellman(B);
    const keys = ntorV3MessageKeys(xb, seen);
    expect(toHex(keys.mac(keys.crypt(fromHex(VECTOR.clientMessage))))).toBe(VECTOR.mac);
    const secrets = ntorV3Secrets({ xy: await x.diffieHellman(Y), xb }, seen, Y);
    const encrypted = fromHex(VECTOR.reply).subarray(64);
    expect(toHex(secrets.auth(fromHex(VECTOR.mac), encrypted))).toBe(VECTOR.auth);
  });
});

describe("both sides together", () => {
  test("messages of any length that fits, and keys of any length", async () => {
    const relay = await scriptedRelay();
    const message = (maxLength: number) => fc.uint8Array({ maxLength });
    const lengths = fc.integer({ min: 1, max: 300 });
    await fc.assert(
      fc.asyncProperty(
        message(NTOR_V3_MESSAGE_LIMIT),
        message(400),
        lengths,
        async (ours, theirs, length) => {
          const handshake = await ntorV3Handshake(relay, ours);
          expect(handshake.clientPart.length).toBe(128 + ours.length);
          const heard: Uint8Array[] = [];
          const answer = await answerNtorV3(relay, handshake.clientPart, (said) => {
            heard.push(said);
            return { message: theirs, length };
          });
          expect(answer.reply.length).toBe(64 + theirs.length);
          const result = await handshake.finish(answer.reply, length);
          expect(heard).toEqual([ours]);
          expect(result).toEqual({ message: theirs, keyMaterial: answer.keyMaterial });
          expect(result.keyMaterial.length).toBe(length);
        },
      ),
      { numRuns: 30 },
    );
  });

  test("nothing of either message is in the clear, and X is fresh each time", async () => {
    const relay = await scriptedRelay();
    const secret = utf8("a message of more than one block of AES");
    const first = await ntorV3Handshake(relay, secret);
    const second = await ntorV3Handshake(relay, secret);
    expect(toHex(first.clientPart)).not.toContain(toHex(secret.subarray(0, 8)));
    expect(toHex(first.clientPart.subarray(64))).not.toBe(toHex(second.clientPart.subarray(64)));
    const { reply } = await answerNtorV3(relay, first.clientPart, says(secret));
    expect(toHex(reply)).not.toContain(toHex(secret.subarray(0, 8)));
  });

  test("without WebCrypto's X25519 the same", async () => {
    const ephemeral = viaNoble(fromHex(VECTOR.x));
    const message = fromHex(VECTOR.clientMessage);
    const handshake = await ntorV3Handshake(target, message, { ephemeral, verification });
    expect(toHex(handshake.clientPart)).toBe(VECTOR.clientPart);
    const result = await handshake.finish(fromHex(VECTOR.reply), 256);
    expect(toHex(result.keyMaterial)).toBe(VECTOR.keyMaterial);
  });

  test("circuits verify by the constant of C tor and arti, and by no other", async () => {
    expect(toHex(CIRCUIT_VERIFICATION)).toBe(toHex(utf8("circuit extend")));
    const relay = await scriptedRelay();
    const other = { verification: utf8("circuit extent") };
    const handshake = await ntorV3Handshake(relay, new Uint8Array(1), other);
    const answer = answerNtorV3(relay, handshake.clientPart, says(new Uint8Array(1)));
    await expect(answer).rejects.toThrow("wrong MAC");
  });
});

describe("a relay that answers wrongly is refused", () => {
  test("any changed byte of the answer", async () => {
    const length = VECTOR.reply.length / 2;
    for (let i = 0; i < length; i++) {
      const reply = fromHex(VECTOR.reply);
      reply[i] = (reply[i] as number) ^ 0x10;
      await expect((await vectorClient()).finish(reply, 92)).rejects.toMatchObject(refused);
    }
  });

  test("an answer cut short or drawn out by any length", async () => {
    const reply = fromHex(VECTOR.reply);
    for (let length = 0; length < reply.length; length++) {
      await expect((await vectorClient()).finish(reply.subarray(0, length), 92)).rejects.toMatchObject(
        refused,
      );
    }
    for (const more of [1, 2, 100, 433]) {
      const longer = concat(reply, new Uint8Array(more));
      await expect((await vectorClient()).finish(longer, 92)).rejects.toMatchObject(refused);
    }
  });

  test("an answer longer than a cell, though it verifies", async () => {
    const relay = await scriptedRelay();
    const handshake = await ntorV3Handshake(relay, new Uint8Array(1));
    const { reply } = await answerNtorV3(relay, handshake.clientPart, says(new Uint8Array(444)));
    await expect(handshake.finish(reply, 92)).rejects.toMatchObject(refused);
  });

  test("the answer to another client part of the same client key", async () => {
    const relay = await vectorRelay();
    const ephemeral = await x25519FromPrivate(fromHex(VECTOR.x));
    const other = await ntorV3Handshake(target, utf8("other"), { ephemeral, verification });
    const { reply } = await answerNtorV3(relay, other.clientPart, says(new Uint8Array(1)), { verification });
    await expect((await vectorClient()).finish(reply, 92)).rejects.toMatchObject(refused);
  });

  test("a relay with another onion key", async () => {
    const [relay, other] = [await scriptedRelay(), await scriptedRelay()];
    const handshake = await ntorV3Handshake(
      { ...relay, ntorOnionKey: other.ntorOnionKey },
      new Uint8Array(1),
    );
    const answer = answerNtorV3(relay, handshake.clientPart, says(new Uint8Array(1)));
    await expect(answer).rejects.toThrow("another key");
    // It can only pretend: EXP(X,b) is made with its own b.
    const reply = await forgedReply(handshake.clientPart, relay.onionKey, {});
    await expect(handshake.finish(reply, 92)).rejects.toMatchObject(refused);
  });

  test("a relay with another identity", async () => {
    const [relay, other] = [await scriptedRelay(), await scriptedRelay()];
    const handshake = await ntorV3Handshake({ ...relay, ed25519Id: other.ed25519Id }, new Uint8Array(1));
    const answer = answerNtorV3(relay, handshake.clientPart, says(new Uint8Array(1)));
    await expect(answer).rejects.toThrow("another relay");
    const reply = await forgedReply(handshake.clientPart, relay.onionKey, { id: relay.ed25519Id });
    await expect(handshake.finish(reply, 92)).rejects.toMatchObject(refused);
  });

  test("the forger of these tests is believed where it does not forge", async () => {
    const relay = await scriptedRelay();
    const handshake = await ntorV3Handshake(relay, new Uint8Array(1));
    const reply = await forgedReply(handshake.clientPart, relay.onionKey, {});
    expect((await handshake.finish(reply, 92)).message).toEqual(new Uint8Array(0));
  });

  // With such a Y, AUTH over an all-zero EXP(Y,x) is computable by anyone who knows b, and the keys are not fresh.
  test.each(["00".repeat(32), `01${"00".repeat(31)}`])("Y of small order (%s)", async (y) => {
    const relay = await scriptedRelay();
    const handshake = await ntorV3Handshake(relay, new Uint8Array(1));
    const reply = await forgedReply(handshake.clientPart, relay.onionKey, { Y: fromHex(y) });
    await expect(handshake.finish(reply, 92)).rejects.toMatchObject({
      ...refused,
      cause: { code: "ALLIUM_E_X25519" },
    });
  });

  test("an onion key of small order: the message would be for everybody", async () => {
    const handshake = ntorV3Handshake({ ...target, ntorOnionKey: new Uint8Array(32) }, new Uint8Array(1));
    await expect(handshake).rejects.toMatchObject({ code: "ALLIUM_E_X25519" });
  });

  test("a second answer, even the right one", async () => {
    const handshake = await vectorClient();
    await handshake.finish(fromHex(VECTOR.reply), 92);
    await expect(handshake.finish(fromHex(VECTOR.reply), 92)).rejects.toMatchObject(refused);
  });
});

describe("secrets and buffers", () => {
  test("EXP(B,x) and EXP(Y,x) are overwritten once the relay has answered, rightly or not", async () => {
    for (const reply of [VECTOR.reply, VECTOR.reply.replace(/^4b/, "4c"), "00"]) {
      const given: Uint8Array[] = [];
      const x = await x25519FromPrivate(fromHex(VECTOR.x));
      const ephemeral: X25519KeyPair = {
        publicKey: x.publicKey,
        async diffieHellman(peer) {
          const secret = await x.diffieHellman(peer);
          given.push(secret);
          return secret;
        },
      };
      const handshake = await ntorV3Handshake(target, new Uint8Array(1), { ephemeral, verification });
      await handshake.finish(fromHex(reply), 92).catch(() => {});
      expect(given.length).toBe(reply === "00" ? 1 : 2);
      expect(given.every(allZero)).toBe(true);
    }
  });

  test("the answer may be overwritten once finish() was called", async () => {
    const handshake = await vectorClient();
    const reply = fromHex(VECTOR.reply);
    const result = handshake.finish(reply, 256);
    reply.fill(0);
    expect(toHex((await result).keyMaterial)).toBe(VECTOR.keyMaterial);
  });
});

describe("what the cells hold", () => {
  test("the longest client message fills CREATE2, and fits EXTEND2 in either cell format", async () => {
    const relay = await scriptedRelay();
    const v6 = { family: 6, address: randomBytes(16), port: 443 } as const;
    const handshake = await ntorV3Handshake(relay, new Uint8Array(NTOR_V3_MESSAGE_LIMIT));
    const data = { type: NTOR_V3_TYPE, data: handshake.clientPart };
    expect(encodeCreate2(data).length).toBe(509);
    const extend = encodeMessage({
      command: RelayCommand.EXTEND2,
      linkSpecifiers: linkSpecifiers({ ...relay, addresses: [...relay.addresses, v6] }),
      handshake: data,
    });
    expect(extend.length).toBe(478);
  });

  test("a longer one is refused", async () => {
    const message = new Uint8Array(NTOR_V3_MESSAGE_LIMIT + 1);
    await expect(ntorV3Handshake(target, message)).rejects.toThrow(RangeError);
  });
});

describe("the test relay refuses", () => {
  test("a changed message, MAC or X", async () => {
    const relay = await scriptedRelay();
    const { clientPart } = await ntorV3Handshake(relay, new Uint8Array(5));
    for (const at of [64, 95, 96, 100, 101, 132]) {
      const changed = Uint8Array.from(clientPart);
      changed[at] = (changed[at] as number) ^ 1;
      await expect(answerNtorV3(relay, changed, says(new Uint8Array(1)))).rejects.toThrow("wrong MAC");
    }
  });

  test("an onionskin that is too short", async () => {
    const relay = await scriptedRelay();
    const { clientPart } = await ntorV3Handshake(relay, new Uint8Array(0));
    await expect(answerNtorV3(relay, clientPart.subarray(1), says(new Uint8Array(1)))).rejects.toThrow();
    const cut = clientPart.subarray(0, 127);
    await expect(answerNtorV3(relay, cut, says(new Uint8Array(1)))).rejects.toThrow();
  });
});

test("the tweaks hash as ENCAP has them", async () => {
  // MAC of an empty message by hand: H(ENCAP(t) | ENCAP(k) | ID | B | X), with MAC_K1 of the vector.
  const x = await x25519FromPrivate(fromHex(VECTOR.x));
  const seen = { id: target.ed25519Id, B: target.ntorOnionKey, X: fromHex(VECTOR.X), verification };
  const keys = ntorV3MessageKeys(await x.diffieHellman(seen.B), seen);
  const tweak = utf8("ntor3-curve25519-sha3_256-1:msg_mac");
  const macKey = fromHex("f5b69e85fdd26e1b0bdbbc8128e32d8123040255f11f744af3cc98fc13613cda");
  const byHand = concat(
    fromHex("0000000000000023"),
    tweak,
    fromHex("0000000000000020"),
    macKey,
    seen.id,
    seen.B,
    seen.X,
  );
  expect(toHex(keys.mac(new Uint8Array(0)))).toBe(toHex(sha3_256(byHand)));
});

/** An answer with an empty message, made from what the forger has: its own b, another ID, a Y of its choice. */
async function forgedReply(
  clientPart: Uint8Array,
  b: X25519KeyPair,
  { id = clientPart.subarray(0, 32), Y }: { id?: Uint8Array; Y?: Uint8Array },
): Promise<Uint8Array> {
  const [B, X] = [clientPart.subarray(32, 64), clientPart.subarray(64, 96)];
  const y = await x25519FromPrivate(randomBytes(32));
  const xy = Y === undefined ? await y.diffieHellman(X) : new Uint8Array(32);
  const seen = { id, B, X, verification: CIRCUIT_VERIFICATION };
  const point = Y ?? y.publicKey;
  const secrets = ntorV3Secrets({ xy, xb: await b.diffieHellman(X) }, seen, point);
  const none = new Uint8Array(0);
  return concat(point, secrets.auth(clientPart.subarray(-32), none));
}
