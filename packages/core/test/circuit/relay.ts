// What the tests of circuits share: circuits through scripted relays (testing/relay), and small helpers.

import { concat } from "../../src/base/bytes.ts";
import { systemClock } from "../../src/base/clock.ts";
import type { Clock } from "../../src/base/ports.ts";
import type { Circuit } from "../../src/circuit/api.ts";
import { type CreateCircuitOptions, createCircuit } from "../../src/circuit/create.ts";
import type { HopRequest } from "../../src/circuit/handshake/negotiation.ts";
import { PLAIN_NTOR, startHandshake } from "../../src/circuit/hop-handshake.ts";
import type { Begin } from "../../src/circuit/relaycell/messages.ts";
import { ScriptedRelays } from "../../src/testing/relay/channel.ts";
import type { ExitStream } from "../../src/testing/relay/exit-stream.ts";
import { type ScriptedRelay, scriptedRelay } from "../../src/testing/relay/keys.ts";

export function hostOf(stream: ExitStream): string {
  return (stream.begin as Begin).hostname;
}

export interface TestCircuit {
  readonly circuit: Circuit;
  readonly relays: ScriptedRelays;
  readonly targets: readonly ScriptedRelay[];
}

/** What the last hop of a test's circuit is asked for. */
export const LAST_HOPS = {
  windows: PLAIN_NTOR,
  "congestion control": { handshake: "ntor-v3", congestionControl: { sendmeInc: 31 }, cgo: false },
  "Counter Galois Onion": { handshake: "ntor-v3", congestionControl: { sendmeInc: 31 }, cgo: true },
} as const satisfies Record<string, HopRequest>;

export interface TestCircuitOptions
  extends Pick<CreateCircuitOptions, "memory" | "cellLimits" | "ciphers" | "log"> {
  readonly last?: HopRequest;
}

/** A circuit of `length` hops with its relays. */
export async function testCircuit(
  length = 3,
  clock: Clock = systemClock,
  { last = PLAIN_NTOR, ...options }: TestCircuitOptions = {},
): Promise<TestCircuit> {
  const targets = await Promise.all(Array.from({ length: Math.max(length, 1) + 1 }, scriptedRelay));
  const relays = new ScriptedRelays(targets, clock);
  const request = (place: number) => (place === length - 1 ? last : PLAIN_NTOR);
  const firstHop = targets[0] as ScriptedRelay;
  const common = { id: 1, channel: relays.channel, firstHop, clock };
  const circuit = await createCircuit({
    ...options,
    ...common,
    handshake: startHandshake(firstHop, request(0)),
  });
  for (const [i, target] of targets.slice(1, length).entries())
    await circuit.extend(target, { handshake: startHandshake(target, request(i + 1)) });
  return { circuit, relays, targets };
}

/** Everything until the end of a stream. */
export async function readAll(stream: { read(): Promise<Uint8Array | undefined> }): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (;;) {
    const part = await stream.read();
    if (part === undefined) return concat(...parts);
    parts.push(part);
  }
}

/** Bytes that differ from place to place, cheaply. */
export function pattern(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    bytes[i] = state >> 16;
  }
  return bytes;
}
