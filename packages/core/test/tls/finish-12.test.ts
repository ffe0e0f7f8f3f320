// The end of the handshake of TLS 1.2, and what may stand between its messages: change_cipher_spec and alerts.

import { describe, expect, it } from "vitest";
import { concat } from "../../src/base/bytes.ts";
import { utf8 } from "../../src/base/encoding.ts";
import { CHANGE_CIPHER_SPEC, message } from "./mini-server.ts";
import { certificates, DONE, type MiniServer12 } from "./mini-server-12.ts";
import { expectRefusal, startWeb } from "./runs.ts";

describe("the end of the handshake of TLS 1.2", () => {
  /** A server that has the client's Finished. */
  async function met(extended = true) {
    const run = startWeb();
    run.server.extended = extended;
    await run.server.greet();
    await run.server.readKeyExchange();
    await run.server.readFinished12();
    return run;
  }

  it.each([true, false])("is right with extended_master_secret %s", async (extended) => {
    const run = await met(extended);
    await run.server.changeCipherSpec();
    await run.server.sendSealed(22, run.server.finished12("server"));
    expect(await run.client).toMatchObject({ version: "TLS 1.2", group: "P-256" });
    expect(run.server.plainTypes).toEqual([22, 20]);
  });

  it("is refused when the two sides disagree on extended_master_secret", async () => {
    const run = startWeb();
    await run.server.greet();
    run.server.extended = false;
    await run.server.readKeyExchange();
    run.server.inbound = undefined;
    await run.server.readContent();
    await run.server.changeCipherSpec();
    await run.server.sendSealed(22, run.server.finished12("server"));
    await expectRefusal(run, "ALLIUM_E_TLS_BAD_RECORD");
  });

  it("is refused when Finished is wrong, or is the client's own", async () => {
    for (const flip of [true, false]) {
      const run = await met();
      const finished = run.server.finished12(flip ? "server" : "client");
      if (flip) finished[15] = (finished[15] as number) ^ 1;
      await run.server.changeCipherSpec();
      await run.server.sendSealed(22, finished);
      await expectRefusal(run, "ALLIUM_E_TLS_FINISHED", 51);
    }
  });

  it("is refused when a message stands behind Finished", async () => {
    const run = await met();
    await run.server.changeCipherSpec();
    await run.server.sendSealed(22, concat(run.server.finished12("server"), message(0)));
    await expectRefusal(run, "ALLIUM_E_TLS_UNEXPECTED", 10);
  });

  it("is refused when Finished comes in the clear, without change_cipher_spec, or is data", async () => {
    const wrongs: ((server: MiniServer12) => Promise<void>)[] = [
      (server) => server.sendPlain(22, server.finished12("server")),
      async (server) => {
        await server.pipe.write(CHANGE_CIPHER_SPEC);
        await server.sendPlain(22, server.finished12("server"));
      },
      async (server) => {
        await server.changeCipherSpec();
        await server.sendSealed(23, utf8("too early"));
      },
      async (server) => {
        await server.changeCipherSpec();
        await server.pipe.write(CHANGE_CIPHER_SPEC);
      },
      (server) => server.sendPlain(22, message(4, new Uint8Array(6))),
      (server) => server.sendPlain(23, utf8("data")),
    ];
    const codes: string[] = [];
    for (const wrong of wrongs) {
      const run = await met();
      await wrong(run.server);
      codes.push(
        await run.client.then(
          () => "none",
          (error) => error.code,
        ),
      );
    }
    const [unexpected, bad] = ["ALLIUM_E_TLS_UNEXPECTED", "ALLIUM_E_TLS_BAD_RECORD"];
    expect(codes).toEqual([unexpected, bad, unexpected, unexpected, unexpected, unexpected]);
  });
});

describe("change_cipher_spec of TLS 1.2 (CVE-2014-0224)", () => {
  it("is refused before ServerHello, whose version is known only then", async () => {
    const run = startWeb();
    await run.server.readClientHello();
    await run.server.pipe.write(CHANGE_CIPHER_SPEC);
    await run.server.send(run.server.hello12(), certificates(), run.server.keyExchange(), DONE);
    await expectRefusal(run, "ALLIUM_E_TLS_UNEXPECTED", 10);
  });

  it("is refused after each message before ServerHelloDone", async () => {
    for (const after of [1, 2, 3]) {
      const run = startWeb();
      await run.server.readClientHello();
      const flight = [run.server.hello12(), certificates(), run.server.keyExchange()];
      await run.server.send(...flight.slice(0, after));
      await run.server.pipe.write(CHANGE_CIPHER_SPEC);
      await expectRefusal(run, "ALLIUM_E_TLS_UNEXPECTED", 10);
    }
  });

  it("is refused within a message", async () => {
    const run = startWeb();
    await run.server.readClientHello();
    await run.server.send(run.server.hello12(), certificates().subarray(0, 50));
    await run.server.pipe.write(CHANGE_CIPHER_SPEC);
    await expectRefusal(run, "ALLIUM_E_TLS_UNEXPECTED", 10);
  });
});

describe("alerts in the handshake", () => {
  const UNRECOGNIZED_NAME = Uint8Array.of(1, 112);

  it("that warn are passed over while the server may be of TLS 1.2", async () => {
    const run = startWeb();
    await run.server.readClientHello();
    await run.server.sendPlain(21, UNRECOGNIZED_NAME);
    await run.server.send(run.server.hello12());
    await run.server.sendPlain(21, UNRECOGNIZED_NAME);
    await run.server.send(certificates(), run.server.keyExchange(), DONE);
    await run.server.readKeyExchange();
    await run.server.readFinished12();
    await run.server.sendPlain(21, UNRECOGNIZED_NAME);
    await run.server.changeCipherSpec();
    await run.server.sendSealed(21, UNRECOGNIZED_NAME);
    await run.server.sendSealed(22, run.server.finished12("server"));
    expect((await run.client).version).toBe("TLS 1.2");
  });

  it("that warn are refused when there are many", async () => {
    const run = startWeb();
    await run.server.readClientHello();
    for (let i = 0; i < 5; i++) await run.server.sendPlain(21, UNRECOGNIZED_NAME);
    await expectRefusal(run, "ALLIUM_E_TLS_FLOOD", 10);
  });

  it.each([
    ["close_notify", Uint8Array.of(1, 0)],
    ["internal_error", Uint8Array.of(2, 80)],
  ])("of %s end it", async (name, alert) => {
    const run = startWeb();
    await run.server.readClientHello();
    await run.server.sendPlain(21, alert);
    await expect(run.client).rejects.toThrow(name);
    await expectRefusal(run, "ALLIUM_E_TLS_ALERT");
  });
});
