// How the contexts of one origin find the one that runs the client: a Web Lock that says who may, and a BroadcastChannel on
// which it is asked for. Specified in docs/protocol/remote.md ("One client for all").
//
// Only a SharedWorker and a service worker can pass a MessagePort from one tab to another, so a port between others is a
// BroadcastChannel of its own with a random name: its messages are copies, nothing is transferred.

import { systemClock } from "@allium/core";
import { randomBytes, toHex } from "@allium/core/internal";
import { flag, type MessageOf, parseMessage, text } from "../remote/check.ts";
import type { PortLike } from "../remote/link.ts";

const id = text(32, /^[0-9a-f]{32}$/);
const MESSAGES = {
  /** "I look for the client, and listen at the port of this name." */
  seek: { port: id },
  /** "I run the client, and listen there too." `sleeps`: only while I am woken, see `wake`. */
  here: { port: id, host: id, sleeps: flag },
  /** "From now on I run the client." */
  open: { host: id },
} as const;

export type ControlMessage = MessageOf<typeof MESSAGES>;

/** The lock of whoever runs the client: held alone by a tab or a service worker, together by the pages of a SharedWorker. */
export function hostLock(name: string): string {
  return `allium/host/${name}`;
}

export function randomId(): string {
  return toHex(randomBytes(16));
}

/** Where the client is looked for. */
export class ControlChannel {
  readonly #channel: BroadcastChannel;

  constructor(name: string, listener: (message: ControlMessage) => void) {
    this.#channel = new BroadcastChannel(hostLock(name));
    this.#channel.addEventListener("message", ({ data }) => {
      const message = readControl(data);
      if (message !== undefined) listener(message);
    });
  }

  post(message: ControlMessage): void {
    this.#channel.postMessage(message);
  }

  close(): void {
    this.#channel.close();
  }
}

/** Undefined for what somebody else may have said: the channel is open to all scripts of the origin. */
function readControl(data: unknown): ControlMessage | undefined {
  try {
    return parseMessage(MESSAGES, data);
  } catch {
    return undefined;
  }
}

/** A port to whoever else opens the one of this name. */
export function channelPort(port: string): PortLike & EventTarget {
  const channel = new BroadcastChannel(`allium/port/${port}`);
  // As a MessagePort has it: by this a link knows that the port is its own to close.
  return Object.assign(channel, { start: () => {} });
}

/** What a page tells a service worker so that it runs, and goes on running, the client of this name. */
export interface WakeMessage {
  readonly type: "allium/wake";
  readonly name: string;
}

/** Milliseconds between two wake messages; a browser ends a service worker that has had nothing to do for 30 s. */
const WAKE_INTERVAL = 20_000;

/** In a page: keeps its service worker running until the signal aborts. */
export async function wake(name: string, signal: AbortSignal): Promise<void> {
  const workers = globalThis.document && globalThis.navigator.serviceWorker;
  while (workers !== undefined && !signal.aborted) {
    // A newer one may take its place at any time.
    const { active } = await workers.ready;
    if (signal.aborted) return;
    active?.postMessage({ type: "allium/wake", name } satisfies WakeMessage);
    await systemClock.timer(WAKE_INTERVAL).fired;
  }
}
