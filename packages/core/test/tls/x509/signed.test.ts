// How certificates may be signed: OpenSSL makes a CA and a server's certificate with each algorithm.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { TrustStore } from "../../../src/tls/x509/trust.ts";
import { makeKey } from "../make-certificate.ts";
import { ca, clockAt, HOST, server, verify } from "./issue.ts";

const folder = mkdtempSync(join(tmpdir(), "allium-x509-"));
afterAll(() => rmSync(folder, { recursive: true }));

function openssl(...args: readonly string[]): void {
  execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
}

const KEYS: Readonly<Record<string, readonly string[]>> = {
  "RSA 2048": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
  "RSA 1024": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
  "P-256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
  "P-384": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
  "P-521": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
  Ed25519: ["-algorithm", "ED25519"],
};

for (const [kind, options] of Object.entries(KEYS)) openssl("genpkey", ...options, "-out", `${kind}.key`);
openssl("genpkey", ...(KEYS["P-256"] as readonly string[]), "-out", "leaf.key");
writeFileSync(join(folder, "server.cnf"), `subjectAltName=DNS:${HOST}\nextendedKeyUsage=serverAuth\n`);

/** PEM of a CA with a key of this kind, and of what it signed with these options. */
function signedBy(kind: string, options: readonly string[]): { root: string; leaf: Uint8Array } {
  const key = `${kind}.key`;
  openssl("req", "-x509", "-new", "-key", key, "-subj", "/CN=A root", "-days", "10", "-out", "root.pem");
  openssl("req", "-new", "-key", "leaf.key", "-subj", `/CN=${HOST}`, "-out", "leaf.csr");
  const files = [
    "-in",
    "leaf.csr",
    "-CA",
    "root.pem",
    "-CAkey",
    key,
    "-extfile",
    "server.cnf",
    "-set_serial",
    "7",
  ];
  openssl("x509", "-req", ...files, "-days", "5", ...options, "-outform", "DER", "-out", "leaf.der");
  const leaf = Uint8Array.from(readFileSync(join(folder, "leaf.der")));
  return { root: readFileSync(join(folder, "root.pem"), "utf8"), leaf };
}

async function outcome(root: string, leaf: Uint8Array): Promise<string> {
  const verifier = new TrustStore({ extraAnchors: [root] }).verifier(HOST, clockAt(Date.now() + 60_000));
  return verifier([leaf]).then(
    () => "fine",
    (error: { code: string }) => error.code.replace("ALLIUM_E_CERT_", ""),
  );
}

const pss = (hash: string, salt: number, mgf = hash) => [
  `-${hash}`,
  ...["rsa_padding_mode:pss", `rsa_pss_saltlen:${salt}`, `rsa_mgf1_md:${mgf}`].flatMap((o) => ["-sigopt", o]),
];

describe("a certificate signed by OpenSSL", () => {
  it.each<[string, readonly string[], string]>([
    ["RSA 2048", ["-sha256"], "fine"],
    ["RSA 2048", ["-sha384"], "fine"],
    ["RSA 2048", ["-sha512"], "fine"],
    ["RSA 2048", pss("sha256", 32), "fine"],
    ["RSA 2048", pss("sha384", 48), "fine"],
    ["RSA 2048", pss("sha512", 64), "fine"],
    ["RSA 2048", pss("sha256", 20), "WEAK"],
    ["RSA 2048", pss("sha256", 32, "sha512"), "WEAK"],
    ["RSA 2048", ["-sha1"], "WEAK"],
    ["RSA 2048", ["-md5"], "WEAK"],
    ["RSA 2048", ["-sha224"], "WEAK"],
    ["RSA 1024", ["-sha256"], "WEAK"],
    ["P-256", ["-sha256"], "fine"],
    ["P-256", ["-sha384"], "fine"],
    ["P-256", ["-sha512"], "fine"],
    ["P-256", ["-sha1"], "WEAK"],
    ["P-384", ["-sha256"], "fine"],
    ["P-384", ["-sha384"], "fine"],
    ["P-384", ["-sha512"], "fine"],
    ["P-521", ["-sha256"], "fine"],
    ["P-521", ["-sha512"], "fine"],
    ["Ed25519", [], "fine"],
  ])("with %s, %j: %s", async (kind, options, expected) => {
    const { root, leaf } = signedBy(kind, options);
    expect(await outcome(root, leaf)).toBe(expected);
    if (expected !== "fine") return;
    const forged = leaf.slice();
    forged[forged.length - 5] = (forged.at(-5) as number) ^ 1;
    expect(await outcome(root, forged)).toBe("SIGNATURE");
  });
});

describe("a signature", () => {
  it.each(["rsa", "ec", "ed25519"] as const)(
    "of a kind (%s) that the issuer's key is not of is refused",
    async (kind) => {
      const size = { rsa: 2048, ec: "prime256v1", ed25519: "" }[kind];
      const other = { rsa: "ec", ec: "ed25519", ed25519: "rsa" }[kind] as "ec" | "rsa" | "ed25519";
      const root = ca({
        name: "root",
        key: makeKey(other, { rsa: 2048, ec: "prime256v1", ed25519: "" }[other]),
      });
      const pretender = { ...root, key: makeKey(kind, size) };
      expect(await verify([server(root)], [root])).toBe("fine");
      expect(await verify([server(pretender)], [root])).toBe("SIGNATURE");
    },
  );

  it("covers all of what is signed", async () => {
    const root = ca({ name: "root" });
    const { certificate } = server(root);
    const at = Buffer.from(certificate).indexOf("www.example.com");
    const changed = certificate.slice();
    changed[at] = 0x78;
    expect(await verify([{ certificate: changed }], [root])).toBe("SIGNATURE");
  });
});
