// The page of the route tests: what a site with a service worker asks for.

import { routeReady, torPath } from "@allium/web/service-worker";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

/** A body that is made of bytes, a form or a stream; streams where the browser can send them. */
export type BodyKind = "bytes" | "form";

function loaded(
  element: HTMLImageElement | HTMLScriptElement | HTMLIFrameElement,
  url: string,
): Promise<string> {
  const event = new Promise<string>((resolve) => {
    element.onload = () => resolve("load");
    element.onerror = () => resolve("error");
  });
  element.src = url;
  document.body.append(element);
  return event;
}

const page = {
  path: torPath,

  async register() {
    await navigator.serviceWorker.register("/sw.js");
    await routeReady();
  },

  /** The code that says whether a worker controls the page. */
  async control() {
    const failure = await routeReady({ timeout: 500 }).catch((error: { code: string }) => error);
    return failure?.code ?? "controlled";
  },

  /** A number of the worker's own: another one once it was started again. */
  workerNumber(): Promise<number> {
    const { port1, port2 } = new MessageChannel();
    navigator.serviceWorker.controller?.postMessage("number", [port2]);
    return new Promise((resolve) => {
      port1.onmessage = ({ data }) => resolve(data);
    });
  },

  async get(url: string, init: RequestInit = {}) {
    const response = await fetch(url, init);
    const bytes = new Uint8Array(await response.arrayBuffer());
    return {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      text: new TextDecoder().decode(bytes.subarray(0, 2000)),
      bytes: bytes.length,
      sha256: bytesToHex(sha256(bytes)),
    };
  },

  async post(url: string, kind: BodyKind, bytes: number) {
    const content = new Uint8Array(bytes).fill(65);
    const form = new FormData();
    form.set("field", new Blob([content]));
    const response = await fetch(url, { method: "POST", body: kind === "form" ? form : content });
    return { sha256: bytesToHex(sha256(content)), answer: await response.text() };
  },

  /** Aborts after the first bytes. */
  async abort(url: string) {
    const abort = new AbortController();
    const response = await fetch(url, { signal: abort.signal });
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    abort.abort();
    return reader.read().then(
      () => "went on",
      (error: Error) => error.name,
    );
  },

  /** Aborts while nothing has been answered. */
  async giveUp(url: string, ms: number) {
    return fetch(url, { signal: AbortSignal.timeout(ms) }).then(
      () => "answered",
      (error: Error) => error.name,
    );
  },

  image: (url: string) => loaded(new Image(), url),
  script: (url: string) => loaded(document.createElement("script"), url),
  async frame(url: string) {
    const frame = document.createElement("iframe");
    await loaded(frame, url);
    return frame.contentDocument?.body?.textContent ?? "unreadable";
  },
};

export type RoutePage = typeof page;
Object.assign(globalThis, { testPage: page });
