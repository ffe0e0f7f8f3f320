// https: through whoever does TLS: what is asked of it, and that nothing ever goes in plain text instead.

import { createServer as createHttp2Server } from "node:http2";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { TorError } from "../../src/base/errors.ts";
import type { SecureOpener, SecureRequest } from "../../src/net/api.ts";
import { Fetcher } from "../../src/net/fetch.ts";
import { listen, loopbackOpener, rejection } from "./streams.ts";
import { webForEachTest } from "./web.ts";

const web = webForEachTest();

/** "TLS" to the test's server. */
function secureOpener(protocol: string | undefined) {
  const asked: SecureRequest[] = [];
  const opener: SecureOpener = {
    openStream: (request) => web.opener.openStream(request),
    async openSecure(request) {
      asked.push(request);
      const stream = await web.opener.openStream(request);
      return { ...stream, applicationProtocol: protocol };
    },
  };
  return { opener, asked };
}

beforeEach(() => {
  web.handlers["/"] = (_, response) => response.end("ok");
});

describe("https:", () => {
  it("goes through TLS to port 443, and is offered both versions", async () => {
    const { opener, asked } = secureOpener("http/1.1");
    let host: string | undefined;
    web.handlers["/"] = (request, response) => {
      host = request.headers.host;
      response.end("ok");
    };
    const fetcher = new Fetcher(opener);
    const response = await fetcher.fetch("https://a.example/", { isolation: "key" });
    expect([await response.text(), response.url, host]).toEqual(["ok", "https://a.example/", "a.example"]);
    await (await fetcher.fetch("https://a.example/", { isolation: "key" })).text();
    expect(asked).toMatchObject([
      { hostname: "a.example", port: 443, isolation: "key", alpn: ["h2", "http/1.1"] },
    ]);
    await (await fetcher.fetch("https://a.example:8443/")).text();
    expect(asked[1]).toMatchObject({ port: 8443 });
    expect(asked.length).toBe(web.opener.requests.length);
  });

  it("of a server without ALPN is HTTP/1.1", async () => {
    const fetcher = new Fetcher(secureOpener(undefined).opener);
    expect(await (await fetcher.fetch("https://a.example/")).text()).toBe("ok");
  });

  it("speaks HTTP/2 where the server chooses it, on one connection for all requests of a key", async () => {
    const server = await listen(createHttp2Server((request, response) => response.end(request.url)));
    onTestFinished(() => void server.close());
    const through = loopbackOpener(server);
    const asked: SecureRequest[] = [];
    const fetcher = new Fetcher({
      openStream: () => Promise.reject(new Error("plain text")),
      async openSecure(request) {
        asked.push(request);
        return { ...(await through.openStream(request)), applicationProtocol: "h2" };
      },
    });
    onTestFinished(() => fetcher.close(new TorError("aborted", "ALLIUM_E_TEST", "over")));
    const get = async (path: string, isolation: string) =>
      (await fetcher.fetch(`https://a.example${path}`, { isolation })).text();
    const paths = Array.from({ length: 20 }, (_, n) => `/${n}`);
    expect(await Promise.all(paths.map((path) => get(path, "a")))).toEqual(paths);
    expect(asked.length).toBe(1);
    expect(await get("/", "b")).toBe("/");
    expect(asked.map(({ alpn }) => alpn)).toEqual(Array(2).fill(["h2", "http/1.1"]));
  });

  it("shares no connection with http: of the same host and port", async () => {
    const { opener, asked } = secureOpener("http/1.1");
    const fetcher = new Fetcher(opener);
    await (await fetcher.fetch("http://a.example:8443/")).text();
    await (await fetcher.fetch("https://a.example:8443/")).text();
    expect([web.opener.requests.length, asked.length]).toEqual([2, 1]);
  });

  it("of a server that does not prove who it is fails with why, and is not tried in plain text", async () => {
    const error = new TorError("remote-tls", "ALLIUM_E_TEST_CHAIN", "not who it should be");
    const fetcher = new Fetcher({
      openStream: (request) => web.opener.openStream(request),
      openSecure: () => Promise.reject(error),
    });
    expect(await rejection(fetcher.fetch("https://a.example/"))).toMatchObject({
      kind: "remote-tls",
      cause: error,
    });
    expect(web.opener.requests).toEqual([]);
  });

  it("is redirected to from http: and back, and credentials do not come along", async () => {
    const { opener, asked } = secureOpener("http/1.1");
    const seen: (string | undefined)[] = [];
    web.handlers["/up"] = (_, response) =>
      response.writeHead(301, { Location: "https://a.example/down" }).end();
    web.handlers["/down"] = (request, response) => {
      seen.push(request.headers.authorization);
      response.writeHead(302, { Location: "http://a.example/" }).end();
    };
    const fetcher = new Fetcher(opener);
    const response = await fetcher.fetch("http://a.example/up", { headers: { Authorization: "Basic x" } });
    expect([response.url, response.redirected]).toEqual(["http://a.example/", true]);
    expect([seen, asked.length]).toEqual([[undefined], 1]);
  });
});
