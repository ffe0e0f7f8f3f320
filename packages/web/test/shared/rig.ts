// Tabs of one origin, all in this thread: each has a client of its own making, and a Worker that it could start.

import { onTestFinished } from "vitest";
import type { PortLike } from "../../src/remote/index.ts";
import { SharingHost } from "../../src/shared/host.ts";
import {
  createSharedClient,
  type SharedClientOptions,
  type SharedTorClient,
} from "../../src/shared/index.ts";
import { FakeClient } from "../remote/rig.ts";

export interface FakeWorker {
  readonly client: FakeClient;
  /** As a browser does it whose worker ran out of memory, or whose tab was closed. */
  die(): void;
  isTerminated: boolean;
}

export interface Tab {
  readonly tor: SharedTorClient;
  /** The workers that this tab has started. */
  readonly workers: FakeWorker[];
}

let names = 0;

/** A name that no other test has. */
export function freshName(): string {
  return `shared-${process.pid}-${names++}`;
}

function startWorker(workers: FakeWorker[]): Worker {
  const { port1, port2 } = new MessageChannel();
  const client = new FakeClient();
  const host = new SharingHost(
    () => client,
    () => port1.postMessage({ type: "empty" }),
  );
  host.serve(workerFace(port1));
  const die = () => {
    host.stop();
    port1.close();
  };
  const worker: FakeWorker = { client, die, isTerminated: false };
  workers.push(worker);
  const terminate = () => {
    worker.isTerminated = true;
    die();
  };
  onTestFinished(() => {
    terminate();
    port2.close();
  });
  return Object.assign(workerFace(port2), { terminate }) as unknown as Worker;
}

/** A port like a Worker or its scope: without start() and close(), its messages come at once. */
function workerFace(port: MessagePort): PortLike {
  port.start();
  return {
    postMessage: (message, transfer) => port.postMessage(message, transfer as MessagePort[]),
    addEventListener: (type, listener) => port.addEventListener(type, listener),
    removeEventListener: (type, listener) => port.removeEventListener(type, listener),
  };
}

export function openTab(storeName: string, options: Partial<SharedClientOptions> = {}): Tab {
  const workers: FakeWorker[] = [];
  const tor = createSharedClient({
    ...{ bridges: ["wss://bridge.example/"], storeName, host: "tab", worker: () => startWorker(workers) },
    ...options,
  });
  onTestFinished(() => tor.close());
  return { tor, workers };
}

/** The workers of all tabs, in the order in which tabs were opened. */
export function workersOf(tabs: readonly Tab[]): FakeWorker[] {
  return tabs.flatMap(({ workers }) => workers);
}
