// What does not fit the protocol ends the connection of who sent it, and touches nobody else. Each rule is broken here.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectTorClient } from "../../src/remote/index.ts";
import { FIRST_WINDOW, FULL_WINDOW, MAX_OPERATIONS, MAX_PIECE } from "../../src/remote/protocol.ts";
import {
  counted,
  echoSocket,
  FakeClient,
  failureOf,
  type Posted,
  RawPage,
  settled,
  signalOf,
  until,
} from "./rig.ts";

const fetchMessage = {
  ...{ type: "fetch", id: 1, views: [], url: "http://example.com/", method: "GET", redirect: "follow" },
  headers: [],
};
const upload = { ...fetchMessage, method: "POST", body: "stream" };
const connect = {
  ...{ type: "connect", id: 1, views: [], hostname: "example.com", port: 80, secureTransport: "off" },
};
const resolve = { type: "resolve", id: 1, views: [], hostname: "example.com" };
const error = { kind: "internal", code: "ALLIUM_E_INTERNAL", message: "x" };
const long = (length: number) => "x".repeat(length);

// A lock that nobody holds is that of somebody who is gone.
const testing = Promise.withResolvers<void>();
beforeAll(() => {
  void navigator.locks.request(`allium/remote/${"1".repeat(32)}`, () => testing.promise);
});
afterAll(() => testing.resolve());

/** A client on which everything takes for ever. */
function patient(): FakeClient {
  const client = new FakeClient();
  client.onFetch = client.onResolve = client.onReady = () => new Promise<never>(() => {});
  client.onConnect = () => ({ ...echoSocket().socket, closed: new Promise(() => {}) });
  return client;
}

/** What a page may not send, after its hello. */
const MISFITS: readonly (readonly [name: string, ...messages: unknown[]])[] = [
  ["undefined", undefined],
  ["null", null],
  ["a number", 1],
  ["a text", "fetch"],
  ["a list", []],
  ["no type", {}],
  ["an unknown type", { type: "eval" }],
  ["a type of every object", { type: "toString" }],
  ["a second hello", { type: "hello", protocol: 1 }],
  ["a field too many", { ...fetchMessage, cache: "no-store" }],
  ["an id of 0", { ...fetchMessage, id: 0 }],
  ["a broken id", { ...fetchMessage, id: 1.5 }],
  ["an id that is no number", { ...fetchMessage, id: "1" }],
  ["an id above 2^53", { ...fetchMessage, id: 2 ** 53 }],
  ["an id twice", resolve, resolve],
  ["an id that goes back", { ...resolve, id: 7 }, { ...resolve, id: 6 }],
  [
    "too many operations",
    ...Array.from({ length: MAX_OPERATIONS + 1 }, (_, i) => ({ ...resolve, id: i + 1 })),
  ],
  ["a URL that is none", { ...fetchMessage, url: new Map() }],
  ["a URL without end", { ...fetchMessage, url: long(600_000) }],
  ["headers that are no list", { ...fetchMessage, headers: {} }],
  ["a header that is no pair", { ...fetchMessage, headers: [["a"]] }],
  ["a header that is no text", { ...fetchMessage, headers: [["a", 1]] }],
  ["too many headers", { ...fetchMessage, headers: Array.from({ length: 600 }, () => ["a", "b"]) }],
  [
    "headers without end",
    { ...fetchMessage, headers: Array.from({ length: 3 }, () => ["a", long(100_000)]) },
  ],
  ["a redirect mode that is none", { ...fetchMessage, redirect: "maybe" }],
  ["a body that is an object", { ...fetchMessage, body: {} }],
  ["a body that is a view", { ...fetchMessage, body: new Uint8Array(4) }],
  ["a body too large for a message", { ...fetchMessage, body: new ArrayBuffer((1 << 20) + 1) }],
  ["an empty view key", { ...fetchMessage, views: [""] }],
  ["too many view keys", { ...fetchMessage, views: Array.from({ length: 33 }, () => "k") }],
  ["an isolation key without end", { ...fetchMessage, isolation: long(5000) }],
  ["an isolation key that is no text", { ...connect, isolation: 7 }],
  ["a kind of TLS that is none", { ...connect, secureTransport: "maybe" }],
  ["more protocols than ALPN has", { ...connect, alpn: Array(17).fill("h2") }],
  ["a diagnosis that takes no time", { type: "diagnose", id: 1, timeout: 0 }],
  ["port 0", { ...connect, port: 0 }],
  ["a port above 65535", { ...connect, port: 65_536 }],
  ["a host name without end", { ...connect, hostname: long(600) }],
  ["something about an operation that never was", { type: "abort", id: 3 }],
  ["credit for an operation that never was", { type: "credit", id: 3, bytes: 1 }],
  ["bytes for what has no stream", resolve, { type: "data", id: 1, bytes: new ArrayBuffer(1) }],
  ["credit for what has no stream", resolve, { type: "credit", id: 1, bytes: 1 }],
  ["the end of what has no stream", resolve, { type: "end", id: 1 }],
  ["the failure of what has no stream", resolve, { type: "fail", id: 1, error }],
  [
    "bytes of a body that was not announced",
    fetchMessage,
    { type: "data", id: 1, bytes: new ArrayBuffer(1) },
  ],
  ["the end of a body that was not announced", fetchMessage, { type: "end", id: 1 }],
  ["no bytes", upload, { type: "data", id: 1, bytes: new ArrayBuffer(0) }],
  ["bytes in a view", upload, { type: "data", id: 1, bytes: new Uint8Array(4) }],
  ["too many bytes in one message", upload, { type: "data", id: 1, bytes: new ArrayBuffer(MAX_PIECE + 1) }],
  [
    "more bytes than it had credit for",
    upload,
    { type: "data", id: 1, bytes: new ArrayBuffer(FIRST_WINDOW) },
    { type: "data", id: 1, bytes: new ArrayBuffer(1) },
  ],
  ["bytes after the end", upload, { type: "end", id: 1 }, { type: "data", id: 1, bytes: new ArrayBuffer(1) }],
  ["the failure of a socket", connect, { type: "fail", id: 1, error }],
  ["TLS on a question", { ...resolve }, { type: "startTls", id: 2, socket: 1 }],
  ["TLS on what never was", connect, { type: "startTls", id: 2, socket: 3 }],
  ["an error without a code", upload, { type: "fail", id: 1, error: { kind: "internal", message: "x" } }],
  [
    "an error with a code of its own",
    upload,
    { type: "fail", id: 1, error: { ...error, code: "E<script>" } },
  ],
  ["no credit", fetchMessage, { type: "credit", id: 1, bytes: 0 }],
  ["credit above a window", fetchMessage, { type: "credit", id: 1, bytes: FULL_WINDOW + 1 }],
  [
    "credit above a window in two",
    fetchMessage,
    ...[1, 2].map(() => ({ type: "credit", id: 1, bytes: 600_000 })),
  ],
  ["a wish for metrics with a field too many", { type: "measure", all: true }],
  ["a guard state that is no JSON", { type: "importGuards", id: 1, state: "{" }],
  ["events seen that there were not", { type: "seen", events: 1 }],
  ["a lock of another name", { type: "alive", lock: "allium/store" }],
  ["two locks", ...[1, 2].map((i) => ({ type: "alive", lock: `${i}`.repeat(32) }))],
];

describe("a page", () => {
  // Its answer to a state that is no JSON comes as the answer to an operation.
  it.each(MISFITS)("that sends %s is cut off; another page is not", async (name, ...messages) => {
    const client = patient();
    const other = new RawPage(client).hello().send({ ...resolve, id: 1 });
    const page = new RawPage(client).hello().send(...messages);
    await until(() => page.of("fatal").length + page.of("error").length > 0);
    expect([...page.of("fatal"), ...page.of("error")][0]?.error).toMatchObject({
      ...{ kind: "protocol-violation", code: "ALLIUM_E_REMOTE_PROTOCOL" },
    });
    const [theirs, ...mine] = client.calls.map(signalOf);
    if (!String(name).includes("JSON")) expect(mine.every(({ aborted }) => aborted)).toBe(true);
    expect(theirs?.aborted).toBe(false);
    other.send({ type: "newIdentity" });
    await until(() => client.calls.at(-1)?.name === "newIdentity");
    expect(other.of("fatal")).toEqual([]);
  });

  it("that says something else before its hello gets nothing", async () => {
    const client = patient();
    const page = new RawPage(client).send(fetchMessage);
    await until(() => page.of("fatal").length === 1);
    expect(client.calls).toEqual([]);
  });

  it("of another version is told so, whatever else its hello holds", async () => {
    const page = new RawPage(patient()).send({ type: "hello", protocol: 2, news: [1] });
    await until(() => page.of("fatal").length === 1);
    expect(page.of("fatal")[0]?.error).toMatchObject({
      kind: "bad-api-usage",
      code: "ALLIUM_E_REMOTE_VERSION",
    });
  });

  it("reaches no operation of another page's: ids are each port's own", async () => {
    const client = new FakeClient();
    const endless = counted(1000);
    client.onFetch = async () => new Response(endless.stream);
    const victim = new RawPage(client).hello().send(fetchMessage);
    await until(() => endless.bytes >= FIRST_WINDOW);
    const attacker = new RawPage(client).hello();
    client.onFetch = () => new Promise(() => {});
    attacker.send(fetchMessage, { type: "credit", id: 1, bytes: 100_000 }, { type: "abort", id: 1 });
    await settled();
    expect(endless.bytes).toBeLessThan(FIRST_WINDOW + 1000);
    expect(endless.cancelled).toBeUndefined();
    victim.send({ type: "credit", id: 1, bytes: 50_000 });
    await until(() => endless.bytes >= FIRST_WINDOW + 50_000);
  });

  it("may be late: what concerns an operation that is over is passed over", async () => {
    const client = new FakeClient();
    const page = new RawPage(client).hello().send(fetchMessage);
    await until(() => page.of("end").length === 1);
    page.send(
      ...[
        { type: "credit", id: 1, bytes: 1 },
        { type: "abort", id: 1 },
        { type: "end", id: 1 },
      ],
      { type: "data", id: 1, bytes: new ArrayBuffer(1) },
      { ...resolve, id: 2 },
    );
    await until(() => page.of("value").length === 1);
    expect(page.of("fatal")).toEqual([]);
  });

  it("whose request makes the client throw gets an error that says nothing of the worker", async () => {
    const client = new FakeClient();
    client.newIdentity = () => {
      throw new Error("secret of the worker");
    };
    const page = new RawPage(client).hello().send({ type: "newIdentity" });
    await until(() => page.of("fatal").length === 1);
    expect(JSON.stringify(page.answers)).not.toContain("secret");
  });
});

const status = { fraction: 0, phase: "bridge", ready: false };
const welcome = { type: "welcome", protocol: 1, status, circuits: [] };
const head = {
  ...{ type: "response", id: 1, status: 200, statusText: "OK", headers: [], url: "http://example.com/" },
  ...{ redirected: false, hasBody: true },
};
const metric = { name: "tor.bytes.sent", kind: "counter", unit: "By", value: 1, attributes: {} };
const bytes = (length: number) => ({ type: "data", id: 1, bytes: new ArrayBuffer(length) });

/** What a worker may not answer; the page's fetch has the id 1. */
const ANSWERS: readonly (readonly [name: string, ...answers: unknown[]])[] = [
  ["undefined", undefined],
  ["an unknown type", { type: "eval" }],
  ["a state that is none", { ...welcome, status: { fraction: 7, phase: "x", ready: true } }],
  ["circuits that are none", { ...welcome, circuits: [{ id: 1 }] }],
  ["data that are not plain", { type: "log", detail: { level: "info", code: "x", data: new Map() } }],
  [
    "data too deep",
    { type: "guard", detail: JSON.parse(`${'{"type":"x","a":'.repeat(20)}1${"}".repeat(20)}`) },
  ],
  ["an event that is none", { type: "circuit", detail: { id: 1, purpose: "x", state: "open" } }],
  ...[
    { name: 7 },
    { kind: "gauge" },
    { value: "1" },
    { value: -1 },
    { value: Number.NaN },
    { value: Number.POSITIVE_INFINITY },
    { unit: long(600) },
    { attributes: [new Map()] },
    { attributes: ["text"] },
    { attributes: { a: 1 } },
    { attributes: { a: long(600) } },
    { attributes: { [long(600)]: "a" } },
    { attributes: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`a${i}`, "a"])) },
  ].map(
    (wrong) =>
      [
        `a metric that is none (${JSON.stringify(wrong).slice(0, 40)})`,
        { type: "metric", detail: { ...metric, ...wrong } },
      ] as const,
  ),
  ["about an operation that never was", { type: "end", id: 9 }],
  ["a status out of range", { ...head, status: 99 }],
  ["headers that are none", { ...head, headers: [["a", 1]] }],
  ["a header that cannot be one", { ...head, headers: [["a\n", "b"]] }],
  ["a body without a head", bytes(1)],
  ["the end of a body without a head", { type: "end", id: 1 }],
  ["a second head", head, head],
  ["more than the page gave credit for", head, bytes(FIRST_WINDOW), bytes(1)],
  ["too many bytes in one message", head, bytes(MAX_PIECE + 1)],
  ["a socket's answer to a fetch", { type: "opened", id: 1, info: {} }],
  ["a value to a fetch", { type: "value", id: 1, value: 1 }],
  ["an error with a kind of its own", { type: "error", id: 1, error: { ...error, kind: "<b>" } }],
  ["two locks", ...[1, 2].map((i) => ({ type: "alive", lock: `${i}`.repeat(32) }))],
];

describe("a worker", () => {
  it.each(ANSWERS)("that answers %s is not believed any more", async (_, ...answers) => {
    const { port1, port2 } = new MessageChannel();
    const heard: Posted[] = [];
    port1.onmessage = ({ data }) => heard.push(data as Posted);
    const tor = connectTorClient(port2);
    const fetching = tor.fetch("http://example.com/");
    fetching.catch(() => {});
    await until(() => heard.some(({ type }) => type === "fetch"));
    for (const answer of [welcome, ...answers]) port1.postMessage(answer);
    const { code, kind } = await failureOf(tor.ready());
    expect([kind, code]).toEqual(["protocol-violation", "ALLIUM_E_REMOTE_PROTOCOL"]);
    expect(tor.status.blocked?.code).toBe("ALLIUM_E_REMOTE_PROTOCOL");
    await until(() => heard.at(-1)?.type === "bye");
    port1.close();
  });

  it("of another version is told from one that errs", async () => {
    const { port1, port2 } = new MessageChannel();
    const tor = connectTorClient(port2);
    port1.postMessage({ ...welcome, protocol: 2, news: 1 });
    expect((await failureOf(tor.ready())).code).toBe("ALLIUM_E_REMOTE_VERSION");
    port1.close();
  });
});
