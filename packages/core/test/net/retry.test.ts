// Requests that fail on a connection, and which of them are sent again (RFC 9112 9.3.1, RFC 9113 8.7).

import { describe, expect, it } from "vitest";
import { TorError } from "../../src/base/errors.ts";
import { extractBody } from "../../src/net/http/request-body.ts";
import { bench, ORIGIN } from "./pool-rig.ts";
import { rejection, settle } from "./streams.ts";

const failure = (code: `ALLIUM_E_${string}`) => new TorError("remote-refused", code, "as the test wants it");
const UNANSWERED = failure("ALLIUM_E_HTTP_UNANSWERED");
const UNPROCESSED = failure("ALLIUM_E_HTTP_UNPROCESSED");

describe("a request that failed", () => {
  const cases: [what: string, error: TorError, init: { method?: string; body?: string }, again: boolean][] = [
    ["unanswered, GET", UNANSWERED, {}, true],
    ["unanswered, PUT", UNANSWERED, { method: "PUT", body: "x" }, true],
    ["unanswered, POST", UNANSWERED, { method: "POST", body: "x" }, false],
    ["unanswered, a method of which nothing is known", UNANSWERED, { method: "FROB" }, false],
    ["unprocessed, POST", UNPROCESSED, { method: "POST", body: "x" }, true],
    ["otherwise, GET", failure("ALLIUM_E_HTTP_TRUNCATED"), {}, false],
  ];
  for (const [what, error, init, again] of cases) {
    it(`${what}, is ${again ? "" : "not "}sent again`, async () => {
      const { ask, opened } = bench();
      const asked = ask(init);
      await settle();
      opened[0]?.requests[0]?.fail(error);
      await settle();
      if (!again) return expect(await rejection(asked)).toBe(error);
      opened[1]?.requests[0]?.answer();
      expect((await asked).status).toBe(200);
    });
  }

  it("is sent three times at most", async () => {
    const { ask, opened } = bench();
    const asked = rejection(ask());
    for (let i = 0; i < 3; i++) {
      await settle();
      opened[i]?.requests[0]?.fail(UNPROCESSED);
    }
    expect(await asked).toBe(UNPROCESSED);
    expect(opened.length).toBe(3);
  });

  it("is not sent again where its body has been used up", async () => {
    const { pool, opened } = bench();
    const body = extractBody(new ReadableStream<Uint8Array>());
    const head = { method: "PUT", target: "/", host: "a.example", fields: [] };
    const asked = rejection(pool.request(ORIGIN, undefined, { head, body }, undefined));
    await settle();
    opened[0]?.requests[0]?.fail(UNPROCESSED);
    expect(await asked).toBe(UNPROCESSED);
    expect(opened.length).toBe(1);
  });

  it("unanswered takes no other connection that was kept as long", async () => {
    const { ask, whole, opened } = bench();
    const two = [ask(), ask()];
    await settle();
    for (const [i, one] of two.entries()) {
      opened[i]?.requests[0]?.answer();
      await (await one).body?.next();
    }
    await settle();
    ask();
    await settle();
    const used = opened.findIndex(({ requests }) => requests.length === 2);
    opened[used]?.requests[1]?.fail(UNANSWERED);
    await settle();
    expect(opened.map(({ isOpen }) => isOpen)).toEqual([false, false, true]);
    await whole({ isolation: "other" });
  });
});
