// ClientHello as it should be, and each rule that a HelloRetryRequest or a ServerHello may break.

import { describe, expect, it } from "vitest";
import { concat, Writer } from "../../src/base/bytes.ts";
import { systemClock } from "../../src/base/clock.ts";
import { fromHex, toHex, utf8 } from "../../src/base/encoding.ts";
import { connectTls } from "../../src/tls/connect.ts";
import {
  CHANGE_CIPHER_SPEC,
  encryptedExtensions,
  type HelloFields,
  MiniServer,
  P256,
  RETRY_RANDOM,
  u16,
  X25519,
} from "./mini-server.ts";
import { pipePair } from "./pipes.ts";
import { expectRefusal, options, start } from "./runs.ts";

describe("ClientHello", () => {
  it("offers what it should and nothing else", async () => {
    const { server, client } = start();
    const hello = await server.readClientHello();
    expect(hello.recordVersion).toBe(0x0301);
    expect(toHex(hello.raw.subarray(4, 6))).toBe("0303");
    expect(hello.sessionId).toHaveLength(32);
    expect(hello.suites).toEqual([0x1301, 0x1302, 0x1303]);
    expect([...hello.extensions.keys()]).toEqual([0, 10, 13, 43, 51]);
    const text = (type: number) => toHex(hello.extensions.get(type) ?? new Uint8Array(0));
    expect(text(0)).toBe(`0014000011${toHex(utf8("www.relay.example"))}`);
    expect(text(10)).toBe("00040017001d");
    expect(text(13)).toBe("0014080404030805050308060603080704010501".concat("0601"));
    expect(text(43)).toBe("020304");
    expect(text(51)).toMatch(/^00450017004104[0-9a-f]{128}$/);
    server.pipe.close();
    await expect(client).rejects.toMatchObject({ code: "ALLIUM_E_TLS_TRUNCATED" });
  });

  it("is different each time", async () => {
    const [a, b] = [start(), start()];
    const [one, two] = [await a.server.readClientHello(), await b.server.readClientHello()];
    expect(one.random).not.toEqual(two.random);
    expect(one.sessionId).not.toEqual(two.sessionId);
    expect(one.extensions.get(51)).not.toEqual(two.extensions.get(51));
  });

  it.each(["", "a b", "-a.example", "a..example", "münchen.example", "x".repeat(254)])(
    "is not made for the server name %j",
    async (serverName) => {
      const [near] = pipePair();
      const made = connectTls(near, { ...options, serverName });
      await expect(made).rejects.toMatchObject({ kind: "bad-api-usage", code: "ALLIUM_E_TLS_SERVER_NAME" });
      expect(near.isClosed).toBe(true);
    },
  );

  it("leaves SNI out without a server name", async () => {
    const [near, far] = pipePair();
    const client = connectTls(near, { clock: systemClock, timeout: 5000 });
    client.catch(() => {});
    expect([...(await new MiniServer(far).readClientHello()).extensions.keys()]).toEqual([10, 13, 43, 51]);
  });
});

describe("HelloRetryRequest", () => {
  const cookie = utf8("a cookie");
  const cookieExtension = [44, new Writer().vector(2, cookie).finish()] as const;

  it.each([
    ["a group", [[51, u16(X25519)]] as const, "X25519"],
    ["a cookie", [cookieExtension] as const, "P-256"],
    ["both", [[51, u16(X25519)], cookieExtension] as const, "X25519"],
  ])("that asks for %s is followed", async (_name, extensions, group) => {
    const { server, client } = start(0x1302);
    const first = await server.readClientHello();
    await server.sendRetry(extensions);
    await server.pipe.write(CHANGE_CIPHER_SPEC);
    const second = await server.readClientHello();
    expect(second.recordVersion).toBe(0x0303);
    expect(second.random).toEqual(first.random);
    expect(second.sessionId).toEqual(first.sessionId);
    const wantsCookie = extensions.some(([type]) => type === 44);
    expect(second.extensions.get(44)).toEqual(wantsCookie ? cookieExtension[1] : undefined);
    expect(toHex(second.extensions.get(51) as Uint8Array).slice(4, 8)).toBe(
      group === "X25519" ? "001d" : "0017",
    );
    if (group === "P-256") expect(second.extensions.get(51)).toEqual(first.extensions.get(51));
    await server.sendServerHello();
    await server.sendSealed(22, concat(...server.flight()));
    await server.startApplicationWriting();
    await server.readClientFinished();
    expect((await client).group).toBe(group);
    // One change_cipher_spec, before the second hello, and none before Finished.
    expect(server.plainTypes).toEqual([22, 20, 22]);
  });

  const refused: [
    string,
    readonly (readonly [number, Uint8Array])[],
    Partial<HelloFields>,
    string,
    number,
  ][] = [
    ["changes nothing", [], {}, "ALLIUM_E_TLS_PARAMETER", 47],
    ["asks for the group that was sent", [[51, u16(P256)]], {}, "ALLIUM_E_TLS_PARAMETER", 47],
    ["asks for a group that was not offered", [[51, u16(0x18)]], {}, "ALLIUM_E_TLS_PARAMETER", 47],
    ["has an empty cookie", [[44, u16(0)]], {}, "ALLIUM_E_TLS_DECODE", 50],
    [
      "has another extension",
      [
        [51, u16(X25519)],
        [10, u16(0)],
      ],
      {},
      "ALLIUM_E_TLS_EXTENSION",
      110,
    ],
    ["has an unknown suite", [[51, u16(X25519)]], { suite: 0x1304 }, "ALLIUM_E_TLS_PARAMETER", 47],
    [
      "has another session id",
      [[51, u16(X25519)]],
      { sessionId: new Uint8Array(32) },
      "ALLIUM_E_TLS_PARAMETER",
      47,
    ],
  ];
  it.each(refused)("that %s is refused", async (_name, extensions, fields, code, alert) => {
    const run = start();
    await run.server.readClientHello();
    await run.server.sendRetry(extensions, fields);
    await expectRefusal(run, code, alert);
  });

  it("is refused a second time", async () => {
    const run = start();
    await run.server.readClientHello();
    await run.server.sendRetry([[51, u16(X25519)]]);
    await run.server.readClientHello();
    await run.server.sendPlain(
      22,
      run.server.hello({ random: RETRY_RANDOM, extensions: [[43, u16(0x0304)], cookieExtension] }),
    );
    await expectRefusal(run, "ALLIUM_E_TLS_UNEXPECTED", 10);
  });

  it("with a further message in its record is refused", async () => {
    const run = start();
    await run.server.readClientHello();
    const extensions = [
      [43, u16(0x0304)],
      [51, u16(X25519)],
    ] as [number, Uint8Array][];
    const retry = run.server.hello({ random: RETRY_RANDOM, extensions });
    await run.server.sendPlain(22, concat(retry, Uint8Array.of(2)));
    await expectRefusal(run, "ALLIUM_E_TLS_UNEXPECTED", 10);
  });

  it("binds the cipher suite and the group of the ServerHello", async () => {
    for (const fields of [
      { suite: 0x1302 },
      {
        extensions: [
          [43, u16(0x0304)],
          [51, fromHex("001700020404")],
        ],
      },
    ]) {
      const run = start();
      await run.server.readClientHello();
      await run.server.sendRetry([[51, u16(X25519)]]);
      await run.server.readClientHello();
      await run.server.sendPlain(22, run.server.serverHello(fields as Partial<HelloFields>).hello);
      await expectRefusal(run, "ALLIUM_E_TLS_PARAMETER", 47);
    }
  });

  it("covers the first hello by the transcript", async () => {
    const run = start();
    await run.server.readClientHello();
    // A server that forgets the first hello derives other keys.
    run.server.transcript.replaceByHash("sha256");
    run.server.transcript.replaceByHash("sha256");
    const retry = run.server.hello({
      random: RETRY_RANDOM,
      extensions: [
        [43, u16(0x0304)],
        [51, u16(X25519)],
      ],
    });
    run.server.transcript.add(retry);
    await run.server.sendPlain(22, retry);
    await run.server.readClientHello();
    await run.server.sendServerHello();
    await run.server.sendSealed(22, concat(...run.server.flight()));
    await expectRefusal(run, "ALLIUM_E_TLS_BAD_RECORD");
  });
});

describe("ServerHello", () => {
  const version: readonly [number, Uint8Array] = [43, u16(0x0304)];
  const downgrade = (last: string) => concat(new Uint8Array(24).fill(7), fromHex(`444f574e475244${last}`));
  const refused: [string, Partial<HelloFields>, string, number][] = [
    ["does not echo the session id", { sessionId: new Uint8Array(32) }, "ALLIUM_E_TLS_PARAMETER", 47],
    ["has no session id", { sessionId: new Uint8Array(0) }, "ALLIUM_E_TLS_PARAMETER", 47],
    ["names a compression", { compression: 1 }, "ALLIUM_E_TLS_PARAMETER", 47],
    ["names a suite that was not offered", { suite: 0x1304 }, "ALLIUM_E_TLS_PARAMETER", 47],
    ["names a suite of TLS 1.2", { suite: 0xc02f }, "ALLIUM_E_TLS_PARAMETER", 47],
    ["has a wrong legacy version", { version: 0x0304 }, "ALLIUM_E_TLS_PARAMETER", 47],
    ["speaks TLS 1.2", { extensions: [] }, "ALLIUM_E_TLS_VERSION", 70],
    ["was downgraded to TLS 1.2", { extensions: [], random: downgrade("01") }, "ALLIUM_E_TLS_DOWNGRADE", 47],
    ["was downgraded to TLS 1.1", { extensions: [], random: downgrade("00") }, "ALLIUM_E_TLS_DOWNGRADE", 47],
    ["selects TLS 1.2 by extension", { extensions: [[43, u16(0x0303)]] }, "ALLIUM_E_TLS_PARAMETER", 47],
    ["has no key share", { extensions: [version] }, "ALLIUM_E_TLS_PARAMETER", 109],
    ["has the same extension twice", { extensions: [version, version] }, "ALLIUM_E_TLS_PARAMETER", 47],
    ["has a pre-shared key", { extensions: [version, [41, u16(0)]] }, "ALLIUM_E_TLS_EXTENSION", 110],
    [
      "has a share of another group",
      { extensions: [version, [51, fromHex("001d000155")]] },
      "ALLIUM_E_TLS_PARAMETER",
      47,
    ],
    [
      "has a share that is no point",
      { extensions: [version, [51, concat(fromHex("0017004104"), new Uint8Array(64).fill(1))]] },
      "ALLIUM_E_TLS_KEY_SHARE",
      47,
    ],
    [
      "has a compressed point",
      { extensions: [version, [51, concat(fromHex("0017002103"), new Uint8Array(32))]] },
      "ALLIUM_E_TLS_KEY_SHARE",
      47,
    ],
    [
      "has a key share that is cut short",
      { extensions: [version, [51, fromHex("0017004104")]] },
      "ALLIUM_E_TLS_DECODE",
      50,
    ],
  ];
  it.each(refused)("that %s is refused", async (_name, fields, code, alert) => {
    const run = start();
    await run.server.readClientHello();
    await run.server.sendPlain(22, run.server.serverHello(fields).hello);
    await expectRefusal(run, code, alert);
  });

  it("with an all-zero X25519 secret is refused", async () => {
    const run = start();
    await run.server.readClientHello();
    await run.server.sendRetry([[51, u16(X25519)]]);
    await run.server.readClientHello();
    const share = concat(fromHex("001d0020"), new Uint8Array(32));
    await run.server.sendPlain(22, run.server.hello({ extensions: [version, [51, share]] }));
    await expectRefusal(run, "ALLIUM_E_TLS_KEY_SHARE", 47);
  });

  it("with a further message in its record is refused", async () => {
    const run = start();
    await run.server.readClientHello();
    const { hello } = run.server.serverHello();
    await run.server.sendPlain(22, concat(hello, encryptedExtensions()));
    await expectRefusal(run, "ALLIUM_E_TLS_UNEXPECTED", 10);
  });

  it("with the beginning of a further message in its record is refused", async () => {
    const run = start();
    await run.server.readClientHello();
    await run.server.sendPlain(22, concat(run.server.serverHello().hello, Uint8Array.of(8)));
    await expectRefusal(run, "ALLIUM_E_TLS_UNEXPECTED", 10);
  });

  it("may not be another message", async () => {
    const run = start();
    await run.server.readClientHello();
    await run.server.sendPlain(22, encryptedExtensions());
    await expectRefusal(run, "ALLIUM_E_TLS_UNEXPECTED", 10);
  });
});
