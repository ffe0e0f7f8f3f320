// Makes packages/core/data/roots.bin, the roots that TLS to web servers trusts, from the list of Mozilla's that Node has
// built in: `node scripts/make-roots.mjs`. The format is described in packages/core/data/README.md. Plain JavaScript
// without dependencies; the same Node makes the same file.

import { X509Certificate } from "node:crypto";
import { writeFileSync } from "node:fs";
import process from "node:process";
import { rootCertificates } from "node:tls";
import { fileURLToPath } from "node:url";

const OUTPUT = fileURLToPath(new URL("../packages/core/data/roots.bin", import.meta.url));

/** To be changed together: the Node that has the list, the day of its release, and the list's version. */
const SOURCE = { node: "v24.21.0", date: "2026-09-10", nss: "3.126" };

const NAME_CONSTRAINTS = Buffer.from("0603551d1e", "hex");

/** The DER element at `at`: where its contents begin, and where it ends. */
function elementAt(der, at) {
  const first = der[at + 1];
  const count = first < 0x80 ? 0 : first & 0x7f;
  const start = at + 2 + count;
  return { start, end: start + (count === 0 ? first : der.readUIntBE(at + 2, count)) };
}

/** Subject and NameConstraints of a certificate of version 3 (RFC 5280 4.1). */
function fieldsOf(der) {
  let at = elementAt(der, elementAt(der, 0).start).start;
  const next = () => {
    const from = at;
    at = elementAt(der, at).end;
    return der.subarray(from, at);
  };
  const [, , , , , subject, , tail] = Array.from({ length: 8 }, next);
  const found = tail.indexOf(NAME_CONSTRAINTS);
  if (found < 0) return { subject, nameConstraints: Buffer.alloc(0) };
  const value = elementAt(tail, found + NAME_CONSTRAINTS.length);
  // A critical flag may stand before the OCTET STRING.
  const octets = tail[found + NAME_CONSTRAINTS.length] === 0x01 ? elementAt(tail, value.end) : value;
  return { subject, nameConstraints: tail.subarray(octets.start, octets.end) };
}

function vector(lengthBytes, bytes) {
  const length = Buffer.alloc(lengthBytes);
  length.writeUIntBE(bytes.length, 0, lengthBytes);
  return Buffer.concat([length, bytes]);
}

if (process.version !== SOURCE.node) throw new Error(`this is Node ${process.version}, not ${SOURCE.node}`);
const anchors = rootCertificates.map((pem) => {
  const certificate = new X509Certificate(pem);
  const { subject, nameConstraints } = fieldsOf(certificate.raw);
  const spki = certificate.publicKey.export({ type: "spki", format: "der" });
  if (!certificate.raw.includes(spki)) throw new Error(`a key is written otherwise: ${certificate.subject}`);
  return Buffer.concat([vector(2, subject), vector(2, spki), vector(2, nameConstraints)]);
});
anchors.sort(Buffer.compare);
const notice = `Mozilla's root certificates (NSS ${SOURCE.nss}, MPL-2.0), as Node ${SOURCE.node} has them`;
const file = Buffer.concat([
  Buffer.from("ALLIUMROOTS1", "latin1"),
  vector(1, Buffer.from(SOURCE.date, "latin1")),
  vector(1, Buffer.from(notice, "latin1")),
  ...anchors,
]);
writeFileSync(OUTPUT, file);
process.stdout.write(`${OUTPUT}: ${file.length} bytes, ${anchors.length} roots\n`);
