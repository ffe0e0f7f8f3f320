// One hop of a circuit: its streams, its flow control, and whose turn it is to send (tor-spec 6, 7.3, 7.4).

import type { MemoryQuota } from "../base/memory-quota.ts";
import type { Clock } from "../base/ports.ts";
import type { ChannelTarget } from "../link/api.ts";
import type { CellSender } from "./cell-sender.ts";
import type { HopFlow } from "./flow/api.ts";
import type { NegotiatedHop } from "./handshake/negotiation.ts";
import type { HopLayer } from "./hop-layer.ts";
import type { SparePiece } from "./inbox.ts";
import { RelayCommand } from "./relaycell/command.ts";
import type { RelayCellFormat } from "./relaycell/format.ts";
import { encodeMessage, type RelayMessage, SENDME_V1 } from "./relaycell/messages.ts";
import { EndReason } from "./relaycell/reasons.ts";
import type { RelayCrypto } from "./relaycrypto/api.ts";
import { CircuitStream, type CircuitStreamOptions, type StreamOwner, type StreamStart } from "./stream.ts";
import { StreamMap } from "./stream-map.ts";

export interface HopOptions extends HopLayer {
  /** 0 is the first hop. */
  readonly index: number;
  readonly target: ChannelTarget;
  readonly sender: CellSender;
  readonly clock: Clock;
  readonly memory: MemoryQuota;
  readonly spare: SparePiece;
  /** Called when a stream left. */
  readonly onStreamGone: () => void;
}

/** A message that begins a stream. */
export type StartMessage = Extract<RelayMessage, { command: StreamStart }>;

/** How a stream is begun. */
export type BeginOptions = Pick<CircuitStreamOptions, "optimistic" | "checkAddress">;

export class Hop implements StreamOwner {
  readonly index: number;
  readonly target: ChannelTarget;
  readonly agreed: NegotiatedHop;
  readonly format: RelayCellFormat;
  readonly streams: StreamMap;
  readonly #options: HopOptions;
  readonly #crypto: RelayCrypto;
  readonly #flow: HopFlow;
  readonly #sender: CellSender;
  readonly #maxData: number;
  /** Streams with data that their own flow control lets go, in the order of their turns. */
  readonly #ready = new Set<CircuitStream>();

  constructor(options: HopOptions) {
    this.index = options.index;
    this.target = options.target;
    this.agreed = options.agreed;
    this.format = options.format;
    this.streams = new StreamMap(options.clock);
    this.#options = options;
    this.#crypto = options.crypto;
    this.#flow = options.flow;
    this.#sender = options.sender;
    this.#maxData = options.format.maxData(RelayCommand.DATA);
  }

  send(streamId: number, command: number, data: Uint8Array): void {
    this.#sender.send(this.index, this.format, command, streamId, data);
  }

  sendMessage(streamId: number, message: RelayMessage): void {
    this.send(streamId, message.command, encodeMessage(message));
  }

  /** Sends BEGIN, BEGIN_DIR or RESOLVE on a new stream. */
  begin(message: StartMessage, options: BeginOptions): CircuitStream {
    const { clock, memory, spare } = this.#options;
    const stream = new CircuitStream({
      ...options,
      id: this.streams.allocateId(),
      owner: this,
      flow: this.#flow,
      memory,
      spare,
      now: () => clock.monotonic(),
      start: message.command,
    });
    this.streams.add(stream);
    this.sendMessage(stream.id, message);
    return stream;
  }

  /** A DATA cell came from this hop; acknowledged at once, whoever reads its stream. */
  dataReceived(): void {
    if (!this.#flow.dataReceived()) return;
    const tag = this.#crypto.receivedTag();
    this.sendMessage(0, { command: RelayCommand.SENDME, version: SENDME_V1, tag });
  }

  circuitSendmeReceived(data: Uint8Array): void {
    this.#flow.sendmeReceived(data);
    this.flush();
  }

  /** The other side is done with this stream. */
  streamOver(streamId: number): void {
    const stream = this.streams.get(streamId);
    this.streams.remove(streamId);
    if (!(stream instanceof CircuitStream)) return;
    this.#ready.delete(stream);
    this.#options.onStreamGone();
  }

  schedule(stream: CircuitStream): void {
    this.#ready.add(stream);
    this.flush();
  }

  end(stream: CircuitStream): void {
    this.#ready.delete(stream);
    this.streams.halfClose(stream);
    // Any other reason would tell the exit what our application does (tor-spec 6.3).
    this.sendMessage(stream.id, { command: RelayCommand.END, reason: EndReason.MISC });
    this.#options.onStreamGone();
  }

  /** Sends DATA cells, one stream after the other, as far as flow control and channel allow. */
  flush(): void {
    for (const stream of this.#ready) {
      if (!this.#flow.canSend || this.#sender.congested) return;
      // Deleting and adding again moves the stream to the end of the iteration under way.
      this.#ready.delete(stream);
      if (stream.pending === 0 || !stream.flow.canSend) continue;
      this.#sendData(stream);
      if (stream.pending > 0) this.#ready.add(stream);
    }
  }

  #sendData(stream: CircuitStream): void {
    const length = this.#flow.dataLength(stream.pending, this.#maxData);
    const data = stream.takeOutbound(length);
    this.send(stream.id, RelayCommand.DATA, data);
    stream.flow.dataSent(length);
    this.#flow.dataSent(this.#crypto);
  }
}
