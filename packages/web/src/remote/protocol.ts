// The messages between a page and the worker that holds its client: types, checks and bounds of version 1, in one place for
// both sides. Specified in docs/protocol/remote.md.

import type {
  CircuitInfo,
  ClientStatus,
  MetricName,
  TorClientEvents,
  TorErrorCode,
  TorErrorKind,
  TorSocketInfo,
} from "@allium/core";
import {
  buffer,
  type Check,
  fields,
  flag,
  listOf,
  type MessageOf,
  object,
  oneOf,
  optional,
  plain,
  quantity,
  text,
  texts,
  whole,
} from "./check.ts";

export const PROTOCOL = 1;

/** Operations of one port at a time: streams, questions, waits. */
export const MAX_OPERATIONS = 512;
/** Bytes that may be on their way or unread for one stream before the first is read: what is never read costs this. */
export const FIRST_WINDOW = 131_072;
/** The same once it is read; at 50 MB/s a page may then be away for 20 ms. */
export const FULL_WINDOW = 1_048_576;
/** Bytes by which the windows of one port together may be above their first size. */
export const WINDOW_POOL = 33_554_432;
/** Largest piece of a stream in one message. */
export const MAX_PIECE = 131_072;
/** A body up to this size goes with its request; a larger one as a Blob, whose bytes are not the worker's to hold. */
export const MAX_INLINE_BODY = 131_072;
/** Events that a page may not have seen yet; the rest is left out, and a snapshot follows. */
export const MAX_UNSEEN = 256;

/** Core reads heads of 256 lines and 128 KiB: what a server can make it say must never be too large to go to the page. */
const MAX_FIELDS = 512;
const MAX_FIELDS_TEXT = 262_144;
/** A Location of 128 KiB, each of its bytes percent-encoded, and room. */
const MAX_URL = 524_288;
/** Keys of a view and those of the views around it. */
export const MAX_KEYS = 32;
export const MAX_KEY = 4096;
/** Options and guard states travel as JSON. */
export const MAX_JSON = 1_048_576;
const MAX_NAME = 512;
const MAX_DATA = 4_194_304;
const MAX_ATTRIBUTES = 16;

/** The options of a client that can go to a worker. */
export const OPTION_NAMES = [
  ...(["bridges", "token", "storeName", "network", "path", "circuits", "streams", "retry"] as const),
  ...(["tls", "memoryLimit", "channelPadding", "snapshots"] as const),
] as const;

/** An error as it crosses; see errors.ts. */
export interface PlainError {
  readonly kind: TorErrorKind;
  readonly code: TorErrorCode;
  readonly message: string;
  readonly retryAfter: number | undefined;
}

const id = whole(1, Number.MAX_SAFE_INTEGER);
const error: Check<PlainError> = object<PlainError>({
  kind: text(40, /^[a-z-]+$/) as Check<TorErrorKind>,
  code: text(80, /^ALLIUM_E_[A-Z0-9_]+$/) as Check<TorErrorCode>,
  message: text(1000),
  retryAfter: optional(whole(0, 2 ** 32)),
});
const views = listOf(text(MAX_KEY, /./su), MAX_KEYS);
const isolation = optional(text(MAX_KEY));
const body: Check<ArrayBuffer | Blob | "stream" | undefined> = (value) =>
  value instanceof Blob || value === undefined || value === "stream"
    ? value
    : buffer(0, MAX_INLINE_BODY)(value);
const status = plain<ClientStatus>(MAX_DATA, {
  fraction: (value) => whole(0, 100)(Math.round(Number(value) * 100)),
  phase: text(40),
  ready: flag,
});
const circuit = plain<CircuitInfo>(MAX_DATA, {
  ...{ id, purpose: text(40), state: text(40) },
  hops: listOf(plain(MAX_DATA), 16),
});
const circuits = listOf(circuit, 16_384);

/** Bytes of a stream, both ways. */
const stream = {
  /** The next bytes, within the credit given. */
  data: { id, bytes: buffer(1, MAX_PIECE) },
  /** All bytes were sent. */
  end: { id },
  /** The sender has no more: its source failed. */
  fail: { id, error },
  /** So many bytes more may be sent. */
  credit: { id, bytes: whole(1, FULL_WINDOW) },
} as const;

/** "I hold the Web Lock of this name until I am gone." */
const presence = { alive: { lock: text(32, /^[0-9a-f]{32}$/) } } as const;

/** From the page to the worker. */
export const REQUESTS = {
  ...stream,
  ...presence,
  /** The first message; options where the worker makes its client of them. */
  hello: { protocol: whole(1, 2 ** 32), options: optional(text(MAX_JSON)) },
  fetch: {
    ...{ id, views, isolation, body },
    url: text(MAX_URL),
    method: text(MAX_NAME),
    headers: fields(MAX_FIELDS, MAX_FIELDS_TEXT),
    redirect: oneOf("follow", "error", "manual"),
    integrity: optional(text(MAX_KEY)),
  },
  connect: {
    ...{ id, views, isolation, hostname: text(MAX_NAME), port: whole(1, 65_535) },
    secureTransport: oneOf("off", "on", "starttls"),
    sni: optional(text(MAX_NAME)),
    alpn: optional(listOf(text(255), 16)),
  },
  /** The connection of a socket goes on as another one, through TLS. */
  startTls: { id, socket: id },
  resolve: { id, views, isolation, hostname: text(MAX_NAME) },
  check: { id, url: optional(text(MAX_URL)) },
  diagnose: { id, url: optional(text(MAX_URL)), timeout: optional(whole(1, 2 ** 32)) },
  ready: { id },
  stats: { id },
  exportGuards: { id },
  importGuards: { id, state: text(MAX_JSON) },
  resetGuards: { id },
  newIdentity: {},
  networkChanged: {},
  resumed: {},
  /** The page listens to metrics from now on. */
  measure: {},
  /** The caller gave the operation up: nothing about it is wanted any more. */
  abort: { id },
  /** So many events have been seen. */
  seen: { events: whole(1, MAX_UNSEEN) },
  /** The last message. */
  bye: {},
} as const;

/** The client's events, as they are named there. */
const events = {
  status: { detail: status },
  circuit: { detail: circuit },
  stream: { detail: plain<TorClientEvents["stream"]>(MAX_DATA, { id, state: text(40) }) },
  guard: { detail: plain<TorClientEvents["guard"]>(MAX_DATA, { type: text(40) }) },
  bridge: { detail: plain<TorClientEvents["bridge"]>(MAX_DATA, { bridge: text(MAX_URL) }) },
  metric: {
    detail: object<TorClientEvents["metric"]>({
      name: text(MAX_NAME) as Check<MetricName>,
      ...{ kind: oneOf("counter", "histogram"), unit: text(MAX_NAME), value: quantity },
      attributes: texts(MAX_ATTRIBUTES, MAX_NAME),
    }),
  },
  log: { detail: plain<TorClientEvents["log"]>(MAX_DATA, { level: text(40), code: text(MAX_NAME) }) },
} as const;
export type EventName = keyof typeof events;
export const EVENT_NAMES = Object.keys(events) as EventName[];

/** From the worker to the page. */
export const ANSWERS = {
  ...stream,
  ...presence,
  ...events,
  /** The answer to hello: the client as it stands. */
  welcome: { protocol: whole(1, 2 ** 32), status, circuits },
  /** What an operation without a stream came to. */
  value: { id, value: plain<unknown>(MAX_DATA) },
  /** The operation failed and is over. */
  error: { id, error },
  response: {
    id,
    status: whole(200, 599),
    statusText: text(MAX_FIELDS_TEXT),
    headers: fields(MAX_FIELDS, MAX_FIELDS_TEXT),
    url: text(MAX_URL),
    redirected: flag,
    hasBody: flag,
  },
  /** The socket's `opened`, its `closed`, and the end of all that was written to it. */
  opened: { id, info: plain<TorSocketInfo>(MAX_NAME) },
  closed: { id, error: optional(error) },
  drained: { id },
  /** No more of what the page sends is wanted. */
  stop: { id, error },
  /** The client as it stands, after events were left out. */
  snapshot: { status, circuits },
  /** The connection is over, and why. */
  fatal: { error },
  /** The answer to bye. */
  gone: {},
} as const;

export type Request = MessageOf<typeof REQUESTS>;
export type Answer = MessageOf<typeof ANSWERS>;
export type EventAnswer = MessageOf<typeof events>;
