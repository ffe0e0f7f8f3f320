// What a browser tells and is asked beside bytes and storage: that the network is another one, that a page runs again, and
// that what is stored shall stay (HTML "navigator.onLine" and "page visibility", Network Information API, Page Lifecycle,
// Storage Standard). Works where none of these is there.

import type { ClientStatus, DetailEvent } from "@allium/core";

/** What is watched; the globals of a page or a worker. */
export interface Platform {
  addEventListener?(type: "online", listener: () => void): void;
  removeEventListener?(type: "online", listener: () => void): void;
  readonly navigator?: {
    readonly connection?: {
      /** "wifi", "cellular", …, where the browser tells. */
      readonly type?: string;
      addEventListener?(type: "change", listener: () => void): void;
      removeEventListener?(type: "change", listener: () => void): void;
    };
    readonly storage?: { persist?(): Promise<boolean> };
  };
  /** Pages have one, workers have none. */
  readonly document?: {
    readonly visibilityState?: string;
    addEventListener(type: "visibilitychange" | "resume", listener: () => void): void;
    removeEventListener(type: "visibilitychange" | "resume", listener: () => void): void;
  };
}

interface NetworkListener {
  networkChanged(): void;
}

interface SleepListener {
  resumed(): void;
}

interface StatusTeller {
  addEventListener(type: "status", listener: (event: DetailEvent<ClientStatus>) => void): void;
  removeEventListener(type: "status", listener: (event: DetailEvent<ClientStatus>) => void): void;
}

/**
 * Tells the client when the device has a network again, or another one. The client is held weakly: one that nobody uses any
 * more is not kept by this.
 */
export function watchNetwork(client: NetworkListener, platform: Platform = globalThis as Platform): void {
  const watched = new WeakRef(client);
  const connection = platform.navigator?.connection;
  let type = connection?.type;
  const changed = () => {
    const listener = watched.deref();
    if (listener !== undefined) return listener.networkChanged();
    platform.removeEventListener?.("online", changed);
    connection?.removeEventListener?.("change", retyped);
  };
  // The event also comes with each new estimate of how fast the network is.
  const retyped = () => {
    if (connection?.type === type) return;
    type = connection?.type;
    changed();
  };
  platform.addEventListener?.("online", changed);
  connection?.addEventListener?.("change", retyped);
}

/** Tells the client when this page is seen again or thawed: the device may have slept. The client is held weakly. */
export function watchPage(client: SleepListener, platform: Platform = globalThis as Platform): void {
  const { document } = platform;
  if (document === undefined) return;
  const watched = new WeakRef(client);
  const changed = () => {
    const listener = watched.deref();
    if (listener === undefined) {
      document.removeEventListener("visibilitychange", changed);
      document.removeEventListener("resume", changed);
    } else if (document.visibilityState !== "hidden") {
      listener.resumed();
    }
  };
  document.addEventListener("visibilitychange", changed);
  document.addEventListener("resume", changed);
}

/**
 * Asks the browser to keep what is stored, once the client is ready: guards that are evicted are guards chosen anew. Only
 * pages can ask, and Firefox asks its user in turn. A refusal changes nothing.
 */
export function askPersistence(client: StatusTeller, platform: Platform = globalThis as Platform): void {
  const storage = platform.navigator?.storage;
  if (storage?.persist === undefined) return;
  const listener = ({ detail }: DetailEvent<ClientStatus>) => {
    if (!detail.ready) return;
    client.removeEventListener("status", listener);
    storage.persist?.().catch(() => {});
  };
  client.addEventListener("status", listener);
}
