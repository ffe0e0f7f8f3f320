// Records that come together in one chunk of the pipe are delivered together; keys that change among them, and records that
// are forged among them, do so at their place.

import { afterEach, describe, expect, it, vi } from "vitest";
import { concat } from "../../src/base/bytes.ts";
import { fromHex, utf8 } from "../../src/base/encoding.ts";
import { generator, splits } from "../crypto/patterns.ts";
import { extensionList, message, plainRecord } from "./mini-server.ts";
import {
  CIPHERS,
  type Established,
  type EstablishOptions,
  establish as establishWith,
  expectDeath,
  expectSame,
  pattern,
  readAll,
  turn,
  turns,
  updateKey,
} from "./rig.ts";

const TICKET = message(4, new Uint8Array(8), fromHex("00000177"), extensionList([]));
const CLOSE_NOTIFY = Uint8Array.of(1, 0);

async function dataRecords({ server }: Established, count: number, length: number): Promise<Uint8Array[]> {
  const records: Uint8Array[] = [];
  for (let i = 0; i < count; i++) records.push(await server.seal(23, pattern(length, i)));
  return records;
}

const contents = (count: number, length: number) =>
  concat(...Array.from({ length: count }, (_, i) => pattern(length, i)));

afterEach(() => {
  vi.restoreAllMocks();
});

describe.each(CIPHERS)("records of one chunk, %s,", (_, ciphers) => {
  const establish = (options: EstablishOptions = {}) => establishWith({ ciphers, ...options });

  it.each([1, 2, 15, 16, 17, 60])("are given by the read that waits for them: %i", async (count) => {
    const established = await establish();
    const reading = established.tls.read();
    await turns(2);
    await established.far.write(concat(...(await dataRecords(established, count, 700))));
    expectSame(await reading, contents(count, 700));
  });

  it.each([
    ["a session ticket", 22, TICKET],
    ["an empty record", 23, new Uint8Array(0)],
    ["a user_canceled alert", 21, Uint8Array.of(1, 90)],
  ])("are given though %s is the last", async (_name, type, content) => {
    const established = await establish();
    const reading = established.tls.read();
    const records = await dataRecords(established, 5, 100);
    await established.far.write(concat(...records, await established.server.seal(type, content)));
    expectSame(await reading, contents(5, 100));
  });

  it("are given though a KeyUpdate is the last", async () => {
    const established = await establish();
    const reading = established.tls.read();
    const records = await dataRecords(established, 5, 100);
    await established.far.write(concat(...records, await updateKey(established.server)));
    expectSame(await reading, contents(5, 100));
  });

  it("are given though one more is begun", async () => {
    const established = await establish();
    const reading = established.tls.read();
    const records = await dataRecords(established, 6, 100);
    const [whole, begun] = [records.slice(0, 5), records[5] as Uint8Array];
    await established.far.write(concat(...whole, begun.slice(0, 50)));
    expectSame(await reading, contents(5, 100));
    await established.far.write(begun.slice(50));
    expectSame(await established.tls.read(), pattern(100, 5));
  });

  it("are given before close_notify that came with them, and before the end of the pipe", async () => {
    const notified = await establish();
    const records = await dataRecords(notified, 20, 100);
    await notified.far.write(concat(...records, await notified.server.seal(21, CLOSE_NOTIFY)));
    expectSame(await notified.tls.read(), contents(20, 100));
    expect(await notified.tls.read()).toBeUndefined();

    const cut = await establish();
    await cut.far.write(concat(...(await dataRecords(cut, 20, 100))));
    cut.far.endWrites();
    expectSame(await cut.tls.read(), contents(20, 100));
    await expectDeath(cut, "ALLIUM_E_TLS_TRUNCATED");
  });

  it.each([0, 1, 7, 19])("are given up to one that is forged, and none behind it: number %i", async (at) => {
    for (const forged of ["a byte is changed", "a stranger's", "out of place"]) {
      const established = await establish();
      const reading = established.tls.read();
      reading.catch(() => {});
      const records = await dataRecords(established, 20, 100);
      const record = records[at] as Uint8Array;
      if (forged === "a byte is changed") record[50] = (record[50] as number) ^ 1;
      else if (forged === "a stranger's") records.splice(at, 0, plainRecord(23, pattern(100)));
      else records[at] = records[(at + 5) % 20] as Uint8Array;
      await established.far.write(concat(...records));
      if (at > 0) expectSame(await reading, contents(at, 100));
      await expectDeath(established, "ALLIUM_E_TLS_BAD_RECORD", 20);
    }
  });

  it("are given up to one that is no record, and none behind it", async () => {
    const established = await establish();
    const records = await dataRecords(established, 8, 100);
    await established.far.write(concat(...records.slice(0, 5), utf8("HTTP/1.1"), ...records.slice(5)));
    expectSame(await established.tls.read(), contents(5, 100));
    await expectDeath(established, "ALLIUM_E_TLS_RECORD", 10);
  });

  it("are all given where the chunk holds more than is read ahead", async () => {
    for (const [count, length] of [
      [40, 2 ** 14],
      [3000, 30],
      [700, 1000],
    ] as const) {
      const established = await establish({ highWater: 2 ** 24 });
      const records = await dataRecords(established, count, length);
      records.push(await established.server.seal(21, CLOSE_NOTIFY));
      // More behind it, which must not take its place.
      const far = concat(...records);
      await established.far.write(far.slice(0, -1000));
      await established.far.write(far.slice(-1000));
      await turns(5);
      expectSame(await readAll(established.tls), contents(count, length));
    }
  });
});

describe.each(CIPHERS)("KeyUpdate within a chunk, %s,", (_, ciphers) => {
  const establish = (options: EstablishOptions = {}) => establishWith({ ciphers, ...options });

  it("parts what was sealed under the old key from what is under the new", async () => {
    const established = await establish();
    const { server, far, tls } = established;
    const before = await dataRecords(established, 10, 300);
    const update = await updateKey(server);
    const after = await dataRecords(established, 10, 300);
    await far.write(concat(...before, update, ...after));
    let received: Uint8Array = new Uint8Array(0);
    while (received.length < 20 * 300) {
      received = concat(received, (await tls.read()) as Uint8Array);
    }
    expectSame(received, concat(contents(10, 300), contents(10, 300)));
  });

  it("several times, with one record between or none", async () => {
    const established = await establish();
    const { server, far, tls } = established;
    const records: Uint8Array[] = [];
    for (let i = 0; i < 10; i++) {
      records.push(await updateKey(server), await updateKey(server));
      records.push(await server.seal(23, Uint8Array.of(i)));
    }
    records.push(await server.seal(21, CLOSE_NOTIFY));
    await far.write(concat(...records));
    expect([...(await readAll(tls))]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it("makes a record under the old key a forged one, after what came before it", async () => {
    const established = await establish();
    const { server, far, tls } = established;
    const records = [...(await dataRecords(established, 5, 100)), await updateKey(server)];
    records.push(await server.seal(23, pattern(100, 5)));
    const [first] = records as [Uint8Array];
    await far.write(concat(...records, first, await server.seal(23, utf8("more"))));
    let received: Uint8Array = new Uint8Array(0);
    while (received.length < 600) received = concat(received, (await tls.read()) as Uint8Array);
    expectSame(received, contents(6, 100));
    await expectDeath(established, "ALLIUM_E_TLS_BAD_RECORD", 20);
  });

  it("changes nothing for whatever chunks the stream is cut into", async () => {
    const decrypt = crypto.subtle.decrypt.bind(crypto.subtle);
    const next = generator(77);
    // WebCrypto as slow as it may be, and not the same for all.
    vi.spyOn(crypto.subtle, "decrypt").mockImplementation(async (...args) => {
      const result = await decrypt(...args);
      for (let i = Math.floor(next() * 4); i > 0; i--) await turn();
      return result;
    });
    for (let round = 0; round < 6; round++) {
      const { server, far, tls } = await establish();
      const records: Uint8Array[] = [];
      for (let i = 0; i < 120; i++) {
        if (next() < 0.15) records.push(await updateKey(server));
        records.push(await server.seal(23, pattern(1 + (i % 200), i)));
      }
      records.push(await server.seal(21, CLOSE_NOTIFY));
      const stream = concat(...records);
      const writing = (async () => {
        for (const [from, to] of splits(stream.length, [300, 1000, 4000][round % 3] as number, round)) {
          await far.write(stream.slice(from, to));
          if (next() < 0.4) await turns(1 + Math.floor(next() * 3));
        }
      })();
      const expected = concat(...Array.from({ length: 120 }, (_, i) => pattern(1 + (i % 200), i)));
      expectSame(await readAll(tls), expected);
      await writing;
    }
  });
});

it("records that come while those behind a KeyUpdate are being decrypted wait for their turn under the new key", async () => {
  const { server, far, tls } = await establishWith();
  const original = crypto.subtle.decrypt.bind(crypto.subtle);
  const held: (() => void)[] = [];
  vi.spyOn(crypto.subtle, "decrypt").mockImplementation(
    (...args) => new Promise((resolve, reject) => held.push(() => original(...args).then(resolve, reject))),
  );
  const release = async () => {
    for (const go of held.splice(0)) go();
    await turns(5);
  };
  const update = await updateKey(server);
  const [a, b, c] = [
    await server.seal(23, utf8("a")),
    await server.seal(23, utf8("b")),
    await server.seal(23, utf8("c")),
  ];
  await far.write(concat(update, a, b));
  await turns(5);
  await release();
  // The first record under the new key is being decrypted, the second waits.
  await far.write(c);
  await turns(5);
  for (let i = 0; i < 10; i++) await release();
  let received = "";
  while (received.length < 3) received += Buffer.from((await tls.read()) as Uint8Array).toString();
  expect(received).toBe("abc");
});

describe("synchronous ciphers", () => {
  it("need WebCrypto for no record of AES-GCM, in either direction", async () => {
    const [encrypt, decrypt] = [vi.spyOn(crypto.subtle, "encrypt"), vi.spyOn(crypto.subtle, "decrypt")];
    const established = await establishWith({ ciphers: CIPHERS[1]?.[1], suite: 0x1302 });
    // What the server's own half does is WebCrypto's.
    const sealed = await dataRecords(established, 3, 100);
    const before = [encrypt.mock.calls.length, decrypt.mock.calls.length];
    await established.far.write(concat(...sealed));
    expectSame(await established.tls.read(), contents(3, 100));
    await established.tls.write(pattern(40_000));
    expect([encrypt.mock.calls.length, decrypt.mock.calls.length]).toEqual(before);
    const parts = [];
    for (let i = 0; i < 3; i++) parts.push((await established.server.readContent()).content);
    expectSame(concat(...parts), pattern(40_000));
  });

  it("cost no turn for a record: a chunk is read as soon with many as with one", async () => {
    const turnsUntilRead = async (count: number, suite: number) => {
      const established = await establishWith({ ciphers: CIPHERS[1]?.[1], suite });
      const bytes = concat(...(await dataRecords(established, count, 50)));
      let done = false;
      established.tls.read().then(() => {
        done = true;
      });
      await turns(3);
      void established.far.write(bytes);
      let passed = 0;
      for (; !done && passed < 10_000; passed++) await Promise.resolve();
      return passed;
    };
    for (const suite of [0x1301, 0x1303]) {
      const one = await turnsUntilRead(1, suite);
      expect(await turnsUntilRead(200, suite)).toBe(one);
    }
  });
});
