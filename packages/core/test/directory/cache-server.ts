// Directory caches in memory, behind the DirectoryConnector port: they speak HTTP/1.0 on a ByteStream, well or badly.

import { deflateSync } from "node:zlib";
import type { ByteStream } from "../../src/base/byte-stream.ts";
import { concat } from "../../src/base/bytes.ts";
import { fromLatin1, utf8 } from "../../src/base/encoding.ts";
import { TorError } from "../../src/base/errors.ts";
import type {
  DirectoryConnection,
  DirectoryConnector,
  DirectoryRequestOptions,
} from "../../src/directory/api.ts";
import { parseKeyCertificates } from "../../src/directory/documents/key-certificate.ts";
import {
  type ConsensusOptions,
  digestOf,
  signedConsensus,
  type TestAuthority,
  type TestRelay,
} from "./builder.ts";

/** What a cache sends: whole responses, or chunks of one, or nothing for ever. */
export type Answer = Uint8Array | Uint8Array[] | "stall";
export type Handler = (path: string, request: string) => Answer;

export function response(body: Uint8Array | string, head = "HTTP/1.0 200 OK"): Uint8Array {
  return concat(utf8(`${head}\r\n\r\n`), typeof body === "string" ? utf8(body) : body);
}

export function deflated(body: Uint8Array): Uint8Array {
  return response(new Uint8Array(deflateSync(body)), "HTTP/1.0 200 OK\r\nContent-Encoding: deflate");
}

export const notFound = response("", "HTTP/1.0 404 Not found");

/** A stream whose far end answers one request. */
export function answeringStream(handler: Handler): ByteStream & { closed: boolean } {
  let chunks: Uint8Array[] | "stall" = [];
  let wake: () => void = () => {};
  return {
    closed: false,
    async write(data) {
      const request = fromLatin1(data);
      const answer = handler(request.split(" ")[1] ?? "", request);
      chunks = answer instanceof Uint8Array ? split(answer) : answer === "stall" ? answer : [...answer];
    },
    async read() {
      if (chunks !== "stall") return chunks.shift();
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      return undefined;
    },
    close() {
      this.closed = true;
      wake();
    },
  };
}

/** As relay cells would bring it. */
function split(bytes: Uint8Array): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += 498) chunks.push(bytes.subarray(at, at + 498));
  return chunks;
}

/** The caches "0", "1", …, the first that is not excluded is asked; records who was asked for what, and who was blamed. */
export class TestCaches implements DirectoryConnector {
  handlers: Handler[];
  readonly asked: { cache: string; path: string; request: string; hadNetDir: boolean }[] = [];
  readonly blamed: { cache: string; error: TorError }[] = [];
  openCount = 0;
  mostOpen = 0;

  constructor(...handlers: Handler[]) {
    this.handlers = handlers;
  }

  async open({ exclude, netdir, signal }: DirectoryRequestOptions): Promise<DirectoryConnection> {
    if (signal?.aborted) throw signal.reason;
    for (let i = 0; i < this.handlers.length; i++) {
      const cache = String(i);
      if (exclude?.has(cache)) continue;
      return this.#connection(cache, netdir !== undefined);
    }
    throw new TorError("no-path", "ALLIUM_E_NO_FALLBACK", "every cache was tried");
  }

  #connection(cache: string, hadNetDir: boolean): DirectoryConnection {
    const handler = this.handlers[Number(cache)] as Handler;
    const stream = answeringStream((path, request) => {
      this.asked.push({ cache, path, request, hadNetDir });
      return handler(path, request);
    });
    this.openCount++;
    this.mostOpen = Math.max(this.mostOpen, this.openCount);
    let over = false;
    const finish = () => {
      if (over) throw new Error("a connection was finished twice");
      over = true;
      this.openCount--;
    };
    return {
      stream,
      cache,
      done: finish,
      failed: (error) => {
        finish();
        this.blamed.push({ cache, error });
      },
    };
  }

  /** The paths asked for, shortened to what kind of document they name. */
  get kinds(): string[] {
    return this.asked.map(({ path }) => /^\/tor\/(status-vote|keys|micro)/.exec(path)?.[1] ?? path);
  }
}

/** What an honest cache serves: everything of one network. */
export interface TestNetwork {
  consensus: Uint8Array;
  certificates: string;
  microdescriptors: Map<string, string>;
}

export function networkDocuments(
  signers: readonly TestAuthority[],
  relays: readonly TestRelay[],
  options: ConsensusOptions = {},
): TestNetwork {
  return {
    consensus: signedConsensus(signers, { relays, ...options }),
    certificates: signers.map((signer) => signer.certificate()).join(""),
    microdescriptors: new Map(
      relays.map(({ microdescriptor }) => [digestOf(microdescriptor), microdescriptor]),
    ),
  };
}

/** An honest cache of the network that `current` returns at the time of asking. */
export function honest(current: () => TestNetwork): Handler {
  return (path) => {
    const network = current();
    if (path.startsWith("/tor/status-vote/current/consensus-microdesc/")) return response(network.consensus);
    if (path.startsWith("/tor/keys/fp-sk/")) {
      const wanted = path.slice("/tor/keys/fp-sk/".length).split("+");
      const found = parseKeyCertificates(utf8(network.certificates)).filter(({ identity, signingKeyId }) =>
        wanted.includes(`${identity}-${signingKeyId}`),
      );
      return found.length === 0 ? notFound : response(concat(...found.map(({ bytes }) => bytes)));
    }
    if (path.startsWith("/tor/micro/d/")) {
      const digests = path.slice("/tor/micro/d/".length).split("-");
      const found = digests.map((digest) => network.microdescriptors.get(digest) ?? "").join("");
      return found === "" ? notFound : response(utf8(found));
    }
    return notFound;
  };
}
