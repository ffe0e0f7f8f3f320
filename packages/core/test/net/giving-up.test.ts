// What is given up on our side lets go of its connection and of the caller's body, whichever part of the exchange it was in.

import { describe, expect, it, onTestFinished, vi } from "vitest";
import { TorError } from "../../src/base/errors.ts";
import { Fetcher, type TorFetchInit } from "../../src/net/fetch.ts";
import { pipe, rejection, scriptedOpener, settle } from "./streams.ts";

const URL_A = "http://a.example/";

/** A fetch whose server is the test. */
async function asked(init: TorFetchInit = {}) {
  const { stream, server } = pipe();
  const fetcher = new Fetcher(scriptedOpener(() => stream));
  const response = fetcher.fetch(URL_A, init);
  for (let turns = 0; turns < 3; turns++) await settle();
  return { server, fetcher, response };
}

const head = (fields: string) =>
  `HTTP/1.1 200 OK\r\n${fields}Content-Length: 500000\r\n\r\n${"x".repeat(100_000)}`;

describe("the connection ends, though its answer does not,", () => {
  it("where the platform cannot undo the answer's coding", async () => {
    class Unknown {
      constructor() {
        throw new TypeError("unknown");
      }
    }
    vi.stubGlobal("DecompressionStream", Unknown);
    onTestFinished(() => void vi.unstubAllGlobals());
    const { server, response } = await asked();
    server.send(head("Content-Encoding: zstd\r\n"));
    expect((await rejection((await response).text())).code).toBe("ALLIUM_E_HTTP_CODING_LIMIT");
    expect(server.closedWith.length).toBe(1);
  });

  it("where the caller's onProgress throws", async () => {
    const { server, response } = await asked({
      onProgress: () => {
        throw new Error("broken");
      },
    });
    server.send(head(""));
    expect((await rejection((await response).text())).message).toBe("broken");
    expect(server.closedWith.length).toBe(1);
  });
});

describe("a request whose answer is over while its body still goes out", () => {
  const answered = async () => {
    const controller = new AbortController();
    const cancelled: unknown[] = [];
    const body = new ReadableStream<Uint8Array>({
      pull: () => new Promise(() => {}),
      cancel: (reason) => void cancelled.push(reason),
    });
    const init = { method: "POST", body, duplex: "half" as const, signal: controller.signal };
    const { server, fetcher, response } = await asked(init);
    server.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    expect(await (await response).text()).toBe("");
    expect([server.closedWith.length, cancelled.length]).toEqual([0, 0]);
    return { server, fetcher, controller, cancelled };
  };

  it("can be aborted", async () => {
    const { server, controller, cancelled } = await answered();
    controller.abort();
    await settle();
    expect([server.closedWith.length, cancelled.length]).toEqual([1, 1]);
  });

  it("ends with its client", async () => {
    const { server, fetcher, cancelled } = await answered();
    const error = new TorError("aborted", "ALLIUM_E_CLOSED", "closed");
    fetcher.close(error);
    await settle();
    expect([server.closedWith, cancelled]).toEqual([[error], [error]]);
  });
});
