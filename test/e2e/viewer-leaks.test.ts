// Every way past a viewer that we know of is tried in real browsers, and seen to fail: a browser looks up none of the names in
// a document that names a host for each. The same document as an ordinary page shows that they would be seen.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { policyHeaders } from "../../packages/web/src/viewer/policy.ts";
import { SCRIPT_RISKS } from "../../packages/web/src/viewer/risks.ts";
import { BROWSERS } from "./browsers.ts";
import { LOADED, leakDocument, scriptDocument } from "./leaks.ts";
import { watchLookups } from "./lookups.ts";
import { callerOf, startViewerRig, untilShown, type ViewerRig } from "./viewer-rig.ts";

/** Milliseconds for what a browser does by and by. */
const PATIENCE = 5000;
/** The same for what it does when it has nothing else to do, as prefetch. */
const IDLE = 15_000;

let rig: ViewerRig;

beforeAll(async () => {
  const page = () => leakDocument(rig.target.port);
  const policy = () => Object.fromEntries(policyHeaders(false));
  rig = await startViewerRig(({ path }) => (path === "/leaks" || path === "/frame" ? page() : {}), {
    "/control": () => ({ type: "text/html", ...page() }),
    "/control-scripts": () => ({ type: "text/html", body: scriptDocument(rig.target.port) }),
    "/policy": () => ({ type: "text/html", body: page().body, headers: policy() }),
  });
});
afterAll(() => rig?.close());

/** Shows the document and returns what the browser looked up meanwhile. */
async function lookedUp(kind: "chromium" | "firefox", scripts: boolean): Promise<string[]> {
  rig.target.visits.length = rig.site.requests.length = 0;
  const { page, close } = await watchLookups(kind);
  await page.goto(rig.pageUrl);
  await page.waitForFunction("globalThis.testPage !== undefined");
  const call = callerOf(page);
  await call("start", rig.options as never, scripts);
  const url = `http://site.tornet.test:${rig.target.port}/leaks`;
  expect(await call("navigate", url)).toBeUndefined();
  await untilShown(call, url);
  await page.waitForTimeout(PATIENCE);
  return close();
}

async function plain(kind: "chromium" | "firefox", path: string, patience = PATIENCE): Promise<string[]> {
  const { page, close } = await watchLookups(kind);
  await page.goto(new URL(path, rig.pageUrl).href, { waitUntil: "commit" });
  await page.waitForTimeout(patience);
  return close();
}

describe.each(BROWSERS)("in $name", ({ name }) => {
  it("an ordinary page leads out in many ways, and all of them are seen", async () => {
    const hints = ["preconnect", "dns-prefetch", "prefetch", "header-preconnect", "image"];
    expect(await plain(name, "/control", IDLE)).toEqual(expect.arrayContaining(hints));
    const scripted = ["fetch", "preconnect", "webrtc", "websocket"].map((way) => `js-${way}`);
    expect(await plain(name, "/control-scripts")).toEqual(expect.arrayContaining(scripted));
  });

  it("a shown site leads out in none, and loads what it may through Tor", async () => {
    expect(await lookedUp(name, false)).toEqual([]);
    const { visits } = rig.target;
    const arrived = new Set(visits.map(({ host }) => /^leak-([a-z-]+)/.exec(host)?.[1]));
    expect([...arrived].filter((way) => way !== undefined && !LOADED.includes(way))).toEqual([]);
    expect([...arrived]).toEqual(
      expect.arrayContaining(["base", "css", "css-import", "css-url", "iframe", "image"]),
    );
    expect(visits.filter(({ headers }) => "cookie" in headers || "referer" in headers)).toEqual([]);
    expect(rig.site.requests.filter((request) => /\/[vfr]\//.test(request))).toEqual([]);
  });

  it("the policy alone, without the rewriter, leaves hints and a look-up before frames are refused", async () => {
    const ways = await plain(name, "/policy");
    expect(ways.filter((way) => !/preconnect|dns-prefetch|^iframe$/.test(way))).toEqual([]);
  });

  it("with scripts on, the ways are those of the list", async () => {
    const ways = await lookedUp(name, true);
    const listed = SCRIPT_RISKS.filter(({ browsers }) => browsers.includes(name)).map(
      ({ way }) => `js-${way}`,
    );
    expect(ways).toEqual(listed.sort());
  });
});
