// What WebSocket over Tor is to a caller: the web's WebSocket and its constructor (https://websockets.spec.whatwg.org/ 3.1),
// where the second argument may be an object of options instead, and error events say what went wrong.

import type { TorError } from "../../base/errors.ts";

/** The second argument where it is an object of its own. */
export interface TorWebSocketOptions {
  readonly protocols?: string | Iterable<string>;
  /** Sent with the opening handshake: Origin, Cookie, Authorization, …; none of them is sent otherwise. */
  readonly headers?: HeadersInit;
  /** WebSockets with different keys never share a circuit. */
  readonly isolation?: string;
  /** Ends the WebSocket, opened or not, as a failure. */
  readonly signal?: AbortSignal;
}

/** An `error` event. On the web it says nothing; here it says what went wrong. Optional, so that the web's own type fits. */
export interface TorWebSocketErrorEvent extends Event {
  readonly error?: TorError;
}

interface WebSocketEvents {
  open: Event;
  message: MessageEvent;
  error: TorWebSocketErrorEvent;
  close: CloseEvent;
}

export type ReadyState = 0 | 1 | 2 | 3;

export type EventHandler<E> = ((event: E) => unknown) | null;

type Listener<E> = EventHandler<E> | { handleEvent(event: E): unknown };

export interface TorWebSocket extends EventTarget {
  readonly CONNECTING: 0;
  readonly OPEN: 1;
  readonly CLOSING: 2;
  readonly CLOSED: 3;
  /** As it is connected to: `ws:` or `wss:`. */
  readonly url: string;
  /** One of CONNECTING, OPEN, CLOSING, CLOSED. */
  readonly readyState: ReadyState;
  /** Bytes handed to `send` that the stream has not taken yet; what is sent too late stays in it. */
  readonly bufferedAmount: number;
  /** Always "": none is offered. */
  readonly extensions: string;
  /** The subprotocol that the server chose of those asked for, or "". */
  readonly protocol: string;
  /** What `data` of a binary message is. */
  binaryType: "blob" | "arraybuffer";
  onopen: EventHandler<Event>;
  onmessage: EventHandler<MessageEvent>;
  onerror: EventHandler<TorWebSocketErrorEvent>;
  onclose: EventHandler<CloseEvent>;
  /** Queues a message; bytes are copied. @throws DOMException `InvalidStateError` while it is CONNECTING */
  send(data: string | Blob | BufferSource): void;
  /**
   * Begins the closing handshake, behind what is queued.
   * @param code 1000 or 3000 to 4999 @param reason at most 123 bytes
   * @throws DOMException `InvalidAccessError`, `SyntaxError`
   */
  close(code?: number, reason?: string): void;
  addEventListener<K extends keyof WebSocketEvents>(
    type: K,
    listener: Listener<WebSocketEvents[K]>,
    options?: { once?: boolean; signal?: AbortSignal } | boolean,
  ): void;
  removeEventListener<K extends keyof WebSocketEvents>(type: K, listener: Listener<WebSocketEvents[K]>): void;
}

export interface TorWebSocketConstructor {
  /** @throws DOMException `SyntaxError` for a URL or a subprotocol that cannot be */
  new (url: string | URL, protocols?: string | Iterable<string> | TorWebSocketOptions): TorWebSocket;
  readonly prototype: TorWebSocket;
  readonly CONNECTING: 0;
  readonly OPEN: 1;
  readonly CLOSING: 2;
  readonly CLOSED: 3;
}
