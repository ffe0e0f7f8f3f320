// A service worker without a browser: events as a page's requests make them, a client that says what it was asked, and a
// network that nobody may touch.

import type { TorFetchInit } from "@allium/core";
import { describeResponse } from "@allium/core/internal";
import { onTestFinished, vi } from "vitest";
import { type TorRouteOptions, torRoute } from "../../src/service-worker/index.ts";

export const OWN = "https://app.example";

export interface Asked {
  readonly url: string;
  readonly init: TorFetchInit;
}

export interface PageRequest extends RequestInit {
  readonly destination?: string;
  readonly navigate?: boolean;
}

export interface Rig {
  readonly asked: Asked[];
  /** Requests that reached the network. */
  readonly leaked: unknown[];
  /** What the page gets; undefined where the listener leaves the request to others. */
  send(url: string, init?: PageRequest): Promise<Response> | undefined;
}

export function answered(
  body: BodyInit | null,
  init: ResponseInit = {},
  url = "http://final.example/",
): Response {
  return describeResponse(new Response(body, init), {
    url,
    redirected: false,
    headers: new Headers(init.headers),
  });
}

export function requestOf(
  url: string,
  { destination = "", navigate = false, ...init }: PageRequest = {},
): Request {
  const request = new Request(url, { ...init, ...(init.body && { duplex: "half" }) } as RequestInit);
  Object.defineProperty(request, "destination", { value: destination });
  if (navigate) Object.defineProperty(request, "mode", { value: "navigate" });
  return request;
}

export function makeRig(
  options: Partial<TorRouteOptions> = {},
  answer: (asked: Asked) => Response | Promise<Response> = () => answered("through Tor"),
): Rig {
  vi.stubGlobal("location", new URL(`${OWN}/sw.js`));
  const leaked: unknown[] = [];
  vi.stubGlobal("fetch", (input: unknown) => {
    leaked.push(input);
    return Promise.resolve(new Response("from the network"));
  });
  onTestFinished(() => void vi.unstubAllGlobals());
  const asked: Asked[] = [];
  const fetch = async (url: string | URL | Request, init: TorFetchInit = {}) => {
    asked.push({ url: String(url), init });
    return answer({ url: String(url), init });
  };
  const listener = torRoute({
    client: { fetch },
    match: ["/tor/", ".onion", "http://api.example/v1/"],
    ...options,
  });
  const send = (url: string, init?: PageRequest) => {
    let given: Promise<Response> | undefined;
    let isStopped = false;
    listener({
      request: requestOf(url, init),
      respondWith: (response) => {
        given = response;
      },
      stopImmediatePropagation: () => {
        isStopped = true;
      },
    });
    if ((given !== undefined) !== isStopped)
      throw new Error("answered, but others are let to answer as well");
    return given;
  };
  return { asked, leaked, send };
}
