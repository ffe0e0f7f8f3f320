// The certificate of the destination's HTTPS server: a chain of an own root, an intermediate and a leaf, made by openssl.

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ZONE } from "./dns.ts";

export interface Credentials {
  /** PEM; the certificate with its intermediate. */
  readonly key: string;
  readonly cert: string;
  /** PEM of the root that clients are to trust. */
  readonly root: string;
}

/** @param dir is made; @param address the server's, which is certified beside the names */
export function makeCredentials(dir: string, address: string): Credentials {
  mkdirSync(dir, { recursive: true });
  const file = (name: string) => join(dir, name);
  const sections = {
    root: "basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign",
    intermediate: "basicConstraints=critical,CA:true,pathlen:0\nkeyUsage=critical,keyCertSign",
    leaf: `subjectAltName=DNS:${ZONE},DNS:*.${ZONE},IP:${address}\nextendedKeyUsage=serverAuth`,
  };
  const issue = (name: keyof typeof sections, ...signer: string[]) => {
    writeFileSync(file(`${name}.cnf`), `[x]\n${sections[name]}\n`);
    const request = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    openssl(...request, "-keyout", file(`${name}.key`), "-out", file(`${name}.csr`), "-subj", `/CN=${name}`);
    const extensions = ["-extfile", file(`${name}.cnf`), "-extensions", "x"];
    const output = ["-out", file(`${name}.pem`), "-days", "30"];
    openssl("x509", "-req", "-in", file(`${name}.csr`), ...extensions, ...output, ...signer);
  };
  const by = (name: string) => ["-CA", file(`${name}.pem`), "-CAkey", file(`${name}.key`), "-CAcreateserial"];
  issue("root", "-signkey", file("root.key"));
  issue("intermediate", ...by("root"));
  issue("leaf", ...by("intermediate"));
  const read = (name: string) => readFileSync(file(name), "utf8");
  return { key: read("leaf.key"), cert: read("leaf.pem") + read("intermediate.pem"), root: read("root.pem") };
}

function openssl(...args: readonly string[]): void {
  execFileSync("openssl", args, { stdio: "pipe" });
}
