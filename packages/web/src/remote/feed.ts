// The client's events on their way to one page. A page that does not run (frozen, in a debugger) is not sent more than it
// may have unseen; when it looks again it is told where the client stands.

import type { TorClientLike } from "@allium/core";
import { misfit } from "./check.ts";
import { type Answer, EVENT_NAMES, type EventAnswer, type EventName, MAX_UNSEEN } from "./protocol.ts";

export class Feed {
  readonly #client: TorClientLike;
  readonly #post: (answer: Answer) => void;
  readonly #listening = new AbortController();
  #unseen = 0;
  #missed = false;
  #measuring = false;

  constructor(client: TorClientLike, post: (answer: Answer) => void) {
    this.#client = client;
    this.#post = post;
    for (const name of EVENT_NAMES) if (name !== "metric") this.#listen(name);
  }

  /** Metrics are made and sent only where the page wants them. */
  measure(): void {
    if (!this.#measuring) this.#listen("metric");
    this.#measuring = true;
  }

  /** The page has seen so many. @throws TorError `protocol-violation` */
  seen(events: number): void {
    if (events > this.#unseen) throw misfit("more events seen than there were");
    this.#unseen -= events;
    if (!this.#missed) return;
    this.#missed = false;
    const { status } = this.#client;
    this.#tell({ type: "snapshot", status, circuits: this.#client.circuits() });
  }

  end(): void {
    this.#listening.abort();
  }

  #listen(name: EventName): void {
    const tell = ({ detail }: { readonly detail: unknown }) =>
      this.#tell({ type: name, detail } as EventAnswer);
    this.#client.addEventListener(name, tell, { signal: this.#listening.signal });
  }

  #tell(answer: Answer): void {
    if (this.#unseen >= MAX_UNSEEN) {
      this.#missed = true;
      return;
    }
    this.#unseen++;
    this.#post(answer);
  }
}
