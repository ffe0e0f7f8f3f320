// How an established connection ends: by the server, by the pipe, by us.

import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { utf8 } from "../../src/base/encoding.ts";
import { TorError } from "../../src/base/errors.ts";
import type { Clock } from "../../src/base/ports.ts";
import { LINGER } from "../../src/tls/connection.ts";
import {
  CIPHERS,
  type EstablishOptions,
  establish as establishWith,
  expectDeath,
  pattern,
  readAll,
  turns,
} from "./rig.ts";

describe.each(CIPHERS)("a connection %s", (_, ciphers) => {
  const establish = (options: EstablishOptions = {}) => establishWith({ ciphers, ...options });

  describe("the end", () => {
    it("by close_notify is clean, and what follows it does not count", async () => {
      const { tls, server, far } = await establish();
      await server.sendSealed(23, utf8("last"));
      await server.sendSealed(21, Uint8Array.of(1, 0));
      await server.sendSealed(23, utf8("more"));
      await far.write(utf8("rubbish"));
      expect(await readAll(tls)).toEqual(utf8("last"));
      // The other direction stays open (RFC 8446 6.1).
      await tls.write(utf8("still here"));
      expect((await server.readContent()).content).toEqual(utf8("still here"));
    });

    it("by user_canceled and close_notify is clean", async () => {
      const { tls, server } = await establish();
      await server.sendSealed(21, Uint8Array.of(1, 90));
      await server.sendSealed(21, Uint8Array.of(1, 0));
      expect(await tls.read()).toBeUndefined();
    });

    it.each(["at a record's end", "within a record"])(
      "of the pipe %s is truncation, after the data",
      async (where) => {
        const established = await establish();
        await established.server.sendSealed(23, utf8("half a sen"));
        if (where === "within a record") {
          await established.far.write((await established.server.seal(23, utf8("tence"))).slice(0, -1));
        }
        established.far.endWrites();
        expect(await established.tls.read()).toEqual(utf8("half a sen"));
        await expectDeath(established, "ALLIUM_E_TLS_TRUNCATED");
      },
    );

    it("by a fatal alert is an error with its name, whatever its level, after the data", async () => {
      for (const level of [1, 2]) {
        const established = await establish();
        await established.server.sendSealed(23, utf8("data"));
        await established.server.sendSealed(21, Uint8Array.of(level, 80));
        expect(await established.tls.read()).toEqual(utf8("data"));
        await expect(established.tls.read()).rejects.toThrow("internal_error");
        await expectDeath(established, "ALLIUM_E_TLS_ALERT");
      }
    });

    it("of the pipe by its own error gives that error to both sides", async () => {
      const { tls, pipe } = await establish();
      const gone = new TorError("offline", "ALLIUM_E_TEST_GONE", "the pipe broke");
      const reading = tls.read();
      pipe.close(gone);
      await expect(reading).rejects.toBe(gone);
      await expect(tls.write(utf8("x"))).rejects.toBe(gone);
    });

    it("by a failing write ends reading too", async () => {
      const { tls, pipe } = await establish();
      const broken = new TorError("offline", "ALLIUM_E_TEST_BROKEN", "no more writes");
      pipe.write = () => Promise.reject(broken);
      const reading = tls.read();
      await expect(tls.write(utf8("x"))).rejects.toBe(broken);
      await expect(reading).rejects.toBe(broken);
      expect(pipe.isClosed).toBe(true);
    });
  });

  describe("close", () => {
    it("sends what was written, then close_notify, and closes the pipe", async () => {
      const { tls, server, pipe } = await establish();
      const reading = tls.read();
      const writing = tls.write(pattern(50_000));
      tls.close();
      tls.close();
      expect(await reading).toBeUndefined();
      await writing;
      for (let i = 0; i < 4; i++) expect((await server.readContent()).type).toBe(23);
      expect(await server.readContent()).toEqual({ type: 21, content: Uint8Array.of(1, 0) });
      await expect.poll(() => pipe.isClosed).toBe(true);
      await expect(tls.write(utf8("late"))).rejects.toMatchObject({ code: "ALLIUM_E_TLS_CLOSED" });
      await expect(server.readContent()).rejects.toThrow("the pipe ended");
    });

    it("with a reason fails what waits with it", async () => {
      const { tls, server, pipe } = await establish({ highWater: 1000 });
      const reason = new TorError("aborted", "ALLIUM_E_TEST_REASON", "enough");
      const reading = tls.read();
      const first = tls.write(pattern(100));
      const second = tls.write(pattern(100));
      tls.close(reason);
      await expect(reading).rejects.toBe(reason);
      await expect(second).rejects.toBe(reason);
      await first.catch((error) => expect(error).toBe(reason));
      await expect(tls.write(utf8("late"))).rejects.toBe(reason);
      await expect.poll(() => pipe.closedWith).toBe(reason);
      const types = [(await server.readContent()).type];
      if (types[0] === 23) types.push((await server.readContent()).type);
      expect(types.at(-1)).toBe(21);
    });

    it("does not wait for a full pipe longer than the linger time", async () => {
      const fire: (() => void)[] = [];
      const clock: Clock = {
        ...systemClock,
        timer(ms) {
          if (ms !== LINGER) return systemClock.timer(ms);
          return { fired: new Promise((resolve) => fire.push(resolve)), cancel() {} };
        },
      };
      const { tls, pipe } = await establish({ highWater: 1000, clock });
      tls.write(pattern(5000)).catch(() => {});
      tls.close();
      await turns(20);
      expect(pipe.isClosed).toBe(false);
      for (const go of fire) go();
      await expect.poll(() => pipe.isClosed).toBe(true);
    });
  });
});
