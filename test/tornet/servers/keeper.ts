// A process of its own for the destination's servers, so that serving does not disturb what is measured; and the one
// that ends every process of the network when the owner dies, however it dies: the channel to it then closes.
// Arguments: DIR ADDRESS. Tells the owner its ports once all listen.

import { once } from "node:events";
import type net from "node:net";
import { join } from "node:path";
import { stopRecorded } from "../processes.ts";
import { makeCredentials } from "./credentials.ts";
import { createDnsServer } from "./dns.ts";
import { createEchoServer } from "./echo.ts";
import { createHttpServer, createHttpsServer } from "./http.ts";

export interface KeeperReport {
  readonly httpPort: number;
  readonly httpsPort: number;
  /** PEM of the root behind the HTTPS server's certificate. */
  readonly root: string;
  readonly echoPort: number;
  readonly dnsPort: number;
}

async function listen(server: net.Server, host: string, preferred: number): Promise<number> {
  for (const port of [preferred, 0]) {
    server.listen({ host, port });
    try {
      await once(server, "listening");
      break;
    } catch (error) {
      if (port === 0) throw error;
    }
  }
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a server without a port");
  return address.port;
}

async function main(dir: string, host: string): Promise<void> {
  process.on("SIGINT", () => process.exit(0));
  process.on("disconnect", () => {
    stopRecorded(dir).then(
      () => process.exit(0),
      () => process.exit(1),
    );
  });
  const dns = createDnsServer(host);
  dns.bind({ address: host, port: 0 });
  await once(dns, "listening");
  const credentials = makeCredentials(join(dir, "site"), host);
  const report: KeeperReport = {
    httpPort: await listen(createHttpServer(), host, 8000),
    httpsPort: await listen(createHttpsServer(credentials), host, 8443),
    root: credentials.root,
    echoPort: await listen(createEchoServer(), host, 8007),
    dnsPort: dns.address().port,
  };
  process.send?.(report);
}

const [dir, host] = process.argv.slice(2);
if (dir === undefined || host === undefined) throw new Error("keeper.ts DIR ADDRESS");
await main(dir, host);
