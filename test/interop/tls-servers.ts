// Real TLS servers for the interop tests: `openssl s_server` as a child process and Node's tls, on loopback.

import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ByteStream } from "../../packages/core/src/base/byte-stream.ts";
import { systemClock } from "../../packages/core/src/base/clock.ts";
import { connectTls, type TlsConnection } from "../../packages/core/src/tls/connect.ts";

/** Arguments of `openssl req` that make each kind of key. */
const KEYS = {
  "rsa-1024": ["rsa:1024"],
  "rsa-2048": ["rsa:2048"],
  "ecdsa-p256": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
  "ecdsa-p384": ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
  "ecdsa-p521": ["ec", "-pkeyopt", "ec_paramgen_curve:P-521"],
  ed25519: ["ed25519"],
} as const;
export type KeyKind = keyof typeof KEYS;

export interface Credentials {
  readonly keyFile: string;
  readonly certFile: string;
  readonly key: string;
  readonly cert: string;
}

function openssl(...args: readonly string[]): void {
  execFileSync("openssl", args, { stdio: "ignore" });
}

/** Keys and certificates made on the fly, in a directory that `remove` takes away. */
export class CertificateShop {
  readonly directory = mkdtempSync(join(tmpdir(), "allium-tls-"));
  readonly #made = new Map<string, Credentials>();

  selfSigned(kind: KeyKind): Credentials {
    return this.#make(kind, (keyFile, certFile) => {
      const newKey = ["-newkey", ...KEYS[kind], "-nodes", "-keyout", keyFile];
      openssl("req", "-x509", ...newKey, "-out", certFile, "-subj", "/CN=a", "-days", "2");
    });
  }

  /** As a relay has it: a leaf of RSA-2048 without extensions, signed by an RSA-1024 identity key (tor-spec 2.2). */
  relay(): Credentials {
    return this.#make("relay", (keyFile, certFile) => {
      const identity = this.selfSigned("rsa-1024");
      const request = join(this.directory, "relay.csr");
      const name = ["-subj", "/CN=www.leaf.example"];
      openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", keyFile, "-out", request, ...name);
      const authority = ["-CA", identity.certFile, "-CAkey", identity.keyFile, "-CAcreateserial"];
      openssl("x509", "-req", "-in", request, ...authority, "-out", certFile, "-days", "2");
    });
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  #make(name: string, make: (keyFile: string, certFile: string) => void): Credentials {
    let credentials = this.#made.get(name);
    if (credentials === undefined) {
      const keyFile = join(this.directory, `${name}.key`);
      const certFile = join(this.directory, `${name}.crt`);
      make(keyFile, certFile);
      const [key, cert] = [readFileSync(keyFile, "utf8"), readFileSync(certFile, "utf8")];
      credentials = { keyFile, certFile, key, cert };
      this.#made.set(name, credentials);
    }
    return credentials;
  }
}

/** Milliseconds after which a wait for a server fails. */
const PATIENCE = 10_000;

async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** `openssl s_server` on a port of its own. Without `-quiet` its stdin takes commands and its stdout has headlines. */
export class OpensslServer {
  readonly process: ChildProcessWithoutNullStreams;
  readonly #output: Buffer[] = [];
  readonly port: number;
  #ended = false;

  private constructor(process: ChildProcessWithoutNullStreams, port: number) {
    this.process = process;
    this.port = port;
    process.stdout.on("data", (data: Buffer) => this.#output.push(data));
    process.stderr.resume();
    process.on("exit", () => {
      this.#ended = true;
    });
  }

  static async start(credentials: Credentials, ...args: readonly string[]): Promise<OpensslServer> {
    const files = ["-cert", credentials.certFile, "-key", credentials.keyFile];
    // With -quiet it does not say which port it took, so it is given one that was free a moment ago.
    const port = await freePort();
    const child = spawn("openssl", ["s_server", "-accept", `127.0.0.1:${port}`, ...files, ...args]);
    const server = new OpensslServer(child, port);
    let listening = false;
    const probe = () => {
      dial(port).then(
        (socket) => {
          listening = true;
          socket.destroy();
        },
        () => setTimeout(probe, 5),
      );
    };
    probe();
    await server.until(() => listening);
    return server;
  }

  get output(): Buffer {
    return Buffer.concat(this.#output);
  }

  get text(): string {
    return this.output.toString("latin1");
  }

  send(data: string | Uint8Array): void {
    this.process.stdin.write(data);
  }

  async until(condition: () => boolean): Promise<void> {
    const deadline = Date.now() + PATIENCE;
    while (!condition()) {
      if (this.#ended || Date.now() > deadline)
        throw new Error(`openssl ended, or did not do in time what was waited for: ${this.text.slice(-500)}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  stop(): void {
    this.process.kill("SIGKILL");
  }
}

/** A TCP socket as a byte pipe. */
export function socketPipe(socket: net.Socket): ByteStream {
  const chunks = socket.iterator({ destroyOnReturn: false });
  socket.on("error", () => {});
  return {
    async read() {
      const next = await chunks.next();
      return next.done === true ? undefined : new Uint8Array(next.value as Buffer);
    },
    write(data) {
      return new Promise((resolve, reject) => {
        socket.write(data, (error) => (error == null ? resolve() : reject(error)));
      });
    },
    close() {
      socket.destroySoon();
    },
  };
}

export async function dial(port: number): Promise<net.Socket> {
  const socket = net.connect(port, "127.0.0.1");
  await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  return socket;
}

export async function connectTo(port: number, serverName = "www.relay.example"): Promise<TlsConnection> {
  const pipe = socketPipe(await dial(port));
  return connectTls(pipe, { serverName, clock: systemClock, timeout: 5000 });
}

/** Reads until `length` bytes have come. */
export async function readBytes(stream: ByteStream, length: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for (let size = 0; size < length; ) {
    const data = await stream.read();
    if (data === undefined) throw new Error(`the stream ended after ${size} of ${length} bytes`);
    parts.push(data);
    size += data.length;
  }
  return Buffer.concat(parts);
}
