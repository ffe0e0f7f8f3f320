// The page of the viewer tests: a client of its own and a viewer in an empty document.

import { isTorError } from "@allium/core";
import { createTorClient, type WebClientOptions } from "@allium/web";
import { createViewer, type Viewer } from "@allium/web/viewer";

const shown: { url: string; code?: string }[] = [];
let client: ReturnType<typeof createTorClient>;
let viewer: Viewer | undefined;

const page = {
  async start(options: WebClientOptions, scripts: boolean) {
    client ??= createTorClient({ ...options, persist: false });
    viewer?.close();
    shown.length = 0;
    viewer = createViewer({
      ...{ container: document.body, client, scripts },
      siteOrigin: (label) => `http://${label}.${location.host}`,
      onNavigate: (event) => shown.push(event),
    });
    await client.ready();
  },

  /** The code of what went wrong, if something did. */
  async navigate(url: string) {
    try {
      await viewer?.navigate(url);
      return undefined;
    } catch (error) {
      return isTorError(error) ? error.code : String(error);
    }
  },

  /** What was shown since the last call. */
  shown: () => shown.splice(0),
  url: () => viewer?.url,
  close: () => viewer?.close(),

  /** An origin that is no other one. */
  ownOrigin() {
    try {
      const own = createViewer({ container: document.body, client, siteOrigin: () => location.origin });
      return own.navigate("http://site.tornet.test/").then(
        () => "shown",
        (error) => error.code,
      );
    } catch (error) {
      return String(error);
    }
  },
};

export type ViewerPage = typeof page;
Object.assign(globalThis, { testPage: page });
