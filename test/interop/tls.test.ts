// The TLS client against the servers of others: OpenSSL's s_server and Node's tls.

import { createHash, randomBytes } from "node:crypto";
import type net from "node:net";
import { describe, expect, it } from "vitest";
import { parseCertificate } from "../../packages/core/src/tls/x509/certificate.ts";
import { Servers } from "./tls-rig.ts";
import { connectTo, type KeyKind, readBytes } from "./tls-servers.ts";

const SUITES = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];
const GROUPS = ["P-256", "X25519"];
const KINDS: readonly KeyKind[] = ["rsa-2048", "ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "ed25519"];
const MEGABYTES_4 = 4 * 2 ** 20;

const servers = new Servers();

const digest = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");

describe.each(SUITES)("suite %s", (suite) => {
  it.each(GROUPS)("with OpenSSL over the group %s", async (group) => {
    const server = await servers.openssl("ecdsa-p256", "-quiet", "-ciphersuites", suite, "-groups", group);
    const connection = await connectTo(server.port);
    expect(connection).toMatchObject({ cipherSuite: suite, group });
    await connection.write(Buffer.from("from the client\n"));
    await server.until(() => server.text.includes("from the client"));
    server.send("from the server\n");
    expect((await readBytes(connection, 16)).toString()).toBe("from the server\n");
    connection.close();
  });

  it.each(GROUPS)("carries 4 MiB each way with Node over the group %s", async (group) => {
    const data = randomBytes(MEGABYTES_4);
    const received = Promise.withResolvers<string>();
    const options = { ciphers: suite, ecdhCurve: group, minVersion: "TLSv1.3" as const };
    const { port } = await servers.node(options, (socket) => {
      socket.write(data);
      const hash = createHash("sha256");
      let size = 0;
      socket.on("data", (chunk) => {
        hash.update(chunk);
        size += chunk.length;
        if (size === MEGABYTES_4) received.resolve(hash.digest("hex"));
      });
    });
    const connection = await connectTo(port);
    expect(connection).toMatchObject({ cipherSuite: suite, group });
    const [down] = await Promise.all([readBytes(connection, MEGABYTES_4), connection.write(data)]);
    expect(digest(down)).toBe(digest(data));
    expect(await received.promise).toBe(digest(data));
    connection.close();
  });
});

describe("groups", () => {
  it("fails cleanly with a server that has P-384 only", async () => {
    const server = await servers.openssl("ecdsa-p256", "-quiet", "-groups", "P-384");
    await expect(connectTo(server.port)).rejects.toMatchObject({
      kind: "protocol-violation",
      code: "ALLIUM_E_TLS_ALERT",
      message: expect.stringContaining("handshake_failure"),
    });
  });
});

describe("certificates", () => {
  it.each(KINDS)("checks the signature of a key of kind %s", async (kind) => {
    const server = await servers.openssl(kind, "-quiet");
    const connection = await connectTo(server.port);
    server.send("hello\n");
    expect((await readBytes(connection, 6)).toString()).toBe("hello\n");
    const [leaf] = connection.peerCertificates;
    const certificate = parseCertificate(leaf as Uint8Array);
    expect(certificate.version).toBe(3);
    expect(certificate.subject.commonName).toBe("a");
    const days = (certificate.notAfter - certificate.notBefore) / 86_400_000;
    expect(days).toBeCloseTo(2, 5);
    connection.close();
  });

  it("takes a relay's leaf, signed by an RSA-1024 key, and hands the chain up", async () => {
    const server = await servers.openssl("relay", "-quiet", "-cipher", "DEFAULT@SECLEVEL=0");
    const connection = await connectTo(server.port);
    const certificate = parseCertificate(connection.peerCertificates[0] as Uint8Array);
    expect(certificate.publicKey).toMatchObject({ algorithm: "rsa", bits: 2048 });
    expect(certificate.extensions).toEqual([]);
    connection.close();
  });

  it("refuses a handshake signed with an RSA key of 1024 bits", async () => {
    const server = await servers.openssl("rsa-1024", "-quiet", "-cipher", "DEFAULT@SECLEVEL=0");
    await expect(connectTo(server.port)).rejects.toMatchObject({ code: "ALLIUM_E_TLS_WEAK_KEY" });
  });

  it("answers a request for a client certificate with an empty one", async () => {
    const server = await servers.openssl("rsa-2048", "-verify", "1");
    const connection = await connectTo(server.port);
    server.send("hello\n");
    expect((await readBytes(connection, 6)).toString()).toBe("hello\n");
    connection.close();
  });

  it("names the alert of a server that insists on a client certificate", async () => {
    const server = await servers.openssl("rsa-2048", "-Verify", "1");
    const connection = await connectTo(server.port);
    const error = { code: "ALLIUM_E_TLS_ALERT", message: expect.stringContaining("certificate_required") };
    await expect(connection.read()).rejects.toMatchObject(error);
    await expect(connection.write(Buffer.from("late"))).rejects.toMatchObject(error);
  });
});

describe("records", () => {
  it.each([
    ["small fragments", ["-max_send_frag", "512", "-split_send_frag", "512"]],
    ["padding", ["-record_padding", "4096"]],
    ["no compatibility mode", ["-no_middlebox"]],
    ["many session tickets", ["-num_tickets", "20"]],
  ])("reads a server with %s", async (_name, args) => {
    const server = await servers.openssl("rsa-2048", "-quiet", ...args);
    const connection = await connectTo(server.port);
    const data = randomBytes(100_000);
    server.send(data);
    expect(digest(await readBytes(connection, data.length))).toBe(digest(data));
    connection.close();
  });

  it("carries 4 MiB each way with OpenSSL", async () => {
    const server = await servers.openssl("rsa-2048", "-quiet");
    const connection = await connectTo(server.port);
    const before = server.output.length;
    const data = randomBytes(MEGABYTES_4);
    server.send(data);
    expect(digest(await readBytes(connection, data.length))).toBe(digest(data));
    await connection.write(data);
    await server.until(() => server.output.length - before >= data.length);
    expect(digest(server.output.subarray(before))).toBe(digest(data));
    connection.close();
  });
});

describe("KeyUpdate by OpenSSL", () => {
  it.each([
    ["that asks for one in return", "K", 2],
    ["that asks for none", "k", 1],
  ])("%s", async (_name, command, messages) => {
    // With -msg it writes down each message that it sends (>>>) or reads (<<<).
    const server = await servers.openssl("rsa-2048", "-msg");
    const connection = await connectTo(server.port);
    const count = (text: string) => server.text.split(text).length - 1;
    for (let round = 0; round < 5; round++) {
      server.send(`${command}\n`);
      await server.until(() => count("KeyUpdate") === messages * (round + 1));
      server.send(`down ${round}\n`);
      expect((await readBytes(connection, 7)).toString()).toBe(`down ${round}\n`);
      await connection.write(Buffer.from(`up ${round}\n`));
      await server.until(() => server.text.includes(`up ${round}`));
    }
    expect(count("<<< TLS 1.3, Handshake [length 0005], KeyUpdate")).toBe(5 * (messages - 1));
    connection.close();
  });
});

describe("the end of a connection", () => {
  it("is clean after close_notify", async () => {
    // Node leaves its close_notify out when it ends before it has read anything.
    const { port } = await servers.node({}, (socket) =>
      socket.once("data", () => socket.end("the last words")),
    );
    const connection = await connectTo(port);
    await connection.write(Buffer.from("go on"));
    expect((await readBytes(connection, 14)).toString()).toBe("the last words");
    expect(await connection.read()).toBeUndefined();
    expect(await connection.read()).toBeUndefined();
    connection.close();
  });

  it("is an error when the TCP connection is cut, after what came before it", async () => {
    const raw = Promise.withResolvers<net.Socket>();
    const { port, server } = await servers.node({}, (socket) => socket.write("half a sen"));
    server.on("connection", (socket: net.Socket) => raw.resolve(socket));
    const connection = await connectTo(port);
    const read = await readBytes(connection, 10);
    (await raw.promise).end();
    expect(read.toString()).toBe("half a sen");
    await expect(connection.read()).rejects.toMatchObject({ code: "ALLIUM_E_TLS_TRUNCATED" });
    await expect(connection.write(Buffer.from("x"))).rejects.toMatchObject({
      code: "ALLIUM_E_TLS_TRUNCATED",
    });
  });

  it("is told to the server by close()", async () => {
    const ended = Promise.withResolvers<string>();
    const { port } = await servers.node({}, (socket) => {
      let text = "";
      socket.on("data", (data) => {
        text += data.toString();
      });
      // Node emits `end` after close_notify only, and an error after a cut.
      socket.on("end", () => ended.resolve(text)).on("error", ended.reject);
    });
    const connection = await connectTo(port);
    connection.write(Buffer.from("said before it")).catch(() => {});
    connection.close();
    expect(await ended.promise).toBe("said before it");
  });
});

describe("a server without TLS 1.3", () => {
  it("is refused by name (OpenSSL)", async () => {
    const server = await servers.openssl("rsa-2048", "-quiet", "-tls1_2");
    await expect(connectTo(server.port)).rejects.toMatchObject({
      kind: "protocol-violation",
      code: "ALLIUM_E_TLS_VERSION",
    });
  });

  it("is refused by name (Node)", async () => {
    const { port } = await servers.node({ maxVersion: "TLSv1.2" }, () => {});
    await expect(connectTo(port)).rejects.toMatchObject({ code: "ALLIUM_E_TLS_VERSION" });
  });
});

describe("SNI", () => {
  it("reaches the server", async () => {
    const name = Promise.withResolvers<string | false | null>();
    const { port } = await servers.node({}, (socket) => name.resolve(socket.servername));
    const connection = await connectTo(port, "www.abcdefghij.com");
    expect(await name.promise).toBe("www.abcdefghij.com");
    connection.close();
  });
});
