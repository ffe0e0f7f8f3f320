// How a site's URLs are written in the viewer's origin, and what the parts of a viewer say to each other.
// Each path says what may be fetched by it, so that a document is never a sub-resource, nor the other way round.

import { pathOfTarget, targetOfPath } from "../service-worker/mapping.ts";

/** The document in the viewer's frame, one in a frame of it, and what such documents load. */
export const PREFIXES = { view: "/v/", frame: "/f/", data: "/r/" } as const;
export type Prefix = (typeof PREFIXES)[keyof typeof PREFIXES];

/** The viewer's own files, which its origin's server has; nothing else is ever asked of it. */
export const FRAME_PAGE = "/allium-frame.html";
export const FRAME_SCRIPT = "/allium-frame.js";
export const WORKER_SCRIPT = "/allium-worker.js";

export interface Place {
  readonly prefix: Prefix;
  readonly target: URL;
}

/** What a path of the viewer's origin stands for. */
export function placeOf(url: URL): Place | undefined {
  const prefix = Object.values(PREFIXES).find((each) => url.pathname.startsWith(each));
  const target = prefix && targetOfPath(prefix, url);
  return prefix && target && { prefix, target };
}

/** Media that are in the URL itself; as images even SVGs run and load nothing. */
const INLINE = /^data:(?:audio|font|image|video)\//i;

/** Reads URLs of a document or style sheet, and writes them for the viewer's origin. */
export class UrlMapper {
  #base: URL;
  #isBaseOwn = true;
  /** The kind of document that links lead to. */
  readonly documents: Prefix;

  constructor({ prefix, target }: Place) {
    this.documents = prefix;
    this.#base = target;
  }

  /** Takes the first `<base>`. */
  rebase(href: string): void {
    if (!this.#isBaseOwn || !URL.canParse(href, this.#base.href)) return;
    this.#base = new URL(href, this.#base);
    this.#isBaseOwn = false;
  }

  /** The path by which the viewer's origin has it; undefined for what must not be followed or loaded. */
  map(text: string, prefix: Prefix): string | undefined {
    const url = text.trim();
    if (url.startsWith("#") && this.#isBaseOwn) return url;
    if (prefix === PREFIXES.data && (url === "" || INLINE.test(url))) return url || undefined;
    return URL.canParse(url, this.#base.href) ? pathOfTarget(prefix, new URL(url, this.#base)) : undefined;
  }
}

/** Embedding page to frame, with two ports: the client's and the control's; the frame hands all of it to its worker. */
export interface PortsMessage {
  readonly type: "allium-ports";
  /** Host and port of the site that this origin shows. */
  readonly site: string;
  readonly scripts: boolean;
}

/** Worker to frame, frame to embedding page: the worker has no ports (any more). */
export const WANT = "allium-want";
/** Frame to embedding page: no worker can be had here. */
export const FAILED = "allium-failed";
/** Embedding page to frame: the viewer is closed, the worker shall go. */
export const LEAVE = "allium-leave";

/** Worker to embedding page, over the control port. */
export type ControlMessage =
  | { readonly type: "ready" }
  /** The document of this URL is being shown; with a code, in place of it why it is not. */
  | { readonly type: "shown"; readonly url: string; readonly code?: string }
  /** A link or redirect leads to another site, which has an origin of its own. */
  | { readonly type: "open"; readonly url: string };
