// What ties a circuit to the guard that it was chosen through: the guard algorithm hears once what became of it (guard-spec 4.6
// to 4.9).

import type { TorError } from "../base/errors.ts";
import type { Relay } from "../directory/api.ts";

/** For one circuit. One of `built`, `failed`, `failedLater` and `gaveUp` counts, the first that is called. */
export interface GuardTicket {
  readonly relay: Relay;
  /**
   * The whole circuit is complete. Fulfilled once it may be used: at once, unless a better guard may still answer.
   * @throws TorError `circuit-collapse` when a better one did, or nothing is known for too long
   */
  built(): Promise<void>;
  /** There is no channel to the guard, or (`reached`) its first hop could not be made. */
  failed(error: TorError, reached: boolean): void;
  /** Its first hop was made, the circuit was not (path-spec 7). */
  failedLater(error: TorError): void;
  /** Nothing was learned of the guard. */
  gaveUp(): void;
  /** The circuit that was built is gone, with an error unless we closed it. */
  closed(error: TorError | undefined): void;
}
