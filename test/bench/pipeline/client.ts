// Allium's own receive path as a Pipeline: its TLS, link, circuit and stream, over whatever Dialer. The one file of the suite that
// reaches into the client.

import { type Ciphers, type Dialer, systemClock } from "@allium/core";
import type { HopTarget, TorStream } from "../../../packages/core/src/circuit/api.ts";
import { createCircuit } from "../../../packages/core/src/circuit/create.ts";
import type { HopRequest } from "../../../packages/core/src/circuit/handshake/negotiation.ts";
import { PLAIN_NTOR, startHandshake } from "../../../packages/core/src/circuit/hop-handshake.ts";
import { openChannel } from "../../../packages/core/src/link/open-channel.ts";
import type { ClientVersion, Pipeline, TargetInHex } from "./protocol.ts";
import { bytesOf } from "./receivers.ts";

const ADDRESS = { family: 4, address: Uint8Array.of(127, 0, 0, 1), port: 9001 } as const;
/** What an exit is asked for on the public network. */
const CGO: HopRequest = { handshake: "ntor-v3", congestionControl: { sendmeInc: 31 }, cgo: true };

function hopTarget({ rsaId, ed25519Id, ntorOnionKey }: TargetInHex): HopTarget {
  return {
    rsaId: bytesOf(rsaId),
    ed25519Id: bytesOf(ed25519Id),
    addresses: [ADDRESS],
    ntorOnionKey: bytesOf(ntorOnionKey),
  };
}

export interface ClientPipelineOptions {
  readonly version: ClientVersion;
  readonly dialer: Dialer;
  readonly ciphers?: Ciphers | undefined;
  readonly targets: readonly TargetInHex[];
  /** Told of application bytes in all, as the application takes them. */
  readonly onDelivered: (bytes: number) => void;
}

export class ClientPipeline implements Pipeline {
  received = 0;
  readonly #stream: TorStream;
  readonly #onDelivered: (bytes: number) => void;

  private constructor(stream: TorStream, onDelivered: (bytes: number) => void) {
    this.#stream = stream;
    this.#onDelivered = onDelivered;
  }

  static async open(options: ClientPipelineOptions): Promise<ClientPipeline> {
    const { version, dialer, ciphers } = options;
    const clock = systemClock;
    const [firstHop, ...others] = options.targets.map(hopTarget) as [HopTarget, ...HopTarget[]];
    const channel = await openChannel({ dialer, target: firstHop, clock, ciphers });
    const circuit = await createCircuit({ id: 1, channel, firstHop, clock, ciphers });
    for (const [i, target] of others.entries()) {
      const isExit = i === others.length - 1;
      await circuit.extend(target, {
        handshake: startHandshake(target, isExit && version === "client-cgo" ? CGO : PLAIN_NTOR),
      });
    }
    return new ClientPipeline(await circuit.openStream("example.com", 80), options.onDelivered);
  }

  async until(bytes: number): Promise<void> {
    while (this.received < bytes) {
      const data = await this.#stream.read();
      if (data === undefined) throw new Error("the stream has ended");
      this.received += data.length;
      this.#onDelivered(this.received);
    }
  }
}
