// What a server's own certificate must be, and what is said of one that is not.

import { describe, expect, it } from "vitest";
import { der, makeKey, nameOf, SEQUENCE } from "../make-certificate.ts";
import {
  basicConstraints,
  ca,
  dns,
  extension,
  failureOf,
  HOST,
  keyUsage,
  NOW,
  nameConstraints,
  names,
  type Order,
  PURPOSE,
  purposes,
  server,
  verify,
} from "./issue.ts";

const root = ca({ name: "root" });
const none = new Uint8Array(0);
const forHost = names(dns(HOST));
const with_ = (...extensions: readonly Uint8Array[]) => ({ extensions: [forHost, ...extensions] });
const tried = (order: Omit<Order, "by">) => verify([server(root, order)], [root]);

describe("a server's certificate", () => {
  it("needs nothing but names", async () => {
    expect(await tried(with_())).toBe("fine");
    expect(await tried({ extensions: [] })).toBe("NAME");
  });

  it("must be one for servers where it says for what", async () => {
    expect(await tried(with_(purposes(PURPOSE.server)))).toBe("fine");
    expect(await tried(with_(purposes(PURPOSE.client, PURPOSE.server)))).toBe("fine");
    expect(await tried(with_(purposes(PURPOSE.client)))).toBe("CONSTRAINT");
    expect(await tried(with_(purposes(PURPOSE.any)))).toBe("CONSTRAINT");
    expect(await tried(with_(keyUsage(0x80)))).toBe("fine");
    expect(await tried(with_(keyUsage(0xa0)))).toBe("fine");
    // keyEncipherment alone is for key exchanges that nobody uses any more.
    expect(await tried(with_(keyUsage(0x20)))).toBe("CONSTRAINT");
  });

  it("is not that of a CA, not even of a trusted one", async () => {
    expect(await tried(with_(basicConstraints(false)))).toBe("fine");
    expect(await tried(with_(basicConstraints(true)))).toBe("CONSTRAINT");
    const own = ca({ name: HOST, more: [forHost] });
    expect(await verify([own], [own])).toBe("CONSTRAINT");
  });

  it("has a key of strength", async () => {
    expect(await tried({ ...with_(), key: makeKey("rsa", 2048) })).toBe("fine");
    expect(await tried({ ...with_(), key: makeKey("rsa", 2047) })).toBe("WEAK");
    expect(await tried({ ...with_(), key: makeKey("ed25519") })).toBe("fine");
    expect(await tried({ ...with_(), key: makeKey("ec", "secp384r1") })).toBe("fine");
    expect(await tried({ ...with_(), key: makeKey("ec", "secp521r1") })).toBe("fine");
    expect(await tried({ ...with_(), key: makeKey("ec", "secp256k1") })).toBe("WEAK");
  });

  it("is whole, of version 3, and has no extension that nobody knows", async () => {
    expect(await tried({ ...with_(), parts: { version: none, extensions: none } })).toBe("MALFORMED");
    expect(await tried(with_(extension("1.2.3.4", none, true)))).toBe("CONSTRAINT");
    expect(await tried(with_(extension("1.2.3.4", none)))).toBe("fine");
    expect(await tried(with_(forHost))).toBe("MALFORMED");
    expect(await tried(with_(nameConstraints({ permitted: [dns("com")] })))).toBe("MALFORMED");
    expect(await verify([{ certificate: none }, root], [root])).toBe("MALFORMED");
    expect(await verify([], [root])).toBe("MALFORMED");
  });

  it("may be without subject where its names are critical", async () => {
    const name = der(SEQUENCE);
    expect(await tried({ name, extensions: [extension("2.5.29.17", der(SEQUENCE, dns(HOST)), true)] })).toBe(
      "fine",
    );
    expect(await tried({ name, extensions: [forHost] })).toBe("MALFORMED");
  });

  it("does not get its name from the subject", async () => {
    expect(await tried({ name: HOST, extensions: [names(dns("other.example.com"))] })).toBe("NAME");
    expect(await tried({ name: nameOf(HOST), extensions: [keyUsage(0x80)] })).toBe("NAME");
  });

  it("says the same twice how it is signed", async () => {
    const outerAlgorithm = der(SEQUENCE, Uint8Array.of(0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3));
    expect(await tried({ ...with_(), parts: { outerAlgorithm } })).toBe("MALFORMED");
  });

  it("is not signed by itself alone", async () => {
    const alone = server({ ...root, name: nameOf("nobody") });
    expect(await verify([alone], [root])).toBe("UNKNOWN_ISSUER");
  });
});

describe("time", () => {
  const leaf = server(root, { validity: ["20260601000000Z", "20260630235959Z"] });
  const at = (text: string) => failureOf([leaf], [root], { now: Date.parse(text) });

  it("counts from the first second to the end of the last", async () => {
    expect(await at("2026-06-01T00:00:00.000Z")).toBeUndefined();
    expect(await at("2026-06-30T23:59:59.999Z")).toBeUndefined();
    expect((await at("2026-05-31T23:59:59.999Z"))?.code).toBe("ALLIUM_E_CERT_NOT_YET_VALID");
    expect((await at("2026-07-01T00:00:00.000Z"))?.code).toBe("ALLIUM_E_CERT_EXPIRED");
  });

  it("is told, with what the clock says", async () => {
    expect((await at("2026-07-05T00:00:00Z"))?.message).toMatch(
      /until 2026-06-30; the clock says 2026-07-05/,
    );
    expect((await at("2020-01-01T00:00:00Z"))?.message).toMatch(
      /from 2026-06-01 on; the clock says 2020-01-01/,
    );
  });

  it("is refused where the clock says nothing", async () => {
    expect((await failureOf([leaf], [root], { now: Number.NaN }))?.code).toBe("ALLIUM_E_CERT_NOT_YET_VALID");
  });

  it("of a root plays no part", async () => {
    const old = ca({ name: "old", validity: ["20000101000000Z", "20100101000000Z"] });
    expect(await verify([server(old)], [old], { now: NOW })).toBe("fine");
  });
});
