// Whether a chain proves that a server is the one asked for (RFC 5280 6, RFC 9525): what its own certificate must be, and a
// path from there to a root. Not here: who is trusted (trust.ts).

import { certificateError } from "./errors.ts";
import { coversHost } from "./host.ts";
import { checkTime, findPath, type Link, type PathRules, readLink, SERVER_AUTH } from "./path.ts";
import { checkKey } from "./signed.ts";
import { KEY_USAGE } from "./usage.ts";

/**
 * @param chain certificates in DER, the server's first, the others in any order
 * @param host lower-case ASCII or an IP literal, as in a URL
 * @throws TorError `remote-tls` (`ALLIUM_E_CERT_…`) that says why not
 */
export async function verifyServer(
  chain: readonly Uint8Array[],
  host: string,
  rules: PathRules,
): Promise<void> {
  const [first, ...others] = chain;
  if (first === undefined) throw certificateError("MALFORMED", "the server sent no certificate");
  const leaf = readLink(first);
  checkServer(leaf);
  checkTime(leaf.certificate, rules.now);
  if (!coversHost(leaf.usage.names, host))
    throw certificateError("NAME", `the server's certificate is for another name than ${host}`);
  await findPath(leaf, others, rules);
}

function checkServer({ certificate, usage }: Link): void {
  checkKey(certificate.publicKey);
  if (usage.isCa) throw certificateError("CONSTRAINT", "the server shows the certificate of a CA");
  const isForServers = usage.purposes?.includes(SERVER_AUTH) ?? true;
  if (!isForServers || (usage.keyUsage & KEY_USAGE.digitalSignature) === 0)
    throw certificateError("CONSTRAINT", "the server's certificate is not one for servers");
}
