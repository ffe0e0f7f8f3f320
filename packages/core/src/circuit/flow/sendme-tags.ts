// Authenticated SENDMEs (version 1): each must carry the tag of the cell that it acknowledges (tor-spec 7.3.1, proposal 289).

import { equalBytes } from "../../base/bytes.ts";
import { RelayCommand } from "../relaycell/command.ts";
import { decodeMessage, SENDME_V1 } from "../relaycell/messages.ts";
import { circuitViolation } from "../violation.ts";

/** The tags that SENDMEs still owed to us must carry, oldest first. A window bounds their number. */
export class SendmeTags {
  readonly #owed: Uint8Array[] = [];

  get count(): number {
    return this.#owed.length;
  }

  expect(tag: Uint8Array): void {
    this.#owed.push(tag);
  }

  /** @param data of a circuit-level SENDME @throws TorError `protocol-violation` unless it is the one owed next */
  accept(data: Uint8Array): void {
    const message = decodeMessage(RelayCommand.SENDME, data);
    if (message.command !== RelayCommand.SENDME || message.version !== SENDME_V1) {
      throw circuitViolation("SENDME_VERSION", "a circuit SENDME that is not of version 1");
    }
    const owed = this.#owed.shift();
    if (owed === undefined) throw circuitViolation("SENDME", "a circuit SENDME that is not owed");
    // C tor refuses a tag of another length, be it longer and begin as ours does.
    if (!equalBytes(message.tag, owed)) {
      throw circuitViolation("SENDME_TAG", "a circuit SENDME whose tag is not of the cell that we sent");
    }
  }
}
