// The trust store: its roots come when they are needed, its own anchors and pins are checked when they are given.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { utf8 } from "../../../src/base/encoding.ts";
import { type TrustOptions, TrustStore } from "../../../src/tls/x509/trust.ts";
import { TestClock } from "../../directory/manual-clock.ts";
import {
  ca,
  clockAt,
  constraints,
  dns,
  type Entity,
  failureOf,
  HOST,
  NOW,
  names,
  pinOf,
  server,
  verify,
} from "./issue.ts";
import { rootsFile } from "./roots-file.ts";

const root = ca({ name: "root" });
const middle = ca({ name: "middle", by: root });
const leaf = server(middle);
const chain = [leaf.certificate, middle.certificate];
const pem = ({ certificate }: Entity) =>
  `-----BEGIN CERTIFICATE-----\n${Buffer.from(certificate).toString("base64").replace(/.{64}/g, "$&\r\n")}\n-----END CERTIFICATE-----\n`;

describe("roots", () => {
  it("are asked for at first use, and once", async () => {
    let count = 0;
    const roots = async () => {
      count++;
      return rootsFile([root]);
    };
    const store = new TrustStore({ roots });
    const verifier = store.verifier(HOST, clockAt(NOW));
    expect(count).toBe(0);
    await Promise.all([verifier(chain), verifier(chain)]);
    await store.verifier(HOST, clockAt(NOW))(chain);
    expect(count).toBe(1);
  });

  it("that failed are asked for again", async () => {
    const answers: (() => Promise<Uint8Array>)[] = [
      async () => Promise.reject(new Error("no network")),
      async () => utf8("<html>"),
      () => {
        throw new Error("no such file");
      },
      async () => "text" as unknown as Uint8Array,
      async () => rootsFile([root]),
    ];
    const store = new TrustStore({ roots: () => (answers.shift() as () => Promise<Uint8Array>)() });
    const verifier = store.verifier(HOST, clockAt(NOW));
    const loading = { kind: "remote-tls", code: "ALLIUM_E_ROOTS_LOAD" };
    const bad = { kind: "bad-api-usage", code: "ALLIUM_E_BAD_ROOTS" };
    await expect(verifier(chain)).rejects.toMatchObject(loading);
    await expect(verifier(chain)).rejects.toMatchObject(bad);
    await expect(verifier(chain)).rejects.toMatchObject(loading);
    await expect(verifier(chain)).rejects.toMatchObject(bad);
    await verifier(chain);
  });

  it("that do not come in 30 s are given up, and asked for again", async () => {
    const clock = new TestClock(NOW);
    let count = 0;
    const roots = () =>
      count++ === 0 ? new Promise<Uint8Array>(() => {}) : Promise.resolve(rootsFile([root]));
    const verifier = new TrustStore({ roots }).verifier(HOST, clock);
    const failed = expect(verifier(chain)).rejects.toMatchObject({ code: "ALLIUM_E_ROOTS_LOAD" });
    await clock.advance(30_000);
    await failed;
    await verifier(chain);
  });

  it("are needed, or some of one's own", async () => {
    const without = new TrustStore({}).verifier(HOST, clockAt(NOW));
    await expect(without(chain)).rejects.toMatchObject({ kind: "bad-api-usage", code: "ALLIUM_E_NO_ROOTS" });
    const other = async () => rootsFile([ca({ name: "other" })]);
    expect(await verify([leaf, middle], [root])).toBe("fine");
    expect(await verify([leaf, middle], [root], { roots: other })).toBe("fine");
    expect(await verify([leaf, middle], [], { roots: other })).toBe("UNKNOWN_ISSUER");
  });

  it("are bound by the constraints that the list has for them", async () => {
    const bound = (name: string) => async () =>
      rootsFile([root], undefined, constraints({ permitted: [dns(name)] }));
    expect(await verify([leaf, middle], [], { roots: bound("example.com") })).toBe("fine");
    expect(await verify([leaf, middle], [], { roots: bound("example.org") })).toBe("CONSTRAINT");
  });

  it("of Mozilla vouch for nobody here", async () => {
    const file = readFileSync(new URL("../../../data/roots.bin", import.meta.url));
    expect(await verify([leaf, middle], [], { roots: async () => new Uint8Array(file) })).toBe(
      "UNKNOWN_ISSUER",
    );
  });

  it("tell a clock that is behind their day", async () => {
    const roots = async () => rootsFile([root], "2026-06-01");
    const behind = await failureOf([leaf, middle], [], { roots, now: Date.UTC(2020, 0, 1) });
    expect(behind).toMatchObject({ kind: "remote-tls", code: "ALLIUM_E_CERT_NOT_YET_VALID" });
    expect(behind?.message).toMatch(
      /clock is wrong: it is behind .* of 2026-06-01; .* clock says 2020-01-01/,
    );
    const ahead = await failureOf([leaf, middle], [], { roots, now: Date.UTC(2040, 0, 1) });
    expect(ahead).toMatchObject({ code: "ALLIUM_E_CERT_EXPIRED" });
    expect(ahead?.message).not.toMatch(/clock is wrong/);
    const name = await failureOf([leaf, middle], [], {
      roots,
      now: Date.UTC(2026, 2, 1),
      host: "other.example",
    });
    expect(name?.message).not.toMatch(/clock/);
  });
});

describe("extra anchors", () => {
  it("are DER, or PEM with one or several", async () => {
    const other = ca({ name: "other" });
    const bundle = `# two\n${pem(other)}and\n${pem(root)}`;
    for (const anchor of [root.certificate, pem(root), bundle]) {
      expect(await verify([leaf, middle], [], { extraAnchors: [anchor] })).toBe("fine");
    }
  });

  it("may be of version 1, as old roots are", async () => {
    const old = ca({ name: "old", parts: { version: new Uint8Array(0), extensions: new Uint8Array(0) } });
    expect(await verify([server(old)], [old])).toBe("fine");
  });

  it.each<[string, string | Uint8Array]>([
    ["nothing", ""],
    ["text", "root"],
    ["PEM of something else", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"],
    ["PEM that is not base64", "-----BEGIN CERTIFICATE-----\nA=A=\n-----END CERTIFICATE-----"],
    ["PEM of no certificate", "-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----"],
    ["bytes", Uint8Array.of(0x30, 0)],
    ["a server's certificate", server(root).certificate],
  ])("that are %s are refused at once", (_name, anchor) => {
    const fault = expect.objectContaining({ kind: "bad-api-usage", code: "ALLIUM_E_BAD_TRUST" });
    expect(() => new TrustStore({ extraAnchors: [anchor] })).toThrow(fault);
  });
});

describe("pins", () => {
  const pinned = (pins: TrustOptions["pins"], host?: string) => {
    const wide = server(middle, {
      extensions: [names(dns("*.example.com"), dns("a.b.example.com"), dns("example.com"))],
    });
    return verify([wide, middle], [root], { pins, ...(host === undefined ? {} : { host }) });
  };
  const other = pinOf(ca());

  it("are satisfied by any key of the path", async () => {
    for (const entity of [leaf, middle, root]) {
      expect(await verify([leaf, middle], [root], { pins: { [HOST]: [other, pinOf(entity)] } })).toBe("fine");
    }
    expect(await verify([leaf, middle], [root], { pins: { [HOST]: [other] } })).toBe("PIN");
  });

  it("are not satisfied by what the server sends besides its path", async () => {
    const stranger = ca();
    expect(await verify([leaf, middle, stranger], [root], { pins: { [HOST]: [pinOf(stranger)] } })).toBe(
      "PIN",
    );
  });

  it("let another path be found", async () => {
    const second = ca({ name: "second" });
    const crossed = ca({ name: middle.name, key: middle.key, by: second });
    const pins = { [HOST]: [pinOf(second)] };
    expect(await verify([leaf, middle, crossed], [root, second], { pins })).toBe("fine");
    expect(await verify([leaf, crossed, middle], [root, second], { pins })).toBe("fine");
    expect(await verify([leaf, middle], [root, second], { pins })).toBe("PIN");
  });

  it("hold for one host, or for all below a name; the nearest entry counts", async () => {
    const good = [pinOf(root)];
    expect(await pinned({ "*.example.com": good })).toBe("fine");
    expect(await pinned({ "*.example.com": [other] })).toBe("PIN");
    expect(await pinned({ "*.example.com": [other] }, "a.b.example.com")).toBe("PIN");
    expect(await pinned({ "*.example.com": [other] }, "example.com")).toBe("fine");
    expect(await pinned({ "*.example.com": [other] }, "www.example.com.")).toBe("PIN");
    expect(await pinned({ "*.example.com": [other], [HOST]: good })).toBe("fine");
    expect(await pinned({ "*.example.com": good, [HOST]: [other] })).toBe("PIN");
    expect(await pinned({ "*.example.com": good, "*.b.example.com": [other] }, "a.b.example.com")).toBe(
      "PIN",
    );
    expect(await pinned({ "other.example": [other], "*.le.com": [other] })).toBe("fine");
    for (const host of ["2001:db8::1", "192.0.2.1", "xn--bcher-kva.example", "_a.example"])
      expect(await pinned({ [host]: [other] })).toBe("fine");
  });

  it.each<[string, Record<string, readonly string[]>]>([
    ["no pin", { [HOST]: [] }],
    ["a short one", { [HOST]: [Buffer.alloc(20).toString("base64")] }],
    ["one that is not base64", { [HOST]: ["sha256/AAAA"] }],
    ["a host in upper case", { "WWW.example.com": [other] }],
    ["a wildcard inside", { "www.*.com": [other] }],
    ["no host", { "": [other] }],
    ["a wildcard alone", { "*.": [other] }],
    ["a host in Unicode", { "bücher.example": [other] }],
    ["a dot at the end", { "example.com.": [other] }],
    ["a port", { "example.com:443": [other] }],
    ["a URL", { "https://example.com": [other] }],
    ["a path", { "example.com/": [other] }],
    ["IPv6 in brackets", { "[2001:db8::1]": [other] }],
    ["IPv6 in another form", { "2001:db8:0::1": [other] }],
    ["IPv4 in another form", { "127.1": [other] }],
  ])("with %s are refused at once", (_name, pins) => {
    const fault = expect.objectContaining({ kind: "bad-api-usage", code: "ALLIUM_E_BAD_TRUST" });
    expect(() => new TrustStore({ pins })).toThrow(fault);
  });
});
