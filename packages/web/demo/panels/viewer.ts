// The panel that shows whole sites through Tor, in a frame of an origin of their own, without their scripts.

import { isTorError } from "@allium/core";
import { createViewer } from "@allium/web/viewer";
import { element, show, suggest, textElement, typedAddress } from "../dom.ts";
import { attempt, clearProblem, drawProblem } from "../problems.ts";
import type { Session } from "../session.ts";

export function viewerPanel({ client, network, viewerHost, signal }: Session): void {
  const address = element<HTMLInputElement>("site-address");
  const progress = element("site-progress");
  const shown = ({ url, code }: { readonly url: string; readonly code?: string }) => {
    address.value = url;
    progress.textContent = code === undefined ? "Shown through Tor." : "";
    clearProblem("site-problem");
    if (code !== undefined) drawProblem("site-problem", new Error(`${url} is not shown (${code})`));
  };
  const container = element("site-frames");
  const siteOrigin = (label: string) => `http://${label}.${viewerHost}`;
  const viewer = createViewer({ container, client, siteOrigin, onNavigate: shown });
  const go = () =>
    attempt({ button: "site-go", problem: "site-problem", signal }, async () => {
      show("site-frames", true);
      progress.textContent = "Waiting for the site…";
      try {
        await viewer.navigate(typedAddress("site-address"));
      } catch (error) {
        progress.textContent = "";
        if (!isTorError(error) || error.code !== "ALLIUM_E_VIEWER_START") throw error;
        show("site-frames", false);
        if (!signal.aborted) drawProblem("site-problem", noWorker(error.code), ...elsewhere(viewerHost));
      }
    });
  address.value = network.suggestions[0] ?? "";
  progress.textContent = "";
  clearProblem("site-problem");
  show("site-frames", false);
  element("site").addEventListener("submit", () => void go(), { signal });
  signal.addEventListener("abort", () => viewer.close(), { once: true });
  suggest("site-suggestions", network.suggestions, (suggestion) => {
    address.value = suggestion;
    void go();
  });
}

function noWorker(code: string): Error {
  return new Error(
    `This browser gives the frame of the site no service worker: it blocks what it calls third-party storage, as Chromium does in private windows, or knows no names below localhost (${code}).`,
  );
}

/** The page's address that is of one site with the frames: nothing of theirs is third-party there. */
function elsewhere(viewerHost: string): HTMLElement[] {
  const there = new URL(location.href);
  there.hostname = viewerHost.split(":")[0] ?? "";
  if (there.hostname === location.hostname) return [];
  const link = textElement("a", there.href);
  link.href = there.href;
  const hint = textElement("p", "Where only third-party storage is blocked, it works at ");
  hint.append(link);
  return [hint];
}
