// Gives the agents of the suite `directory` their documents, over HTTP as pages can have nothing else.

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Documents } from "./documents.ts";

export class DocumentSource {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start({ files, pieces }: Documents): Promise<DocumentSource> {
    const byPath = new Map(Object.entries(files).map(([name, bytes]) => [`/${name}`, bytes]));
    for (const [i, bytes] of pieces.entries()) byPath.set(`/microdescriptors/${i}`, bytes);
    const server = createServer((request, response) => {
      const bytes = byPath.get(request.url ?? "");
      // The pages that ask are of another origin; they must not keep what they got in the browser's cache.
      const headers = { "access-control-allow-origin": "*", "cache-control": "no-store" };
      response.writeHead(bytes === undefined ? 404 : 200, headers).end(bytes);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new DocumentSource(server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
