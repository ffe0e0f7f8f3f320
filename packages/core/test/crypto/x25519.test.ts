import { afterEach, describe, expect, it, vi } from "vitest";
import { fromHex, toHex } from "../../src/base/encoding.ts";
import { TorError } from "../../src/base/errors.ts";
import { generateX25519, viaNoble, x25519FromPrivate } from "../../src/crypto/x25519.ts";
import { RFC7748, RFC7748_KEYS, X25519_SMALL_ORDER } from "./vectors.ts";
import { bytes, describeWycheproof } from "./wycheproof.ts";

const BACK_ENDS = [
  { name: "WebCrypto", fromPrivate: x25519FromPrivate },
  { name: "the library", fromPrivate: async (key: Uint8Array) => viaNoble(key) },
];

afterEach(() => {
  vi.restoreAllMocks();
});

describe.each(BACK_ENDS)("X25519 by $name", ({ fromPrivate }) => {
  it.each(RFC7748)("gives RFC 7748's secret ($#)", async ({ privateKey, peer, shared }) => {
    const pair = await fromPrivate(fromHex(privateKey));
    expect(toHex(await pair.diffieHellman(fromHex(peer)))).toBe(shared);
  });

  it.each(RFC7748_KEYS)("gives RFC 7748's public key ($#)", async ({ privateKey, publicKey }) => {
    expect(toHex((await fromPrivate(fromHex(privateKey))).publicKey)).toBe(publicKey);
  });

  it.each(X25519_SMALL_ORDER)("refuses the point of small order %s", async (point) => {
    const pair = await fromPrivate(fromHex(RFC7748[0]?.privateKey as string));
    await expect(pair.diffieHellman(fromHex(point))).rejects.toMatchObject({
      kind: "protocol-violation",
      code: "ALLIUM_E_X25519",
    });
  });

  it.each([0, 31, 33])("refuses a peer's key of %i bytes", async (length) => {
    const pair = await fromPrivate(fromHex(RFC7748[0]?.privateKey as string));
    await expect(pair.diffieHellman(new Uint8Array(length).fill(9))).rejects.toBeInstanceOf(TorError);
  });

  it("keeps a copy of the private key", async () => {
    const key = Buffer.from(RFC7748[2]?.privateKey as string, "hex");
    const pair = await fromPrivate(key);
    key.fill(0);
    expect(toHex(await pair.diffieHellman(fromHex(RFC7748[2]?.peer as string)))).toBe(RFC7748[2]?.shared);
  });
});

describe("a fresh X25519 key pair", () => {
  it("agrees with its peer on a secret, and is another one each time", async () => {
    const [one, two] = await Promise.all([generateX25519(), generateX25519()]);
    expect(one.publicKey).toHaveLength(32);
    expect(one.publicKey).not.toEqual(two.publicKey);
    expect(await one.diffieHellman(two.publicKey)).toEqual(await two.diffieHellman(one.publicKey));
  });

  it("is made by the library where WebCrypto has no X25519", async () => {
    const none = () => Promise.reject(new DOMException("unrecognized name", "NotSupportedError"));
    vi.spyOn(crypto.subtle, "generateKey").mockImplementation(none);
    vi.spyOn(crypto.subtle, "importKey").mockImplementation(none);
    const [one, two] = [await generateX25519(), await x25519FromPrivate(new Uint8Array(32).fill(7))];
    expect(await one.diffieHellman(two.publicKey)).toEqual(await two.diffieHellman(one.publicKey));
  });

  it("refuses an all-zero secret that the platform let through", async () => {
    const pair = await generateX25519();
    vi.spyOn(crypto.subtle, "deriveBits").mockResolvedValue(new ArrayBuffer(32));
    await expect(pair.diffieHellman((await generateX25519()).publicKey)).rejects.toMatchObject({
      code: "ALLIUM_E_X25519",
    });
  });
});

describeWycheproof("x25519_test.json", (groups) => {
  it.each(BACK_ENDS)("agrees in every case, by $name", async ({ fromPrivate }) => {
    for (const test of groups().flatMap((group) => group.tests)) {
      const pair = await fromPrivate(bytes(test.private));
      const secret = pair.diffieHellman(bytes(test.public));
      const zero = /^0+$/.test(test.shared as string);
      if (zero) await expect(secret, `case ${test.tcId}`).rejects.toBeInstanceOf(TorError);
      else expect(toHex(await secret), `case ${test.tcId}`).toBe(test.shared);
    }
  });
});
