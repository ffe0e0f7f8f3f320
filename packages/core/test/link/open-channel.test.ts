// openChannel against a relay behind real TLS (Node's), over pipes in memory.

import { Duplex as NodeDuplex } from "node:stream";
import { createSecureContext, TLSSocket } from "node:tls";
import { describe, expect, it, vi } from "vitest";
import { nodeCiphers } from "../../../bridge/src/node-ciphers.ts";
import { deferred } from "../../src/base/abort.ts";
import type { ByteStream } from "../../src/base/byte-stream.ts";
import { systemClock } from "../../src/base/clock.ts";
import { TorError } from "../../src/base/errors.ts";
import type { Dialer, Duplex } from "../../src/base/ports.ts";
import { openChannel } from "../../src/link/open-channel.ts";
import { randomServerName } from "../../src/link/server-name.ts";
import { duplexPair } from "../../src/testing/duplex-pair.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { makeKey } from "../tls/make-certificate.ts";
import { NOW, RelayKeys } from "./relay-certs.ts";
import { fixedCell, honestFlight, ScriptedRelay, targetOf, variableCell } from "./scripted-relay.ts";

const keys = new RelayKeys(makeKey("rsa", 2048));
const target = targetOf(keys);
/** Our clock, at the time that the certificates are made for. */
const clock = { ...systemClock, now: () => NOW };
const code = (name: string) => expect.objectContaining({ code: `ALLIUM_E_${name}` });

function pem(der: Uint8Array): string {
  return `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString("base64")}\n-----END CERTIFICATE-----\n`;
}

interface TlsRelay {
  readonly relay: ScriptedRelay;
  readonly serverName: Promise<string>;
}

/** The relay's end of the TLS session that a client starts on `pipe`. */
function serveTls(pipe: Duplex): TlsRelay {
  const raw = NodeDuplex.fromWeb(pipe as unknown as Parameters<typeof NodeDuplex.fromWeb>[0]);
  raw.on("error", () => {});
  const secureContext = createSecureContext({
    key: keys.tlsKey.privateKey.export({ type: "pkcs8", format: "pem" }),
    cert: pem(keys.leaf),
    minVersion: "TLSv1.3",
  });
  const serverName = deferred<string>();
  const socket = new TLSSocket(raw, {
    isServer: true,
    secureContext,
    SNICallback: (name, done) => {
      serverName.resolve(name);
      done(null, secureContext);
    },
  });
  socket.on("error", () => {});
  const chunks = socket[Symbol.asyncIterator]();
  const stream: ByteStream = {
    async read() {
      const next = await chunks.next();
      return next.done === true ? undefined : new Uint8Array(next.value);
    },
    async write(data) {
      socket.write(data);
    },
    close: () => socket.destroy(),
  };
  return { relay: new ScriptedRelay(stream), serverName: serverName.promise };
}

/** A dialer that leads to the other end, and whether that has been closed. */
function dialTo(): { dialer: Dialer; relayEnd: Duplex; asked: unknown[]; gone: Promise<unknown> } {
  const [clientEnd, relayEnd] = duplexPair();
  const asked: unknown[] = [];
  const dialer: Dialer = {
    async dial(addresses) {
      asked.push(addresses);
      return clientEnd;
    },
  };
  const gone = clientEnd.closed.then(
    () => "closed",
    (error: unknown) => error,
  );
  return { dialer, relayEnd, asked, gone };
}

async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}

describe("openChannel", () => {
  it("dials, runs TLS with a random server name, and shakes hands", async () => {
    const { dialer, relayEnd, asked } = dialTo();
    const { relay, serverName } = serveTls(relayEnd);
    const accepted = relay.accept(keys);
    const channel = await openChannel({ dialer, target, clock });
    await accepted;
    expect(asked).toEqual([target.addresses]);
    expect(await serverName).toMatch(/^www\.[a-z2-7]{4,25}\.com$/);
    expect(channel.peer).toBe(target);

    const answer = deferred<number>();
    const slot = channel.attach({
      cell: (command) => answer.resolve(command),
      destroyed: () => {},
      channelClosed: () => {},
      writable: () => {},
    });
    slot.send(5, new Uint8Array(509));
    expect((await relay.readCell()).circuitId).toBe(slot.circuitId);
    await relay.send(fixedCell(slot.circuitId, 6));
    expect(await answer.promise).toBe(6);
    channel.close();
  });

  it("runs TLS by the platform's synchronous ciphers where it is given them", async () => {
    const { dialer, relayEnd } = dialTo();
    const { relay } = serveTls(relayEnd);
    const ciphers = nodeCiphers();
    const gcm = vi.spyOn(ciphers, "gcm");
    const [encrypt, decrypt] = [vi.spyOn(crypto.subtle, "encrypt"), vi.spyOn(crypto.subtle, "decrypt")];
    const [channel] = await Promise.all([
      openChannel({ dialer, target, clock, ciphers }),
      relay.accept(keys),
    ]);
    const slot = channel.attach({
      cell: () => {},
      destroyed: () => {},
      channelClosed: () => {},
      writable: () => {},
    });
    slot.send(5, new Uint8Array(509).fill(7));
    expect(await relay.readCell()).toMatchObject({ circuitId: slot.circuitId, command: 5 });
    // Both directions of the handshake, and both of what follows.
    expect(gcm).toHaveBeenCalledTimes(4);
    expect(encrypt).not.toHaveBeenCalled();
    expect(decrypt).not.toHaveBeenCalled();
    vi.restoreAllMocks();
    channel.close();
  });

  it("refuses a relay whose certificates belong to another TLS session, and hangs up", async () => {
    const { dialer, relayEnd, gone } = dialTo();
    const { relay } = serveTls(relayEnd);
    const elsewhere = keys.linkCert({ certifiedKey: new Uint8Array(32) });
    const certs = variableCell(0, 129, keys.certs({ 5: elsewhere }));
    const served = relay.readVersions().then(() => relay.send(...honestFlight(keys, { certs })));
    await expect(openChannel({ dialer, target, clock })).rejects.toThrow(code("CERT_LINK_TLS"));
    expect(await gone).toEqual(code("CERT_LINK_TLS"));
    await served;
  });

  it("passes on what the dialer says", async () => {
    const refused = new TorError("bridge-refused", "ALLIUM_E_TEST", "no");
    const dialer: Dialer = { dial: () => Promise.reject(refused) };
    await expect(openChannel({ dialer, target, clock })).rejects.toBe(refused);
  });

  it("passes on what TLS says", async () => {
    const { dialer, relayEnd } = dialTo();
    relayEnd.writable.getWriter().write(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"));
    const error = expect.objectContaining({ kind: "protocol-violation" });
    await expect(openChannel({ dialer, target, clock })).rejects.toThrow(error);
  });

  it("wants an address", async () => {
    const { dialer, asked } = dialTo();
    const nowhere = { ...target, addresses: [] };
    await expect(openChannel({ dialer, target: nowhere, clock })).rejects.toThrow(code("BAD_ADDRESS"));
    expect(asked).toEqual([]);
  });
});

describe("a limit of time", () => {
  const timedOut = expect.objectContaining({ kind: "offline", code: "ALLIUM_E_LINK_TIMEOUT" });

  it("ends a dial that does not, and closes what it yields later", async () => {
    const { dialer, gone } = dialTo();
    const manual = new ManualClock(NOW);
    const late = deferred();
    let signal: AbortSignal | undefined;
    const slow: Dialer = {
      async dial(addresses, options) {
        signal = options?.signal;
        await late.promise;
        return dialer.dial(addresses);
      },
    };
    const opening = openChannel({ dialer: slow, target, clock: manual });
    const failed = expect(opening).rejects.toThrow(timedOut);
    await settle();
    manual.advance(20_000);
    await failed;
    expect(signal?.aborted).toBe(true);
    late.resolve();
    expect(await gone).toEqual(timedOut);
  });

  it("ends a TLS handshake with a relay that is silent", async () => {
    const { dialer, gone } = dialTo();
    const manual = new ManualClock(NOW);
    const opening = openChannel({ dialer, target, clock: manual, timeout: 5000 });
    const failed = expect(opening).rejects.toThrow(timedOut);
    while (manual.pendingTimers < 2) await new Promise((resolve) => setTimeout(resolve, 1));
    manual.advance(5000);
    await failed;
    expect(await gone).toEqual(timedOut);
  });

  it("ends a link handshake with a relay that is silent behind TLS", async () => {
    const { dialer, relayEnd, gone } = dialTo();
    const manual = new ManualClock(NOW);
    const { relay } = serveTls(relayEnd);
    const opening = openChannel({ dialer, target, clock: manual });
    const failed = expect(opening).rejects.toThrow(/link handshake/);
    await relay.readVersions();
    manual.advance(20_000);
    await failed;
    await expect(opening).rejects.toThrow(timedOut);
    expect(await gone).toEqual(timedOut);
    expect(manual.pendingTimers).toBe(0);
  });

  it("ends with the caller's patience", async () => {
    const { dialer, relayEnd, gone } = dialTo();
    const { relay } = serveTls(relayEnd);
    const controller = new AbortController();
    const opening = openChannel({ dialer, target, clock, signal: controller.signal });
    const failed = expect(opening).rejects.toThrow(expect.objectContaining({ kind: "aborted" }));
    await relay.readVersions();
    controller.abort();
    await failed;
    expect(await gone).toMatchObject({ kind: "aborted" });
    const before = openChannel({ dialer, target, clock, signal: controller.signal });
    await expect(before).rejects.toThrow(expect.objectContaining({ kind: "aborted" }));
  });

  it("leaves an open channel alone", async () => {
    const { dialer, relayEnd } = dialTo();
    const { relay } = serveTls(relayEnd);
    const manual = new ManualClock(NOW);
    const controller = new AbortController();
    const accepted = relay.accept(keys);
    const channel = await openChannel({ dialer, target, clock: manual, signal: controller.signal });
    await accepted;
    controller.abort();
    manual.advance(60_000);
    await settle();
    expect(channel.isClosed).toBe(false);
    expect(manual.pendingTimers).toBe(0);
    channel.close();
  });
});

describe("the server name", () => {
  it("has 4 to 25 characters of base32 in the middle, each length and each character as likely as any", () => {
    const lengths = new Map<number, number>();
    const letters = new Map<string, number>();
    const names = Array.from({ length: 5000 }, () => randomServerName());
    for (const name of names) {
      const [, middle = ""] = /^www\.([a-z2-7]+)\.com$/.exec(name) ?? [];
      lengths.set(middle.length, (lengths.get(middle.length) ?? 0) + 1);
      for (const letter of middle) letters.set(letter, (letters.get(letter) ?? 0) + 1);
    }
    expect([...lengths.keys()].sort((a, b) => a - b)).toEqual(Array.from({ length: 22 }, (_, i) => i + 4));
    expect(letters.size).toBe(32);
    // 5000/22 and 72500/32 are expected; seven standard deviations either way.
    for (const count of lengths.values()) expect(Math.abs(count - 227)).toBeLessThan(105);
    for (const count of letters.values()) expect(Math.abs(count - 2266)).toBeLessThan(400);
    expect(new Set(names).size).toBeGreaterThan(4990);
  });
});
