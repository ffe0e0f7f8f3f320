// TLS as it is spoken to web servers: a ClientHello that is the same for everybody, ALPN, the judgement of the chain, and whose
// fault a failure is.

import { describe, expect, it } from "vitest";
import { concat } from "../../src/base/bytes.ts";
import { systemClock } from "../../src/base/clock.ts";
import { toHex, utf8 } from "../../src/base/encoding.ts";
import { badApiUsage, TorError } from "../../src/base/errors.ts";
import type { VerifyChain } from "../../src/tls/api.ts";
import { connectTls } from "../../src/tls/connect.ts";
import {
  certificateMessage,
  encryptedExtensions,
  type MiniServer,
  P256,
  serverCertificate,
  u16,
  X25519,
} from "./mini-server.ts";
import { certificates, DONE, type MiniServer12, RENEGOTIATION } from "./mini-server-12.ts";
import { pipePair } from "./pipes.ts";
import { expectRefusal, startWeb } from "./runs.ts";

const P384 = 0x18;
const alpnExtension = (...names: readonly string[]) => {
  const list = concat(...names.map((name) => concat(Uint8Array.of(name.length), utf8(name))));
  return [16, concat(u16(list.length), list)] as const;
};

describe("the ClientHello for web servers", () => {
  it("offers what it should and nothing else, in this order", async () => {
    const { server } = startWeb({ alpn: ["h2", "http/1.1"] });
    const hello = await server.readClientHello();
    expect(hello.recordVersion).toBe(0x0301);
    expect(toHex(hello.raw.subarray(4, 6))).toBe("0303");
    expect(hello.sessionId).toHaveLength(32);
    expect(hello.suites).toEqual([0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8]);
    expect([...hello.extensions.keys()]).toEqual([0, 23, 0xff01, 10, 11, 16, 13, 43, 51]);
    const text = (type: number) => toHex(hello.extensions.get(type) ?? new Uint8Array(0));
    expect(text(0)).toBe(`0014000011${toHex(utf8("www.relay.example"))}`);
    expect(text(23)).toBe("");
    expect(text(0xff01)).toBe("00");
    expect(text(10)).toBe("0006001d00170018");
    expect(text(11)).toBe("0100");
    expect(text(16)).toBe(`000c02${toHex(utf8("h2"))}08${toHex(utf8("http/1.1"))}`);
    expect(text(13)).toBe("00140804040308050503080606030807040105010601");
    expect(text(43)).toBe("0403040303");
    expect(text(51)).toMatch(/^0069001d0020[0-9a-f]{64}0017004104[0-9a-f]{128}$/);
  });

  it.each(["192.0.2.7", "2001:db8::7"])("has no SNI for %s", async (serverName) => {
    const { server } = startWeb({ serverName });
    const hello = await server.readClientHello();
    expect([...hello.extensions.keys()]).toEqual([23, 0xff01, 10, 11, 13, 43, 51]);
  });

  it("leaves the dot of the root out", async () => {
    const { server } = startWeb({ serverName: "www.relay.example." });
    const hello = await server.readClientHello();
    expect(toHex(hello.extensions.get(0) as Uint8Array)).toBe(
      `0014000011${toHex(utf8("www.relay.example"))}`,
    );
  });
});

describe("TLS 1.3 with a web server", () => {
  it("goes on with P-384 alone when the server asks for it", async () => {
    const { server } = startWeb({}, 0x1302, "TLS 1.3");
    const first = await server.readClientHello();
    await server.sendRetry([[51, u16(P384)]]);
    const second = await server.readClientHello();
    expect(toHex(second.extensions.get(51) as Uint8Array)).toMatch(/^00650018006104[0-9a-f]{192}$/);
    expect(second.random).toEqual(first.random);
  });

  it.each([X25519, P256, 0x19])(
    "is not asked again for what it sent, or never offered (%i)",
    async (group) => {
      const run = startWeb({}, 0x1302, "TLS 1.3");
      await run.server.readClientHello();
      await run.server.sendRetry([[51, u16(group)]]);
      await expectRefusal(run, "ALLIUM_E_TLS_PARAMETER", 47);
    },
  );

  it.each([
    ["extended_master_secret", 23],
    ["renegotiation_info", 0xff01],
    ["ec_point_formats", 11],
  ])("refuses %s, which only TLS 1.2 answers", async (_name, type) => {
    const run = startWeb({}, undefined, "TLS 1.3");
    await run.server.readClientHello();
    await run.server.sendServerHello();
    await run.server.sendSealed(22, encryptedExtensions([[type, new Uint8Array(0)]]));
    await expectRefusal(run, "ALLIUM_E_TLS_PARAMETER", 47);
  });

  it("refuses a warning once the server has chosen TLS 1.3", async () => {
    const run = startWeb({}, undefined, "TLS 1.3");
    await run.server.readClientHello();
    await run.server.sendServerHello();
    await run.server.sendSealed(21, Uint8Array.of(1, 112));
    await expectRefusal(run, "ALLIUM_E_TLS_ALERT");
  });
});

/** Both versions answer with these extensions, as far as Finished. */
const ANSWERS: readonly (readonly [
  version: "TLS 1.2" | "TLS 1.3",
  start: (more: Parameters<typeof startWeb>[0]) => ReturnType<typeof startWeb> | ReturnType<typeof start13>,
  answer: (server: MiniServer, extension: readonly [number, Uint8Array]) => Promise<void>,
])[] = [
  [
    "TLS 1.2",
    (more) => startWeb(more),
    async (server, extension) => {
      const s = server as MiniServer12;
      s.extended = false;
      await s.readClientHello();
      await s.send(
        s.hello12({ extensions: [RENEGOTIATION, extension] }),
        certificates(),
        s.keyExchange(),
        DONE,
      );
      await s.readKeyExchange();
      await s.readFinished12();
      await s.changeCipherSpec();
      await s.sendSealed(22, s.finished12("server"));
    },
  ],
  ["TLS 1.3", start13, (server, extension) => server.accept(encryptedExtensions([extension]))],
];

function start13(more: Parameters<typeof startWeb>[0] = {}) {
  return startWeb(more, undefined, "TLS 1.3");
}

describe.each(ANSWERS)("ALPN in %s", (version, start, answer) => {
  it("tells what the server chose", async () => {
    const run = start({ alpn: ["h2", "http/1.1"] });
    await answer(run.server, alpnExtension("http/1.1"));
    expect(await run.client).toMatchObject({ version, applicationProtocol: "http/1.1" });
  });

  it.each([
    ["one that was not offered", alpnExtension("h3"), "ALLIUM_E_TLS_PARAMETER", 47],
    ["one that is offered in another case", alpnExtension("H2"), "ALLIUM_E_TLS_PARAMETER", 47],
    ["an empty one", alpnExtension(""), "ALLIUM_E_TLS_PARAMETER", 47],
    ["two", alpnExtension("h2", "http/1.1"), "ALLIUM_E_TLS_DECODE", 50],
    ["none", alpnExtension(), "ALLIUM_E_TLS_DECODE", 50],
  ] as const)("refuses %s", async (_name, extension, code, alert) => {
    const run = start({ alpn: ["h2", "http/1.1"] });
    answer(run.server, extension).catch(() => {});
    await expect(run.client).rejects.toMatchObject({ code, alert: ALERTS[alert] });
  });
});

const ALERTS = { 47: "illegal_parameter", 50: "decode_error" } as const;

describe.each(ANSWERS)("`verify` in %s", (version, start, answer) => {
  const empty = [0, new Uint8Array(0)] as const;

  it("gets the chain, and holds everything back until it has agreed", async () => {
    const asked = Promise.withResolvers<readonly Uint8Array[]>();
    const agreed = Promise.withResolvers<void>();
    const verify: VerifyChain = (chain) => {
      asked.resolve(chain);
      return agreed.promise;
    };
    const run = start({ verify });
    const answered = answer(run.server, empty);
    expect(await asked.promise).toEqual([serverCertificate]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    // The hello is read, and nothing came behind it.
    expect(run.server.plainTypes).toEqual([22]);
    expect(run.pipe.unread).toBe(0);
    agreed.resolve();
    await answered;
    expect((await run.client).version).toBe(version);
  });

  it("that refuses ends the handshake with its error, and tells the server", async () => {
    const refusal = new TorError("remote-tls", "ALLIUM_E_X509", "a stranger");
    const run = start({ verify: () => Promise.reject(refusal) });
    answer(run.server, empty).catch(() => {});
    const error = { kind: "remote-tls", code: "ALLIUM_E_X509", message: "a stranger", cause: refusal };
    await expect(run.client).rejects.toMatchObject({ ...error, alert: "certificate_unknown" });
    await expect.poll(() => run.pipe.isClosed).toBe(true);
  });

  it("that fails for another reason does not blame the server", async () => {
    const own = badApiUsage("ALLIUM_E_OPTION", "no roots");
    const run = start({ verify: () => Promise.reject(own) });
    answer(run.server, empty).catch(() => {});
    await expect(run.client).rejects.toBe(own);
  });

  it("is not asked when the server does not hold the leaf's key", async () => {
    let asked = false;
    const run = start({
      verify: async () => {
        asked = true;
      },
    });
    const { server } = run;
    await server.readClientHello();
    if (version === "TLS 1.2") {
      const s = server as MiniServer12;
      await s.send(s.hello12(), certificates(), s.keyExchange({ flip: true }), DONE);
    } else {
      await server.sendServerHello();
      const sent = [server.add(encryptedExtensions()), server.add(certificateMessage())];
      await server.sendSealed(22, concat(...sent, server.certificateVerify({ flip: true })));
    }
    await expectRefusal(run, "ALLIUM_E_TLS_SIGNATURE", 51);
    expect(asked).toBe(false);
  });
});

describe("a web server's faults", () => {
  it.each([
    ["remote-tls", "remote-tls"],
    [undefined, "protocol-violation"],
  ] as const)(
    "have the kind that was asked for (%s), in the handshake and after it",
    async (faultKind, kind) => {
      const early = startWeb({ faultKind });
      await early.server.readClientHello();
      await early.server.sendPlain(22, utf8("no hello"));
      await expect(early.client).rejects.toMatchObject({ kind });

      for (const [content, code] of [
        [Uint8Array.of(2, 80), "ALLIUM_E_TLS_ALERT"],
        [Uint8Array.of(2), "ALLIUM_E_TLS_DECODE"],
      ] as const) {
        const run = startWeb({ faultKind });
        await run.server.accept();
        const tls = await run.client;
        await run.server.sendSealed(21, content);
        await expect(tls.read()).rejects.toMatchObject({ kind, code });
        await expect(tls.write(utf8("x"))).rejects.toMatchObject({ kind, code });
      }
    },
  );

  it("are none of theirs where the pipe fails or the time is over", async () => {
    const broken = startWeb({ faultKind: "remote-tls" });
    const gone = new TorError("circuit-collapse", "ALLIUM_E_TEST_GONE", "the circuit broke");
    await broken.server.readClientHello();
    broken.pipe.close(gone);
    await expect(broken.client).rejects.toBe(gone);
    const [pipe] = pipePair();
    const late = connectTls(pipe, { clock: systemClock, timeout: 10, faultKind: "remote-tls" });
    await expect(late).rejects.toMatchObject({ kind: "exit-timeout", code: "ALLIUM_E_TLS_TIMEOUT" });
  });
});
