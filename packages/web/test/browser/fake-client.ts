// A client that does what a page's script tells it to, for what only shows a client.

import type {
  CircuitInfo,
  ClientStatus,
  HopInfo,
  StreamInfo,
  TorClientEvents,
  TorClientLike,
} from "@allium/core";
import { TypedEventTarget } from "@allium/core/internal";

const unused = (): never => {
  throw new Error("not to be called");
};

export class FakeClient extends TypedEventTarget<TorClientEvents> implements TorClientLike {
  status: ClientStatus = { fraction: 0, phase: "bridge", ready: false };
  renewals = 0;
  /** Listeners that were added and not yet removed. */
  listeners = 0;
  readonly guards: TorClientLike["guards"] = { export: unused, import: unused, reset: unused };
  readonly WebSocket = unused as unknown as TorClientLike["WebSocket"];
  #circuits: CircuitInfo[] = [];

  override addEventListener: TorClientLike["addEventListener"] = (type, listener, options) => {
    super.addEventListener(type, listener, options);
    this.listeners++;
    options?.signal?.addEventListener("abort", () => this.listeners--);
  };

  tell(status: ClientStatus): void {
    this.status = status;
    this.emit("status", status);
  }

  /** As if these were the circuits from here on. */
  have(circuits: CircuitInfo[]): void {
    const gone = this.#circuits.filter((before) => !circuits.some(({ id }) => id === before.id));
    this.#circuits = circuits;
    for (const circuit of gone) this.emit("circuit", { ...circuit, state: "closed" });
    for (const circuit of circuits) this.emit("circuit", circuit);
  }

  stream(info: StreamInfo): void {
    this.emit("stream", info);
  }

  newIdentity(): void {
    this.renewals++;
  }

  circuits(): CircuitInfo[] {
    return [...this.#circuits];
  }

  ready = unused;
  fetch = unused;
  connect = unused;
  resolve = unused;
  isolate = unused;
  stats = unused;
  check = unused;
  diagnose = unused;
  networkChanged = unused;
  resumed = unused;
  close = unused;
}

export function circuit(
  id: number,
  nicknames: readonly string[],
  more: Partial<CircuitInfo> = {},
): CircuitInfo {
  const hops = nicknames.map(
    (nickname, i): HopInfo => ({
      nickname,
      rsaId: `${id}${i}`.padEnd(40, "A"),
      addresses: [`192.0.2.${10 * id + i}:9001`],
    }),
  );
  return { id, purpose: "general", state: "open", hops, ...more };
}
