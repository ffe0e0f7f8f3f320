import { describe, expect, it, vi } from "vitest";
import { concat } from "../../src/base/bytes.ts";
import type { TorError } from "../../src/base/errors.ts";
import type { LogEvent } from "../../src/base/ports.ts";
import { randomBytes } from "../../src/base/random.ts";
import type { Channel, CircuitHandler } from "../../src/link/api.ts";
import { CircuitIds } from "../../src/link/circuit-ids.ts";
import { establishChannel } from "../../src/link/open-channel.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { type PipeEnd, pipePair } from "../tls/pipes.ts";
import { NOW, RelayKeys } from "./relay-certs.ts";
import { fixedCell, honestFlight, ScriptedRelay, targetOf, variableCell } from "./scripted-relay.ts";
import { hex } from "./vectors.ts";

const CREATE_FAST = 5;
const CREATED_FAST = 6;
const RELAY = 3;
const DESTROY = 4;
const RELAY_EARLY = 9;
const CREATED2 = 11;

const keys = new RelayKeys();
const someBody = new Uint8Array(509).fill(1);
const violation = (rule: string) =>
  expect.objectContaining({ kind: "protocol-violation", code: `ALLIUM_E_LINK_${rule}` });

async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}

interface Rig {
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
async function open(highWater?: number): Promise<Rig> {
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
  const accepted = relay.accept(keys);
  const target = targetOf(keys);
  const channel = await establishChannel(ours, keys.leaf, { target, clock, log: (event) => log.push(event) });
  await accepted;
  writes.length = 0;
  return { channel, relay, ours, theirs, clock, log, writes };
}

/** A handler that writes down what it is told. */
class Recorder implements CircuitHandler {
  readonly cells: { command: number; body: Uint8Array }[] = [];
  readonly destroys: number[] = [];
  readonly closings: TorError[] = [];
  onWritable: () => void = () => {};
  cell(command: number, body: Uint8Array): void {
    this.cells.push({ command, body });
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
async function circuit({ channel, relay }: Rig, answered = true) {
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

async function expectOpen(rig: Rig): Promise<void> {
  await settle();
  expect(rig.channel.isClosed).toBe(false);
  await circuit(rig);
}

async function expectClosed(rig: Rig, rule: string): Promise<void> {
  await settle();
  expect(rig.channel.isClosed).toBe(true);
  expect(await rig.channel.closed).toEqual(violation(rule));
  expect(rig.ours.closedWith).toEqual(violation(rule));
}

describe("circuit ids", () => {
  it("have the top bit set, are random and differ", async () => {
    const { channel } = await open();
    const ids = Array.from({ length: 500 }, () => channel.attach(new Recorder()).circuitId);
    expect(new Set(ids).size).toBe(500);
    for (const id of ids) {
      expect(id).toBeGreaterThan(0x80000000);
      expect(id).toBeLessThanOrEqual(0xffffffff);
    }
    // Each of the lower bits is set in some and not in others.
    for (let bit = 0; bit < 31; bit++) {
      expect(new Set(ids.map((id) => Math.floor(id / 2 ** bit) % 2)).size).toBe(2);
    }
  });

  it("are drawn again while they are in use", () => {
    const tried: number[] = [];
    const id = new CircuitIds().allocate((candidate) => tried.push(candidate) < 10);
    expect(tried.length).toBe(10);
    expect(id).toBe(tried[9]);
  });

  it("are not used again while cells of their last circuit may be on their way", () => {
    const random = vi.spyOn(crypto, "getRandomValues").mockImplementation((array) => array);
    try {
      const ids = new CircuitIds();
      const id = ids.allocate(() => false);
      ids.retire(id, false);
      expect(() => ids.allocate(() => false)).toThrow(expect.objectContaining({ kind: "limit" }));
      ids.release(id);
      expect(ids.allocate(() => false)).toBe(id);
    } finally {
      random.mockRestore();
    }
  });

  it("run out after 64 tries", () => {
    let tries = 0;
    const inUse = () => ++tries > 0;
    expect(() => new CircuitIds().allocate(inUse)).toThrow(
      expect.objectContaining({ kind: "limit", code: "ALLIUM_E_LINK_NO_CIRCUIT_ID" }),
    );
    expect(tries).toBe(64);
  });

  it("of circuits that we destroyed are remembered up to a bound, the oldest forgotten first", () => {
    const ids = new CircuitIds();
    for (let id = 1; id <= 5000; id++) ids.retire(id, false);
    expect(ids.isRetired(5000)).toBe(true);
    expect(ids.isRetired(905)).toBe(true);
    expect(ids.isRetired(904)).toBe(false);
  });
});

describe("cells of circuits", () => {
  it("reach their handlers in order", async () => {
    const rig = await open();
    const [a, b] = [await circuit(rig), await circuit(rig)];
    const bodies = Array.from({ length: 6 }, () => randomBytes(509));
    await rig.relay.send(...bodies.map((body, i) => fixedCell(i % 2 === 0 ? a.id : b.id, RELAY, body)));
    await settle();
    expect(a.handler.cells.map(({ body }) => body)).toEqual([bodies[0], bodies[2], bodies[4]]);
    expect(b.handler.cells.map(({ body }) => body)).toEqual([bodies[1], bodies[3], bodies[5]]);
  });

  it("that came in one flight with NETINFO are not lost", async () => {
    const [ours, theirs] = pipePair();
    await theirs.write(concat(...honestFlight(keys), fixedCell(5, DESTROY)));
    const clock = new ManualClock(NOW);
    const channel = await establishChannel(ours, keys.leaf, { target: targetOf(keys), clock });
    expect(await channel.closed).toEqual(violation("UNKNOWN_CIRCUIT"));
  });

  it("are the handler's own to change and keep", async () => {
    const rig = await open();
    const { handler, id } = await circuit(rig);
    const bodies = [randomBytes(509), randomBytes(509)] as const;
    await rig.relay.send(fixedCell(id, RELAY, bodies[0]), fixedCell(id, RELAY_EARLY, bodies[1]));
    await settle();
    handler.cells[0]?.body.fill(0);
    expect(handler.cells[1]).toEqual({ command: RELAY_EARLY, body: bodies[1] });
  });

  it("leave as they were given, body copied at once", async () => {
    const rig = await open();
    const { slot, id } = await circuit(rig);
    const body = randomBytes(509);
    const expected = body.slice();
    slot.send(RELAY, body);
    body.fill(0);
    expect(await rig.relay.readCell()).toEqual({ circuitId: id, command: RELAY, body: expected });
  });

  it("of one turn leave in one write", async () => {
    const rig = await open();
    const slots = [rig.channel.attach(new Recorder()), rig.channel.attach(new Recorder())] as const;
    for (let i = 0; i < 5; i++) {
      slots[0].send(RELAY, someBody);
      slots[1].send(RELAY, someBody);
    }
    expect(rig.writes).toEqual([]);
    await settle();
    expect(rig.writes).toEqual([10 * 514]);
    for (let i = 0; i < 10; i++) {
      expect((await rig.relay.readCell()).circuitId).toBe(slots[i % 2 === 0 ? 0 : 1].circuitId);
    }
  });
});

describe("DESTROY from the relay", () => {
  it("tells the handler its reason, once, and frees the place", async () => {
    const rig = await open();
    const { handler, slot, id } = await circuit(rig);
    await rig.relay.send(fixedCell(id, DESTROY, Uint8Array.of(9)));
    await settle();
    expect(handler.destroys).toEqual([9]);
    expect(rig.channel.circuitCount).toBe(0);
    slot.send(RELAY, someBody);
    slot.destroy();
    await settle();
    expect(rig.theirs.unread).toBe(0);
    expect(rig.writes.length).toBe(1);
    rig.channel.close();
    expect(handler.closings).toEqual([]);
  });

  it("ends what may come for the circuit", async () => {
    const rig = await open();
    const { handler, id } = await circuit(rig);
    await rig.relay.send(fixedCell(id, DESTROY), fixedCell(id, RELAY));
    await expectClosed(rig, "UNKNOWN_CIRCUIT");
    expect(handler.cells).toEqual([]);
  });
});

describe("destroy()", () => {
  it("sends DESTROY with reason NONE once", async () => {
    const rig = await open();
    const { slot, id, handler } = await circuit(rig);
    slot.destroy();
    slot.destroy();
    slot.send(RELAY, someBody);
    expect(rig.channel.circuitCount).toBe(0);
    expect(await rig.relay.readCell()).toEqual({
      circuitId: id,
      command: DESTROY,
      body: new Uint8Array(509),
    });
    await settle();
    expect(rig.writes).toEqual([514, 514]);
    rig.channel.close();
    expect(handler.closings).toEqual([]);
  });

  it("follows the cells that were sent before it", async () => {
    const rig = await open();
    const { slot } = await circuit(rig);
    slot.send(RELAY, someBody);
    slot.destroy();
    expect((await rig.relay.readCell()).command).toBe(RELAY);
    expect((await rig.relay.readCell()).command).toBe(DESTROY);
  });

  it("says nothing of a circuit that the relay never heard of", async () => {
    const rig = await open();
    rig.channel.attach(new Recorder()).destroy();
    await settle();
    expect(rig.writes).toEqual([]);
    expect(rig.channel.circuitCount).toBe(0);
  });

  it("lets the circuit's RELAY and DESTROY that are on their way come and go", async () => {
    const rig = await open();
    const { slot, id, handler } = await circuit(rig);
    slot.destroy();
    expect((await rig.relay.readCell()).command).toBe(DESTROY);
    await rig.relay.send(fixedCell(id, RELAY), fixedCell(id, RELAY), fixedCell(id, DESTROY));
    await expectOpen(rig);
    expect(handler.cells).toEqual([]);
    expect(handler.destroys).toEqual([]);
  });

  it("lets nothing come after the relay's own DESTROY", async () => {
    const rig = await open();
    const { slot, id } = await circuit(rig);
    slot.destroy();
    await rig.relay.send(fixedCell(id, DESTROY), fixedCell(id, RELAY));
    await expectClosed(rig, "UNKNOWN_CIRCUIT");
  });

  it.each([CREATED2, CREATED_FAST])("lets a late answer to CREATE come once: %i", async (command) => {
    const rig = await open();
    const { slot, id } = await circuit(rig, false);
    slot.destroy();
    expect((await rig.relay.readCell()).command).toBe(DESTROY);
    await rig.relay.send(fixedCell(id, command));
    await expectOpen(rig);
    await rig.relay.send(fixedCell(id, command));
    await expectClosed(rig, "UNKNOWN_CIRCUIT");
  });

  it.each([CREATED2, CREATED_FAST, RELAY_EARLY])(
    "lets no command %i come after an answer",
    async (command) => {
      const rig = await open();
      const { slot, id } = await circuit(rig);
      slot.destroy();
      await rig.relay.send(fixedCell(id, command));
      await expectClosed(rig, "UNKNOWN_CIRCUIT");
    },
  );
});

describe("a cell for no circuit", () => {
  it.each([RELAY, RELAY_EARLY, DESTROY, CREATED_FAST, CREATED2])("closes the link: %i", async (command) => {
    for (const id of [0, 5, 0x80000005]) {
      const rig = await open();
      const { handler } = await circuit(rig);
      await rig.relay.send(fixedCell(id, command));
      await expectClosed(rig, "UNKNOWN_CIRCUIT");
      expect(handler.closings).toEqual([violation("UNKNOWN_CIRCUIT")]);
      expect(rig.log.filter(({ level }) => level === "warn")).toMatchObject([
        { code: "link-violation", data: { error: "ALLIUM_E_LINK_UNKNOWN_CIRCUIT" } },
      ]);
    }
  });

  it.each([RELAY, DESTROY, CREATED2])("is also one that we have not begun yet: %i", async (command) => {
    const rig = await open();
    const handler = new Recorder();
    const slot = rig.channel.attach(handler);
    await rig.relay.send(fixedCell(slot.circuitId, command));
    await expectClosed(rig, "UNKNOWN_CIRCUIT");
    expect(handler.cells).toEqual([]);
    expect(handler.destroys).toEqual([]);
    expect(handler.closings).toEqual([violation("UNKNOWN_CIRCUIT")]);
  });
});

describe("cells for the channel", () => {
  const dropped: [name: string, cell: Uint8Array][] = [
    ["PADDING", fixedCell(0, 0, randomBytes(509))],
    ["PADDING for a circuit", fixedCell(7, 0)],
    ["VPADDING", variableCell(0, 128, randomBytes(3000))],
    ["a later VERSIONS", variableCell(0, 7, hex("0003"))],
    ["AUTHORIZE", variableCell(0, 132, hex("00"))],
    ["an unknown fixed command", fixedCell(0, 101)],
    ["an unknown fixed command for a circuit", fixedCell(0x12345678, 101)],
    ["an unknown variable command", variableCell(3, 244, randomBytes(60_000))],
  ];
  it.each(dropped)("are dropped: %s", async (_name, cell) => {
    const rig = await open();
    await rig.relay.send(cell);
    await expectOpen(rig);
  });

  const refused: [name: string, cell: Uint8Array][] = [
    ["CREATE", fixedCell(5, 1)],
    ["CREATED", fixedCell(5, 2)],
    ["CREATE_FAST", fixedCell(5, 5)],
    ["NETINFO", fixedCell(0, 8)],
    ["CREATE2", fixedCell(5, 10)],
    ["PADDING_NEGOTIATE", fixedCell(0, 12)],
    ["CERTS", variableCell(0, 129, keys.certs())],
    ["AUTH_CHALLENGE", variableCell(0, 130, new Uint8Array(34))],
    ["AUTHENTICATE", variableCell(0, 131, new Uint8Array(4))],
  ];
  it.each(refused)("close the link where they do not belong, body or not: %s", async (_name, cell) => {
    for (const bytes of [cell, cell.slice(0, 7)]) {
      const rig = await open();
      await rig.relay.send(bytes);
      await expectClosed(rig, "COMMAND");
    }
  });
});

describe("a congested channel", () => {
  /** Sends until told to stop. */
  function fill(slot: {
    readonly congested: boolean;
    send(command: number, body: Uint8Array): void;
  }): number {
    let sent = 0;
    for (; !slot.congested && sent < 1000; sent++) slot.send(RELAY, someBody);
    return sent;
  }

  async function readUntilQuiet(rig: Rig): Promise<void> {
    await settle();
    while (rig.ours.unread > 0) {
      await rig.theirs.read();
      await settle();
    }
  }

  it("says so above 64 KiB, and again takes cells when the link has taken them", async () => {
    const rig = await open(1);
    const { slot, handler } = await circuit(rig);
    let told = 0;
    handler.onWritable = () => {
      told++;
      expect(slot.congested).toBe(false);
    };
    expect(fill(slot)).toBe(Math.ceil((64 * 1024) / 514));
    await settle();
    expect(slot.congested).toBe(true);
    expect(told).toBe(0);
    await readUntilQuiet(rig);
    expect(told).toBe(1);
    expect(slot.congested).toBe(false);
    slot.send(RELAY, someBody);
    await settle();
    expect(told).toBe(1);
  });

  it("serves its circuits in turn, so that one that always has more does not starve the others", async () => {
    const rig = await open(1);
    const circuits = [await circuit(rig), await circuit(rig), await circuit(rig)];
    const order: number[] = [];
    for (const [i, { handler, slot }] of circuits.entries()) {
      handler.onWritable = () => {
        if (order.length >= 9) return;
        expect(slot.congested).toBe(false);
        order.push(i);
        fill(slot);
      };
    }
    fill((circuits[0] as (typeof circuits)[0]).slot);
    await readUntilQuiet(rig);
    expect(order).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2]);
  });

  it("goes on with the next circuit when one leaves or has nothing to send", async () => {
    const rig = await open(1);
    const circuits = [await circuit(rig), await circuit(rig), await circuit(rig)] as const;
    const told: number[] = [];
    for (const [i, { handler }] of circuits.entries()) handler.onWritable = () => told.push(i);
    circuits[0].handler.onWritable = () => {
      told.push(0);
      circuits[1].slot.destroy();
    };
    fill(circuits[0].slot);
    await readUntilQuiet(rig);
    expect(told).toEqual([0, 2]);
  });

  it("lets control cells pass, up to a bound", async () => {
    const rig = await open(1);
    const { slot, handler } = await circuit(rig);
    fill(slot);
    for (let i = 0; i < 8000; i++) slot.send(RELAY, someBody);
    expect(rig.channel.isClosed).toBe(false);
    for (let i = 0; i < 300; i++) slot.send(RELAY, someBody);
    expect(rig.channel.isClosed).toBe(true);
    expect(handler.closings).toMatchObject([{ kind: "limit", code: "ALLIUM_E_LINK_QUEUE" }]);
  });

  it("that takes nothing for a minute is closed", async () => {
    const rig = await open(1);
    const { slot, handler } = await circuit(rig);
    slot.send(RELAY, someBody);
    await settle();
    rig.clock.advance(59_000);
    await settle();
    expect(rig.channel.isClosed).toBe(false);
    rig.clock.advance(2000);
    await settle();
    expect(handler.closings).toMatchObject([{ kind: "circuit-collapse", code: "ALLIUM_E_LINK_STALLED" }]);
    expect(rig.ours.isClosed).toBe(true);
  });

  it("has no timer left once the link has taken all", async () => {
    const rig = await open();
    await circuit(rig);
    expect(rig.clock.pendingTimers).toBe(0);
  });
});

describe("the end of a channel", () => {
  it("is told to each circuit once, with the reason", async () => {
    const rig = await open();
    const circuits = [await circuit(rig), await circuit(rig)];
    circuits[0]?.slot.send(RELAY, someBody);
    rig.channel.close();
    rig.channel.close();
    const closed = { kind: "circuit-collapse", code: "ALLIUM_E_LINK_CLOSED" };
    for (const { handler, slot } of circuits) {
      expect(handler.closings).toMatchObject([closed]);
      slot.send(RELAY, someBody);
      slot.destroy();
    }
    await settle();
    expect(await rig.channel.closed).toMatchObject(closed);
    expect(rig.ours.isClosed).toBe(true);
    expect(rig.writes.length).toBe(2);
    expect(rig.channel.circuitCount).toBe(0);
    expect(() => rig.channel.attach(new Recorder())).toThrow(expect.objectContaining(closed));
  });

  it("is not told to a circuit that left when another was told", async () => {
    const rig = await open();
    const [first, second] = [await circuit(rig), await circuit(rig)];
    first.handler.channelClosed = () => second.slot.destroy();
    rig.channel.close();
    expect(second.handler.closings).toEqual([]);
    expect(rig.channel.circuitCount).toBe(0);
    await settle();
    expect(rig.writes).toEqual([514, 514]);
  });

  it("comes when the relay ends the link", async () => {
    const rig = await open();
    const { handler } = await circuit(rig);
    rig.theirs.close();
    await settle();
    expect(handler.closings).toMatchObject([{ kind: "circuit-collapse", code: "ALLIUM_E_LINK_CLOSED" }]);
  });

  it("comes when the link ends within a cell, whose circuit gets nothing of it", async () => {
    const rig = await open();
    const { handler, id } = await circuit(rig);
    await rig.relay.send(fixedCell(id, RELAY).slice(0, 513));
    rig.theirs.close();
    await settle();
    expect(handler.cells).toEqual([]);
    expect(handler.closings.length).toBe(1);
  });

  it("stops what came behind the cell that closed it", async () => {
    const rig = await open();
    const { handler, id } = await circuit(rig);
    await rig.relay.send(fixedCell(id, RELAY), fixedCell(5, RELAY), fixedCell(id, RELAY));
    await settle();
    expect(handler.cells.length).toBe(1);
  });
});

it("knows since when it is unused", async () => {
  const rig = await open();
  const start = rig.clock.monotonic();
  expect(rig.channel.unusedSince).toBe(start);
  rig.clock.advance(1000);
  const [a, b] = [await circuit(rig), await circuit(rig)];
  expect(rig.channel.unusedSince).toBeUndefined();
  expect(rig.channel.circuitCount).toBe(2);
  rig.clock.advance(1000);
  a.slot.destroy();
  expect(rig.channel.unusedSince).toBeUndefined();
  rig.clock.advance(1000);
  await rig.relay.send(fixedCell(b.id, DESTROY));
  await settle();
  expect(rig.channel.unusedSince).toBe(start + 3000);
});

it("tells whom it leads to, and logs its opening without saying so", async () => {
  const rig = await open();
  expect(rig.channel.peer.ed25519Id).toEqual(keys.identity.ed25519Id);
  expect(rig.channel.linkProtocol).toBe(5);
  expect(rig.channel.clockSkew).toBe(0);
  expect(rig.log).toEqual([
    {
      level: "debug",
      code: "link-open",
      message: "link handshake done",
      data: { linkProtocol: 5, clockSkew: 0 },
    },
  ]);
});
