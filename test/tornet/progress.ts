// Progress of a start as lines of text.

import type { TornetProgress } from "./types.ts";

/** Prints each new message once. */
export function progressPrinter(): (progress: TornetProgress) => void {
  let last = "";
  return ({ fraction, message }) => {
    if (message === last) return;
    last = message;
    console.log(`${String(Math.round(fraction * 100)).padStart(3)} %  ${message}`);
  };
}
