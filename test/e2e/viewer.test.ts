// Sites in a viewer, in real browsers through the private network: documents, what they load, links, forms, redirects and
// other sites, with a target that nobody may reach directly.

import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { BROWSERS } from "./browsers.ts";
import { DIRECT, type Visit } from "./target.ts";
import {
  type Answer,
  type Call,
  callerOf,
  startViewerRig,
  untilShown,
  type ViewerRig,
} from "./viewer-rig.ts";

const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==",
  "base64",
);
/** After which Firefox ends a worker that has nothing to do. */
const IDLE_MS = 3000;
const FILL = "position:fixed;left:0;top:0;width:100%;height:100%;display:block";

let rig: ViewerRig;
let port: number;

/** One link or button as large as the frame. */
function big(inner: string): Answer {
  return { body: `<!doctype html><title>t</title><style>a,button{${FILL}}</style>${inner}` };
}

function answer({ host, path, method, body }: Visit): Answer {
  const { pathname } = new URL(path, "http://x");
  const other = host.replace("site", "other");
  const answers: Record<string, () => Answer> = {
    "/": () => ({
      headers: { "content-type": "text/html; charset=iso-8859-1" },
      body: Buffer.from(
        `<!doctype html><title>caf\xe9</title><link rel=stylesheet href=style.css><p id=p>caf\xe9</p><script>document.body.textContent = "ran"</script><img src="/a.png"><img src="http://${other}/b.png"><iframe src="/inner"></iframe>`,
        "latin1",
      ),
    }),
    "/style.css": () => ({
      headers: { "content-type": "text/css" },
      body: `@import "more.css"; p { background: url(/c.png) }`,
    }),
    "/more.css": () => ({ headers: { "content-type": "text/css" }, body: "p { color: rgb(1, 2, 3) }" }),
    "/link": () => big('<a href="/landed?by=link">link</a>'),
    "/elsewhere": () => big(`<a href="http://${other}/landed">link</a>`),
    "/get": () =>
      big('<form action="/landed"><input type=hidden name=q value="a b"><button>go</button></form>'),
    "/post": () =>
      big(
        '<form method=post action="/sink"><input type=hidden name=q value="a b"><button>go</button></form>',
      ),
    "/redirect": () => ({ status: 302, headers: { location: "/landed?by=redirect" } }),
    "/away": () => ({ status: 301, headers: { location: `http://${other}/landed` } }),
    "/loop": () => ({
      status: 302,
      headers: { location: `http://${host.startsWith("site") ? other : host.replace("other", "site")}/loop` },
    }),
    "/out": () => ({ status: 302, headers: { location: "ftp://host/" } }),
    "/sink": () => ({ body: `<p>${method} ${body}</p>` }),
    "/vector": () => ({
      headers: { "content-type": "image/svg+xml" },
      body: "<svg xmlns='http://www.w3.org/2000/svg'/>",
    }),
  };
  if (pathname.endsWith(".png")) return { headers: { "content-type": "image/png" }, body: PNG };
  return answers[pathname]?.() ?? { body: `<p>${pathname}</p>` };
}

beforeAll(async () => {
  rig = await startViewerRig(answer);
  port = rig.target.port;
});
afterAll(() => rig?.close());

describe.each(BROWSERS)("a viewer in $name", ({ name, launch }) => {
  let browser: Browser;
  let page: Page;
  let call: Call;
  const at = (path: string, host = "site") => `http://${host}.tornet.test:${port}${path}`;
  const paths = () => rig.target.visits.map(({ host, path }) => `${host.split(".")[0]}${path}`);

  beforeAll(async () => {
    browser = await launch({
      resolveTo: DIRECT,
      preferences: {
        "dom.serviceWorkers.idle_timeout": IDLE_MS,
        "dom.serviceWorkers.idle_extended_timeout": IDLE_MS,
      },
    });
    page = await browser.newPage();
    await page.goto(rig.pageUrl);
    call = callerOf(page);
    await page.waitForFunction("globalThis.testPage !== undefined");
    await call("start", rig.options as never, false);
  });
  afterAll(() => browser?.close());
  beforeEach(() => {
    rig.target.direct.length = rig.target.visits.length = rig.site.requests.length = 0;
  });
  afterEach(() => {
    expect(rig.target.direct).toEqual([]);
    // The servers of the sites' origins see their three files asked for, and nothing of what is shown.
    expect(
      rig.site.requests.filter(
        (request) => !/ \/(?:allium-(?:frame\.(?:html|js)|worker\.js)|favicon\.ico)?$/.test(request),
      ),
    ).toEqual([]);
  });

  async function show(path: string, shown = path, host?: string) {
    expect(await call("navigate", at(path))).toBeUndefined();
    return untilShown(call, at(shown, host));
  }
  async function clickFrame(path: string, shown: string, host?: string) {
    await show(path);
    // Until it is laid out.
    await page.waitForTimeout(500);
    const box = await page.locator("iframe").first().boundingBox();
    await page.mouse.click((box?.x ?? 0) + 60, (box?.y ?? 0) + 60);
    return untilShown(call, at(shown, host));
  }

  it("shows a document with its style, images and frames, without its scripts", async () => {
    await show("/");
    const wanted = [
      "site/",
      "site/style.css",
      "site/more.css",
      "site/a.png",
      "other/b.png",
      "site/c.png",
      "site/inner",
    ];
    await expect.poll(paths, { timeout: 20_000 }).toEqual(expect.arrayContaining(wanted));
    expect(await call("url")).toBe(at("/"));
    if (name === "chromium") {
      const frame = page.frames().find((each) => each.url().includes("/v/http/"));
      expect(await frame?.locator("#p").textContent()).toBe("café");
      expect(await frame?.locator("#p").evaluate((p) => getComputedStyle(p).color)).toBe("rgb(1, 2, 3)");
    }
    for (const { headers } of rig.target.visits) {
      expect(Object.keys(headers).sort()).toEqual(["accept", "accept-encoding", "connection", "host"]);
    }
  });

  it("follows links, on the site and to another one", async () => {
    await clickFrame("/link", "/landed?by=link");
    await clickFrame("/elsewhere", "/landed", "other");
    expect(paths()).toEqual(["site/link", "site/landed?by=link", "site/elsewhere", "other/landed"]);
  });

  it("sends forms", async () => {
    await clickFrame("/get", "/landed?q=a+b");
    await clickFrame("/post", "/sink");
    expect(rig.target.visits.at(-1)).toMatchObject({ method: "POST", body: "q=a+b" });
    expect(rig.target.visits.at(-1)?.headers["content-type"]).toBe("application/x-www-form-urlencoded");
  });

  it("follows redirects, on the site and to another one, and not for ever", async () => {
    await show("/redirect", "/landed?by=redirect");
    await show("/away", "/landed", "other");
    expect(await show("/out")).toContainEqual({ url: at("/out"), code: "ALLIUM_E_VIEWER_REDIRECT" });
    const code = "ALLIUM_E_VIEWER_REDIRECT";
    expect(await show("/loop", "/loop", "other")).toEqual([{ url: at("/loop", "other"), code }]);
    expect(paths().filter((path) => path.endsWith("/loop")).length).toBe(11);
  });

  it("says why a document is not shown", async () => {
    expect(await show("/vector")).toContainEqual({ url: at("/vector"), code: "ALLIUM_E_VIEWER_TYPE" });
    for (const url of ["ftp://host/", "nonsense", "http://user@host/"]) {
      expect(await call("navigate", url)).toBe("ALLIUM_E_VIEWER_URL");
    }
    expect(await call("ownOrigin")).toBe("ALLIUM_E_VIEWER_ORIGIN");
  });

  it("goes on when the worker was ended", async () => {
    await show("/link");
    if (name === "chromium") {
      const session = await page.context().newCDPSession(page);
      await session.send("ServiceWorker.enable");
      await session.send("ServiceWorker.stopAllWorkers");
    } else await page.waitForTimeout(2 * IDLE_MS);
    await show("/again");
    expect(paths()).toEqual(["site/link", "site/again"]);
  });
});
