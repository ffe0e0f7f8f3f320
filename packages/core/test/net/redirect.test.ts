// Redirects: which are followed, as what, with what, and which never.

import { beforeEach, describe, expect, it } from "vitest";
import { cut, rejection, scriptedOpener, scriptedStream, torFetch } from "./streams.ts";
import { type Handler, requestBody, webForEachTest } from "./web.ts";

const web = webForEachTest();

describe("redirects", () => {
  const echo: Handler = async (request, response) => {
    const { authorization, cookie, "content-type": type } = request.headers;
    const body = (await requestBody(request)).toString();
    response.end(JSON.stringify({ method: request.method, body, authorization, cookie, type }));
  };
  const to =
    (status: number, location: string): Handler =>
    async (request, response) => {
      await requestBody(request);
      response.writeHead(status, { Location: location }).end("moved");
    };

  beforeEach(() => {
    web.handlers["/end"] = echo;
  });

  it("are followed, relative or not, and the Response says so", async () => {
    web.handlers["/a/b"] = to(302, "../c?x#y");
    web.handlers["/c"] = to(307, "//other.example:8080/end");
    const response = await web.get("http://site.example/a/b", { isolation: "key" });
    expect([response.url, response.redirected]).toEqual(["http://other.example:8080/end", true]);
    expect(web.opener.requests).toMatchObject([
      { hostname: "site.example", port: 80, isolation: "key" },
      { hostname: "other.example", port: 8080, isolation: "key" },
    ]);
    await response.text();
    expect(web.opener.open()).toBe(2);
  });

  const rewrites: [status: number, method: string, after: string][] = [
    [301, "POST", "GET"],
    [302, "POST", "GET"],
    [303, "POST", "GET"],
    [307, "POST", "POST"],
    [308, "POST", "POST"],
    [301, "PUT", "PUT"],
    [302, "PATCH", "PATCH"],
    [303, "PUT", "GET"],
    [303, "DELETE", "GET"],
    [307, "PUT", "PUT"],
  ];
  for (const [status, method, after] of rewrites) {
    it(`${status} turns ${method} into ${after}`, async () => {
      web.handlers["/from"] = to(status, "/end");
      const response = await web.get("http://site.example/from", { method, body: "data" });
      const seen = (await response.json()) as Record<string, string>;
      expect(seen).toMatchObject({ method: after, body: after === "GET" ? "" : "data" });
      expect(seen.type).toBe(after === "GET" ? undefined : "text/plain;charset=UTF-8");
    });
  }

  it("303 leaves HEAD as it is", async () => {
    web.handlers["/from"] = to(303, "/end");
    let seen: string | undefined;
    web.handlers["/end"] = (request, response) => {
      seen = request.method;
      response.end();
    };
    await web.get("http://site.example/from", { method: "HEAD" });
    expect(seen).toBe("HEAD");
  });

  it("to the same origin keep credentials, to another one lose them", async () => {
    const headers = { Authorization: "Basic x", Cookie: "a=1" };
    web.handlers["/same"] = to(302, "http://site.example/end");
    for (const location of [
      "http://other.example/end",
      "http://site.example:81/end",
      "http://sub.site.example/end",
    ]) {
      web.handlers["/other"] = to(302, location);
      const other = await (await web.get("http://site.example/other", { headers })).json();
      expect(other).toEqual({ method: "GET", body: "" });
    }
    const same = await (await web.get("http://site.example/same", { headers })).json();
    expect(same).toMatchObject({ authorization: "Basic x", cookie: "a=1" });
  });

  it("with an unsendable body are followed only by 303", async () => {
    const init = () => ({ method: "POST", body: new Blob(["data"]).stream(), duplex: "half" as const });
    web.handlers["/303"] = to(303, "/end");
    expect(await (await web.get("http://site.example/303", init())).json()).toMatchObject({
      method: "GET",
      body: "",
    });
    for (const status of [301, 302, 307, 308]) {
      web.handlers["/from"] = to(status, "/end");
      const error = await rejection(web.get("http://site.example/from", init()));
      expect(error).toMatchObject({ code: "ALLIUM_E_REDIRECT_BODY" });
    }
  });

  it("stop after twenty", async () => {
    web.handlers["/loop"] = (request, response) => {
      const left = Number(new URL(request.url as string, "http://x").searchParams.get("left"));
      response.writeHead(302, { Location: left > 1 ? `/loop?left=${left - 1}` : "/end" }).end();
    };
    expect((await web.get("http://site.example/loop?left=20")).status).toBe(200);
    const error = await rejection(web.get("http://site.example/loop?left=21"));
    expect(error).toMatchObject({ kind: "limit", code: "ALLIUM_E_REDIRECT_LIMIT" });
    expect(error).toBeInstanceOf(TypeError);
    await expect.poll(() => web.opener.open()).toBe(0);
  });

  const targets: [location: string, code: string][] = [
    ["ftp://site.example/", "ALLIUM_E_REDIRECT_TARGET"],
    ["data:text/html,x", "ALLIUM_E_REDIRECT_TARGET"],
    ["javascript:alert(1)", "ALLIUM_E_REDIRECT_TARGET"],
    ["http://user:pw@site.example/", "ALLIUM_E_REDIRECT_TARGET"],
    ["http://site.example:25/", "ALLIUM_E_REDIRECT_TARGET"],
    ["http://[bad/", "ALLIUM_E_REDIRECT_LOCATION"],
  ];
  for (const [location, code] of targets) {
    it(`to ${location} are refused`, async () => {
      web.handlers["/from"] = to(302, location);
      const error = await rejection(web.get("http://site.example/from"));
      expect(error).toMatchObject({ code });
      expect(web.opener.requests.length).toBe(1);
      await expect.poll(() => web.opener.open()).toBe(0);
    });
  }

  it("to https: go through TLS or nowhere", async () => {
    web.handlers["/from"] = to(302, "https://site.example/end");
    const error = await rejection(web.get("http://site.example/from"));
    expect(error.message).toContain("no TLS was expected");
    expect(web.opener.requests.length).toBe(1);
  });

  it("to two places are refused", async () => {
    const text = "HTTP/1.1 302 Found\r\nLocation: /a\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n";
    const stream = scriptedStream(cut(text, 9));
    const error = await rejection(
      torFetch(
        scriptedOpener(() => stream),
        "http://a.example/",
      ),
    );
    expect(error).toMatchObject({ code: "ALLIUM_E_REDIRECT_LOCATION" });
  });

  it("are an error or the answer itself when the caller says so", async () => {
    web.handlers["/from"] = to(302, "/end");
    const error = await rejection(web.get("http://site.example/from", { redirect: "error" }));
    expect(error).toMatchObject({ code: "ALLIUM_E_REDIRECT_ERROR" });
    const manual = await web.get("http://site.example/from", { redirect: "manual" });
    expect([manual.status, manual.headers.get("location"), manual.redirected]).toEqual([302, "/end", false]);
    expect(await manual.text()).toBe("moved");
  });

  it("held back until all is left share nothing with what is asked since", async () => {
    let release = () => {};
    web.handlers["/from"] = (_, response) => {
      release = () => response.writeHead(302, { Location: "/end?who" }).end();
    };
    const old = web.get("http://site.example/from", { isolation: "key" });
    await expect.poll(() => web.opener.requests.length).toBe(1);
    web.fetcher.clear();
    await (await web.get("http://site.example/end", { isolation: "key" })).text();
    release();
    await (await old).text();
    expect(web.opener.requests.map(({ isolation }) => isolation)).toEqual(["key", "key", '[0,"key"]']);
  });

  it("that name no place are the answer", async () => {
    web.handlers["/from"] = (_, response) => response.writeHead(302).end("nowhere");
    expect(await (await web.get("http://site.example/from")).text()).toBe("nowhere");
  });

  it("may name their place in UTF-8", async () => {
    const location = Buffer.from("HTTP/1.1 302 Found\r\nLocation: /ü\r\nContent-Length: 0\r\n\r\n");
    let asked = 0;
    const mixed = scriptedOpener(() => {
      asked++;
      return scriptedStream(asked === 1 ? [new Uint8Array(location)] : cut("HTTP/1.1 200 OK\r\n\r\nok", 1));
    });
    expect((await torFetch(mixed, "http://a.example/")).url).toBe("http://a.example/%C3%BC");
  });
});
