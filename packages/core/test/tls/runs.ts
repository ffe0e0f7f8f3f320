// Starts a client against a scripted server, and says what a refusal is.

import { expect } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import type { Ciphers } from "../../src/base/ports.ts";
import { connectTls, type TlsConnection, type TlsOptions } from "../../src/tls/connect.ts";
import { MiniServer } from "./mini-server.ts";
import { MiniServer12 } from "./mini-server-12.ts";
import { type PipeEnd, pipePair } from "./pipes.ts";

export const options = { clock: systemClock, timeout: 5000, serverName: "www.relay.example" };

export interface Run<Server extends MiniServer = MiniServer> {
  readonly server: Server;
  readonly client: Promise<TlsConnection>;
  readonly pipe: PipeEnd;
}

/** A client and a server that have begun. */
export function start(suite?: number, ciphers?: Ciphers): Run {
  const [near, far] = pipePair();
  const server = new MiniServer(far, suite);
  const client = connectTls(near, { ...options, ciphers });
  client.catch(() => {});
  return { server, client, pipe: near };
}

/** A client as it speaks to web servers, and a server of TLS 1.2, or of 1.3, that have begun. */
export function startWeb(more?: Partial<TlsOptions>, suite?: number): Run<MiniServer12>;
export function startWeb(more: Partial<TlsOptions>, suite: number | undefined, version: "TLS 1.3"): Run;
export function startWeb(more: Partial<TlsOptions> = {}, suite?: number, version?: "TLS 1.3"): Run {
  const [near, far] = pipePair();
  const server = version === undefined ? new MiniServer12(far, suite) : new MiniServer(far, suite);
  const client = connectTls(near, { ...options, versions: "1.2 and 1.3", ...more });
  client.catch(() => {});
  return { server, client, pipe: near };
}

/** The handshake must fail with this code, tell the server this alert (by number), and close the pipe. */
export async function expectRefusal(
  { server, client, pipe }: Run,
  code: string,
  alert?: number,
): Promise<void> {
  await expect(client).rejects.toMatchObject({ kind: "protocol-violation", code });
  if (alert !== undefined) {
    for (;;) {
      const { type, content } = await server.readContent();
      if (type !== 21) continue;
      expect([...content]).toEqual([2, alert]);
      break;
    }
  }
  await expect.poll(() => pipe.isClosed).toBe(true);
}
