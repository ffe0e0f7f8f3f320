// What the tests of XON and XOFF share: one stream under congestion control, its clock, and what it sends.

import type { StreamFlow } from "../../../src/circuit/flow/api.ts";
import { congestionParams } from "../../../src/circuit/flow/params.ts";
import { VegasFlow } from "../../../src/circuit/flow/vegas.ts";
import { RelayCommand } from "../../../src/circuit/relaycell/command.ts";
import { decodeMessage, type Xon } from "../../../src/circuit/relaycell/messages.ts";
import { CoarseClock } from "./clocks.ts";

const { XOFF } = RelayCommand;
export const CELL = 498;

export class Rig {
  readonly clock: CoarseClock;
  readonly flow: StreamFlow;
  /** "XOFF", or the rate of an XON. */
  readonly sent: ("XOFF" | number)[] = [];
  wakes = 0;
  buffered = 0;

  constructor(grain = 0.001, consensus: Readonly<Record<string, number>> = {}) {
    this.clock = new CoarseClock(grain);
    const params = congestionParams((name, fallback) => consensus[name] ?? fallback, "exit");
    const hop = new VegasFlow({ params, sendmeInc: 31, clock: this.clock, isBlocked: () => false });
    this.flow = hop.stream({
      send: (command, data) => {
        this.sent.push(command === XOFF ? "XOFF" : (decodeMessage(command, data) as Xon).kbpsEwma);
      },
      wake: () => this.wakes++,
    });
    // How fine the clock is, the hop learns as it sends.
    for (let cell = 0; cell < 62; cell++) {
      if (cell % 31 === 0) this.clock.advance(grain);
      hop.dataSent({ sentTag: () => new Uint8Array(20) });
    }
  }

  /** Cells come, `spacing` milliseconds apart. */
  receive(cells: number, spacing = 0): this {
    for (let i = 0; i < cells; i++) {
      this.clock.advance(spacing);
      this.buffered += CELL;
      this.flow.dataReceived(this.buffered);
    }
    return this;
  }

  read(bytes = this.buffered): this {
    const length = Math.min(bytes, this.buffered);
    this.buffered -= length;
    this.flow.consumed(Math.ceil(length / CELL), length, this.buffered);
    return this;
  }

  /** Reads all that waits at this rate, in bytes a millisecond. */
  drain(rate: number): this {
    while (this.buffered > 0) {
      this.clock.advance(65_536 / rate);
      this.read(65_536);
    }
    return this;
  }

  /** Reads `bytes` at this rate while cells come that keep the stream going. */
  readOn(rate: number, bytes: number): this {
    for (let read = 0; read < bytes; read += 65_536) {
      this.receive(Math.max(0, 400 - Math.ceil(this.buffered / CELL)));
      this.clock.advance(65_536 / rate);
      this.read(65_536);
    }
    return this;
  }

  /** Timers that are due run. */
  async wait(ms: number): Promise<this> {
    this.clock.advance(ms);
    for (let i = 0; i < 5; i++) await Promise.resolve();
    return this;
  }
}
