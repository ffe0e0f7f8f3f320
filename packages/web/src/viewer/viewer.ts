// Shows sites through Tor in a frame, each on an origin of its own that holds nothing of Allium's. The client stays in this
// page: a site's origin gets a port that fetches, under the site's own isolation key, and nothing else.
// Specified in docs/viewer.md; what may come of it in docs/threat-model.md.

import {
  systemClock,
  type TorError,
  type TorErrorCode,
  type TorFetchInit,
  type TorViewLike,
} from "@allium/core";
import { badApiUsage, type Deferred, deferred, randomBytes, toHex, withTimeout } from "@allium/core/internal";
import { type ServedPort, serveTorClient } from "../remote/index.ts";
import { pathOfTarget } from "../service-worker/mapping.ts";
import { sandboxOf } from "./policy.ts";
import { FetchOnlyClient, portAcrossOrigins } from "./port.ts";
import {
  type ControlMessage,
  FAILED,
  FRAME_PAGE,
  LEAVE,
  type PortsMessage,
  PREFIXES,
  WANT,
} from "./space.ts";

export interface ViewerOptions {
  /** Gets the frames. */
  readonly container: Element;
  readonly client: Pick<TorViewLike, "isolate">;
  /**
   * The origin for one site: `(label) => "https://" + label + ".view.example"`. The label is 32 letters and digits, a new one
   * whenever the viewer goes to another site. All of these hosts serve the viewer's three files.
   */
  readonly siteOrigin: (label: string) => string;
  /** Whether sites may run scripts; false unless told otherwise. Read `SCRIPT_RISKS` first. */
  readonly scripts?: boolean;
  /** Request fields for all sites, such as `user-agent` and `accept-language`: none unless told otherwise. */
  readonly headers?: Readonly<Record<string, string>>;
  /** A document is being shown, or, with a code, why it is not. */
  readonly onNavigate?: (event: { readonly url: string; readonly code?: string }) => void;
}

export interface Viewer {
  /** The URL of the document that is shown. */
  readonly url: string | undefined;
  /**
   * Shows a URL; settles once it is on its way.
   * @throws TorError `bad-api-usage` for what is no `http:` or `https:` URL, and where the browser has no service worker
   */
  navigate(url: string | URL): Promise<void>;
  /** Removes the frames and their worker. */
  close(): void;
}

/** Milliseconds for a site's origin to install its worker. */
const START_TIMEOUT = 20_000;
/** Sites that lead to each other without showing anything. */
const MAX_MOVES = 10;

export function createViewer(options: ViewerOptions): Viewer {
  return new FrameViewer(options);
}

class FrameViewer implements Viewer {
  readonly #options: ViewerOptions;
  #stage: Stage | undefined;
  #url: string | undefined;
  #moves = 0;
  #isClosed = false;

  constructor(options: ViewerOptions) {
    this.#options = options;
  }

  get url(): string | undefined {
    return this.#url;
  }

  async navigate(address: string | URL): Promise<void> {
    this.#moves = 0;
    return this.#go(address);
  }

  close(): void {
    this.#isClosed = true;
    this.#stage?.close();
    this.#stage = undefined;
  }

  async #go(address: string | URL): Promise<void> {
    const target = URL.canParse(address) ? new URL(address) : undefined;
    const path = target && pathOfTarget(PREFIXES.view, target);
    if (this.#isClosed || target === undefined || path === undefined)
      throw viewerError(
        "ALLIUM_E_VIEWER_URL",
        "the viewer is closed, or this is no URL that goes through Tor",
      );
    if (this.#stage?.site !== target.host) {
      // By chance, so that the name, which the network sees, says nothing of the site.
      const origin = this.#options.siteOrigin(toHex(randomBytes(16)));
      this.#stage?.close();
      this.#stage = new Stage(this.#options, origin, target.host, (message) => this.#hear(message));
    }
    const stage = this.#stage;
    try {
      await stage.show(path);
    } catch (error) {
      // The next try gets an origin anew.
      stage.close();
      if (this.#stage === stage) this.#stage = undefined;
      throw error;
    }
  }

  #hear(message: ControlMessage): void {
    if (message.type === "shown") {
      const { url, code } = message;
      this.#url = url;
      this.#moves = 0;
      this.#options.onNavigate?.({ url, ...(code !== undefined && { code }) });
    } else if (message.type === "open") this.#move(message.url);
  }

  #move(url: string): void {
    const failed = ({ code }: TorError) => this.#options.onNavigate?.({ url, code });
    if (this.#moves++ >= MAX_MOVES)
      failed(viewerError("ALLIUM_E_VIEWER_REDIRECT", "sites redirect in circles"));
    else this.#go(url).catch(failed);
  }
}

/** One site: its origin's hidden frame, the frame that shows it, and the ports between. */
class Stage {
  readonly site: string;
  readonly #options: ViewerOptions;
  readonly #origin: string;
  readonly #hear: (message: ControlMessage) => void;
  readonly #client: FetchOnlyClient;
  readonly #holder: HTMLIFrameElement;
  readonly #view: HTMLIFrameElement;
  readonly #ready: Deferred<void> = deferred();
  #served: ServedPort | undefined;
  #control: MessagePort | undefined;

  constructor(options: ViewerOptions, origin: string, site: string, hear: (message: ControlMessage) => void) {
    this.site = site;
    this.#options = options;
    this.#origin = new URL(origin).origin;
    this.#hear = hear;
    const { client, container, headers = {}, scripts = false } = options;
    if (this.#origin === globalThis.location.origin)
      throw viewerError("ALLIUM_E_VIEWER_ORIGIN", "a site must not be shown on the client's own origin");
    const view = client.isolate(`viewer/${site}`);
    this.#client = new FetchOnlyClient((input, init: TorFetchInit = {}) =>
      view.fetch(input, { ...init, headers: [...new Headers(init.headers), ...Object.entries(headers)] }),
    );
    this.#holder = frame("allow-same-origin allow-scripts");
    this.#holder.hidden = true;
    this.#holder.src = this.#origin + FRAME_PAGE;
    this.#view = frame(sandboxOf(scripts));
    globalThis.addEventListener("message", this.#message);
    container.append(this.#view, this.#holder);
  }

  async show(path: string): Promise<void> {
    const error = () => viewerError("ALLIUM_E_VIEWER_START", "the site's origin did not install its worker");
    await withTimeout({ clock: systemClock, ms: START_TIMEOUT, error }, () => this.#ready.promise);
    this.#view.src = this.#origin + path;
  }

  close(): void {
    globalThis.removeEventListener("message", this.#message);
    this.#holder.contentWindow?.postMessage(LEAVE, this.#origin);
    this.#disconnect();
    this.#view.remove();
    // Once it has heard that the worker shall go.
    setTimeout(() => this.#holder.remove(), 1000);
    this.#ready.reject(
      viewerError("ALLIUM_E_VIEWER_URL", "the viewer went on to another site or was closed"),
    );
  }

  readonly #message = ({ source, origin, data }: MessageEvent): void => {
    if (source !== this.#holder.contentWindow || origin !== this.#origin) return;
    if (data === WANT) this.#connect();
    if (data === FAILED)
      this.#ready.reject(
        viewerError("ALLIUM_E_VIEWER_START", "this browser lets the site's origin have no worker"),
      );
  };

  #connect(): void {
    this.#disconnect();
    const [tor, control] = [new MessageChannel(), new MessageChannel()];
    this.#served = serveTorClient(this.#client, portAcrossOrigins(tor.port1));
    this.#control = control.port1;
    control.port1.onmessage = ({ data }: MessageEvent<ControlMessage>) => {
      if (data.type === "ready") this.#ready.resolve();
      this.#hear(data);
    };
    const message: PortsMessage = {
      type: "allium-ports",
      site: this.site,
      scripts: this.#options.scripts ?? false,
    };
    this.#holder.contentWindow?.postMessage(message, this.#origin, [tor.port2, control.port2]);
  }

  #disconnect(): void {
    this.#served?.close();
    this.#control?.close();
  }
}

function frame(sandbox: string): HTMLIFrameElement {
  const made = document.createElement("iframe");
  made.setAttribute("sandbox", sandbox);
  made.referrerPolicy = "no-referrer";
  return made;
}

function viewerError(code: TorErrorCode, message: string): TorError {
  return badApiUsage(code, message);
}
