// The agent's side of the channel to the process that forked it: questions in, replies out, the end when the parent is gone.

import type { Question, Reply } from "./protocol.ts";

/** What the parent gave the agent to start with. */
export function startOf<T>(): T {
  return JSON.parse(process.argv[2] ?? "null") as T;
}

/** @param first what the parent is told once all is ready */
export function serve(answer: (question: Question) => Promise<unknown>, first: unknown = null): void {
  process.on("disconnect", () => process.exit(0));
  process.on("message", async (question: Question) => {
    const reply: Reply = await answer(question).then(
      (value) => ({ answer: value }),
      (error: unknown) => ({ error: error instanceof Error ? `${error.stack}` : String(error) }),
    );
    process.send?.(reply);
  });
  process.send?.({ answer: first } satisfies Reply);
}
