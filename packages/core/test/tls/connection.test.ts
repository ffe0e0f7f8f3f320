// The established connection: order, limits, key updates, and what a server may not send.

import { describe, expect, it } from "vitest";
import { concat } from "../../src/base/bytes.ts";
import { fromHex, utf8 } from "../../src/base/encoding.ts";
import {
  encryptedExtensions,
  extensionList,
  type MiniServer,
  message,
  plainRecord,
  u16,
} from "./mini-server.ts";
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
  updateKey,
} from "./rig.ts";

const KEY_UPDATE_REQUESTED = fromHex("1800000101");
const TICKET = message(4, new Uint8Array(8), fromHex("00000177"), extensionList([]));

describe.each(CIPHERS)("a connection %s", (_, ciphers) => {
  const establish = (options: EstablishOptions = {}) => establishWith({ ciphers, ...options });

  describe("reading", () => {
    it.each([0x1301, 0x1302, 0x1303])(
      "delivers many records of one burst in order (suite %i)",
      async (suite) => {
        const { tls, server, far } = await establish({ suite, highWater: 2 ** 24 });
        const contents = Array.from({ length: 100 }, (_, i) => pattern(1 + ((i * 977) % 16384), i));
        const records: Uint8Array[] = [];
        for (const content of contents) records.push(await server.seal(23, content));
        records.push(await server.seal(21, Uint8Array.of(1, 0)));
        await far.write(concat(...records));
        expectSame(await readAll(tls), concat(...contents));
      },
    );

    it("gives all bytes at hand at once", async () => {
      const { tls, server } = await establish();
      for (let i = 0; i < 20; i++) await server.sendSealed(23, pattern(100, i));
      await turns(30);
      expect(await tls.read()).toHaveLength(2000);
    });

    it("gives them record by record to those who ask for pieces, and an end and an error as otherwise", async () => {
      const { tls, server } = await establish();
      const contents = Array.from({ length: 20 }, (_, i) => pattern(100, i));
      for (const content of contents) await server.sendSealed(23, content);
      await turns(30);
      expect(await tls.readPieces()).toEqual(contents);
      await server.sendSealed(21, Uint8Array.of(1, 0));
      expect(await tls.readPieces()).toBeUndefined();
      const broken = await establish();
      await broken.server.sendSealed(21, Uint8Array.of(2, 80));
      await expect(broken.tls.readPieces()).rejects.toMatchObject({ kind: "protocol-violation" });
    });

    it("strips padding, and passes over empty records", async () => {
      const { tls, server } = await establish();
      await server.sendSealed(0, concat(utf8("padded"), Uint8Array.of(23), new Uint8Array(1000)));
      await server.sendSealed(23, new Uint8Array(0));
      await server.sendSealed(23, utf8(" text"));
      await server.sendSealed(21, Uint8Array.of(1, 0));
      expect(await readAll(tls)).toEqual(utf8("padded text"));
    });

    it("takes records of exactly 2^14 bytes", async () => {
      const { tls, server } = await establish();
      await server.sendSealed(23, pattern(2 ** 14));
      expectSame(await tls.read(), pattern(2 ** 14));
    });

    it("stops reading the pipe when the application does not read", async () => {
      const established = await establish({ highWater: 64 * 1024 });
      const { tls, server, far } = established;
      const total = 2 ** 21;
      let sent = 0;
      const sending = (async () => {
        for (; sent < total; sent += 2 ** 14) await server.sendSealed(23, pattern(2 ** 14, sent >> 14));
        await server.sendSealed(21, Uint8Array.of(1, 0));
      })();
      await turns(100);
      // Read-ahead, what the pipe holds, and a record on each side.
      expect(sent).toBeLessThanOrEqual(256 * 1024 + 64 * 1024 + 3 * 2 ** 14);
      expect(far.unread).toBeGreaterThan(0);
      const received = await readAll(tls);
      await sending;
      expect(received).toHaveLength(total);
      expectSame(received.subarray(-(2 ** 14)), pattern(2 ** 14, 127));
    });
  });

  describe("writing", () => {
    it("splits at 2^14 bytes and leaves in one write of the pipe", async () => {
      const { tls, server, pipe } = await establish();
      const data = pattern(100_000);
      const writes: number[] = [];
      const write = pipe.write;
      pipe.write = (bytes) => {
        writes.push(bytes.length);
        return write(bytes);
      };
      await tls.write(data);
      expect(writes).toEqual([100_000 + 7 * 22]);
      const parts: Uint8Array[] = [];
      for (let i = 0; i < 7; i++) parts.push((await server.readContent()).content);
      expect(parts.map((part) => part.length)).toEqual([...Array(6).fill(2 ** 14), 100_000 - 6 * 2 ** 14]);
      expectSame(concat(...parts), data);
    });

    it("keeps the order of writes that were not awaited", async () => {
      const { tls, server } = await establish();
      const writes = Array.from({ length: 20 }, (_, i) => tls.write(pattern(i % 3 === 0 ? 40_000 : 10, i)));
      await Promise.all(writes);
      for (let i = 0; i < 20; i++) {
        const expected = pattern(i % 3 === 0 ? 40_000 : 10, i);
        let received = new Uint8Array(0);
        while (received.length < expected.length) {
          received = new Uint8Array(concat(received, (await server.readContent()).content));
        }
        expectSame(received, expected);
      }
    });

    it("waits for the pipe", async () => {
      const { tls, server } = await establish({ highWater: 10_000 });
      let done = false;
      const writing = tls.write(pattern(20_000)).then(() => {
        done = true;
      });
      await turns(20);
      expect(done).toBe(false);
      await server.readContent();
      await writing;
    });

    it("updates its key after the set number of records", async () => {
      const { tls, server } = await establish({ rekeyAfter: 3 });
      for (let round = 0; round < 3; round++) {
        for (let i = 0; i < 3; i++) {
          await tls.write(pattern(10, i));
          expect(await server.readContent()).toEqual({ type: 23, content: pattern(10, i) });
        }
        expect(await server.readContent()).toEqual({ type: 22, content: KEY_UPDATE });
        server.inbound = await server.inbound?.next();
      }
    });
  });

  describe("KeyUpdate", () => {
    it("in the middle of a burst changes the key of what follows", async () => {
      const { tls, server, far } = await establish();
      const records: Uint8Array[] = [];
      const contents: Uint8Array[] = [];
      for (let i = 0; i < 60; i++) {
        contents.push(pattern(500, i));
        records.push(await server.seal(23, pattern(500, i)));
        if (i % 7 === 3) records.push(await updateKey(server));
      }
      records.push(await server.seal(21, Uint8Array.of(1, 0)));
      await far.write(concat(...records));
      expectSame(await readAll(tls), concat(...contents));
    });

    it("is answered where asked, and what is written then has the new key", async () => {
      const { tls, server, far } = await establish();
      await far.write(await updateKey(server, KEY_UPDATE_REQUESTED));
      expect(await server.readContent()).toEqual({ type: 22, content: KEY_UPDATE });
      server.inbound = await server.inbound?.next();
      await tls.write(utf8("under the new key"));
      expect(await server.readContent()).toEqual({ type: 23, content: utf8("under the new key") });
      await server.sendSealed(23, utf8("likewise"));
      expect(await tls.read()).toEqual(utf8("likewise"));
    });

    it("is answered once for all requests that came while the pipe was full", async () => {
      const { tls, server, far } = await establish({ highWater: 1000 });
      const writing = tls.write(pattern(5000));
      await turns(5);
      for (let i = 0; i < 5; i++) await far.write(await updateKey(server, KEY_UPDATE_REQUESTED));
      await turns(20);
      expect((await server.readContent()).content).toHaveLength(5000);
      await writing;
      expect((await server.readContent()).content).toEqual(KEY_UPDATE);
      server.inbound = await server.inbound?.next();
      await tls.write(utf8("next"));
      expect((await server.readContent()).content).toEqual(utf8("next"));
    });

    it("without a change of key is refused", async () => {
      const established = await establish();
      await established.server.sendSealed(22, KEY_UPDATE);
      await established.server.sendSealed(23, utf8("old key"));
      await expectDeath(established, "ALLIUM_E_TLS_BAD_RECORD", 20);
    });
  });

  describe("after the handshake", () => {
    it("drops session tickets", async () => {
      const { tls, server } = await establish();
      await server.sendSealed(22, concat(TICKET, TICKET));
      await server.sendSealed(22, TICKET.subarray(0, 5));
      await server.sendSealed(22, TICKET.subarray(5));
      await server.sendSealed(23, utf8("data"));
      expect(await tls.read()).toEqual(utf8("data"));
    });

    it("bears any number of messages with data between", async () => {
      const { tls, server } = await establish();
      for (let i = 0; i < 100; i++) {
        await server.pipe.write(await updateKey(server));
        await server.sendSealed(22, TICKET);
        await server.sendSealed(23, Uint8Array.of(i));
      }
      await server.sendSealed(21, Uint8Array.of(1, 0));
      expect(await readAll(tls)).toHaveLength(100);
    });

    it.each([
      ["KeyUpdates", (server: MiniServer) => updateKey(server, KEY_UPDATE_REQUESTED)],
      ["session tickets", (server: MiniServer) => server.seal(22, TICKET)],
      ["empty records", (server: MiniServer) => server.seal(23, new Uint8Array(0))],
      ["user_canceled alerts", (server: MiniServer) => server.seal(21, Uint8Array.of(1, 90))],
    ])("refuses a flood of %s", async (_name, make) => {
      const established = await establish();
      for (let i = 0; i < 33; i++) await established.far.write(await make(established.server));
      await expectDeath(established, "ALLIUM_E_TLS_FLOOD");
    });

    const sealed: [string, number, Uint8Array, string, number][] = [
      ["a ServerHello", 22, message(2, new Uint8Array(40)), "ALLIUM_E_TLS_UNEXPECTED", 10],
      ["a HelloRequest of TLS 1.2", 22, message(0), "ALLIUM_E_TLS_UNEXPECTED", 10],
      [
        "a CertificateRequest",
        22,
        message(13, fromHex("0101"), extensionList([])),
        "ALLIUM_E_TLS_UNEXPECTED",
        10,
      ],
      ["EncryptedExtensions", 22, encryptedExtensions(), "ALLIUM_E_TLS_UNEXPECTED", 10],
      ["a KeyUpdate with the value 2", 22, fromHex("1800000102"), "ALLIUM_E_TLS_PARAMETER", 47],
      ["an empty KeyUpdate", 22, message(24), "ALLIUM_E_TLS_DECODE", 50],
      ["a KeyUpdate of two bytes", 22, message(24, u16(0)), "ALLIUM_E_TLS_DECODE", 50],
      ["a message behind a KeyUpdate", 22, concat(KEY_UPDATE, TICKET), "ALLIUM_E_TLS_UNEXPECTED", 10],
      [
        "the beginning of one behind a KeyUpdate",
        22,
        concat(KEY_UPDATE, u16(0x0400)),
        "ALLIUM_E_TLS_UNEXPECTED",
        10,
      ],
      ["an empty session ticket", 22, message(4, new Uint8Array(11), u16(0)), "ALLIUM_E_TLS_DECODE", 50],
      ["a session ticket that is cut short", 22, message(4, new Uint8Array(11)), "ALLIUM_E_TLS_DECODE", 50],
      ["a message of 16 MiB", 22, fromHex("04ffffff00"), "ALLIUM_E_TLS_DECODE", 50],
      ["an empty handshake record", 22, new Uint8Array(0), "ALLIUM_E_TLS_RECORD", 10],
      ["an empty alert", 21, new Uint8Array(0), "ALLIUM_E_TLS_RECORD", 10],
      ["an alert of one byte", 21, Uint8Array.of(2), "ALLIUM_E_TLS_DECODE", 50],
      ["two alerts in one record", 21, Uint8Array.of(1, 90, 1, 0), "ALLIUM_E_TLS_DECODE", 50],
      ["an encrypted change_cipher_spec", 20, Uint8Array.of(1), "ALLIUM_E_TLS_DECODE", 50],
      ["a record of an unknown inner type", 99, Uint8Array.of(1), "ALLIUM_E_TLS_DECODE", 50],
      ["a record of padding only", 0, new Uint8Array(50), "ALLIUM_E_TLS_RECORD", 10],
      ["a record of more than 2^14 bytes", 23, new Uint8Array(2 ** 14 + 1), "ALLIUM_E_TLS_RECORD", 22],
      [
        "more than that by padding",
        0,
        concat(Uint8Array.of(1, 23), new Uint8Array(2 ** 14)),
        "ALLIUM_E_TLS_RECORD",
        22,
      ],
    ];
    it.each(sealed)("refuses %s", async (_name, type, content, code, alert) => {
      const established = await establish();
      await established.server.sendSealed(type, content);
      await expectDeath(established, code, alert);
    });

    it.each([
      ["a change_cipher_spec", fromHex("140303000101"), "ALLIUM_E_TLS_UNEXPECTED", 10],
      ["an alert in the clear", plainRecord(21, u16(0)), "ALLIUM_E_TLS_UNEXPECTED", 10],
      ["a handshake message in the clear", plainRecord(22, KEY_UPDATE), "ALLIUM_E_TLS_UNEXPECTED", 10],
      [
        "a record that is shorter than a tag",
        fromHex("170303001000000000000000000000000000000000"),
        "ALLIUM_E_TLS_BAD_RECORD",
        20,
      ],
      ["a forged record", plainRecord(23, pattern(100)), "ALLIUM_E_TLS_BAD_RECORD", 20],
      ["a record that is too long", fromHex("1703034101"), "ALLIUM_E_TLS_RECORD", 22],
      ["bytes that are no record", utf8("HTTP/1.1"), "ALLIUM_E_TLS_RECORD", 10],
    ])("refuses %s", async (_name, bytes, code, alert) => {
      const established = await establish();
      const good = await established.server.seal(23, utf8("good so far"));
      await established.far.write(concat(good, bytes));
      expect(await established.tls.read()).toEqual(utf8("good so far"));
      await expectDeath(established, code, alert);
    });

    it("refuses a record within a message", async () => {
      const established = await establish();
      await established.server.sendSealed(22, TICKET.subarray(0, 7));
      await established.server.sendSealed(23, utf8("data"));
      await expectDeath(established, "ALLIUM_E_TLS_UNEXPECTED", 10);
    });

    it("refuses records that were swapped, repeated or left out", async () => {
      for (const order of [[1, 0], [0, 0], [1]]) {
        const established = await establish();
        const records = [
          await established.server.seal(23, utf8("a")),
          await established.server.seal(23, utf8("b")),
        ];
        await established.far.write(concat(...order.map((i) => records[i] as Uint8Array)));
        await expectDeath(established, "ALLIUM_E_TLS_BAD_RECORD", 20);
      }
    });
  });
});
