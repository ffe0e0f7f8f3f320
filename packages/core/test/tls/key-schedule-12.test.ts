// The key schedule of TLS 1.2 gives what others' does, and the keys stand where the RFCs put them.

import { describe, expect, it } from "vitest";
import { fromHex, toHex } from "../../src/base/encoding.ts";
import { masterSecret, prf, recordKeys } from "../../src/tls/key-schedule-12.ts";
import { CIPHER_SUITES_12 } from "../../src/tls/protocol.ts";
import { EXTENDED_MASTER_SECRET, PRF } from "./key-schedule-12-vectors.ts";

const NO_BYTES = new Uint8Array(0);

it.each(PRF)("the PRF with $hash", ({ hash, secret, seed, output }) => {
  for (const length of [output.length / 2, 33, 1]) {
    const made = prf(hash, fromHex(secret), "test label", fromHex(seed), length);
    expect(toHex(made)).toBe(output.slice(0, 2 * length));
  }
});

describe.each(EXTENDED_MASTER_SECRET)("with $hash", (vector) => {
  const { hash } = vector;
  const randoms = {
    client: fromHex(vector.client),
    server: fromHex(vector.server),
    session: fromHex(vector.session),
  };

  it("the extended master secret", () => {
    expect(toHex(masterSecret(hash, fromHex(vector.shared), randoms))).toBe(vector.master);
  });

  it("the master secret of RFC 5246, which hangs on the randoms alone", () => {
    const seed = fromHex(vector.client + vector.server);
    const plain = masterSecret(hash, fromHex(vector.shared), { ...randoms, session: undefined });
    expect(plain).toEqual(prf(hash, fromHex(vector.shared), "master secret", seed, 48));
  });

  it.each(CIPHER_SUITES_12.filter((suite) => suite.hash === hash))("the keys of $name", (suite) => {
    const { client, server } = recordKeys(suite, fromHex(vector.master), { ...randoms, session: NO_BYTES });
    const key = suite.name.includes("AES_128") ? 16 : 32;
    const iv = suite.name.includes("CHACHA20") ? 12 : 4;
    const lengths = [client.key, server.key, client.iv, server.iv].map((part) => part.length);
    expect(lengths).toEqual([key, key, iv, iv]);
    const joined = [client.key, server.key, client.iv, server.iv].map(toHex).join("");
    expect(vector.keyBlock.startsWith(joined)).toBe(true);
  });
});
