// The relay's end of a stream: it keeps to flow control, connects, echoes or whatever a test has it do.

import { type Deferred, deferred } from "../../base/abort.ts";
import { concat } from "../../base/bytes.ts";
import type { HopFlow, StreamFlow } from "../../circuit/flow/api.ts";
import { RelayCommand } from "../../circuit/relaycell/command.ts";
import type { RelayMessage } from "../../circuit/relaycell/messages.ts";

/** What a stream needs of the circuit that it is on. */
export interface ExitStreamCircuit {
  /** Sends a message from the stream's hop. */
  send(streamId: number, command: number, data: Uint8Array): void;
  sendMessage(streamId: number, message: RelayMessage): void;
  /** Tells the hop's flow control that a DATA cell has just been sent. */
  dataSent(): void;
  /** Whether flow-control messages are sent on streams. */
  readonly acknowledges: boolean;
}

const NOTHING = new Uint8Array(0);

export class ExitStream {
  readonly id: number;
  /** The hop that it ends at; 0 is the first. */
  readonly hop: number;
  readonly flow: StreamFlow;
  /** BEGIN or BEGIN_DIR. */
  readonly begin: RelayMessage;
  /** What the client sent, where nobody else takes it. */
  received: Uint8Array[] = [];
  cellsReceived = 0;
  onData: (data: Uint8Array) => void = (data) => this.received.push(data);
  onEnd: (reason: number) => void = () => {};
  readonly #circuit: ExitStreamCircuit;
  readonly #hopFlow: HopFlow;
  readonly #maxData: number;
  #unsent: Uint8Array = NOTHING;
  #sent: Deferred<void> = deferred();

  constructor(
    place: { readonly id: number; readonly hop: number; readonly begin: RelayMessage },
    circuit: ExitStreamCircuit,
    hopFlow: HopFlow,
    maxData: number,
  ) {
    this.id = place.id;
    this.hop = place.hop;
    this.begin = place.begin;
    this.#circuit = circuit;
    this.#hopFlow = hopFlow;
    this.#maxData = maxData;
    this.flow = hopFlow.stream({
      send: (command, data) => {
        if (circuit.acknowledges) circuit.send(this.id, command, data);
      },
      wake: () => this.pump(),
    });
  }

  get receivedBytes(): Uint8Array {
    return concat(...this.received);
  }

  /** Bytes that flow control holds back. */
  get unsent(): number {
    return this.#unsent.length;
  }

  /** Sends bytes as flow control allows; settles when all are sent. */
  send(data: Uint8Array): Promise<void> {
    this.#unsent = this.#unsent.length === 0 ? data : concat(this.#unsent, data);
    this.#sent = deferred();
    this.pump();
    return this.#sent.promise;
  }

  /** Sends what flow control allows by now. */
  pump(): void {
    while (this.#unsent.length > 0 && this.#hopFlow.canSend && this.flow.canSend) {
      const data = this.#unsent.subarray(0, this.#maxData);
      this.#unsent = this.#unsent.subarray(data.length);
      this.#circuit.send(this.id, RelayCommand.DATA, data);
      this.flow.dataSent(data.length);
      this.#circuit.dataSent();
    }
    if (this.#unsent.length === 0) this.#sent.resolve();
  }

  /** A DATA cell came, and is taken at once. */
  receive(data: Uint8Array): void {
    this.flow.dataReceived(0);
    this.cellsReceived++;
    this.onData(data);
    this.flow.consumed(1, data.length, 0);
  }

  message(message: RelayMessage): void {
    this.#circuit.sendMessage(this.id, message);
  }

  end(reason = 6): void {
    this.message({ command: RelayCommand.END, reason });
  }
}
