// Signatures of a server under any scheme, right or wrong (RFC 8446 4.2.3).

import { constants, sign } from "node:crypto";
import type { TestKey } from "./make-certificate.ts";

export interface SignOptions {
  readonly flip?: boolean;
  readonly saltLength?: number;
}

/** A signature of this scheme, be it that the key is not for it. */
export function signAs(
  scheme: number,
  key: TestKey,
  data: Uint8Array,
  options: SignOptions = {},
): Uint8Array {
  const pss = scheme >> 8 === 8 && scheme !== 0x0807;
  const how = pss
    ? {
        key: key.privateKey,
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength: options.saltLength ?? constants.RSA_PSS_SALTLEN_DIGEST,
      }
    : key.privateKey;
  const signature = new Uint8Array(sign(digestOf(scheme), data, how));
  if (options.flip === true) signature[signature.length - 1] = (signature.at(-1) as number) ^ 1;
  return signature;
}

function digestOf(scheme: number): string | null {
  if (scheme === 0x0807) return null;
  return (
    { 3: "sha256", 4: "sha256", 5: "sha384", 6: "sha512" }[scheme >> 8 === 8 ? scheme & 255 : scheme >> 8] ??
    "sha1"
  );
}
