// What both versions do with the server's chain. Who it names and who vouches for it, `verify` judges.

import { toTorError } from "../base/errors.ts";
import { TlsError } from "./alert.ts";
import type { VerifyChain } from "./api.ts";
import { type Certificate, parseCertificate } from "./x509/certificate.ts";

/** The certificate whose key must sign the handshake. */
export function leafOf(chain: readonly Uint8Array[]): Certificate {
  if (chain[0] === undefined) {
    throw new TlsError("decode_error", "ALLIUM_E_TLS_CERTIFICATE", "the server sent no certificate");
  }
  try {
    return parseCertificate(chain[0]);
  } catch (error) {
    const { code, message } = toTorError(error);
    throw new TlsError("bad_certificate", code, message, error);
  }
}

/** Fails as `verify` does, and tells the server of it where the chain is at fault. */
export async function judge(verify: VerifyChain | undefined, chain: readonly Uint8Array[]): Promise<void> {
  try {
    await verify?.(chain);
  } catch (cause) {
    const error = toTorError(cause);
    if (error.kind !== "remote-tls" || error instanceof TlsError) throw error;
    throw new TlsError("certificate_unknown", error.code, error.message, error, error.kind);
  }
}
