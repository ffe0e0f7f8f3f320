// The one answer that a circuit under construction waits for (tor-spec 5.1): CREATED_FAST, CREATED2, or EXTENDED2 from the
// last hop. Any other one, or one that nobody waits for, is a violation.

import { type Deferred, deferred } from "../base/abort.ts";
import { circuitViolation } from "./violation.ts";

export type Answer = "CREATED_FAST" | "CREATED2" | "EXTENDED2";

export class AwaitedAnswer {
  #awaited: { readonly answer: Answer; readonly arrived: Deferred<Uint8Array> } | undefined;

  /** Settles with the answer's bytes. */
  expect(answer: Answer): Promise<Uint8Array> {
    const arrived = deferred<Uint8Array>();
    this.#awaited = { answer, arrived };
    return arrived.promise;
  }

  /** @param data kept by whoever waits @throws TorError `protocol-violation` when this is not what is awaited */
  arrived(answer: Answer, data: Uint8Array): void {
    const awaited = this.#awaited;
    if (awaited?.answer !== answer) {
      const rule = answer === "EXTENDED2" ? "EXTENDED2" : "CELL_COMMAND";
      throw circuitViolation(rule, `${answer} that was not asked for`);
    }
    this.#awaited = undefined;
    awaited.arrived.resolve(data);
  }

  fail(error: unknown): void {
    this.#awaited?.arrived.reject(error);
    this.#awaited = undefined;
  }
}
