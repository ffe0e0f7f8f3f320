// What a site that knows Tor's exits says, and what is made of answers that are none.

import { describe, expect, it } from "vitest";
import { check } from "../../src/client/check.ts";
import type { CircuitInfo } from "../../src/path/registry.ts";

const hop = (nickname: string) => ({ nickname, rsaId: nickname.repeat(8), addresses: [] });
const CIRCUITS: CircuitInfo[] = [
  { id: 6, purpose: "general", state: "open", hops: [hop("wrong"), hop("other")] },
  { id: 7, purpose: "general", state: "open", hops: [hop("guard"), hop("middle"), hop("exit")] },
];

/** A fetcher whose requests go over circuit 7 and get this answer. */
function asked(answer: () => Response) {
  const keys: (string | undefined)[] = [];
  const urls: string[] = [];
  let closed = 0;
  const ask = (options = {}) =>
    check(
      (onCircuit) => ({
        async fetch(url, _init, isolation) {
          keys.push(isolation);
          urls.push(String(url));
          onCircuit(7);
          return answer();
        },
        close: () => void closed++,
      }),
      () => CIRCUITS,
      options,
    );
  return { ask, keys, urls, closed: () => closed };
}

describe("check", () => {
  it("says what the site says, and by which exit this client left", async () => {
    const { ask, urls } = asked(() => Response.json({ IsTor: true, IP: "192.0.2.1" }));
    expect(await ask()).toEqual({ isTor: true, address: "192.0.2.1", exit: hop("exit") });
    expect(urls).toEqual(["https://check.torproject.org/api/ip"]);
  });

  it("asks another site where it is told to, each time on a circuit of its own", async () => {
    const { ask, urls, keys, closed } = asked(() => Response.json({ IsTor: false, IP: "192.0.2.1" }));
    expect((await ask({ url: "http://check.example/" })).isTor).toBe(false);
    await ask({ url: new URL("http://check.example/") });
    expect(urls).toEqual(["http://check.example/", "http://check.example/"]);
    expect(new Set(keys).size).toBe(2);
    expect(closed()).toBe(2);
  });

  it.each<[string, () => Response]>([
    ["an error page", () => new Response("{}", { status: 500 })],
    ["no JSON", () => new Response("<html>")],
    ["JSON of another kind", () => Response.json({ IsTor: "yes", IP: "192.0.2.1" })],
    ["null", () => new Response("null")],
    ["no body", () => new Response(null)],
    ["more than an answer can be", () => Response.json({ IsTor: true, IP: "1".repeat(5000) })],
  ])("refuses %s", async (_, answer) => {
    await expect(asked(answer).ask()).rejects.toMatchObject({
      kind: "remote-refused",
      code: "ALLIUM_E_CHECK_ANSWER",
    });
  });
});
