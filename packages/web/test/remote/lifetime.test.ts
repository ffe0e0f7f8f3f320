// Who is gone holds nothing: pages that end with and without a word, and the worker's one client for all of them.

import { describe, expect, it, onTestFinished } from "vitest";
import { connectTorClient, createWorkerClient, type RemoteTorClient } from "../../src/remote/index.ts";
import { WorkerHost } from "../../src/remote/serve.ts";
import { counted, echoSocket, FakeClient, failureOf, RawPage, settled, signalOf, until } from "./rig.ts";

const fetchMessage = {
  ...{ type: "fetch", id: 1, views: [], url: "http://example.com/", method: "GET", redirect: "follow" },
  headers: [],
};
const connect = {
  type: "connect",
  id: 2,
  views: [],
  hostname: "example.com",
  port: 80,
  secureTransport: "off",
};
const upload = { ...fetchMessage, id: 3, method: "POST", body: "stream" };
const resolve = { type: "resolve", id: 4, views: [], hostname: "example.com" };

/** A page in the middle of everything. */
async function busyPage(client: FakeClient) {
  const body = counted(1000);
  const { socket } = echoSocket();
  client.onFetch = (_, { method }) =>
    method === "POST" ? new Promise(() => {}) : Promise.resolve(new Response(body.stream));
  client.onConnect = () => ({ ...socket, closed: new Promise(() => {}) });
  client.onResolve = () => new Promise(() => {});
  const page = new RawPage(client).hello().send(fetchMessage, connect, upload, resolve);
  await until(() => client.calls.length === 4 && body.bytes > 0);
  const signals = client.calls.map(signalOf);
  return {
    page,
    body,
    isFreed: () => signals.every(({ aborted }) => aborted) && body.cancelled !== undefined,
  };
}

describe("a page that is gone", () => {
  it("with a word frees all that it held, and hears that it is done", async () => {
    const { page, isFreed } = await busyPage(new FakeClient());
    page.send({ type: "bye" });
    await until(isFreed);
    await until(() => page.of("gone").length === 1);
  });

  it("without a word, its port closed, frees all that it held", async () => {
    const { page, isFreed } = await busyPage(new FakeClient());
    page.die();
    await until(isFreed);
  });

  it("without a word, its Web Lock free, frees all that it held: no event of the port is needed", async () => {
    const lock = "0123456789abcdef".repeat(2);
    const life = Promise.withResolvers<void>();
    await new Promise<void>((held) => {
      void navigator.locks.request(`allium/remote/${lock}`, () => {
        held();
        return life.promise;
      });
    });
    const { page, isFreed } = await busyPage(new FakeClient());
    page.send({ type: "alive", lock });
    await settled();
    expect(isFreed()).toBe(false);
    life.resolve();
    await until(isFreed);
    expect(page.of("fatal")).toEqual([]);
  });

  it("leaves other pages' alone", async () => {
    const client = new FakeClient();
    const first = await busyPage(client);
    client.calls.length = 0;
    const second = await busyPage(client);
    first.page.die();
    await until(first.isFreed);
    expect(second.isFreed()).toBe(false);
  });

  it("each holds a lock that the other side waits for, and lets it go in the end", async () => {
    const names = async () =>
      ((await navigator.locks.query()).held ?? []).filter(({ name }) => name?.startsWith("allium/remote/"));
    while ((await names()).length > 0) await settled();
    const { tor } = hosted().page({ bridges: ["a"] });
    await tor.ready();
    await settled();
    expect((await names()).length).toBe(2);
    await tor.close();
    while ((await names()).length > 0) await settled();
  });
});

function hosted() {
  const made: FakeClient[] = [];
  let empty = 0;
  const host = new WorkerHost(
    () => {
      made.push(new FakeClient());
      return made.at(-1) as FakeClient;
    },
    () => empty++,
  );
  const ended = (tor: RemoteTorClient) => onTestFinished(() => tor.close());
  const page = (options?: object) => {
    const { port1, port2 } = new MessageChannel();
    host.serve(port1);
    const bridged = { worker: port2, bridges: [], ...options };
    const tor = options === undefined ? connectTorClient(port2) : createWorkerClient(bridged);
    ended(tor);
    return { tor, port: port2 };
  };
  return { made, page, timesEmpty: () => empty };
}

describe("a worker's one client", () => {
  const network = { authorities: [], fallbacks: [], params: { a: 1, b: 2 } };

  it("is made for the first page and shared by those with the same options", async () => {
    const { made, page } = hosted();
    const options = { bridges: ["wss://a/"], storeName: "s", network };
    const pages = [
      page(options),
      page({
        ...options,
        network: { fallbacks: [], params: { b: 2, a: 1 }, authorities: [] },
        token: undefined,
      }),
      page(),
    ];
    await Promise.all(pages.map(({ tor }) => tor.ready()));
    expect(made.length).toBe(1);
  });

  it("is refused to a page with other options, which is told in which they differ, not what they are", async () => {
    const { made, page } = hosted();
    await page({ bridges: ["wss://a/"], token: "secretsecret" }).tor.ready();
    const { tor } = page({ bridges: ["wss://b/"], token: "secretsecret" });
    const { code, error } = await failureOf(tor.ready());
    expect(code).toBe("ALLIUM_E_REMOTE_OPTIONS");
    expect(String(error)).toContain("bridges");
    expect(String(error)).not.toMatch(/secret|token|wss/);
    expect(made.length).toBe(1);
  });

  it("is not there before a page has said what it shall be", async () => {
    expect((await failureOf(hosted().page().tor.ready())).code).toBe("ALLIUM_E_REMOTE_OPTIONS");
  });

  it("takes no option that it does not know", async () => {
    const { port1, port2 } = new MessageChannel();
    const answers: unknown[] = [];
    port2.onmessage = ({ data }) => answers.push(data);
    const host = new WorkerHost(
      () => new FakeClient(),
      () => {},
    );
    host.serve(port1);
    port2.postMessage({ type: "hello", protocol: 1, options: '{"bridges":[],"clock":{}}' });
    await until(() => answers.length === 1);
    expect(answers[0]).toMatchObject({ type: "fatal", error: { code: "ALLIUM_E_BAD_OPTIONS" } });
    port2.close();
  });

  it("is closed with its last page, before that page hears that it is done, and can then be another one", async () => {
    const { made, page, timesEmpty } = hosted();
    const [first, second] = [page({ bridges: ["a"] }), page({ bridges: ["a"] })];
    await Promise.all([first.tor.ready(), second.tor.ready()]);
    await first.tor.close();
    expect(made[0]?.isClosed).toBe(false);
    expect((await failureOf(first.tor.ready())).code).toBe("ALLIUM_E_CLOSED");
    await second.tor.ready();
    await second.tor.close();
    expect(made[0]?.isClosed).toBe(true);
    await until(() => timesEmpty() === 1);
    await page({ bridges: ["b"] }).tor.ready();
    expect(made.length).toBe(2);
  });

  it("is closed when the last page dies", async () => {
    const { made, page, timesEmpty } = hosted();
    const { tor, port } = page({ bridges: ["a"] });
    await tor.ready();
    port.close();
    await until(() => timesEmpty() === 1);
    expect(made[0]?.isClosed).toBe(true);
  });
});
