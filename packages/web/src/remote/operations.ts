// The operations of one port by their ids, the same on both sides: ids grow, so that one that is over is told from one that
// never was.

import { misfit } from "./check.ts";
import { limitError } from "./errors.ts";
import { MAX_OPERATIONS } from "./protocol.ts";

export class Operations<T> {
  readonly #running = new Map<number, T>();
  #lastId = 0;

  /** An id for a new operation of ours. @throws TorError `limit` */
  nextId(): number {
    if (this.#running.size >= MAX_OPERATIONS)
      throw limitError(`more than ${MAX_OPERATIONS} operations at a time`);
    return ++this.#lastId;
  }

  /** Takes the id of an operation that the other side begins. @throws TorError `protocol-violation` */
  accept(id: number): void {
    if (id <= this.#lastId) throw misfit("an operation whose id is not new");
    if (this.#running.size >= MAX_OPERATIONS) throw misfit("more operations than may be at a time");
    this.#lastId = id;
  }

  set(id: number, operation: T): void {
    this.#running.set(id, operation);
  }

  /** The operation, or undefined when it is over. @throws TorError `protocol-violation` for one that never was */
  get(id: number): T | undefined {
    if (id > this.#lastId) throw misfit("something about an operation that never was");
    return this.#running.get(id);
  }

  delete(id: number): void {
    this.#running.delete(id);
  }

  /** Takes all of them out. */
  clear(): T[] {
    const all = [...this.#running.values()];
    this.#running.clear();
    return all;
  }
}
