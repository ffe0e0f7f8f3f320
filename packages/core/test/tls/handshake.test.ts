// The handshake after the hellos with a scripted server: honest ones, and each rule that a server may break.

import { describe, expect, it } from "vitest";
import { concat } from "../../src/base/bytes.ts";
import { fromHex, toHex, utf8 } from "../../src/base/encoding.ts";
import { makeCertificate, makeKey } from "./make-certificate.ts";
import {
  CHANGE_CIPHER_SPEC,
  certificateMessage,
  encryptedExtensions,
  extensionList,
  type MiniServer,
  message,
  u16,
} from "./mini-server.ts";
import { CIPHERS } from "./rig.ts";
import { expectRefusal, start } from "./runs.ts";

describe("an honest handshake", () => {
  const suites = [0x1301, 0x1302, 0x1303].flatMap((suite) =>
    CIPHERS.map(([how, ciphers]) => [suite, how, ciphers] as const),
  );
  it.each(suites)("completes with suite %i %s", async (suite, _, ciphers) => {
    const { server, client } = start(suite, ciphers);
    await server.accept();
    const connection = await client;
    expect(connection).toMatchObject({ cipherSuite: server.suite.name, group: "P-256" });
    expect(connection.peerCertificates).toHaveLength(1);
    expect(server.plainTypes).toEqual([22, 20]);
    await connection.write(utf8("ping"));
    expect(await server.readContent()).toEqual({ type: 23, content: utf8("ping") });
    await server.sendSealed(23, utf8("pong"));
    expect(await connection.read()).toEqual(utf8("pong"));
  });

  it.each(CIPHERS)("reads messages that are split and joined in every way %s", async (_, ciphers) => {
    const { server, client } = start(undefined, ciphers);
    await server.readClientHello();
    const { hello, secret } = server.serverHello();
    await server.sendPlain(22, hello.subarray(0, 3));
    await server.sendPlain(22, hello.subarray(3, 60));
    await server.sendPlain(22, hello.subarray(60));
    await server.startKeys(hello, secret);
    const flight = concat(...server.flight());
    for (let at = 0; at < flight.length; at += 7) await server.sendSealed(22, flight.subarray(at, at + 7));
    await server.startApplicationWriting();
    await server.readClientFinished();
    await expect(client).resolves.toBeDefined();
  });

  it.each([
    ["Ed25519", () => makeKey("ed25519"), 0x0807],
    ["ECDSA P-384", () => makeKey("ec", "secp384r1"), 0x0503],
    ["ECDSA P-521", () => makeKey("ec", "secp521r1"), 0x0603],
    ["RSA-PSS SHA-256", () => makeKey("rsa", 2048), 0x0804],
    ["RSA-PSS SHA-384", () => makeKey("rsa", 2048), 0x0805],
    ["RSA-PSS SHA-512", () => makeKey("rsa", 2048), 0x0806],
  ])("takes a signature by %s", async (_name, generate, scheme) => {
    const { server, client } = start();
    const key = generate();
    await server.readClientHello();
    await server.sendServerHello();
    const flight = [
      server.add(encryptedExtensions([[0, new Uint8Array(0)]])),
      server.add(certificateMessage([makeCertificate(key)])),
      server.add(server.certificateVerify({ key, scheme })),
      server.add(server.finished()),
    ];
    await server.sendSealed(22, concat(...flight));
    await expect(client).resolves.toBeDefined();
  });

  it("answers a CertificateRequest with an empty Certificate", async () => {
    const { server, client } = start();
    await server.readClientHello();
    await server.sendServerHello();
    const request = message(
      13,
      Uint8Array.of(0),
      extensionList([
        [13, fromHex("00020403")],
        [0x2a2a, u16(7)],
      ]),
    );
    const flight = [
      server.add(encryptedExtensions()),
      server.add(request),
      server.add(certificateMessage()),
      server.add(server.certificateVerify()),
      server.add(server.finished()),
    ];
    await server.sendSealed(22, concat(...flight));
    await server.startApplicationWriting();
    const messages = await server.readClientFinished();
    expect(toHex(messages[0] as Uint8Array)).toBe("0b00000400000000");
    expect(messages).toHaveLength(2);
    await expect(client).resolves.toBeDefined();
  });
});

/** The encrypted flight with one message replaced. */
interface Bent {
  extensions?: Uint8Array;
  request?: Uint8Array;
  certificate?: Uint8Array;
  verify?: (server: MiniServer) => Uint8Array;
  finished?: (server: MiniServer) => Uint8Array;
  after?: Uint8Array;
}

async function bentFlight(server: MiniServer, bent: Bent): Promise<void> {
  await server.readClientHello();
  await server.sendServerHello();
  const flight: Uint8Array[] = [server.add(bent.extensions ?? encryptedExtensions())];
  if (bent.request !== undefined) flight.push(server.add(bent.request));
  flight.push(server.add(bent.certificate ?? certificateMessage()));
  const verify = bent.verify?.(server) ?? server.certificateVerify();
  if (verify.length > 0) flight.push(server.add(verify));
  flight.push(server.add(bent.finished?.(server) ?? server.finished()));
  await server.sendSealed(22, concat(...flight, bent.after ?? new Uint8Array(0)));
}

describe("the encrypted flight", () => {
  const stranger = makeKey("ec", "prime256v1");
  const rsa = makeKey("rsa", 2048);
  const rsaCertificate = certificateMessage([makeCertificate(rsa)]);
  const weak = makeKey("rsa", 1024);
  const nothing = new Uint8Array(0);
  const rejected: [string, Bent, string, number][] = [
    [
      "an extension that was not offered",
      { extensions: encryptedExtensions([[16, fromHex("0003026832")]]) },
      "ALLIUM_E_TLS_EXTENSION",
      110,
    ],
    [
      "an unknown extension",
      { extensions: encryptedExtensions([[0xabcd, nothing]]) },
      "ALLIUM_E_TLS_EXTENSION",
      110,
    ],
    [
      "a key share among the encrypted extensions",
      { extensions: encryptedExtensions([[51, nothing]]) },
      "ALLIUM_E_TLS_PARAMETER",
      47,
    ],
    [
      "versions among the encrypted extensions",
      { extensions: encryptedExtensions([[43, u16(0x304)]]) },
      "ALLIUM_E_TLS_PARAMETER",
      47,
    ],
    [
      "a server_name that is not empty",
      { extensions: encryptedExtensions([[0, u16(1)]]) },
      "ALLIUM_E_TLS_PARAMETER",
      47,
    ],
    [
      "extensions with bytes behind them",
      { extensions: message(8, extensionList([]), u16(0)) },
      "ALLIUM_E_TLS_DECODE",
      50,
    ],
    ["an empty chain", { certificate: certificateMessage([]) }, "ALLIUM_E_TLS_CERTIFICATE", 50],
    ["an empty certificate", { certificate: certificateMessage([nothing]) }, "ALLIUM_E_TLS_DECODE", 50],
    [
      "a chain of seventeen",
      { certificate: certificateMessage(Array(17).fill(makeCertificate(stranger))) },
      "ALLIUM_E_TLS_DECODE",
      50,
    ],
    [
      "a certificate that is none",
      { certificate: certificateMessage([utf8("no certificate")]) },
      "ALLIUM_E_X509",
      42,
    ],
    [
      "a certificate context",
      { certificate: certificateMessage(undefined, [], Uint8Array.of(1)) },
      "ALLIUM_E_TLS_PARAMETER",
      47,
    ],
    [
      "an extension on a certificate",
      { certificate: certificateMessage(undefined, [[5, nothing]]) },
      "ALLIUM_E_TLS_EXTENSION",
      110,
    ],
    [
      "a signature by another key",
      { verify: (s) => s.certificateVerify({ key: stranger }) },
      "ALLIUM_E_TLS_SIGNATURE",
      51,
    ],
    [
      "a changed signature",
      { verify: (s) => s.certificateVerify({ flip: true }) },
      "ALLIUM_E_TLS_SIGNATURE",
      51,
    ],
    [
      "a signature for the client's side",
      { verify: (s) => s.certificateVerify({ context: "TLS 1.3, client CertificateVerify" }) },
      "ALLIUM_E_TLS_SIGNATURE",
      51,
    ],
    [
      "a scheme for another kind of key",
      { verify: (s) => s.certificateVerify({ key: rsa, scheme: 0x0804 }) },
      "ALLIUM_E_TLS_PARAMETER",
      47,
    ],
    [
      "a scheme for another curve",
      { certificate: certificateMessage([makeCertificate(makeKey("ec", "secp384r1"))]) },
      "ALLIUM_E_TLS_PARAMETER",
      47,
    ],
    [
      "RSA PKCS#1",
      { certificate: rsaCertificate, verify: (s) => s.certificateVerify({ key: rsa, scheme: 0x0401 }) },
      "ALLIUM_E_TLS_PARAMETER",
      47,
    ],
    [
      "RSA-PSS with another salt length",
      {
        certificate: rsaCertificate,
        verify: (s) => s.certificateVerify({ key: rsa, scheme: 0x0804, saltLength: 20 }),
      },
      "ALLIUM_E_TLS_SIGNATURE",
      51,
    ],
    [
      "ECDSA with SHA-1",
      { verify: (s) => s.certificateVerify({ scheme: 0x0203 }) },
      "ALLIUM_E_TLS_PARAMETER",
      47,
    ],
    [
      "an RSA key of 1024 bits",
      {
        certificate: certificateMessage([makeCertificate(weak)]),
        verify: (s) => s.certificateVerify({ key: weak, scheme: 0x0804 }),
      },
      "ALLIUM_E_TLS_WEAK_KEY",
      71,
    ],
    ["no CertificateVerify", { verify: () => nothing }, "ALLIUM_E_TLS_UNEXPECTED", 10],
    ["a forged Finished", { finished: () => message(20, new Uint8Array(32)) }, "ALLIUM_E_TLS_FINISHED", 51],
    [
      "a Finished that is cut short",
      { finished: (s) => message(20, s.finished().slice(4, 35)) },
      "ALLIUM_E_TLS_FINISHED",
      51,
    ],
    ["an empty Finished", { finished: () => message(20) }, "ALLIUM_E_TLS_FINISHED", 51],
    [
      "a message behind Finished in its record",
      { after: message(4, new Uint8Array(20)) },
      "ALLIUM_E_TLS_UNEXPECTED",
      10,
    ],
    [
      "a CertificateRequest with a context",
      { request: message(13, fromHex("0101"), extensionList([[13, fromHex("00020403")]])) },
      "ALLIUM_E_TLS_PARAMETER",
      47,
    ],
    [
      "a CertificateRequest without schemes",
      { request: message(13, fromHex("00"), extensionList([])) },
      "ALLIUM_E_TLS_PARAMETER",
      109,
    ],
    ["a second EncryptedExtensions", { request: encryptedExtensions() }, "ALLIUM_E_TLS_UNEXPECTED", 10],
    [
      "a certificate of 200 kB",
      { certificate: concat(fromHex("0b030d40"), new Uint8Array(100)) },
      "ALLIUM_E_TLS_DECODE",
      50,
    ],
    [
      "an extension list of 20 kB",
      { extensions: concat(fromHex("08004e20"), new Uint8Array(100)) },
      "ALLIUM_E_TLS_DECODE",
      50,
    ],
  ];
  it.each(rejected)("with %s is refused", async (_name, bent, code, alert) => {
    const run = start();
    await bentFlight(run.server, bent);
    await expectRefusal(run, code, alert);
  });

  it("must be encrypted", async () => {
    const run = start();
    await run.server.readClientHello();
    await run.server.sendServerHello();
    await run.server.sendPlain(22, encryptedExtensions());
    await expectRefusal(run, "ALLIUM_E_TLS_UNEXPECTED", 10);
  });

  it("may hold no application data", async () => {
    const run = start();
    await run.server.readClientHello();
    await run.server.sendServerHello();
    await run.server.sendSealed(23, utf8("early"));
    await expectRefusal(run, "ALLIUM_E_TLS_UNEXPECTED", 10);
  });

  it("may have no record within a message", async () => {
    for (const between of ["alert", "change_cipher_spec"]) {
      const run = start();
      await run.server.readClientHello();
      await run.server.sendServerHello();
      await run.server.sendSealed(22, encryptedExtensions().slice(0, 3));
      if (between === "alert") await run.server.sendSealed(21, Uint8Array.of(1, 90));
      else await run.server.pipe.write(CHANGE_CIPHER_SPEC);
      await expectRefusal(run, "ALLIUM_E_TLS_UNEXPECTED", 10);
    }
  });

  it("fails by name when the server sends an alert", async () => {
    for (const [number, name] of [
      [40, "handshake_failure"],
      [112, "unrecognized_name"],
      [199, "unknown_199"],
      [0, "close_notify"],
    ] as const) {
      for (const sealed of [false, true]) {
        const run = start();
        await run.server.readClientHello();
        if (sealed) await run.server.sendServerHello();
        const content = Uint8Array.of(1, number);
        await (sealed ? run.server.sendSealed(21, content) : run.server.sendPlain(21, content));
        const error = { code: "ALLIUM_E_TLS_ALERT", message: expect.stringContaining(name) };
        await expect(run.client).rejects.toMatchObject(error);
      }
    }
  });
});
