// ServerHello of TLS 1.2: each rule that a server may break.

import { describe, it } from "vitest";
import { concat } from "../../src/base/bytes.ts";
import { fromHex } from "../../src/base/encoding.ts";
import { type HelloFields, RETRY_RANDOM, u16 } from "./mini-server.ts";
import { certificates, DONE, EXTENDED, RENEGOTIATION } from "./mini-server-12.ts";
import { expectRefusal, startWeb } from "./runs.ts";

const NOTHING = new Uint8Array(0);

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
