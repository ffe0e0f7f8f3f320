import { describe, expect, it, vi } from "vitest";
import { concat } from "../../src/base/bytes.ts";
import { randomBytes } from "../../src/base/random.ts";
import { CircuitIds } from "../../src/link/circuit-ids.ts";
import { establishChannel } from "../../src/link/open-channel.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { pipePair } from "../tls/pipes.ts";
import {
  CREATED_FAST,
  CREATED2,
  circuit,
  DESTROY,
  expectClosed,
  expectOpen,
  keys,
  open,
  RELAY,
  RELAY_EARLY,
  Recorder,
  settle,
  someBody,
  violation,
} from "./channel-rig.ts";
import { NOW } from "./relay-certs.ts";
import { fixedCell, honestFlight, targetOf, variableCell } from "./scripted-relay.ts";
import { hex } from "./vectors.ts";

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

  it("may be changed in place, and that disturbs none that follows, however the link is cut", async () => {
    const bodies = Array.from({ length: 12 }, () => randomBytes(509));
    for (const size of [514, 100, 513, 515, 700, 2000, 12 * 514]) {
      const rig = await open();
      const [a, b] = [await circuit(rig), await circuit(rig)];
      for (const { handler } of [a, b]) {
        const note = handler.cell.bind(handler);
        handler.cell = (command, bytes, from) => {
          note(command, bytes, from);
          bytes.fill(0xee, from, from + 509);
        };
      }
      const stream = concat(...bodies.map((body, i) => fixedCell(i % 3 === 0 ? a.id : b.id, RELAY, body)));
      for (let at = 0; at < stream.length; at += size) {
        await rig.theirs.write(stream.slice(at, at + size));
        await settle();
      }
      expect(a.handler.cells.map(({ body }) => body)).toEqual(bodies.filter((_, i) => i % 3 === 0));
      expect(b.handler.cells.map(({ body }) => body)).toEqual(bodies.filter((_, i) => i % 3 !== 0));
    }
  });

  it("are the channel's again after the call: what is kept without a copy changes", async () => {
    const rig = await open();
    const { handler, id } = await circuit(rig);
    const kept: Uint8Array[] = [];
    handler.cell = (_, bytes, from) => kept.push(bytes.subarray(from, from + 509));
    const bodies = [randomBytes(509), randomBytes(509)] as const;
    // Cut within the cells, which are then put together in memory that serves them all.
    for (const body of bodies) {
      const cell = fixedCell(id, RELAY, body);
      await rig.theirs.write(cell.slice(0, 200));
      await settle();
      await rig.theirs.write(cell.slice(200));
      await settle();
    }
    expect(kept).toEqual([bodies[1], bodies[1]]);
    expect(kept[0]?.buffer).toBe(kept[1]?.buffer);
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
