// What a viewer's worker answers: under which policies, what it refuses, and what it asks of its port.

import { describe, expect, it } from "vitest";
import { FetchOnlyClient } from "../../src/viewer/port.ts";
import { respond } from "../../src/viewer/respond.ts";
import { type ControlMessage, type Place, placeOf } from "../../src/viewer/space.ts";
import { type Asked, answered, type PageRequest, requestOf } from "../service-worker/rig.ts";

const ORIGIN = "https://label.view.example";
const DOCUMENT = { destination: "iframe", navigate: true } as const;

interface Answer {
  readonly body?: BodyInit | null;
  readonly status?: number;
  readonly headers?: Record<string, string>;
}

async function ask(path: string, init: PageRequest, answer: Answer = {}, scripts = false) {
  const asked: Asked[] = [];
  const told: ControlMessage[] = [];
  const { body = "<p>hello", status = 200, headers = { "content-type": "text/html" } } = answer;
  const fetch: ConstructorParameters<typeof FetchOnlyClient>[0] = async (url, given = {}) => {
    asked.push({ url: String(url), init: given });
    return answered(body, { status, headers }, String(url));
  };
  const access = {
    client: { fetch },
    site: "site.example",
    scripts,
    tell: (message: ControlMessage) => told.push(message),
  };
  const request = requestOf(ORIGIN + path, init);
  const response = await respond(access, request, placeOf(new URL(request.url)) as Place);
  return { response, asked, told, error: response.headers.get("x-allium-error") };
}

describe("a document", () => {
  it("stands under a policy by which nothing runs and nothing else is asked, with nothing that a browser acts on", async () => {
    const acted = [
      "link",
      "refresh",
      "nel",
      "report-to",
      "set-cookie",
      "content-security-policy",
      "speculation-rules",
    ];
    const headers = {
      "content-type": "text/html",
      "content-language": "de",
      ...Object.fromEntries(acted.map((name) => [name, "1"])),
    };
    const { response, told } = await ask("/v/http/site.example/a", DOCUMENT, { headers });
    const {
      "content-security-policy": policy = "",
      "permissions-policy": features = "",
      ...rest
    } = Object.fromEntries(response.headers);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'none'; sandbox allow-same-origin allow-forms");
    expect(policy).not.toContain("allow-scripts");
    expect(features).toContain("camera=(), ");
    expect(rest).toEqual({
      "cache-control": "no-store",
      "content-language": "de",
      "content-type": "text/html; charset=utf-8",
      "cross-origin-resource-policy": "same-origin",
      "origin-agent-cluster": "?1",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      "x-dns-prefetch-control": "off",
    });
    expect(told).toEqual([{ type: "shown", url: "http://site.example/a" }]);
  });

  it.each([
    ["text/html; charset=iso-8859-2", [0xb1], "ą"],
    ["text/html", [0xef, 0xbb, 0xbf, 0xc4, 0x85], "ą"],
    ["text/html", [0xff, 0xfe, 0x05, 0x01], "ą"],
    ["text/html", [...new TextEncoder().encode('<meta charset="utf-8">ą')], "ą"],
    ["text/html; charset=nonsense", [0xe9], "é"],
    ["text/plain; charset=utf-8", [...new TextEncoder().encode("<b>ą")], "<b>ą"],
    ["application/xhtml+xml; charset=utf-8", [...new TextEncoder().encode("<p>ą<script>")], "<p>ą"],
  ])("of %s is read in its encoding", async (type, bytes, text) => {
    const answer = { body: new Uint8Array(bytes), headers: { "content-type": type } };
    const { response } = await ask("/v/http/site.example/", DOCUMENT, answer);
    expect(await response.text()).toBe(text);
    expect(response.headers.get("content-type")).toMatch(/; charset=utf-8$/);
  });

  it.each(["image/svg+xml", "application/xml", "text/xml", "application/pdf", "application/octet-stream"])(
    "of %s is not shown",
    async (type) => {
      const { error, told } = await ask("/v/http/site.example/", DOCUMENT, {
        headers: { "content-type": type },
      });
      expect(error).toBe("ALLIUM_E_VIEWER_TYPE");
      expect(told).toEqual([{ type: "shown", url: "http://site.example/", code: error }]);
    },
  );

  it("is not a download", async () => {
    const headers = { "content-type": "text/html", "content-disposition": "attachment" };
    expect((await ask("/v/http/site.example/", DOCUMENT, { headers })).error).toBe("ALLIUM_E_VIEWER_TYPE");
  });

  it("of another site is for another origin, and a posted form is not sent there", async () => {
    const moved = await ask("/v/http/other.example/x", DOCUMENT);
    expect([moved.response.status, moved.asked, moved.told]).toEqual([
      204,
      [],
      [{ type: "open", url: "http://other.example/x" }],
    ]);
    const posted = await ask("/v/http/other.example/x", { ...DOCUMENT, method: "POST", body: "secret" });
    expect([posted.error, posted.asked]).toEqual(["ALLIUM_E_VIEWER_FORM", []]);
  });

  it("redirects within the viewer's origin, or to another one", async () => {
    const to = (location: string, status = 302, init: PageRequest = DOCUMENT) =>
      ask("/v/http/site.example/a/b", init, { body: null, status, headers: { location } });
    const within = await to("c");
    expect([within.response.status, within.response.headers.get("location")]).toEqual([
      302,
      "/v/http/site.example/a/c",
    ]);
    expect((await to("//other.example/")).told).toEqual([{ type: "open", url: "http://other.example/" }]);
    const post = { ...DOCUMENT, method: "POST", body: "secret" };
    expect((await to("//other.example/", 303, post)).told).toEqual([
      { type: "open", url: "http://other.example/" },
    ]);
    expect(await to("//other.example/", 307, post)).toMatchObject({ error: "ALLIUM_E_VIEWER_FORM" });
    for (const location of ["ftp://x/", "javascript:x", "http://u@x/", "http://["]) {
      expect((await to(location)).error).toBe("ALLIUM_E_VIEWER_REDIRECT");
    }
  });
});

describe("what a document loads", () => {
  it("is asked for without what tells visitors apart", async () => {
    const headers = { accept: "image/*", range: "bytes=0-1", "accept-language": "de", "x-own": "1" };
    const { asked } = await ask("/r/http/other.example/i", { destination: "image", headers });
    expect([...new Headers(asked[0]?.init.headers)].map(([name]) => name)).toEqual(["accept", "range"]);
    expect(asked[0]?.init.redirect).toBe("follow");
  });

  it.each([
    ["/r/http/site.example/", { destination: "script" }],
    ["/r/http/site.example/", { destination: "" }],
    ["/r/http/site.example/", { destination: "object" }],
    ["/r/http/site.example/", { destination: "manifest" }],
    ["/r/http/site.example/", DOCUMENT],
    ["/v/http/site.example/", { destination: "image" }],
    ["/f/http/site.example/", { destination: "style" }],
  ])("%s is not asked for as %o", async (path, init) => {
    const { asked, response, error } = await ask(path, init);
    expect(asked).toEqual([]);
    expect(response.type === "error" || error === "ALLIUM_E_VIEWER_KIND").toBe(true);
  });

  it("is a style sheet of four megabytes at the most", async () => {
    const style = (bytes: number) =>
      ask("/r/http/site.example/", { destination: "style" }, { body: "a".repeat(bytes) });
    expect((await (await style(4_194_304)).response.text()).length).toBe(4_194_304);
    expect((await style(4_194_305)).response.type).toBe("error");
  });
});

describe("with scripts on", () => {
  it("frames show the site alone, and scripts may ask", async () => {
    expect((await ask("/f/http/other.example/", DOCUMENT, {}, true)).error).toBe("ALLIUM_E_VIEWER_KIND");
    expect((await ask("/f/http/site.example/", DOCUMENT, {}, true)).error).toBeNull();
    expect((await ask("/r/http/other.example/", { destination: "script" }, {}, true)).asked.length).toBe(1);
  });
});

describe("the port of a site's origin", () => {
  it("fetches under the key that the viewer gives, and does nothing else", async () => {
    const asked: Asked[] = [];
    const client = new FetchOnlyClient(async (url, init = {}) => {
      asked.push({ url: String(url), init });
      return new Response("hello");
    });
    await client.fetch("http://site.example/", { isolation: "another's", method: "GET" });
    expect(asked).toEqual([{ url: "http://site.example/", init: { method: "GET" } }]);
    const refusal = { code: "ALLIUM_E_VIEWER_PORT" };
    for (const name of ["ready", "resolve", "stats"] as const)
      await expect(client[name]()).rejects.toMatchObject(refusal);
    await expect(client.guards.export()).rejects.toMatchObject(refusal);
    for (const name of ["connect", "isolate"] as const)
      expect(() => client[name]()).toThrow(expect.objectContaining(refusal));
    expect(client.circuits()).toEqual([]);
  });
});
