// Trust anchors (RFC 5280 6.1.1 d), and the list of them in `roots.bin` (format: packages/core/data/README.md).

import { Reader } from "../../base/bytes.ts";
import { fromLatin1 } from "../../base/encoding.ts";
import { badApiUsage, type TorError } from "../../base/errors.ts";

export interface TrustAnchor {
  /** Name in DER. */
  readonly subject: Uint8Array;
  /** SubjectPublicKeyInfo in DER. */
  readonly spki: Uint8Array;
  /** NameConstraints in DER, where the root is bound by them. */
  readonly nameConstraints?: Uint8Array | undefined;
}

/** What `roots.bin` holds. */
export interface RootList {
  /** Day of the list, as `2026-09-10`. */
  readonly date: string;
  /** Source, version and licence of the list. */
  readonly notice: string;
  readonly anchors: readonly TrustAnchor[];
}

const MAGIC = "ALLIUMROOTS1";

function badRoots(message: string): TorError {
  return badApiUsage("ALLIUM_E_BAD_ROOTS", `not a list of roots: ${message}`);
}

/**
 * @param bytes contents of `roots.bin`
 * @throws TorError `bad-api-usage` (`ALLIUM_E_BAD_ROOTS`) when they are anything else
 */
export function loadRoots(bytes: Uint8Array): RootList {
  if (!(bytes instanceof Uint8Array)) throw badRoots("not bytes");
  const reader = new Reader(bytes, badRoots);
  if (fromLatin1(reader.take(MAGIC.length)) !== MAGIC) throw badRoots("it begins otherwise");
  const date = fromLatin1(reader.vector(1));
  const notice = fromLatin1(reader.vector(1));
  if (!/^\d{4}-\d\d-\d\d$/.test(date)) throw badRoots("its date");
  const anchors: TrustAnchor[] = [];
  do {
    const [subject, spki, constraints] = [reader.vector(2), reader.vector(2), reader.vector(2)];
    anchors.push({ subject, spki, nameConstraints: constraints.length > 0 ? constraints : undefined });
  } while (reader.remaining > 0);
  return { date, notice, anchors };
}
