// The destination's servers over TLS and as WebSockets, as clients of others see them: what ours are tested against must work.

import { once } from "node:events";
import { connect as http2Connect } from "node:http2";
import https from "node:https";
import { describe, expect, inject, test } from "vitest";
import { WebSocket } from "ws";
import { PAGE } from "../tornet/servers/http.ts";

const { http, https: site } = inject("info");

describe("the destination's HTTPS server", () => {
  const get = (ca: string | undefined) =>
    new Promise<string>((resolve, reject) => {
      const request = https.get(site.url, { ca }, async (response) => {
        let text = "";
        for await (const chunk of response.setEncoding("utf8")) text += chunk;
        resolve(text);
      });
      request.on("error", reject);
    });

  test("has a chain that leads to its root, and to no other", async () => {
    expect(await get(site.root)).toBe(PAGE);
    await expect(get(undefined)).rejects.toMatchObject({ code: "UNABLE_TO_GET_ISSUER_CERT_LOCALLY" });
  });

  test("speaks HTTP/2", async () => {
    const session = http2Connect(site.url, { ca: site.root });
    const stream = session.request({ ":path": "/headers" });
    let text = "";
    for await (const chunk of stream.setEncoding("utf8")) text += chunk;
    expect(JSON.parse(text)).toMatchObject({ method: "GET", headers: { ":path": "/headers" } });
    session.close();
  });
});

describe.each([
  ["ws:", http.url.replace("http:", "ws:")],
  ["wss:", site.url.replace("https:", "wss:")],
])("the destination's WebSockets over %s", (_, base) => {
  test("give back what they are sent, and close as they are asked", async () => {
    const echo = new WebSocket(`${base}echo`, ["a", "b"], { ca: site.root });
    await once(echo, "open");
    expect(echo.protocol).toBe("b");
    echo.send("hello");
    const [data, binary] = await once(echo, "message");
    expect([String(data), binary]).toEqual(["hello", false]);
    echo.terminate();
    const closing = new WebSocket(`${base}close/4001`, { ca: site.root });
    const [code, reason] = await once(closing, "close");
    expect([code, String(reason)]).toEqual([4001, "as asked"]);
    const counting = new WebSocket(`${base}count?n=3&ms=1`, { ca: site.root });
    const counted: string[] = [];
    counting.on("message", (message) => counted.push(String(message)));
    await once(counting, "close");
    expect(counted).toEqual(["0", "1", "2"]);
  });
});
