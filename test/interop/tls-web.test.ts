// The TLS client as it speaks to web servers, against OpenSSL's s_server and Node's tls: every combination of version, cipher
// suite, group and key that both have, ALPN, requests for a certificate of ours, and what is refused.

import { createHash, randomBytes } from "node:crypto";
import net from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { nodeCiphers } from "../../packages/bridge/src/node-ciphers.ts";
import { TorError } from "../../packages/core/src/base/errors.ts";
import type { TlsConnection } from "../../packages/core/src/tls/connect.ts";
import { connectWeb, Servers } from "./tls-rig.ts";
import { type KeyKind, type OpensslServer, readBytes } from "./tls-servers.ts";

const SUITES_13 = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];
const GROUPS = ["X25519", "P-256", "P-384"];
/** OpenSSL's names, and the RFCs'. */
const SUITES_12: readonly (readonly [suffix: string, name: string])[] = [
  ["AES128-GCM-SHA256", "AES_128_GCM_SHA256"],
  ["AES256-GCM-SHA384", "AES_256_GCM_SHA384"],
  ["CHACHA20-POLY1305", "CHACHA20_POLY1305_SHA256"],
];
const KEYS: readonly (readonly [kind: KeyKind, signer: string])[] = [
  ["rsa-2048", "RSA"],
  ["ecdsa-p256", "ECDSA"],
  ["ecdsa-p384", "ECDSA"],
  ["ed25519", "ECDSA"],
];

const servers = new Servers();
const open: TlsConnection[] = [];
afterEach(() => {
  for (const connection of open.splice(0)) connection.close();
});

async function connect(...parameters: Parameters<typeof connectWeb>): Promise<TlsConnection> {
  const connection = await connectWeb(...parameters);
  open.push(connection);
  return connection;
}

/** A line each way. */
async function exchange(connection: TlsConnection, server: OpensslServer): Promise<void> {
  await connection.write(Buffer.from("from the client\n"));
  await server.until(() => server.text.includes("from the client"));
  server.send("from the server\n");
  expect((await readBytes(connection, 16)).toString()).toBe("from the server\n");
}

const digest = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");

describe.each(GROUPS)("over the group %s", (group) => {
  it.each(SUITES_13)("TLS 1.3 with %s", async (suite) => {
    const server = await servers.openssl("ecdsa-p256", "-quiet", "-ciphersuites", suite, "-groups", group);
    const connection = await connect(server.port);
    expect(connection).toMatchObject({ version: "TLS 1.3", cipherSuite: suite, group });
    await exchange(connection, server);
  });

  describe.each(KEYS)("TLS 1.2 with a key of kind %s", (kind, signer) => {
    it.each(SUITES_12)("and %s", async (suffix, name) => {
      const cipher = `ECDHE-${signer}-${suffix}`;
      const args = ["-quiet", "-tls1_2", "-cipher", cipher, "-groups", group];
      const server = await servers.openssl(kind, ...args);
      const connection = await connect(server.port, { alpn: ["h2", "http/1.1"] });
      const cipherSuite = `TLS_ECDHE_${signer}_WITH_${name}`;
      expect(connection).toMatchObject({ version: "TLS 1.2", cipherSuite, group });
      expect(connection.applicationProtocol).toBeUndefined();
      await exchange(connection, server);
    });
  });
});

describe.each([
  ["over WebCrypto", undefined],
  ["over the platform's synchronous ciphers", nodeCiphers()],
])("TLS 1.2 %s", (_, ciphers) => {
  it.each(SUITES_12)("carries 4 MiB each way with Node (%s)", async (suffix) => {
    const size = 4 * 2 ** 20;
    const data = randomBytes(size);
    const received = Promise.withResolvers<string>();
    const options = { ciphers: `ECDHE-ECDSA-${suffix}`, maxVersion: "TLSv1.2" as const };
    const { port } = await servers.node(options, (socket) => {
      socket.write(data);
      const hash = createHash("sha256");
      let count = 0;
      socket.on("data", (chunk) => {
        hash.update(chunk);
        count += chunk.length;
        if (count === size) received.resolve(hash.digest("hex"));
      });
    });
    const connection = await connect(port, { ciphers });
    expect(connection.version).toBe("TLS 1.2");
    const [down] = await Promise.all([readBytes(connection, size), connection.write(data)]);
    expect(digest(down)).toBe(digest(data));
    expect(await received.promise).toBe(digest(data));
  });
});

describe("signatures in TLS 1.2", () => {
  it.each([
    ["rsa-2048", "RSA+SHA256"],
    ["rsa-2048", "RSA+SHA384"],
    ["rsa-2048", "RSA+SHA512"],
    ["rsa-2048", "rsa_pss_rsae_sha256"],
    ["rsa-2048", "rsa_pss_rsae_sha384"],
    ["rsa-2048", "rsa_pss_rsae_sha512"],
    ["ecdsa-p256", "ECDSA+SHA256"],
    ["ecdsa-p256", "ECDSA+SHA384"],
    ["ecdsa-p256", "ECDSA+SHA512"],
    ["ecdsa-p384", "ECDSA+SHA256"],
    ["ecdsa-p384", "ECDSA+SHA384"],
  ] as const)("of a key of kind %s by %s are verified", async (kind, algorithm) => {
    const server = await servers.openssl(kind, "-quiet", "-tls1_2", "-sigalgs", algorithm);
    await exchange(await connect(server.port), server);
  });

  it("by SHA-1 are never had", async () => {
    const weak = ["-cipher", "DEFAULT@SECLEVEL=0", "-sigalgs", "RSA+SHA1"];
    const server = await servers.openssl("rsa-2048", "-quiet", "-tls1_2", ...weak);
    await expect(connect(server.port)).rejects.toMatchObject({
      kind: "remote-tls",
      code: "ALLIUM_E_TLS_ALERT",
    });
  });
});

describe.each(["TLSv1.2", "TLSv1.3"] as const)("%s with Node", (version) => {
  const only = { minVersion: version, maxVersion: version };

  it.each([
    ["takes what the server prefers", ["http/1.1", "h2"], ["h2", "http/1.1"]],
    ["takes what both have", ["http/1.1"], ["h2", "http/1.1"]],
  ])("ALPN %s", async (_name, has, alpn) => {
    const { port } = await servers.node({ ...only, ALPNProtocols: has }, () => {});
    expect((await connect(port, { alpn })).applicationProtocol).toBe(has[0]);
  });

  it("ALPN says so when there is nothing in common", async () => {
    const { port } = await servers.node({ ...only, ALPNProtocols: ["imap"] }, () => {});
    await expect(connect(port, { alpn: ["h2"] })).rejects.toMatchObject({
      kind: "remote-tls",
      code: "ALLIUM_E_TLS_ALERT",
      message: expect.stringContaining("no_application_protocol"),
    });
  });

  it("answers a request for a client certificate with an empty one", async () => {
    const request = { requestCert: true, rejectUnauthorized: false };
    const { port } = await servers.node({ ...only, ...request }, (socket) => socket.write("hello"));
    expect((await readBytes(await connect(port), 5)).toString()).toBe("hello");
  });

  it("sends a name, and none for an IP address", async () => {
    const names: unknown[] = [];
    const { port } = await servers.node(only, (socket) => {
      names.push(socket.servername);
      socket.write("x");
    });
    for (const serverName of ["www.web.example.", "127.0.0.1", "2001:db8::1"]) {
      await readBytes(await connect(port, { serverName }), 1);
    }
    expect(names).toEqual(["www.web.example", false, false]);
  });

  it("hands the chain to `verify`, and tells the server when that refuses", async () => {
    const told = Promise.withResolvers<string>();
    const { port, server } = await servers.node(only, () => {});
    server.on("tlsClientError", (error) => told.resolve(error.message));
    const refusal = new TorError("remote-tls", "ALLIUM_E_X509", "who is that");
    let chain: readonly Uint8Array[] = [];
    const verify = async (certificates: readonly Uint8Array[]) => {
      chain = certificates;
      throw refusal;
    };
    await expect(connect(port, { verify })).rejects.toMatchObject({
      kind: "remote-tls",
      code: "ALLIUM_E_X509",
      message: "who is that",
    });
    expect(chain).toHaveLength(1);
    expect(await told.promise).toMatch(/certificate.unknown/i);
  });

  it("ends cleanly with close_notify, and as truncated when the connection is cut", async () => {
    const raw = Promise.withResolvers<net.Socket>();
    const { port, server } = await servers.node(only, (socket) => {
      socket.write("half a sen");
      socket.once("data", () => socket.end("tence"));
    });
    const first = await connect(port);
    await first.write(Buffer.from("go on"));
    expect((await readBytes(first, 15)).toString()).toBe("half a sentence");
    expect(await first.read()).toBeUndefined();
    server.on("connection", (socket: net.Socket) => raw.resolve(socket));
    const second = await connect(port);
    expect((await readBytes(second, 10)).toString()).toBe("half a sen");
    (await raw.promise).end();
    await expect(second.read()).rejects.toMatchObject({ kind: "remote-tls", code: "ALLIUM_E_TLS_TRUNCATED" });
  });
});

describe("renegotiation", () => {
  it("is refused when OpenSSL asks for it, and ends the connection", async () => {
    const server = await servers.openssl("rsa-2048", "-tls1_2");
    const connection = await connect(server.port);
    server.send("r\n");
    await expect(connection.read()).rejects.toMatchObject({
      kind: "remote-tls",
      code: "ALLIUM_E_TLS_RENEGOTIATION",
    });
    await server.until(() => server.text.includes("ERROR") || server.text.includes("DONE"));
  });
});

describe("records of TLS 1.2", () => {
  it.each([
    ["small fragments", ["-max_send_frag", "512", "-split_send_frag", "512"]],
    ["a session id and no ticket", ["-no_ticket"]],
  ])("are read from a server with %s", async (_name, args) => {
    const server = await servers.openssl("rsa-2048", "-quiet", "-tls1_2", ...args);
    const connection = await connect(server.port);
    const data = randomBytes(100_000);
    server.send(data);
    expect(digest(await readBytes(connection, data.length))).toBe(digest(data));
  });
});

it("TLS 1.2 does without extended_master_secret where the server has none", async () => {
  // Node has no name for it: SSL_OP_NO_EXTENDED_MASTER_SECRET.
  const options = { maxVersion: "TLSv1.2" as const, secureOptions: 1 };
  const { port } = await servers.node(options, (socket) => socket.write("hello"));
  expect((await readBytes(await connect(port), 5)).toString()).toBe("hello");
});

describe("a server that is refused", () => {
  it.each([
    ["TLS 1.1 only", ["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"], "ALLIUM_E_TLS_VERSION"],
    ["RSA key exchange only", ["-tls1_2", "-cipher", "AES128-GCM-SHA256"], "ALLIUM_E_TLS_ALERT"],
    ["DHE only", ["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"], "ALLIUM_E_TLS_ALERT"],
    ["CBC only", ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA256"], "ALLIUM_E_TLS_ALERT"],
    ["P-521 only", ["-groups", "P-521"], "ALLIUM_E_TLS_ALERT"],
    ["P-521 only in TLS 1.2", ["-tls1_2", "-groups", "P-521"], "ALLIUM_E_TLS_ALERT"],
    // Whose keys OpenSSL wants among the groups of TLS 1.2, where P-521 is not offered.
    ["a P-521 key in TLS 1.2", ["-tls1_2"], "ALLIUM_E_TLS_ALERT", "ecdsa-p521"],
  ] as const)("has %s", async (_name, args, code, kind: KeyKind = "rsa-2048") => {
    const server = await servers.openssl(kind, "-quiet", ...args);
    await expect(connect(server.port)).rejects.toMatchObject({ kind: "remote-tls", code });
  });

  it("signs with an RSA key of 1024 bits", async () => {
    const server = await servers.openssl("rsa-1024", "-quiet", "-tls1_2", "-cipher", "DEFAULT@SECLEVEL=0");
    await expect(connect(server.port)).rejects.toMatchObject({ code: "ALLIUM_E_TLS_WEAK_KEY" });
  });

  it("is a web server without TLS", async () => {
    const server = net.createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as net.AddressInfo;
    await expect(connect(port)).rejects.toMatchObject({ kind: "remote-tls", code: "ALLIUM_E_TLS_NOT_TLS" });
    server.close();
  });
});
