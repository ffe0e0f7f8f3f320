// From a server's certificate to a root: which paths are found, and what a CA may not do.

import { describe, expect, it } from "vitest";
import { der, makeKey, SEQUENCE } from "../make-certificate.ts";
import {
  basicConstraints,
  ca,
  dns,
  type Entity,
  extension,
  failureOf,
  HOST,
  issue,
  keyUsage,
  nameConstraints,
  names,
  PURPOSE,
  purposes,
  server,
  verify,
} from "./issue.ts";

const root = ca({ name: "root" });
const middle = ca({ name: "middle", by: root });
const low = ca({ name: "low", by: middle });
const leaf = server(low);

/** The same CA, name and key, vouched for by somebody else. */
const crossed = (entity: Entity, by: Entity, order: Parameters<typeof ca>[0] = {}) =>
  ca({ name: entity.name, key: entity.key, by, ...order });

/** `count` CAs below the root, and a server below the last. */
function chainOf(count: number): Entity[] {
  const chain: Entity[] = [];
  let by = root;
  for (let i = 0; i < count; i++) {
    by = ca({ name: `CA ${i}`, by });
    chain.unshift(by);
  }
  return [server(by), ...chain];
}

describe("a path", () => {
  it("is found in whatever order, with the root or without, among duplicates", async () => {
    expect(await verify([leaf, low, middle], [root])).toBe("fine");
    expect(await verify([leaf, middle, low], [root])).toBe("fine");
    expect(await verify([leaf, root, middle, low, leaf, low, root], [root])).toBe("fine");
    expect(await verify([server(root)], [root])).toBe("fine");
  });

  it("may end at an anchor in its middle", async () => {
    expect(await verify([leaf, low, middle], [middle])).toBe("fine");
    expect(await verify([leaf], [low])).toBe("fine");
  });

  it("is not found where a part of it is missing, or nobody is trusted", async () => {
    expect(await verify([leaf, low], [root])).toBe("UNKNOWN_ISSUER");
    expect(await verify([leaf], [root])).toBe("UNKNOWN_ISSUER");
    expect(await verify([leaf, low, middle, root], [ca({ name: "another root" })])).toBe("UNKNOWN_ISSUER");
  });

  it("ignores junk, certificates of others, and bad certificates of the same names", async () => {
    const junk = [new Uint8Array(0), Uint8Array.of(0x30, 0), new Uint8Array(70_000)];
    const others = [ca({ name: "middle" }), ca({ name: "low" }), server(ca({ name: "low" }))];
    const chain = [leaf, ...junk.map((certificate) => ({ certificate })), ...others, middle, low];
    expect(await verify(chain, [root])).toBe("fine");
  });

  it("is not believed from an anchor of the same name and another key", async () => {
    expect(await verify([leaf, low, middle], [ca({ name: "root" })])).toBe("SIGNATURE");
    expect(await verify([leaf, low, middle], [ca({ name: "root" }), root])).toBe("fine");
  });

  it("is found over any of several cross-signed CAs", async () => {
    const other = ca({ name: "other root" });
    const expired = crossed(low, middle, { validity: ["20200101000000Z", "20210101000000Z"] });
    const early = crossed(low, middle, { validity: ["20300101000000Z", "20310101000000Z"] });
    const byOther = crossed(low, other);
    expect(await verify([leaf, expired, middle], [root])).toBe("EXPIRED");
    expect(await verify([leaf, early, middle], [root])).toBe("NOT_YET_VALID");
    for (const bad of [expired, early]) {
      expect(await verify([leaf, bad, middle, byOther], [root, other])).toBe("fine");
      expect(await verify([leaf, byOther, middle, bad], [root, other])).toBe("fine");
    }
    expect(await verify([leaf, expired, middle, byOther], [root])).toBe("EXPIRED");
    expect(await verify([leaf, expired, ca({ name: "low" })], [root])).toBe("EXPIRED");
  });

  it("does not go round in circles", async () => {
    const [a, b] = [ca({ name: "a" }), ca({ name: "b" })];
    const circle = [crossed(a, b), crossed(b, a), a, b];
    expect(await verify([server(a), ...circle], [root])).toBe("UNKNOWN_ISSUER");
    expect(await verify([server(a), ...circle, crossed(b, root)], [root])).toBe("fine");
  });

  it("has eight CAs between server and root, and no more", async () => {
    expect(await verify(chainOf(8), [root])).toBe("fine");
    expect(await verify(chainOf(9), [root])).toBe("CONSTRAINT");
  });
});

describe("work", () => {
  it("ends when many CAs of one name have many keys", async () => {
    const many = Array.from({ length: 30 }, () => ca({ name: "one name" }));
    const ring = many.map((entity, i) => crossed(entity, many[(i + 1) % many.length] as Entity));
    const chain = [server(many[0] as Entity), ...ring, ...many];
    expect((await failureOf(chain, [root]))?.message).toMatch(/many signatures/);
  });

  it("ends when every CA vouches for every other", async () => {
    const layers = Array.from({ length: 8 }, (_, i) => [0, 1].map(() => ca({ name: `layer ${i}` })));
    const chain = layers.flatMap((layer, i) =>
      layer.flatMap((entity) => (layers[i + 1] ?? []).map((by) => crossed(entity, by))),
    );
    const [first] = layers[0] as Entity[];
    expect((await failureOf([server(first as Entity), ...chain], [root]))?.message).toMatch(/many steps/);
  });

  it("ends when many names stand against many constraints", async () => {
    const list = (count: number, name: string) =>
      Array.from({ length: count }, (_, i) => dns(`${name}${i}.example`));
    const strict = ca({ name: "strict", by: root, more: [nameConstraints({ excluded: list(400, "no") })] });
    const named = server(strict, {
      extensions: [names(dns(HOST), ...list(400, "yes"))],
    });
    expect((await failureOf([named, strict], [root]))?.message).toMatch(/many names/);
  });

  it("looks at 64 certificates besides the server's", async () => {
    const junk = Array.from({ length: 62 }, (_, i) => ({ certificate: Uint8Array.of(i) }));
    expect(await verify([leaf, ...junk, low, middle], [root])).toBe("fine");
    expect(await verify([leaf, ...junk, { certificate: Uint8Array.of(99) }, low, middle], [root])).toBe(
      "UNKNOWN_ISSUER",
    );
  });
});

describe("a CA", () => {
  const under = (order: Parameters<typeof issue>[0]) => {
    const issuer = issue({ name: "bent", by: root, ...order });
    return verify([server(issuer), issuer], [root]);
  };
  const sign = keyUsage(0x06);
  const isCa = basicConstraints(true);

  it("must say that it is one, and may say what its key is for", async () => {
    expect(await under({ extensions: [isCa, sign] })).toBe("fine");
    expect(await under({ extensions: [isCa] })).toBe("fine");
    expect(await under({ extensions: [sign] })).toBe("CONSTRAINT");
    expect(await under({})).toBe("CONSTRAINT");
    expect(await under({ extensions: [basicConstraints(false), sign] })).toBe("CONSTRAINT");
    expect(await under({ extensions: [isCa, keyUsage(0x02)] })).toBe("CONSTRAINT");
    expect(await under({ extensions: [isCa, keyUsage(0x80)] })).toBe("CONSTRAINT");
  });

  it("must be one for servers where it says for what", async () => {
    expect(await under({ extensions: [isCa, purposes(PURPOSE.server)] })).toBe("fine");
    expect(await under({ extensions: [isCa, purposes(PURPOSE.client, PURPOSE.server)] })).toBe("fine");
    expect(await under({ extensions: [isCa, purposes(PURPOSE.any)] })).toBe("fine");
    expect(await under({ extensions: [isCa, purposes(PURPOSE.client)] })).toBe("CONSTRAINT");
  });

  it("must be of version 3 and have no unknown critical extension", async () => {
    const none = new Uint8Array(0);
    expect(await under({ parts: { version: none } })).toBe("MALFORMED");
    expect(await under({ extensions: [isCa, extension("1.2.3.4", none)] })).toBe("fine");
    expect(await under({ extensions: [isCa, extension("1.2.3.4", none, true)] })).toBe("CONSTRAINT");
  });

  it("must have a key of strength", async () => {
    expect(await under({ key: makeKey("rsa", 2048), extensions: [isCa] })).toBe("fine");
    expect(await under({ key: makeKey("rsa", 2047), extensions: [isCa] })).toBe("WEAK");
    expect(await under({ key: makeKey("ec", "secp256k1"), extensions: [isCa] })).toBe("WEAK");
  });

  it("must not stand above more CAs than it says, those that only changed their key apart", async () => {
    const none = ca({ name: "none", by: root, pathLength: 0 });
    const below = ca({ name: "below", by: none });
    expect(await verify([server(none), none], [root])).toBe("fine");
    expect(await verify([server(below), below, none], [root])).toBe("CONSTRAINT");
    const newKey = ca({ name: none.name, by: none });
    expect(await verify([server(newKey), newKey, none], [root])).toBe("fine");
    const one = ca({ name: "one", by: root, pathLength: 1 });
    const [second, third] = [ca({ name: "second", by: one }), ca({ name: "third", by: one })];
    const fourth = ca({ name: "fourth", by: third });
    expect(await verify([server(second), second, one], [root])).toBe("fine");
    expect(await verify([server(fourth), fourth, third, one], [root])).toBe("CONSTRAINT");
  });

  it("must have a name", async () => {
    const nameless = ca({ name: der(SEQUENCE), by: root });
    expect(await verify([server(nameless), nameless], [root])).toBe("MALFORMED");
  });
});
