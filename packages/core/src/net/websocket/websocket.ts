// WebSocket over Tor, as a page knows it (https://websockets.spec.whatwg.org/), for `ws:` and `wss:`.
// Not here: the wire (connection.ts); WebSocketStream. Events are not `isTrusted`: only a browser's own can be.

import { utf8 } from "../../base/encoding.ts";
import { bytesOf } from "../socket-streams.ts";
import type {
  EventHandler,
  ReadyState,
  TorWebSocket,
  TorWebSocketConstructor,
  TorWebSocketErrorEvent,
  TorWebSocketOptions,
} from "./api.ts";
import { CLOSED, CLOSING, CONNECTING, Connection, OPEN, type WebSocketContext } from "./connection.ts";
import { closeEvent, EventHandlers, WebSocketErrorEvent } from "./events.ts";
import { BINARY, TEXT } from "./frame.ts";
import { socketRequest } from "./request.ts";

/** Bytes of a reason in a Close frame. */
const MAX_REASON = 123;
const STATES = { CONNECTING, OPEN, CLOSING, CLOSED };
const HANDLERS = ["open", "message", "error", "close"] as const;

class BaseWebSocket extends EventTarget implements TorWebSocket {
  declare static readonly CONNECTING: 0;
  declare static readonly OPEN: 1;
  declare static readonly CLOSING: 2;
  declare static readonly CLOSED: 3;
  declare readonly CONNECTING: 0;
  declare readonly OPEN: 1;
  declare readonly CLOSING: 2;
  declare readonly CLOSED: 3;
  declare onopen: EventHandler<Event>;
  declare onmessage: EventHandler<MessageEvent>;
  declare onerror: EventHandler<TorWebSocketErrorEvent>;
  declare onclose: EventHandler<CloseEvent>;
  readonly #connection: Connection;
  readonly #handlers = new EventHandlers(this);
  readonly #url: URL;
  #protocol = "";
  #binaryType: "blob" | "arraybuffer" = "blob";
  #buffered = 0;

  constructor(
    context: WebSocketContext,
    url: string | URL,
    protocols: string | Iterable<string> | TorWebSocketOptions,
  ) {
    super();
    const request = socketRequest(url, protocols);
    this.#url = request.url;
    this.#connection = new Connection(context, request, {
      opened: (protocol) => {
        this.#protocol = protocol;
        this.dispatchEvent(new Event("open"));
      },
      message: (data) => this.#receive(data),
      taken: (bytes) => {
        this.#buffered -= bytes;
      },
      closed: (ending, error) => {
        if (error !== undefined) this.dispatchEvent(new WebSocketErrorEvent(error));
        this.dispatchEvent(closeEvent(ending));
      },
    });
  }

  get url(): string {
    return this.#url.href;
  }

  get readyState(): ReadyState {
    return this.#connection.state;
  }

  get bufferedAmount(): number {
    return this.#buffered;
  }

  get extensions(): string {
    return "";
  }

  get protocol(): string {
    return this.#protocol;
  }

  get binaryType(): "blob" | "arraybuffer" {
    return this.#binaryType;
  }

  set binaryType(type: "blob" | "arraybuffer") {
    if (type === "blob" || type === "arraybuffer") this.#binaryType = type;
  }

  send(data: string | Blob | BufferSource): void {
    if (this.readyState === CONNECTING)
      throw new DOMException("the WebSocket is not open yet", "InvalidStateError");
    const binary = binaryOf(data);
    const payload = binary ?? utf8(String(data));
    this.#buffered += payload instanceof Blob ? payload.size : payload.length;
    if (this.readyState === OPEN) this.#connection.send(binary === undefined ? TEXT : BINARY, payload);
  }

  close(code?: number, reason?: string): void {
    const checked = code === undefined ? undefined : clamp(Number(code));
    if (checked !== undefined && checked !== 1000 && !(checked >= 3000 && checked <= 4999))
      throw new DOMException("the close code is neither 1000 nor 3000 to 4999", "InvalidAccessError");
    const text = reason === undefined ? "" : String(reason);
    if (utf8(text).length > MAX_REASON)
      throw new DOMException(`the reason has more than ${MAX_REASON} bytes`, "SyntaxError");
    // A reason has no place without a code.
    this.#connection.close(checked ?? (text === "" ? undefined : 1000), text);
  }

  get [Symbol.toStringTag](): string {
    return "WebSocket";
  }

  #receive(bytes: string | Uint8Array): void {
    let data: unknown = bytes;
    if (typeof bytes !== "string") data = this.#binaryType === "blob" ? new Blob([bytes]) : bytes.buffer;
    this.dispatchEvent(new MessageEvent("message", { data, origin: this.#url.origin }));
  }

  static {
    for (const [name, value] of Object.entries(STATES)) {
      Object.defineProperty(BaseWebSocket, name, { value, enumerable: true });
      Object.defineProperty(BaseWebSocket.prototype, name, { value, enumerable: true });
    }
    for (const type of HANDLERS) {
      Object.defineProperty(BaseWebSocket.prototype, `on${type}`, {
        get(this: BaseWebSocket) {
          return this.#handlers.get(type);
        },
        set(this: BaseWebSocket, value: unknown) {
          this.#handlers.set(type, value);
        },
        enumerable: true,
        configurable: true,
      });
    }
  }
}

/** The constructor of WebSockets that are opened so. */
export function makeWebSocket(context: WebSocketContext): TorWebSocketConstructor {
  class WebSocket extends BaseWebSocket {
    constructor(url: string | URL, protocols: string | Iterable<string> | TorWebSocketOptions = []) {
      if (url === undefined) throw new TypeError("a WebSocket needs a URL");
      super(context, url, protocols);
    }
  }
  // All members stand on its own prototype, and can be enumerated, as on the web: other code replaces them there.
  const { constructor: _, ...members } = Object.getOwnPropertyDescriptors(BaseWebSocket.prototype);
  for (const member of Object.values(members)) member.enumerable = true;
  Object.defineProperties(WebSocket.prototype, members);
  Object.setPrototypeOf(WebSocket.prototype, EventTarget.prototype);
  return WebSocket;
}

/** A copy of the bytes, or the Blob, which never changes; undefined for anything that is text. */
function binaryOf(data: string | Blob | BufferSource): Uint8Array | Blob | undefined {
  if (data instanceof Blob) return data;
  if (data instanceof ArrayBuffer || ArrayBuffer.isView(data)) return bytesOf(data).slice();
  return undefined;
}

/** As Web IDL's `[Clamp] unsigned short`: a half goes to the even side. */
function clamp(value: number): number {
  const whole = value % 1 === 0.5 ? 2 * Math.round(value / 2) : Math.round(value);
  return Math.min(Math.max(whole || 0, 0), 65_535);
}
