// The page of the tests of the web over Tor: HTTPS, WebSockets and sockets with TLS, with the client in the page or in a Worker.

import { isTorError, type TorClientLike } from "@allium/core";
import { createTorClient } from "@allium/web";
import { createWorkerClient, type WorkerClientOptions } from "@allium/web/remote";

let tor: TorClientLike;

async function codeOf(operation: Promise<unknown>): Promise<string> {
  const error = await operation.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return isTorError(error) ? error.code : String(error);
}

const page = {
  async start(place: "page" | "worker", options: Omit<WorkerClientOptions, "worker">) {
    tor =
      place === "page"
        ? createTorClient(options)
        : createWorkerClient({ ...options, worker: new Worker("worker.js", { type: "module" }) });
    await tor.ready();
  },

  async get(url: string) {
    const response = await tor.fetch(url);
    return { status: response.status, url: response.url, text: await response.text() };
  },

  /** The server says over which version of HTTP it was asked. */
  async digest(url: string) {
    const body = await (await tor.fetch(url)).arrayBuffer();
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", body));
    return {
      bytes: body.byteLength,
      sha256: Array.from(digest, (b) => b.toString(16).padStart(2, "0")).join(""),
    };
  },

  failure: (url: string) => codeOf(tor.fetch(url)),

  /** Text and bytes that a WebSocket gives back, and how it closed. */
  async webSocket(url: string, text: string, length: number) {
    const socket = new tor.WebSocket(url, ["a", "b"]);
    const heard: (string | number)[] = [];
    const closed = new Promise<{ code: number; wasClean: boolean }>((resolve) => {
      socket.onclose = ({ code, wasClean }) => resolve({ code, wasClean });
    });
    await new Promise<void>((resolve, reject) => {
      socket.onopen = () => resolve();
      socket.onerror = (event) => reject((event as { error?: unknown }).error);
    });
    const both = new Promise<void>((resolve) => {
      socket.onmessage = ({ data }) => {
        heard.push(typeof data === "string" ? data : (data as Blob).size);
        if (heard.length === 2) resolve();
      };
    });
    socket.send(text);
    socket.send(new Uint8Array(length));
    await both;
    socket.close(4000);
    return { heard, protocol: socket.protocol, ...(await closed) };
  },

  async secureSocket(hostname: string, port: number) {
    const socket = tor
      .connect({ hostname, port }, { secureTransport: "starttls", alpn: ["http/1.1"] })
      .startTls();
    const { alpn } = await socket.opened;
    const request = `GET / HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`;
    await socket.writable.getWriter().write(new TextEncoder().encode(request));
    const { value } = await socket.readable.getReader().read();
    await socket.close();
    return { alpn, answer: new TextDecoder().decode(value).split("\r\n")[0] };
  },

  diagnose: (url: string) => tor.diagnose({ url }),
  check: (url: string) => codeOf(tor.check({ url })),
  close: () => tor.close(),
};

export type WebPage = typeof page;
Object.assign(globalThis, { webPage: page });
