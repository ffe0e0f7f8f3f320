// The page's side of the channel to its server: fetches questions and posts replies.

import type { Question, Reply } from "./protocol.ts";

async function post(path: string, value: unknown): Promise<unknown> {
  return (await fetch(path, { method: "POST", body: JSON.stringify(value) })).json();
}

/** What the bench gave the page to start with. */
export async function startOfPage<T>(): Promise<T> {
  return (await post("start", null)) as T;
}

/** Answers one question after the other for as long as the page lives. */
export async function servePage(answer: (question: Question) => Promise<unknown>): Promise<never> {
  let reply: Reply = { answer: null };
  for (;;) {
    const question = (await post("next", reply)) as Question;
    reply = await answer(question).then(
      (value) => ({ answer: value }),
      (error: unknown) => ({ error: error instanceof Error ? `${error.stack}` : String(error) }),
    );
  }
}
