// The events of a WebSocket (WebSockets standard 3, HTML 9.2), in the platform's classes or, where it has none, in our own,
// and its event handler attributes (HTML 8.1.8.1).

import type { TorError } from "../../base/errors.ts";
import type { TorWebSocketErrorEvent } from "./api.ts";
import type { Ending } from "./connection.ts";

export class WebSocketErrorEvent extends Event implements TorWebSocketErrorEvent {
  readonly error: TorError;

  constructor(error: TorError) {
    super("error");
    this.error = error;
  }
}

/** Node 22 and older have no CloseEvent. */
class OwnCloseEvent extends Event {
  readonly wasClean: boolean;
  readonly code: number;
  readonly reason: string;

  constructor(type: string, { wasClean, code, reason }: Ending) {
    super(type);
    this.wasClean = wasClean;
    this.code = code;
    this.reason = reason;
  }
}

export function closeEvent(ending: Ending): CloseEvent {
  return new (typeof CloseEvent === "function" ? CloseEvent : OwnCloseEvent)("close", ending);
}

interface Registered {
  handler: unknown;
  readonly listener: (event: Event) => void;
}

/** The event handlers of one target, by type: each a listener that stands where the first was set. */
export class EventHandlers {
  readonly #target: EventTarget;
  readonly #registered = new Map<string, Registered>();

  constructor(target: EventTarget) {
    this.#target = target;
  }

  get(type: string): unknown {
    return this.#registered.get(type)?.handler ?? null;
  }

  /** Anything that is no object counts as null; an object that cannot be called is kept, and not called. */
  set(type: string, value: unknown): void {
    const registered = this.#registered.get(type);
    if (typeof value !== "function" && (typeof value !== "object" || value === null)) {
      if (registered !== undefined) this.#target.removeEventListener(type, registered.listener);
      this.#registered.delete(type);
    } else if (registered !== undefined) {
      registered.handler = value;
    } else {
      const listener = (event: Event) => this.#call(type, event);
      this.#registered.set(type, { handler: value, listener });
      this.#target.addEventListener(type, listener);
    }
  }

  #call(type: string, event: Event): void {
    const handler = this.get(type);
    // What it returns says nothing: none of these events can be cancelled.
    if (typeof handler === "function") handler.call(this.#target, event);
  }
}
