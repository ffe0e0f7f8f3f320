// What the channel's tests share: a channel whose other end is a scripted relay in memory, and a handler that takes notes.

import { expect } from "vitest";
import type { TorError } from "../../src/base/errors.ts";
import type { LogEvent } from "../../src/base/ports.ts";
import type { Channel, CircuitHandler } from "../../src/link/api.ts";
import type { LinkChannelOptions } from "../../src/link/channel.ts";
import { establishChannel } from "../../src/link/open-channel.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { type PipeEnd, pipePair } from "../tls/pipes.ts";
import { NOW, RelayKeys } from "./relay-certs.ts";
import { fixedCell, ScriptedRelay, targetOf, versionsCell } from "./scripted-relay.ts";

export const CREATE_FAST = 5;
export const CREATED_FAST = 6;
export const RELAY = 3;
export const DESTROY = 4;
export const RELAY_EARLY = 9;
export const CREATED2 = 11;

export const keys = new RelayKeys();
export const someBody = new Uint8Array(509).fill(1);
export const violation = (rule: string) =>
  expect.objectContaining({ kind: "protocol-violation", code: `ALLIUM_E_LINK_${rule}` });

export async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}

export interface Rig {
  readonly channel: Channel;
  readonly relay: ScriptedRelay;
  readonly ours: PipeEnd;
  readonly theirs: PipeEnd;
  readonly clock: ManualClock;
  readonly log: LogEvent[];
  /** Bytes of each write since the handshake. */
  readonly writes: number[];
}

/** @param highWater bytes that the relay leaves unread before our writes wait */
export async function open(
  highWater?: number,
  options: Partial<LinkChannelOptions> = {},
  versions: readonly number[] = [3, 4, 5],
): Promise<Rig> {
  const [ours, theirs] = pipePair(highWater);
  const relay = new ScriptedRelay(theirs);
  const clock = new ManualClock(NOW);
  const log: LogEvent[] = [];
  const writes: number[] = [];
  const write = ours.write;
  ours.write = (data) => {
    writes.push(data.length);
    return write(data);
  };
  const accepted = relay.accept(keys, { versions: versionsCell(...versions) });
  const target = targetOf(keys);
  const channel = await establishChannel(ours, keys.leaf, {
    ...{ target, clock, log: (event: LogEvent) => log.push(event) },
    ...options,
  });
  await accepted;
  writes.length = 0;
  return { channel, relay, ours, theirs, clock, log, writes };
}

/** A handler that writes down what it is told, cells as copies. */
export class Recorder implements CircuitHandler {
  readonly cells: { command: number; body: Uint8Array }[] = [];
  readonly destroys: number[] = [];
  readonly closings: TorError[] = [];
  onWritable: () => void = () => {};
  cell(command: number, bytes: Uint8Array, from: number): void {
    this.cells.push({ command, body: bytes.slice(from, from + 509) });
  }
  destroyed(reason: number): void {
    this.destroys.push(reason);
  }
  channelClosed(error: TorError): void {
    this.closings.push(error);
  }
  writable(): void {
    this.onWritable();
  }
}

/** A circuit whose CREATE_FAST the relay has, and has answered unless told otherwise. */
export async function circuit({ channel, relay }: Rig, answered = true) {
  const handler = new Recorder();
  const slot = channel.attach(handler);
  slot.send(CREATE_FAST, someBody);
  expect(await relay.readCell()).toMatchObject({ circuitId: slot.circuitId, command: CREATE_FAST });
  if (answered) {
    await relay.send(fixedCell(slot.circuitId, CREATED_FAST));
    await settle();
    expect(handler.cells.splice(0)).toMatchObject([{ command: CREATED_FAST }]);
  }
  return { handler, slot, id: slot.circuitId };
}

export async function expectOpen(rig: Rig): Promise<void> {
  await settle();
  expect(rig.channel.isClosed).toBe(false);
  await circuit(rig);
}

export async function expectClosed(rig: Rig, rule: string): Promise<void> {
  await settle();
  expect(rig.channel.isClosed).toBe(true);
  expect(await rig.channel.closed).toEqual(violation(rule));
  expect(rig.ours.closedWith).toEqual(violation(rule));
}
