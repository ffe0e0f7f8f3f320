// Every circuit of the client in one list, for drawing and for events, with the bytes they carried. It decides nothing.

import { formatSocketAddress } from "../base/address.ts";
import { toHex } from "../base/encoding.ts";
import type { TorError } from "../base/errors.ts";
import type { Circuit, CircuitHop, Traffic } from "../circuit/api.ts";
import type { ChannelTarget } from "../link/api.ts";

/** `general` carries streams to the outside, `directory` fetches what the network says about itself. */
export type CircuitPurpose = "general" | "directory";

/** A relay on a circuit. */
export interface HopInfo {
  /** Empty for a fallback directory, which no consensus has named yet. */
  readonly nickname: string;
  /** RSA identity, 40 upper-case hex digits. */
  readonly rsaId: string;
  /** `"192.0.2.1:9001"`, `"[2001:db8::1]:9001"` */
  readonly addresses: readonly string[];
  /** How the hop's streams are paced, once the circuit is open: by fixed windows or by congestion control (proposal 324). */
  readonly flowControl?: "windows" | "congestion-control";
  /** How its cells are encrypted, once the circuit is open: tor1, or Counter Galois Onion (proposal 359). */
  readonly relayCrypto?: "tor1" | "cgo";
}

/** A circuit as it is at this moment. */
export interface CircuitInfo {
  /** Unique within the client. */
  readonly id: number;
  readonly purpose: CircuitPurpose;
  /** `closed` in its last event only. */
  readonly state: "building" | "open" | "closed";
  /** From the guard on; while the circuit is being built, those it is meant to have. */
  readonly hops: readonly HopInfo[];
  /** Why it is closed, unless we closed it. */
  readonly error?: Pick<TorError, "kind" | "code">;
}

/** What is read of a circuit that is complete. */
type Carrier = Pick<Circuit, "id" | "traffic">;

/** Bytes of all circuits that became complete, those that are gone included. */
export type TrafficByPurpose = Readonly<Record<CircuitPurpose, Traffic>>;

const NOTHING: Traffic = { received: 0, sent: 0 };

export class CircuitRegistry {
  readonly #circuits = new Map<number, CircuitInfo>();
  readonly #carriers = new Map<number, Carrier>();
  /** Of circuits that are gone. */
  readonly #gone: Record<CircuitPurpose, Traffic> = { general: NOTHING, directory: NOTHING };
  readonly #onChange: (info: CircuitInfo) => void;
  #lastId = 0;
  #built = 0;
  #failed = 0;

  constructor(onChange: (info: CircuitInfo) => void = () => {}) {
    this.#onChange = onChange;
  }

  /** Enters a circuit that is about to be built. @returns its id, unique within the client */
  begin(purpose: CircuitPurpose, hops: readonly (ChannelTarget & { readonly nickname?: string })[]): number {
    const id = ++this.#lastId;
    this.#put({ id, purpose, state: "building", hops: hops.map(hopInfo) });
    return id;
  }

  /** How many circuits were completed, and how many were given up before that. */
  get counts(): { readonly built: number; readonly failed: number } {
    return { built: this.#built, failed: this.#failed };
  }

  /** @param hops what was agreed with each */
  opened(id: number, hops: readonly CircuitHop[]): void {
    this.#built++;
    const info = this.#circuits.get(id);
    if (info === undefined) return;
    this.#put({ ...info, state: "open", hops: info.hops.map((hop, i) => ({ ...hop, ...formOf(hops[i]) })) });
  }

  /** From here on its bytes are counted, those that it carried already included. */
  watch(purpose: CircuitPurpose, circuit: Carrier): void {
    if (this.#circuits.has(circuit.id)) this.#carriers.set(circuit.id, circuit);
    else this.#gone[purpose] = sum(this.#gone[purpose], circuit.traffic);
  }

  closed(id: number, error?: TorError): void {
    const info = this.#circuits.get(id);
    if (info === undefined) return;
    if (info.state === "building") this.#failed++;
    this.#circuits.delete(id);
    this.#gone[info.purpose] = sum(this.#gone[info.purpose], this.#carriers.get(id)?.traffic ?? NOTHING);
    this.#carriers.delete(id);
    const why = error === undefined ? {} : { error: { kind: error.kind, code: error.code } };
    this.#onChange({ ...info, state: "closed", ...why });
  }

  /** Whether a circuit of this purpose works. */
  isAnyOpen(purpose: CircuitPurpose): boolean {
    return this.list().some((info) => info.state === "open" && info.purpose === purpose);
  }

  /** Circuits being built and open. */
  list(): CircuitInfo[] {
    return [...this.#circuits.values()];
  }

  /** Bytes of each circuit that is open, by its id. */
  traffic(): ReadonlyMap<number, Traffic> {
    return new Map([...this.#carriers].map(([id, { traffic }]) => [id, traffic]));
  }

  totalTraffic(): TrafficByPurpose {
    const total = { ...this.#gone };
    for (const { id, traffic } of this.#carriers.values()) {
      const purpose = this.#circuits.get(id)?.purpose;
      if (purpose !== undefined) total[purpose] = sum(total[purpose], traffic);
    }
    return total;
  }

  #put(info: CircuitInfo): void {
    this.#circuits.set(info.id, info);
    this.#onChange(info);
  }
}

function sum(one: Traffic, other: Traffic): Traffic {
  return { received: one.received + other.received, sent: one.sent + other.sent };
}

function formOf(hop: CircuitHop | undefined): Pick<HopInfo, "flowControl" | "relayCrypto"> {
  if (hop === undefined) return {};
  const { congestionControl, cgo } = hop.agreed;
  return {
    flowControl: congestionControl === undefined ? "windows" : "congestion-control",
    relayCrypto: cgo ? "cgo" : "tor1",
  };
}

function hopInfo(relay: ChannelTarget & { readonly nickname?: string }): HopInfo {
  return {
    nickname: relay.nickname ?? "",
    rsaId: toHex(relay.rsaId).toUpperCase(),
    addresses: relay.addresses.map(formatSocketAddress),
  };
}
