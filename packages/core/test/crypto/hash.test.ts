import { describe, expect, it } from "vitest";
import { fromHex, toHex, utf8 } from "../../src/base/encoding.ts";
import { sha1, sha3_256, sha256, sha384, sha512, shake256 } from "../../src/crypto/hash.ts";

// FIPS 180-4 and FIPS 202 example values of "abc".
describe("the one-shot hashes", () => {
  const abc = utf8("abc");
  it("give the standards' digests of abc", () => {
    expect(toHex(sha1(abc))).toBe("a9993e364706816aba3e25717850c26c9cd0d89d");
    expect(toHex(sha256(abc))).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect(toHex(sha384(abc))).toBe(
      "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
    );
    expect(toHex(sha512(abc))).toBe(
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a" +
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    );
    expect(toHex(sha3_256(abc))).toBe("3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532");
  });

  it("give Tor's SHAKE256 vector at the wanted length", () => {
    const input = fromHex("76891a7bcc6c04490035b743152f64a8dd2ea18ab472b8d36ecf45858d0b0046");
    const expected = "e8447df87d01beeb724c9a2a38ab00fcc24e9bd17860e673b021222d621a7810e5d3";
    expect(toHex(shake256(input, 34))).toBe(expected);
    expect(toHex(shake256(input, 5))).toBe(expected.slice(0, 10));
  });
});
