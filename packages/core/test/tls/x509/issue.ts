// A small certificate authority for tests: certificates of any CA and server, with any extension, any field bent.

import { createHash } from "node:crypto";
import { utf8 } from "../../../src/base/encoding.ts";
import type { TorError } from "../../../src/base/errors.ts";
import type { Clock } from "../../../src/base/ports.ts";
import { type TrustOptions, TrustStore } from "../../../src/tls/x509/trust.ts";
import {
  type CertificateParts,
  der,
  makeCertificate,
  makeKey,
  nameOf,
  oid,
  SEQUENCE,
  type TestKey,
} from "../make-certificate.ts";

export const NOW = Date.UTC(2026, 5, 15, 12);
export const HOST = "www.example.com";

export interface Entity {
  readonly name: Uint8Array;
  readonly key: TestKey;
  readonly certificate: Uint8Array;
}

export interface Order {
  readonly name?: string | Uint8Array;
  readonly key?: TestKey;
  /** Who signs; itself where nobody is named. */
  readonly by?: { readonly name: Uint8Array; readonly key: TestKey };
  readonly extensions?: readonly Uint8Array[];
  readonly validity?: readonly [from: string, to: string];
  readonly parts?: Partial<CertificateParts>;
}

export function issue(order: Order): Entity {
  const { name: wanted = "somebody", key = makeKey("ec", "prime256v1"), extensions = [] } = order;
  const name = typeof wanted === "string" ? nameOf(wanted) : wanted;
  const [from, to] = order.validity ?? ["20260101000000Z", "20270101000000Z"];
  const by = order.by ?? { name, key };
  const certificate = makeCertificate(key, by.key, {
    issuer: by.name,
    subject: name,
    validity: der(SEQUENCE, der(0x18, utf8(from)), der(0x18, utf8(to))),
    extensions: extensions.length > 0 ? der(0xa3, der(SEQUENCE, ...extensions)) : new Uint8Array(0),
    ...order.parts,
  });
  return { name, key, certificate };
}

/** An Extension. */
export function extension(id: string, value: Uint8Array, critical = false): Uint8Array {
  const flag = critical ? [der(0x01, Uint8Array.of(0xff))] : [];
  return der(SEQUENCE, oid(id), ...flag, der(0x04, value));
}

export function basicConstraints(isCa: boolean, pathLength?: number): Uint8Array {
  const flag = isCa ? [der(0x01, Uint8Array.of(0xff))] : [];
  const length = pathLength === undefined ? [] : [der(0x02, Uint8Array.of(pathLength))];
  return extension("2.5.29.19", der(SEQUENCE, ...flag, ...length), true);
}

/** @param bits the first byte, which must not be 0 */
export function keyUsage(bits: number): Uint8Array {
  const unused = 31 - Math.clz32(bits & -bits);
  return extension("2.5.29.15", der(0x03, Uint8Array.of(unused, bits)), true);
}

export const PURPOSE = {
  server: "1.3.6.1.5.5.7.3.1",
  client: "1.3.6.1.5.5.7.3.2",
  any: "2.5.29.37.0",
} as const;

export function purposes(...ids: readonly string[]): Uint8Array {
  return extension("2.5.29.37", der(SEQUENCE, ...ids.map(oid)));
}

export const dns = (text: string) => der(0x82, utf8(text));
export const ip = (...bytes: readonly number[]) => der(0x87, Uint8Array.from(bytes));

export function names(...list: readonly Uint8Array[]): Uint8Array {
  return extension("2.5.29.17", der(SEQUENCE, ...list));
}

/** The value of NameConstraints. */
export function constraints(lists: {
  permitted?: readonly Uint8Array[];
  excluded?: readonly Uint8Array[];
}): Uint8Array {
  const subtrees = (tag: number, list: readonly Uint8Array[] | undefined) =>
    list === undefined ? new Uint8Array(0) : der(tag, ...list.map((base) => der(SEQUENCE, base)));
  return der(SEQUENCE, subtrees(0xa0, lists.permitted), subtrees(0xa1, lists.excluded));
}

export function nameConstraints(lists: Parameters<typeof constraints>[0]): Uint8Array {
  return extension("2.5.29.30", constraints(lists), true);
}

/** A CA as they are, and any other. */
export function ca(
  order: Order & { readonly pathLength?: number; readonly more?: readonly Uint8Array[] } = {},
) {
  const extensions = [basicConstraints(true, order.pathLength), keyUsage(0x06), ...(order.more ?? [])];
  return issue({ name: "a CA", extensions, ...order });
}

/** A server's certificate as they are, for {@link HOST}. */
export function server(by: Entity, order: Omit<Order, "by"> = {}): Entity {
  const extensions = [keyUsage(0x80), purposes(PURPOSE.server), names(dns(HOST))];
  return issue({ name: HOST, by, extensions, ...order });
}

export function clockAt(now: number): Clock {
  return {
    now: () => now,
    monotonic: () => 0,
    timer: () => ({ fired: new Promise(() => {}), cancel: () => {} }),
  };
}

interface Attempt extends TrustOptions {
  readonly host?: string;
  readonly now?: number;
}
type Certificates = readonly { readonly certificate: Uint8Array }[];

/** The error of a verification, undefined where it went well. */
export async function failureOf(chain: Certificates, roots: Certificates, attempt: Attempt = {}) {
  const { host = HOST, now = NOW, ...options } = attempt;
  const store = new TrustStore({ extraAnchors: roots.map(({ certificate }) => certificate), ...options });
  try {
    await store.verifier(host, clockAt(now))(chain.map(({ certificate }) => certificate));
    return undefined;
  } catch (error) {
    return error as TorError;
  }
}

/** "fine", or what comes after `ALLIUM_E_CERT_` in the code of the error. */
export async function verify(
  chain: Certificates,
  roots: Certificates,
  attempt: Attempt = {},
): Promise<string> {
  const error = await failureOf(chain, roots, attempt);
  if (error === undefined) return "fine";
  return error.kind === "remote-tls"
    ? error.code.replace("ALLIUM_E_CERT_", "")
    : `${error.kind} ${error.code}`;
}

export function pinOf({ key }: Entity): string {
  return createHash("sha256").update(key.spki).digest("base64");
}
