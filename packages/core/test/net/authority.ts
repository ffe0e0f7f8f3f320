// A certificate authority of a test's own with one server's certificate, made by openssl.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Authority {
  /** PEM. */
  readonly root: string;
  readonly key: string;
  readonly cert: string;
  remove(): void;
}

export function makeAuthority(hostname: string): Authority {
  const directory = mkdtempSync(join(tmpdir(), "allium-authority-"));
  const file = (name: string) => join(directory, name);
  const openssl = (...args: readonly string[]) => execFileSync("openssl", args, { stdio: "pipe" });
  const request = (name: string) => {
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    return ["req", "-new", ...curve, "-keyout", file(`${name}.key`), "-subj", `/CN=${name}`];
  };
  openssl(...request("root"), "-x509", "-days", "2", "-out", file("root.pem"));
  openssl(...request("leaf"), "-out", file("leaf.csr"));
  writeFileSync(file("leaf.cnf"), `subjectAltName=DNS:${hostname}\n`);
  const signer = ["-CA", file("root.pem"), "-CAkey", file("root.key"), "-CAcreateserial"];
  const output = ["-extfile", file("leaf.cnf"), "-days", "2", "-out", file("leaf.pem")];
  openssl("x509", "-req", "-in", file("leaf.csr"), ...signer, ...output);
  const read = (name: string) => readFileSync(file(name), "utf8");
  return {
    ...{ root: read("root.pem"), key: read("leaf.key"), cert: read("leaf.pem") },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
