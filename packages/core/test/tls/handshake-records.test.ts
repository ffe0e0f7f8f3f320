// The records that a handshake comes in, and its waiting: each rule that a server may break (RFC 8446, 5; appendix D.4).

import { describe, expect, it } from "vitest";
import { concat } from "../../src/base/bytes.ts";
import { systemClock } from "../../src/base/clock.ts";
import { fromHex, utf8 } from "../../src/base/encoding.ts";
import { connectTls } from "../../src/tls/connect.ts";
import { CHANGE_CIPHER_SPEC, plainRecord } from "./mini-server.ts";
import { pipePair } from "./pipes.ts";
import { expectRefusal, start } from "./runs.ts";

describe("records in the handshake", () => {
  const beforeHello: [string, Uint8Array, string, number][] = [
    ["of an unknown type", fromHex("1803030001ff"), "ALLIUM_E_TLS_NOT_TLS", 10],
    ["of an unknown type later", fromHex("1403030001011803030001ff"), "ALLIUM_E_TLS_RECORD", 10],
    ["of SSL 3", plainRecord(22, new Uint8Array(5), 0x0300), "ALLIUM_E_TLS_VERSION", 70],
    ["of TLS 1.1", plainRecord(22, new Uint8Array(5), 0x0302), "ALLIUM_E_TLS_VERSION", 70],
    ["of a later version", plainRecord(22, new Uint8Array(5), 0x0304), "ALLIUM_E_TLS_DECODE", 50],
    [
      "of another version than before",
      concat(CHANGE_CIPHER_SPEC, plainRecord(22, new Uint8Array(5), 0x0301)),
      "ALLIUM_E_TLS_DECODE",
      50,
    ],
    ["of SSL 2", fromHex("801b0400010002"), "ALLIUM_E_TLS_NOT_TLS", 10],
    ["of plain text", utf8("HTTP/1.1 400 Bad Request\r\n"), "ALLIUM_E_TLS_NOT_TLS", 10],
    ["of another protocol with the type of an alert", fromHex("1505000000"), "ALLIUM_E_TLS_NOT_TLS", 10],
    ["that is empty", fromHex("1603030000"), "ALLIUM_E_TLS_RECORD", 10],
    ["longer than 2^14 in the clear", fromHex("1603034001"), "ALLIUM_E_TLS_RECORD", 22],
    ["longer than 2^14 + 256 when encrypted", fromHex("1703034101"), "ALLIUM_E_TLS_RECORD", 22],
    ["of application data before ServerHello", fromHex("17030300020000"), "ALLIUM_E_TLS_UNEXPECTED", 10],
    ["of change_cipher_spec with the value 2", fromHex("140303000102"), "ALLIUM_E_TLS_UNEXPECTED", 10],
    ["of change_cipher_spec with two bytes", fromHex("14030300020101"), "ALLIUM_E_TLS_UNEXPECTED", 10],
    [
      "of three change_cipher_specs",
      concat(CHANGE_CIPHER_SPEC, CHANGE_CIPHER_SPEC, CHANGE_CIPHER_SPEC),
      "ALLIUM_E_TLS_UNEXPECTED",
      10,
    ],
    ["of an alert with three bytes", fromHex("1503030003022800"), "ALLIUM_E_TLS_DECODE", 50],
  ];
  it.each(beforeHello)("%s are refused", async (_name, bytes, code, alert) => {
    const run = start();
    await run.server.readClientHello();
    await run.server.pipe.write(bytes);
    await expectRefusal(run, code, alert);
  });

  it("may be an alert of an older version", async () => {
    const run = start();
    await run.server.readClientHello();
    await run.server.sendPlain(21, Uint8Array.of(2, 70), 0x0301);
    await expectRefusal(run, "ALLIUM_E_TLS_VERSION");
  });

  it("end with a typed error when the pipe ends", async () => {
    const run = start();
    await run.server.readClientHello();
    await run.server.sendServerHello();
    await run.server.pipe.close();
    await expect(run.client).rejects.toMatchObject({ code: "ALLIUM_E_TLS_TRUNCATED" });
  });
});

describe("waiting", () => {
  it("ends with the timeout, and closes the pipe", async () => {
    const [near] = pipePair();
    const client = connectTls(near, { clock: systemClock, timeout: 20 });
    await expect(client).rejects.toMatchObject({ kind: "offline", code: "ALLIUM_E_TLS_TIMEOUT" });
    await expect.poll(() => near.closedWith).toMatchObject({ code: "ALLIUM_E_TLS_TIMEOUT" });
  });

  it("ends when the caller aborts", async () => {
    const [near] = pipePair();
    const controller = new AbortController();
    const client = connectTls(near, { clock: systemClock, timeout: 5000, signal: controller.signal });
    controller.abort();
    await expect(client).rejects.toMatchObject({ kind: "aborted" });
    await expect.poll(() => near.isClosed).toBe(true);
  });
});
