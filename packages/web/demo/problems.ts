// What went wrong, in a box of its own: a sentence for people, then the error's message and code.

import { isTorError } from "@allium/core";
import { englishLabels } from "@allium/web/status";
import { element, show, textElement } from "./dom.ts";

export function clearProblem(id: string): void {
  show(id, false);
}

/** @param more what to do about it */
export function drawProblem(id: string, error: unknown, ...more: readonly Node[]): void {
  const isAbort = error instanceof DOMException && error.name === "AbortError";
  const title = isTorError(error) ? englishLabels.problems[error.kind] : "Something went wrong.";
  const message = error instanceof Error ? error.message : String(error);
  const code = isTorError(error) ? ` (${error.code})` : "";
  element(id).replaceChildren(
    ...(isAbort
      ? [textElement("strong", "Stopped.")]
      : [textElement("strong", title), textElement("p", `${message}${code}`)]),
    ...more,
  );
  show(id, true);
}

/** Does what a button is for: the button waits meanwhile, and what goes wrong is shown unless `signal` has aborted. */
export async function attempt(
  {
    button,
    problem,
    signal,
  }: { readonly button: string; readonly problem: string; readonly signal: AbortSignal },
  work: () => Promise<void>,
): Promise<void> {
  const pressed = element<HTMLButtonElement>(button);
  if (pressed.ariaDisabled === "true") return;
  pressed.ariaDisabled = "true";
  clearProblem(problem);
  const free = () => {
    pressed.ariaDisabled = "false";
  };
  signal.addEventListener("abort", free);
  try {
    await work();
  } catch (error) {
    if (!signal.aborted) drawProblem(problem, error);
  } finally {
    if (!signal.aborted) free();
    signal.removeEventListener("abort", free);
  }
}
