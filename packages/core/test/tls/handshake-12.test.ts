// The server's flight in TLS 1.2, from Certificate to ServerHelloDone: each rule that a server may break.

import { describe, expect, it } from "vitest";
import { concat } from "../../src/base/bytes.ts";
import { fromHex, utf8 } from "../../src/base/encoding.ts";
import { makeCertificate, makeKey } from "./make-certificate.ts";
import { message, u16 } from "./mini-server.ts";
import { certificates, DONE, type ExchangeOptions, MiniServer12 } from "./mini-server-12.ts";
import { expectRefusal, startWeb } from "./runs.ts";

const NOTHING = new Uint8Array(0);
const ECDHE_RSA = 0xc02f;

/** ServerHello to ServerHelloDone with one message replaced, left out (empty), or followed by another. */
interface Bent {
  suite?: number;
  certificate?: Uint8Array;
  exchange?: ExchangeOptions | Uint8Array | ((server: MiniServer12) => Uint8Array);
  beforeDone?: Uint8Array;
  done?: Uint8Array;
}

async function bentFlight(server: MiniServer12, bent: Bent): Promise<void> {
  await server.readClientHello();
  const { exchange = {} } = bent;
  const made = typeof exchange === "function" ? exchange(server) : exchange;
  await server.send(
    server.hello12(),
    bent.certificate ?? certificates(),
    made instanceof Uint8Array ? made : server.keyExchange(made),
    bent.beforeDone ?? NOTHING,
    bent.done ?? DONE,
  );
}

describe("the server's flight", () => {
  const stranger = makeKey("ec", "prime256v1");
  const p384 = makeKey("ec", "secp384r1");
  const rsa = makeKey("rsa", 2048);
  const weak = makeKey("rsa", 1024);
  const chain = (key: typeof rsa) => certificates([makeCertificate(key)]);
  const offCurve = concat(Uint8Array.of(4), new Uint8Array(64).fill(1));
  const swapped = (server: MiniServer12) => {
    const other = new MiniServer12(server.pipe);
    return server.keyExchange({ signed: other.keyExchange().subarray(4, 73) });
  };
  const refused: [string, Bent, string, number][] = [
    ["an empty chain", { certificate: certificates([]) }, "ALLIUM_E_TLS_CERTIFICATE", 50],
    ["an empty certificate", { certificate: certificates([NOTHING]) }, "ALLIUM_E_TLS_DECODE", 50],
    [
      "a chain of seventeen",
      { certificate: certificates(Array(17).fill(Uint8Array.of(1))) },
      "ALLIUM_E_TLS_DECODE",
      50,
    ],
    ["a certificate that is none", { certificate: certificates([utf8("none")]) }, "ALLIUM_E_X509", 42],
    ["no certificate", { certificate: NOTHING }, "ALLIUM_E_TLS_UNEXPECTED", 10],
    [
      "an RSA key with a suite for ECDSA",
      { certificate: chain(rsa), exchange: { key: rsa, scheme: 0x0804 } },
      "ALLIUM_E_TLS_PARAMETER",
      47,
    ],
    ["an ECDSA key with a suite for RSA", { suite: ECDHE_RSA }, "ALLIUM_E_TLS_PARAMETER", 47],
    [
      "an RSA key of 1024 bits",
      { suite: ECDHE_RSA, certificate: chain(weak), exchange: { key: weak, scheme: 0x0401 } },
      "ALLIUM_E_TLS_WEAK_KEY",
      71,
    ],
    ["no key exchange", { exchange: NOTHING }, "ALLIUM_E_TLS_UNEXPECTED", 10],
    ["a signature by another key", { exchange: { key: stranger } }, "ALLIUM_E_TLS_SIGNATURE", 51],
    ["a changed signature", { exchange: { flip: true } }, "ALLIUM_E_TLS_SIGNATURE", 51],
    ["a signature over another key exchange", { exchange: swapped }, "ALLIUM_E_TLS_SIGNATURE", 51],
    [
      "a signature of another handshake",
      {
        exchange: (s) =>
          s.keyExchange({ signed: concat(new Uint8Array(64), s.keyExchange().subarray(4, 73)) }),
      },
      "ALLIUM_E_TLS_SIGNATURE",
      51,
    ],
    ["a signature with SHA-1", { exchange: { scheme: 0x0203 } }, "ALLIUM_E_TLS_PARAMETER", 47],
    [
      "an RSA signature with SHA-1",
      { suite: ECDHE_RSA, certificate: chain(rsa), exchange: { key: rsa, scheme: 0x0201 } },
      "ALLIUM_E_TLS_PARAMETER",
      47,
    ],
    [
      "a signature of a scheme for RSA with an ECDSA key",
      { exchange: { scheme: 0x0401 } },
      "ALLIUM_E_TLS_PARAMETER",
      47,
    ],
    [
      "a P-384 key whose signature says another hash than was used",
      {
        certificate: chain(p384),
        exchange: (s) => {
          const raw = s.keyExchange({ key: p384, scheme: 0x0403 });
          raw[73] = 5;
          return raw;
        },
      },
      "ALLIUM_E_TLS_SIGNATURE",
      51,
    ],
    ["a group that was not offered", { exchange: { group: 0x19 } }, "ALLIUM_E_TLS_PARAMETER", 47],
    ["a curve without a name", { exchange: { curveType: 1 } }, "ALLIUM_E_TLS_DECODE", 50],
    ["a point off the curve", { exchange: { point: offCurve } }, "ALLIUM_E_TLS_KEY_SHARE", 47],
    [
      "a compressed point",
      { exchange: { point: concat(Uint8Array.of(3), new Uint8Array(32)) } },
      "ALLIUM_E_TLS_KEY_SHARE",
      47,
    ],
    [
      "an all-zero X25519 secret",
      { exchange: { group: 0x1d, point: new Uint8Array(32) } },
      "ALLIUM_E_TLS_KEY_SHARE",
      47,
    ],
    ["an empty point", { exchange: { point: NOTHING } }, "ALLIUM_E_TLS_KEY_SHARE", 47],
    [
      "a key exchange that is cut short",
      { exchange: message(12, fromHex("03001741")) },
      "ALLIUM_E_TLS_DECODE",
      50,
    ],
    [
      "bytes behind the signature",
      { exchange: (s) => message(12, s.keyExchange().subarray(4), u16(0)) },
      "ALLIUM_E_TLS_DECODE",
      50,
    ],
    ["two key exchanges", { beforeDone: message(12, u16(0)) }, "ALLIUM_E_TLS_UNEXPECTED", 10],
    [
      "a certificate status that was not asked for",
      { beforeDone: message(22, u16(0)) },
      "ALLIUM_E_TLS_UNEXPECTED",
      10,
    ],
    ["a request that is cut short", { beforeDone: message(13, u16(0x0140)) }, "ALLIUM_E_TLS_DECODE", 50],
    ["a ServerHelloDone with something in it", { done: message(14, u16(0)) }, "ALLIUM_E_TLS_PARAMETER", 47],
    ["a message behind ServerHelloDone", { done: concat(DONE, DONE) }, "ALLIUM_E_TLS_UNEXPECTED", 10],
    ["a HelloRequest", { beforeDone: message(0) }, "ALLIUM_E_TLS_UNEXPECTED", 10],
    ["a Finished", { done: message(20, new Uint8Array(12)) }, "ALLIUM_E_TLS_UNEXPECTED", 10],
  ];
  it.each(refused)("with %s is refused", async (_name, bent, code, alert) => {
    const run = startWeb({}, bent.suite);
    await bentFlight(run.server, bent);
    await expectRefusal(run, code, alert);
  });

  it.each([
    ["P-384 with SHA-256", p384, 0x0403],
    ["P-256 with SHA-512", stranger, 0x0603],
    ["P-521 with SHA-256", makeKey("ec", "secp521r1"), 0x0403],
    ["Ed25519", makeKey("ed25519"), 0x0807],
  ] as const)("may be signed by %s", async (_name, key, scheme) => {
    const run = startWeb();
    await bentFlight(run.server, { certificate: chain(key), exchange: { key, scheme } });
    await run.server.readKeyExchange();
  });

  it("answers a request for a certificate with an empty one, before its key", async () => {
    const run = startWeb();
    await bentFlight(run.server, { beforeDone: message(13, fromHex("0101000204030000")) });
    const [certificate, exchange] = await run.server.readKeyExchange();
    expect(certificate).toEqual(message(11, fromHex("000000")));
    expect(exchange?.[0]).toBe(16);
    await run.server.readFinished12();
  });
});
