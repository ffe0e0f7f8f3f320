// A server that sends many small records, or records of nothing but padding: neither stops the reader nor fills its memory.

import { describe, expect, it } from "vitest";
import { nodeCiphers } from "../../../bridge/src/node-ciphers.ts";
import { concat } from "../../src/base/bytes.ts";
import { utf8 } from "../../src/base/encoding.ts";
import { Protection13 } from "../../src/tls/protection-13.ts";
import {
  CIPHERS,
  type EstablishOptions,
  establish as establishWith,
  expectSame,
  pattern,
  readAll,
  turns,
} from "./rig.ts";

describe.each(CIPHERS)("a server of many small records, %s,", (_, ciphers) => {
  const establish = (options: EstablishOptions = {}) => establishWith({ ciphers, ...options });

  it("is read ahead of no further in one large chunk of the pipe than in many", async () => {
    const { tls, server, far } = await establish({ highWater: 2 ** 24 });
    const records: Uint8Array[] = [];
    for (let i = 0; i < 128; i++) records.push(await server.seal(23, pattern(2 ** 14, i)));
    await far.write(concat(...records, await server.seal(21, Uint8Array.of(1, 0))));
    await turns(100);
    const first = await tls.read();
    expect(first?.length).toBeLessThanOrEqual(256 * 1024 + 2 ** 14);
    const rest = await readAll(tls);
    expectSame(
      concat(first as Uint8Array, rest),
      concat(...Array.from({ length: 128 }, (_, i) => pattern(2 ** 14, i))),
    );
  });

  it("cannot keep the pipe from being read on by padding that fills the read-ahead", async () => {
    const { tls, server, far } = await establish({ highWater: 2 ** 24 });
    const padding = concat(Uint8Array.of(23), new Uint8Array(2 ** 14));
    const records: Uint8Array[] = [];
    for (let i = 0; i < 20; i++) records.push(await server.seal(0, padding.subarray(0, 2 ** 14)));
    await far.write(concat(...records));
    await turns(20);
    await server.sendSealed(23, utf8("data"));
    expect(await tls.read()).toEqual(utf8("data"));
  });

  it.each([0x1301, 0x1303])(
    "has each record counted with what it costs, and all of them read at once (suite %i)",
    async (suite) => {
      const { tls, server, far } = await establish({ suite, highWater: 8 * 1024 });
      const total = 20_000;
      const records: Uint8Array[] = [];
      for (let i = 0; i < total; i++) records.push(await server.seal(23, Uint8Array.of(i & 255)));
      let sent = 0;
      const sending = (async () => {
        for (; sent < total; sent += 100) await far.write(concat(...records.slice(sent, sent + 100)));
        await server.sendSealed(21, Uint8Array.of(1, 0));
      })();
      sending.catch(() => {});
      await turns(400);
      expect(sent).toBeLessThan(4000);
      expectSame(
        await readAll(tls),
        Uint8Array.from({ length: total }, (_, i) => i & 255),
      );
      await sending;
    },
  );

  // WebCrypto takes some 0.1 ms for each, whatever their number.
  const many = ciphers === undefined ? 80_000 : 400_000;
  it(`is read in time that grows with their number and no faster: ${many} in one chunk`, async () => {
    const small = await timeToRead(many / 8);
    const large = await timeToRead(many);
    // Eight times as many; in quadratic time they would take 64 times as long.
    expect(large / small).toBeLessThan(24);
  }, 120_000);

  /** Milliseconds to read so many records of one byte that come in one chunk of the pipe. */
  async function timeToRead(total: number): Promise<number> {
    const { tls, server, far } = await establish({ highWater: 2 ** 26 });
    const secret = server.application?.server.slice() as Uint8Array;
    // By synchronous ciphers whatever the client uses: sealing so many is not what is measured.
    const sealing = await Protection13.create(server.suite, secret, nodeCiphers());
    const parts: Uint8Array[] = [];
    for (let i = 0; i < total; i++) parts.push(...(await sealing.seal(23, Uint8Array.of(i & 255))));
    parts.push(...(await sealing.seal(21, Uint8Array.of(1, 0))));
    const chunk = joined(parts);
    const start = performance.now();
    await far.write(chunk);
    const received = await readAll(tls);
    const time = performance.now() - start;
    expectSame(
      received,
      Uint8Array.from({ length: total }, (_, i) => i & 255),
    );
    return time;
  }
});

/** `concat` takes its parts as arguments, which are too many here. */
function joined(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
