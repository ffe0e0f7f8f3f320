// Why a server's certificate is not believed: one code for each kind of reason (docs/errors.md).

import { TorError } from "../../base/errors.ts";

export type CertificateFault =
  | "EXPIRED"
  | "NOT_YET_VALID"
  | "UNKNOWN_ISSUER"
  | "NAME"
  | "SIGNATURE"
  | "WEAK"
  | "CONSTRAINT"
  | "MALFORMED"
  | "PIN"
  | "LIMIT";

export function certificateError(fault: CertificateFault, message: string, cause?: unknown): TorError {
  return new TorError("remote-tls", `ALLIUM_E_CERT_${fault}`, message, { cause });
}
