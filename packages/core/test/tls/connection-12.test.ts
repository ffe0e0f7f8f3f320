// The established connection in TLS 1.2: order, limits, and what a server may not send.

import { describe, expect, it } from "vitest";
import { concat } from "../../src/base/bytes.ts";
import { fromHex, utf8 } from "../../src/base/encoding.ts";
import { CHANGE_CIPHER_SPEC, type MiniServer, message, plainRecord, u16 } from "./mini-server.ts";
import {
  CIPHERS,
  type EstablishOptions,
  establish as establishWith,
  expectDeath,
  expectSame,
  KEY_UPDATE,
  pattern,
  readAll,
  turns,
} from "./rig.ts";

const GCM = 0xc02b;
const CHACHA = 0xcca9;
const CLOSE_NOTIFY = Uint8Array.of(1, 0);
const WARNING = Uint8Array.of(1, 112);

describe.each(CIPHERS)("a connection of TLS 1.2 %s", (_, ciphers) => {
  const establish = (options: EstablishOptions = {}) => establishWith({ tls12: true, ciphers, ...options });

  it.each([GCM, 0xc02c, CHACHA])("delivers many records of one burst in order (suite %i)", async (suite) => {
    const { tls, server, far } = await establish({ suite, highWater: 2 ** 24 });
    const contents = Array.from({ length: 100 }, (_item, i) => pattern(1 + ((i * 977) % 16384), i));
    const records: Uint8Array[] = [];
    for (const content of contents) records.push(await server.seal(23, content));
    records.push(await server.seal(21, CLOSE_NOTIFY));
    await far.write(concat(...records));
    expectSame(await readAll(tls), concat(...contents));
  });

  it.each([GCM, 0xc02c, CHACHA])("splits what is written at 2^14 bytes (suite %i)", async (suite) => {
    const { tls, server } = await establish({ suite });
    const data = pattern(40_000);
    await tls.write(data);
    const parts: Uint8Array[] = [];
    for (let i = 0; i < 3; i++) parts.push((await server.readContent()).content);
    expect(parts.map((part) => part.length)).toEqual([2 ** 14, 2 ** 14, 40_000 - 2 * 2 ** 14]);
    expectSame(concat(...parts), data);
  });

  it("counts its records in their nonces, from that of Finished on", async () => {
    const { tls, server } = await establish();
    for (const sequence of [1, 2]) {
      await tls.write(utf8("text"));
      const { type, fragment } = await server.readRecord();
      expect(type).toBe(23);
      expect(fragment).toHaveLength(8 + 4 + 16);
      expect(fragment.subarray(0, 8)).toEqual(concat(new Uint8Array(7), Uint8Array.of(sequence)));
    }
  });

  it("takes records of no bytes and of exactly 2^14, and warnings", async () => {
    const { tls, server } = await establish();
    await server.sendSealed(23, new Uint8Array(0));
    await server.sendSealed(21, WARNING);
    await server.sendSealed(23, pattern(2 ** 14));
    expectSame(await tls.read(), pattern(2 ** 14));
  });

  it("ends with close_notify, which it says itself too", async () => {
    const { tls, server, pipe } = await establish();
    await server.sendSealed(23, utf8("last"));
    await server.sendSealed(21, CLOSE_NOTIFY);
    expect(await readAll(tls)).toEqual(utf8("last"));
    tls.close();
    expect(await server.readContent()).toEqual({ type: 21, content: CLOSE_NOTIFY });
    await expect.poll(() => pipe.isClosed).toBe(true);
  });

  it("is truncated without it, after the data", async () => {
    const established = await establish();
    await established.server.sendSealed(23, utf8("half a sen"));
    established.far.endWrites();
    expect(await established.tls.read()).toEqual(utf8("half a sen"));
    await expectDeath(established, "ALLIUM_E_TLS_TRUNCATED");
  });

  it("ends with a fatal alert, after the data", async () => {
    const established = await establish();
    await established.server.sendSealed(23, utf8("data"));
    await established.server.sendSealed(21, Uint8Array.of(2, 80));
    expect(await established.tls.read()).toEqual(utf8("data"));
    await expect(established.tls.read()).rejects.toThrow("internal_error");
    await expectDeath(established, "ALLIUM_E_TLS_ALERT");
  });

  it("ends when its key is used up: there is no other one", async () => {
    const { tls, server } = await establish({ rekeyAfter: 3 });
    await tls.write(utf8("a"));
    await expect(tls.write(utf8("b"))).rejects.toMatchObject({
      kind: "limit",
      code: "ALLIUM_E_TLS_SEQUENCE",
    });
    // The third record is still good, and no KeyUpdate follows it.
    expect((await server.readContent()).content).toEqual(utf8("a"));
    expect((await server.readContent()).content).toEqual(utf8("b"));
    await expect(server.readRecord()).rejects.toThrow("the pipe ended");
  });

  it("stops reading the pipe when the application does not read", async () => {
    const { server, far } = await establish({ highWater: 64 * 1024 });
    let sent = 0;
    const sending = (async () => {
      for (; sent < 2 ** 21; sent += 2 ** 14) await server.sendSealed(23, pattern(2 ** 14));
    })();
    sending.catch(() => {});
    await expect.poll(() => far.unread).toBeGreaterThan(0);
    await turns(50);
    expect(sent).toBeLessThanOrEqual(256 * 1024 + 64 * 1024 + 3 * 2 ** 14);
  });

  describe("refuses", () => {
    it.each([
      ["empty records", 23, new Uint8Array(0)],
      ["warnings", 21, WARNING],
    ])("a flood of %s", async (_name, type, content) => {
      const established = await establish();
      for (let i = 0; i < 33; i++) await established.server.sendSealed(type, content);
      await expectDeath(established, "ALLIUM_E_TLS_FLOOD", 10);
    });

    it("to renegotiate, and says so", async () => {
      const established = await establish();
      await established.server.sendSealed(22, message(0));
      await expect(established.tls.read()).rejects.toMatchObject({ code: "ALLIUM_E_TLS_RENEGOTIATION" });
      const told = await established.server.readContent();
      expect(told).toEqual({ type: 21, content: Uint8Array.of(1, 100) });
      await expect.poll(() => established.pipe.isClosed).toBe(true);
    });

    it.each([
      ["a session ticket", 22, message(4, new Uint8Array(6)), "ALLIUM_E_TLS_UNEXPECTED", 10],
      ["a ServerHello", 22, message(2, new Uint8Array(40)), "ALLIUM_E_TLS_UNEXPECTED", 10],
      ["a KeyUpdate", 22, KEY_UPDATE, "ALLIUM_E_TLS_UNEXPECTED", 10],
      ["an empty handshake record", 22, new Uint8Array(0), "ALLIUM_E_TLS_RECORD", 10],
      ["an empty alert", 21, new Uint8Array(0), "ALLIUM_E_TLS_RECORD", 10],
      ["an alert of one byte", 21, Uint8Array.of(2), "ALLIUM_E_TLS_DECODE", 50],
      ["a record of more than 2^14 bytes", 23, new Uint8Array(2 ** 14 + 1), "ALLIUM_E_TLS_RECORD", 22],
      ["an encrypted change_cipher_spec", 20, Uint8Array.of(1), "ALLIUM_E_TLS_UNEXPECTED", 10],
    ])("%s", async (_name, type, content, code, alert) => {
      const established = await establish();
      await established.server.sendSealed(type, content);
      await expectDeath(established, code, alert);
    });

    it.each([
      ["a change_cipher_spec", CHANGE_CIPHER_SPEC, "ALLIUM_E_TLS_UNEXPECTED", 10],
      ["an alert in the clear", plainRecord(21, u16(0)), "ALLIUM_E_TLS_BAD_RECORD", 20],
      ["a HelloRequest in the clear", plainRecord(22, message(0)), "ALLIUM_E_TLS_BAD_RECORD", 20],
      ["a record shorter than a tag", plainRecord(23, new Uint8Array(23)), "ALLIUM_E_TLS_BAD_RECORD", 20],
      ["a forged record", plainRecord(23, pattern(100)), "ALLIUM_E_TLS_BAD_RECORD", 20],
      ["a record that is too long", fromHex("1703034101"), "ALLIUM_E_TLS_RECORD", 22],
    ])("%s", async (_name, bytes, code, alert) => {
      const established = await establish();
      const good = await established.server.seal(23, utf8("good so far"));
      await established.far.write(concat(good, bytes));
      expect(await established.tls.read()).toEqual(utf8("good so far"));
      await expectDeath(established, code, alert);
    });

    it("a record within a message", async () => {
      const established = await establish();
      await established.server.sendSealed(22, message(0).subarray(0, 2));
      await established.server.sendSealed(23, utf8("data"));
      await expectDeath(established, "ALLIUM_E_TLS_UNEXPECTED", 10);
    });

    it.each([GCM, CHACHA])("records swapped, repeated or left out (suite %i)", async (suite) => {
      for (const order of [[1, 0], [0, 0], [1]]) {
        const established = await establish({ suite });
        const seal = (text: string) => established.server.seal(23, utf8(text));
        const records = [await seal("a"), await seal("b")];
        await established.far.write(concat(...order.map((i) => records[i] as Uint8Array)));
        await expectDeath(established, "ALLIUM_E_TLS_BAD_RECORD", 20);
      }
    });

    it.each([GCM, CHACHA])("a record that was changed (suite %i)", async (suite) => {
      const changed = async (server: MiniServer, at: number) => {
        const record = await server.seal(23, utf8("text"));
        const index = at < 0 ? record.length + at : at;
        record[index] = (record[index] as number) ^ 2;
        return record;
      };
      // The type becomes that of an alert; then come nonce or ciphertext, and the tag.
      for (const at of [0, 5, 12, 13, 16, -16, -1]) {
        const established = await establish({ suite });
        await established.far.write(await changed(established.server, at));
        await expectDeath(established, "ALLIUM_E_TLS_BAD_RECORD", 20);
      }
    });
  });
});
