// Where the one client may run: in a SharedWorker, in a dedicated Worker of one tab, or in the thread that asks.

import type { TorClientLike } from "@allium/core";
import { deferred } from "@allium/core/internal";
import type { WebClientOptions } from "../client.ts";
import type { ErrorSource } from "../remote/connection.ts";
import type { PortLike } from "../remote/link.ts";
import { SharingHost } from "./host.ts";

/** A client that was started, or found already there. */
export interface Running {
  readonly port: PortLike;
  readonly errors: ErrorSource;
  /** Settles when it has ended because nobody used it any more. */
  readonly ended: Promise<void>;
  /** Ends it at once. */
  stop(): void;
}

export interface Place {
  /** `"shared"` where each page may start it and all get the same. */
  readonly mode: LockMode;
  start(): Running;
}

export function inSharedWorker(make: () => SharedWorker): Place {
  const start = () => {
    const worker = make();
    return { port: worker.port, errors: worker, ended: new Promise<void>(() => {}), stop: () => {} };
  };
  return { mode: "shared", start };
}

export function inWorker(make: () => Worker): Place {
  const start = () => {
    const worker = make();
    const ended = deferred();
    worker.addEventListener("message", ({ data }) => {
      if (data?.type === "empty") ended.resolve();
    });
    return { port: worker, errors: worker, ended: ended.promise, stop: () => worker.terminate() };
  };
  return { mode: "exclusive", start };
}

/** The client in the thread that calls `createSharedClient`: in a service worker, or in a page that can start no worker. */
export function inThread(create: (options: WebClientOptions) => TorClientLike): Place {
  const start = () => {
    const { port1, port2 } = new MessageChannel();
    const ended = deferred();
    const make = (options: object) => create(options as WebClientOptions);
    const host = new SharingHost(make, ended.resolve, isServiceWorker());
    host.serve(port1);
    return { port: port2, errors: port2, ended: ended.promise, stop: () => host.stop() };
  };
  return { mode: "exclusive", start };
}

export function isServiceWorker(): boolean {
  return "ServiceWorkerGlobalScope" in globalThis;
}
