// The client replays the recorded handshakes of RFC 8448: what it sends and what it reads must be the RFC's bytes.

import { createECDH } from "node:crypto";
import { describe, expect, it } from "vitest";
import { concat, Reader } from "../../src/base/bytes.ts";
import { systemClock } from "../../src/base/clock.ts";
import { fromHex, toHex } from "../../src/base/encoding.ts";
import type { Ciphers } from "../../src/base/ports.ts";
import { ecdhPair } from "../../src/crypto/ecdh.ts";
import { x25519FromPrivate } from "../../src/crypto/x25519.ts";
import type { ClientOffer } from "../../src/tls/client-hello.ts";
import { connectWith } from "../../src/tls/connect.ts";
import { KeySchedule, trafficKeys } from "../../src/tls/key-schedule.ts";
import type { KeyShare } from "../../src/tls/key-share.ts";
import { CIPHER_SUITES, type CipherSuite } from "../../src/tls/protocol.ts";
import { Transcript } from "../../src/tls/transcript.ts";
import { recordedPipe } from "./pipes.ts";
import { clientAuthentication, compatibilityMode, helloRetryRequest, simple } from "./rfc8448.ts";
import { CIPHERS } from "./rig.ts";

const HEADER = 5;
const options = { clock: systemClock, timeout: 5000 };

async function x25519Share(privateKey: Uint8Array): Promise<KeyShare> {
  const pair = await x25519FromPrivate(privateKey);
  return { group: "X25519", publicKey: pair.publicKey, diffieHellman: (peer) => pair.diffieHellman(peer) };
}

async function p256Share(privateKey: Uint8Array): Promise<KeyShare> {
  const ecdh = createECDH("prime256v1");
  ecdh.setPrivateKey(privateKey);
  const publicKey = new Uint8Array(ecdh.getPublicKey());
  const coordinate = (at: number) => Buffer.from(publicKey.subarray(at, at + 32)).toString("base64url");
  const d = Buffer.from(privateKey).toString("base64url");
  const jwk = { kty: "EC", crv: "P-256", d, x: coordinate(1), y: coordinate(33) };
  const algorithm = { name: "ECDH", namedCurve: "P-256" };
  const key = await crypto.subtle.importKey("jwk", jwk, algorithm, false, ["deriveBits"]);
  const pair = ecdhPair("P-256", key, publicKey);
  return { group: "P-256", publicKey: pair.publicKey, diffieHellman: (peer) => pair.diffieHellman(peer) };
}

/** An offer whose hellos are the recorded ones. */
function recordedOffer(
  hello: Uint8Array,
  first: KeyShare,
  second?: { hello: Uint8Array; share: KeyShare },
): ClientOffer {
  const reader = new Reader(hello.subarray(HEADER + 4 + 2 + 32));
  const sessionId = reader.vector(1);
  reader.vector(2);
  reader.vector(1);
  const extensions: number[] = [];
  const list = new Reader(reader.vector(2));
  while (list.remaining > 0) {
    extensions.push(list.u16());
    list.vector(2);
  }
  let share = first;
  return {
    hello: hello.slice(HEADER),
    sessionId,
    extensions,
    groups: ["X25519", "P-256"],
    alpn: [],
    tls12: false,
    get shares() {
      return [share];
    },
    async retry(group) {
      if (second === undefined || group !== second.share.group)
        throw new Error("no second hello was recorded");
      share = second.share;
      return second.hello.slice(HEADER);
    },
  };
}

const inner = (offer: ClientOffer, minimumRsaBits: number) => ({
  offer,
  minimumRsaBits,
  rekeyAfter: 2 ** 24,
});

/** Lets the writes that were not awaited reach the pipe. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 20));

describe("RFC 8448 section 3, simple 1-RTT", () => {
  const suite = CIPHER_SUITES[0] as CipherSuite;
  const sharedSecret = fromHex("8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d");
  const transcript = new Transcript();
  transcript.add(simple.clientHello.slice(HEADER));
  transcript.add(simple.serverHello.slice(HEADER));

  it("derives the handshake's and the application's secrets and keys", async () => {
    const schedule = new KeySchedule("sha256");
    const handshake = schedule.handshake(sharedSecret, transcript.hash("sha256"));
    expect(toHex(handshake.client)).toBe("b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21");
    expect(toHex(handshake.server)).toBe("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38");
    const serverKeys = trafficKeys(suite, handshake.server);
    expect(toHex(serverKeys.key)).toBe("3fce516009c21727d0f2e4e86ee403bc");
    expect(toHex(serverKeys.iv)).toBe("5d313eb2671276ee13000b30");
    const clientKeys = trafficKeys(suite, handshake.client);
    expect(toHex(clientKeys.key)).toBe("dbfaa693d1762c5b666af5d950258d01");
    expect(toHex(clientKeys.iv)).toBe("5bd3c71b836e0b76bb73265f");
  });

  it("agrees on the shared secret with the recorded keys", async () => {
    const share = await x25519Share(simple.clientEntropy.slice(32));
    const serverShare = simple.serverHello.slice(HEADER + 4 + 2 + 32 + 1 + 2 + 1 + 2 + 8, -6);
    expect(toHex(await share.diffieHellman(serverShare))).toBe(toHex(sharedSecret));
  });

  const connect = async (chunk?: number, ciphers?: Ciphers, minimumRsaBits = 1024) => {
    const { serverHello, serverFlight, newSessionTicket, serverDataRecord, serverCloseNotify } = simple;
    const all = concat(serverHello, serverFlight, newSessionTicket, serverDataRecord, serverCloseNotify);
    const pipe = recordedPipe(all, chunk);
    const offer = recordedOffer(simple.clientHello, await x25519Share(simple.clientEntropy.slice(32)));
    return { pipe, tls: await connectWith(pipe, { ...options, ciphers }, inner(offer, minimumRsaBits)) };
  };

  const chunks = [1, 7, 64, 1000, 10_000].flatMap((chunk) =>
    CIPHERS.map(([how, ciphers]) => [chunk, how, ciphers] as const),
  );
  it.each(chunks)("reads the server's records in chunks of %i bytes %s", async (chunk, _, ciphers) => {
    const { tls } = await connect(chunk, ciphers);
    expect(tls).toMatchObject({ cipherSuite: "TLS_AES_128_GCM_SHA256", group: "X25519" });
    expect(tls.peerCertificates).toHaveLength(1);
    expect(await tls.read()).toEqual(simple.serverData);
    expect(await tls.read()).toBeUndefined();
  });

  it.each(CIPHERS)("sends the client's records %s", async (_, ciphers) => {
    const { pipe, tls } = await connect(undefined, ciphers);
    await tls.write(simple.clientData);
    tls.close();
    await settle();
    expect(pipe.written.map(toHex)).toEqual(
      [simple.clientHello, simple.clientFinished, simple.clientDataRecord, simple.clientCloseNotify].map(
        toHex,
      ),
    );
  });

  it("refuses the recorded RSA-1024 signature at the shipped limit", async () => {
    await expect(connect(undefined, undefined, 2048)).rejects.toMatchObject({
      code: "ALLIUM_E_TLS_WEAK_KEY",
    });
  });
});

describe("RFC 8448 section 5, HelloRetryRequest", () => {
  it("answers with the recorded second hello and completes", async () => {
    const recorded = helloRetryRequest;
    const first = await x25519Share(recorded.clientEntropy.slice(32, 64));
    const second = await p256Share(recorded.clientEntropy.slice(64));
    const offer = recordedOffer(recorded.clientHello, first, {
      hello: recorded.secondClientHello,
      share: second,
    });
    const all = [
      recorded.helloRetryRequest,
      recorded.serverHello,
      recorded.serverFlight,
      recorded.serverCloseNotify,
    ];
    const pipe = recordedPipe(concat(...all));
    const tls = await connectWith(pipe, options, inner(offer, 1024));
    expect(tls.group).toBe("P-256");
    expect(await tls.read()).toBeUndefined();
    tls.close();
    await settle();
    const sent = [
      recorded.clientHello,
      recorded.secondClientHello,
      recorded.clientFinished,
      recorded.clientCloseNotify,
    ];
    expect(pipe.written.map(toHex)).toEqual(sent.map(toHex));
  });
});

describe("RFC 8448 section 6, client authentication", () => {
  it("accepts the server's ECDSA signature, answers without a certificate, and reads close_notify", async () => {
    const recorded = clientAuthentication;
    const offer = recordedOffer(recorded.clientHello, await x25519Share(recorded.clientEntropy.slice(32)));
    const pipe = recordedPipe(
      concat(recorded.serverHello, recorded.serverFlight, recorded.serverCloseNotify),
    );
    const tls = await connectWith(pipe, options, inner(offer, 2048));
    expect(await tls.read()).toBeUndefined();
    // Header, Certificate (8 bytes) and Finished (36), inner type, tag.
    expect(pipe.written[1]).toHaveLength(HEADER + 8 + 36 + 1 + 16);
  });
});

describe("RFC 8448 section 7, compatibility mode", () => {
  it("sends change_cipher_spec once and passes over the server's", async () => {
    const recorded = compatibilityMode;
    const offer = recordedOffer(recorded.clientHello, await x25519Share(recorded.clientEntropy.slice(64)));
    const pipe = recordedPipe(
      concat(recorded.serverHello, recorded.serverFlight, recorded.serverCloseNotify),
    );
    const tls = await connectWith(pipe, options, inner(offer, 1024));
    expect(await tls.read()).toBeUndefined();
    tls.close();
    await settle();
    expect(pipe.written.map(toHex)).toEqual(
      [recorded.clientHello, recorded.clientFinished, recorded.clientCloseNotify].map(toHex),
    );
  });
});
