// One hop of a circuit: its streams, its flow control, and whose turn it is to send (tor-spec 6, 7.3, 7.4).

import type { Clock } from "../base/ports.ts";
import type { ChannelTarget } from "../link/api.ts";
import type { CellSender } from "./cell-sender.ts";
import type { HopFlow } from "./flow/api.ts";
import { RelayCommand } from "./relaycell/command.ts";
import type { RelayCellFormat } from "./relaycell/format.ts";
import { encodeMessage, type RelayMessage, SENDME_V1 } from "./relaycell/messages.ts";
import { EndReason } from "./relaycell/reasons.ts";
import { CircuitStream, type StreamOwner, type StreamStart } from "./stream.ts";
import { StreamMap } from "./stream-map.ts";

export interface HopOptions {
  /** 0 is the first hop. */
  readonly index: number;
  readonly target: ChannelTarget;
  readonly format: RelayCellFormat;
  readonly flow: HopFlow;
  readonly sender: CellSender;
  readonly clock: Clock;
  /** Called when a stream left. */
  readonly onStreamGone: () => void;
}

/** A message that begins a stream. */
export type StartMessage = Extract<RelayMessage, { command: StreamStart }>;

const EMPTY = new Uint8Array(0);

export class Hop implements StreamOwner {
  readonly index: number;
  readonly target: ChannelTarget;
  readonly format: RelayCellFormat;
  readonly streams: StreamMap;
  readonly #flow: HopFlow;
  readonly #sender: CellSender;
  readonly #onStreamGone: () => void;
  /** Streams with data that their own windows let go, in the order of their turns. */
  readonly #ready = new Set<CircuitStream>();

  constructor(options: HopOptions) {
    this.index = options.index;
    this.target = options.target;
    this.format = options.format;
    this.streams = new StreamMap(options.clock);
    this.#flow = options.flow;
    this.#sender = options.sender;
    this.#onStreamGone = options.onStreamGone;
  }

  send(streamId: number, message: RelayMessage): void {
    this.#sender.send(this.index, this.format, message.command, streamId, encodeMessage(message));
  }

  /** Sends BEGIN, BEGIN_DIR or RESOLVE on a new stream. */
  begin(message: StartMessage): CircuitStream {
    const stream = new CircuitStream(this.streams.allocateId(), this.#flow.stream(), this, message.command);
    this.streams.add(stream);
    this.send(stream.id, message);
    return stream;
  }

  /** A DATA cell came from this hop; acknowledged at once, whoever reads its stream. */
  dataReceived(tag: Uint8Array): void {
    if (!this.#flow.dataReceived()) return;
    this.send(0, { command: RelayCommand.SENDME, version: SENDME_V1, tag });
  }

  circuitSendmeReceived(body: Uint8Array): void {
    this.#flow.sendmeReceived(body);
    this.flush();
  }

  streamSendmeReceived(stream: CircuitStream): void {
    stream.flow.sendmeReceived();
    if (stream.pending > 0) this.schedule(stream);
  }

  /** The other side sent END. */
  streamEnded(stream: CircuitStream, reason: number): void {
    this.#forget(stream);
    this.streams.remove(stream.id);
    stream.receiveEnd(reason);
    this.#onStreamGone();
  }

  /** RESOLVED came: no END goes either way. */
  streamResolved(stream: CircuitStream, body: Uint8Array): void {
    stream.receiveResolved(body);
    this.streams.remove(stream.id);
    this.#onStreamGone();
  }

  schedule(stream: CircuitStream): void {
    this.#ready.add(stream);
    this.flush();
  }

  acknowledge(stream: CircuitStream, count: number): void {
    for (let i = 0; i < count; i++) {
      this.#sender.send(this.index, this.format, RelayCommand.SENDME, stream.id, EMPTY);
    }
  }

  end(stream: CircuitStream): void {
    this.#forget(stream);
    this.streams.halfClose(stream);
    // Any other reason would tell the exit what our application does (tor-spec 6.3).
    this.send(stream.id, { command: RelayCommand.END, reason: EndReason.MISC });
    this.#onStreamGone();
  }

  /** Sends DATA cells, one stream after the other, as far as windows and channel allow. */
  flush(): void {
    for (const stream of this.#ready) {
      if (!this.#flow.canSend || this.#sender.congested) return;
      // Deleting and adding again moves the stream to the end of the iteration under way.
      this.#ready.delete(stream);
      if (!stream.flow.canSend) continue;
      this.#sendData(stream);
      if (stream.pending > 0) this.#ready.add(stream);
    }
  }

  #sendData(stream: CircuitStream): void {
    const length = this.#flow.dataLength(stream.pending, this.format.maxData);
    stream.flow.dataSent();
    const data = stream.takeOutbound(length);
    this.#flow.dataSent(this.#sender.send(this.index, this.format, RelayCommand.DATA, stream.id, data));
  }

  #forget(stream: CircuitStream): void {
    this.#ready.delete(stream);
  }
}
