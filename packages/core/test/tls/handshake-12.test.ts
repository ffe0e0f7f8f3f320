// The handshake of TLS 1.2: each rule that a server may break.

import { describe, expect, it } from "vitest";
import { concat } from "../../src/base/bytes.ts";
import { fromHex, utf8 } from "../../src/base/encoding.ts";
import { makeCertificate, makeKey } from "./make-certificate.ts";
import { CHANGE_CIPHER_SPEC, type HelloFields, message, RETRY_RANDOM, u16 } from "./mini-server.ts";
import {
  certificates,
  DONE,
  EXTENDED,
  type ExchangeOptions,
  MiniServer12,
  RENEGOTIATION,
} from "./mini-server-12.ts";
import { expectRefusal, startWeb } from "./runs.ts";

const NOTHING = new Uint8Array(0);
const ECDHE_RSA = 0xc02f;

describe("ServerHello of TLS 1.2", () => {
  const mark = (last: string) => concat(new Uint8Array(24).fill(7), fromHex(`444f574e475244${last}`));
  const refused: [string, Partial<HelloFields>, string, number][] = [
    ["was downgraded from TLS 1.3", { random: mark("01") }, "ALLIUM_E_TLS_DOWNGRADE", 47],
    ["was downgraded further", { random: mark("00") }, "ALLIUM_E_TLS_DOWNGRADE", 47],
    ["speaks TLS 1.1", { version: 0x0302 }, "ALLIUM_E_TLS_VERSION", 70],
    ["has a version that nobody knows", { version: 0x0304 }, "ALLIUM_E_TLS_VERSION", 70],
    ["selects TLS 1.2 by extension", { extensions: [[43, u16(0x0303)]] }, "ALLIUM_E_TLS_PARAMETER", 47],
    ["has a retry's random", { random: RETRY_RANDOM }, "ALLIUM_E_TLS_PARAMETER", 47],
    ["has a session id that is too long", { sessionId: new Uint8Array(33) }, "ALLIUM_E_TLS_PARAMETER", 47],
    ["names a compression", { compression: 1 }, "ALLIUM_E_TLS_PARAMETER", 47],
    ["names a suite of TLS 1.3", { suite: 0x1301 }, "ALLIUM_E_TLS_PARAMETER", 47],
    ["names RSA key exchange", { suite: 0x009c }, "ALLIUM_E_TLS_PARAMETER", 47],
    ["names DHE", { suite: 0x009e }, "ALLIUM_E_TLS_PARAMETER", 47],
    ["names CBC", { suite: 0xc023 }, "ALLIUM_E_TLS_PARAMETER", 47],
    ["has no extensions", { extensions: [] }, "ALLIUM_E_TLS_RENEGOTIATION", 40],
    ["has no secure renegotiation", { extensions: [EXTENDED] }, "ALLIUM_E_TLS_RENEGOTIATION", 40],
    [
      "goes on from another handshake",
      { extensions: [[0xff01, fromHex("0c000102030405060708090a0b")]] },
      "ALLIUM_E_TLS_RENEGOTIATION",
      40,
    ],
    [
      "has an extended_master_secret with something in it",
      { extensions: [RENEGOTIATION, [23, u16(0)]] },
      "ALLIUM_E_TLS_PARAMETER",
      47,
    ],
    ["has a session ticket", { extensions: [RENEGOTIATION, [35, NOTHING]] }, "ALLIUM_E_TLS_EXTENSION", 110],
    [
      "has ALPN, which was not offered",
      { extensions: [RENEGOTIATION, [16, fromHex("0003026832")]] },
      "ALLIUM_E_TLS_EXTENSION",
      110,
    ],
    ["has a key share", { extensions: [RENEGOTIATION, [51, u16(0)]] }, "ALLIUM_E_TLS_EXTENSION", 110],
    ["has an extension twice", { extensions: [RENEGOTIATION, RENEGOTIATION] }, "ALLIUM_E_TLS_PARAMETER", 47],
    ["has a name", { extensions: [RENEGOTIATION, [0, u16(1)]] }, "ALLIUM_E_TLS_PARAMETER", 47],
  ];
  it.each(refused)("that %s is refused", async (_name, fields, code, alert) => {
    const run = startWeb();
    await run.server.readClientHello();
    await run.server.send(run.server.hello12(fields));
    await expectRefusal(run, code, alert);
  });

  it("that resumes is refused: nothing was ever to be resumed", async () => {
    const run = startWeb();
    const { sessionId } = await run.server.readClientHello();
    await run.server.send(run.server.hello12({ sessionId }));
    await expectRefusal(run, "ALLIUM_E_TLS_PARAMETER", 47);
  });

  it("after a HelloRetryRequest is refused", async () => {
    const run = startWeb({}, 0x1301, "TLS 1.3");
    await run.server.readClientHello();
    await run.server.sendRetry([[51, u16(0x18)]]);
    await run.server.readClientHello();
    await run.server.sendPlain(22, run.server.hello({ suite: 0xc02b, sessionId: NOTHING }));
    await expectRefusal(run, "ALLIUM_E_TLS_PARAMETER", 47);
  });

  it("may be followed by a mistaken supported_groups and an empty name", async () => {
    const run = startWeb();
    await run.server.readClientHello();
    const extensions = [RENEGOTIATION, EXTENDED, [10, fromHex("00020017")], [0, NOTHING]] as const;
    const hello = run.server.hello12({ extensions: [...extensions] });
    await run.server.send(hello, certificates(), run.server.keyExchange(), DONE);
    await run.server.readKeyExchange();
  });
});

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
});

describe("the end of the handshake of TLS 1.2", () => {
  /** A server that has the client's Finished. */
  async function met(extended = true) {
    const run = startWeb();
    run.server.extended = extended;
    await run.server.greet();
    await run.server.readKeyExchange();
    await run.server.readFinished12();
    return run;
  }

  it.each([true, false])("is right with extended_master_secret %s", async (extended) => {
    const run = await met(extended);
    await run.server.changeCipherSpec();
    await run.server.sendSealed(22, run.server.finished12("server"));
    expect(await run.client).toMatchObject({ version: "TLS 1.2", group: "P-256" });
    expect(run.server.plainTypes).toEqual([22, 20]);
  });

  it("answers a request for a certificate with an empty one, before its key", async () => {
    const run = startWeb();
    await bentFlight(run.server, { beforeDone: message(13, fromHex("0101000204030000")) });
    const [certificate, exchange] = await run.server.readKeyExchange();
    expect(certificate).toEqual(message(11, fromHex("000000")));
    expect(exchange?.[0]).toBe(16);
    await run.server.readFinished12();
  });

  it("is refused when the two sides disagree on extended_master_secret", async () => {
    const run = startWeb();
    await run.server.greet();
    run.server.extended = false;
    await run.server.readKeyExchange();
    run.server.inbound = undefined;
    await run.server.readContent();
    await run.server.changeCipherSpec();
    await run.server.sendSealed(22, run.server.finished12("server"));
    await expectRefusal(run, "ALLIUM_E_TLS_BAD_RECORD");
  });

  it("is refused when Finished is wrong, or is the client's own", async () => {
    for (const flip of [true, false]) {
      const run = await met();
      const finished = run.server.finished12(flip ? "server" : "client");
      if (flip) finished[15] = (finished[15] as number) ^ 1;
      await run.server.changeCipherSpec();
      await run.server.sendSealed(22, finished);
      await expectRefusal(run, "ALLIUM_E_TLS_FINISHED", 51);
    }
  });

  it("is refused when a message stands behind Finished", async () => {
    const run = await met();
    await run.server.changeCipherSpec();
    await run.server.sendSealed(22, concat(run.server.finished12("server"), message(0)));
    await expectRefusal(run, "ALLIUM_E_TLS_UNEXPECTED", 10);
  });

  it("is refused when Finished comes in the clear, without change_cipher_spec, or is data", async () => {
    const wrongs: ((server: MiniServer12) => Promise<void>)[] = [
      (server) => server.sendPlain(22, server.finished12("server")),
      async (server) => {
        await server.pipe.write(CHANGE_CIPHER_SPEC);
        await server.sendPlain(22, server.finished12("server"));
      },
      async (server) => {
        await server.changeCipherSpec();
        await server.sendSealed(23, utf8("too early"));
      },
      async (server) => {
        await server.changeCipherSpec();
        await server.pipe.write(CHANGE_CIPHER_SPEC);
      },
      (server) => server.sendPlain(22, message(4, new Uint8Array(6))),
      (server) => server.sendPlain(23, utf8("data")),
    ];
    const codes: string[] = [];
    for (const wrong of wrongs) {
      const run = await met();
      await wrong(run.server);
      codes.push(
        await run.client.then(
          () => "none",
          (error) => error.code,
        ),
      );
    }
    const [unexpected, bad] = ["ALLIUM_E_TLS_UNEXPECTED", "ALLIUM_E_TLS_BAD_RECORD"];
    expect(codes).toEqual([unexpected, bad, unexpected, unexpected, unexpected, unexpected]);
  });
});

describe("change_cipher_spec of TLS 1.2 (CVE-2014-0224)", () => {
  it("is refused before ServerHello, whose version is known only then", async () => {
    const run = startWeb();
    await run.server.readClientHello();
    await run.server.pipe.write(CHANGE_CIPHER_SPEC);
    await run.server.send(run.server.hello12(), certificates(), run.server.keyExchange(), DONE);
    await expectRefusal(run, "ALLIUM_E_TLS_UNEXPECTED", 10);
  });

  it("is refused after each message before ServerHelloDone", async () => {
    for (const after of [1, 2, 3]) {
      const run = startWeb();
      await run.server.readClientHello();
      const flight = [run.server.hello12(), certificates(), run.server.keyExchange()];
      await run.server.send(...flight.slice(0, after));
      await run.server.pipe.write(CHANGE_CIPHER_SPEC);
      await expectRefusal(run, "ALLIUM_E_TLS_UNEXPECTED", 10);
    }
  });

  it("is refused within a message", async () => {
    const run = startWeb();
    await run.server.readClientHello();
    await run.server.send(run.server.hello12(), certificates().subarray(0, 50));
    await run.server.pipe.write(CHANGE_CIPHER_SPEC);
    await expectRefusal(run, "ALLIUM_E_TLS_UNEXPECTED", 10);
  });
});

describe("alerts in the handshake", () => {
  const UNRECOGNIZED_NAME = Uint8Array.of(1, 112);

  it("that warn are passed over while the server may be of TLS 1.2", async () => {
    const run = startWeb();
    await run.server.readClientHello();
    await run.server.sendPlain(21, UNRECOGNIZED_NAME);
    await run.server.send(run.server.hello12());
    await run.server.sendPlain(21, UNRECOGNIZED_NAME);
    await run.server.send(certificates(), run.server.keyExchange(), DONE);
    await run.server.readKeyExchange();
    await run.server.readFinished12();
    await run.server.sendPlain(21, UNRECOGNIZED_NAME);
    await run.server.changeCipherSpec();
    await run.server.sendSealed(21, UNRECOGNIZED_NAME);
    await run.server.sendSealed(22, run.server.finished12("server"));
    expect((await run.client).version).toBe("TLS 1.2");
  });

  it("that warn are refused when there are many", async () => {
    const run = startWeb();
    await run.server.readClientHello();
    for (let i = 0; i < 5; i++) await run.server.sendPlain(21, UNRECOGNIZED_NAME);
    await expectRefusal(run, "ALLIUM_E_TLS_FLOOD", 10);
  });

  it.each([
    ["close_notify", Uint8Array.of(1, 0)],
    ["internal_error", Uint8Array.of(2, 80)],
  ])("of %s end it", async (name, alert) => {
    const run = startWeb();
    await run.server.readClientHello();
    await run.server.sendPlain(21, alert);
    await expect(run.client).rejects.toThrow(name);
    await expectRefusal(run, "ALLIUM_E_TLS_ALERT");
  });
});
