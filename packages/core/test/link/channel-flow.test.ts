import { describe, expect, it } from "vitest";
import { TorError } from "../../src/base/errors.ts";
import { circuit, DESTROY, keys, open, RELAY, Recorder, type Rig, settle, someBody } from "./channel-rig.ts";
import { fixedCell, variableCell } from "./scripted-relay.ts";

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

  it("says so above 64 KiB, and takes cells again as soon as those are on their way", async () => {
    const rig = await open(1);
    const { slot, handler } = await circuit(rig);
    let told = 0;
    handler.onWritable = () => {
      told++;
      expect(slot.congested).toBe(false);
    };
    const full = Math.ceil((64 * 1024) / 514);
    rig.writes.length = 0;
    expect(fill(slot)).toBe(full);
    expect(told).toBe(0);
    await settle();
    // The relay has read nothing of it yet.
    expect(rig.ours.unread).toBe(full * 514);
    expect(told).toBe(1);
    expect(slot.congested).toBe(false);
    slot.send(RELAY, someBody);
    await readUntilQuiet(rig);
    expect(told).toBe(1);
    expect(rig.writes).toEqual([full * 514, 514]);
  });

  it("uses its two buffers in turn, and changes neither before what it holds is written", async () => {
    const rig = await open(1);
    const { slot } = await circuit(rig);
    const buffers = new Set<ArrayBufferLike>();
    const written: number[] = [];
    const write = rig.ours.write;
    rig.ours.write = async (data) => {
      buffers.add(data.buffer);
      await write(data);
      // Looked at as late as a stream may.
      for (let at = 5; at < data.length; at += 514) written.push(data[at] as number);
    };
    for (let turn = 1; turn <= 20; turn++) {
      for (let cell = 0; cell < 20; cell++) slot.send(RELAY, new Uint8Array(509).fill(turn));
      // The write of the turn before is under way still.
      await settle();
      if (turn % 2 === 0) await readUntilQuiet(rig);
    }
    expect(written).toEqual(Array.from({ length: 20 }, (_, i) => new Array(20).fill(i + 1)).flat());
    // Each of the two grows until a turn fits.
    expect(buffers.size).toBeLessThanOrEqual(4);
  });

  it("fills one queue while a write is under way, and no second one", async () => {
    const rig = await open(1);
    const { slot, handler } = await circuit(rig);
    const full = Math.ceil((64 * 1024) / 514);
    let told = 0;
    handler.onWritable = () => {
      told++;
      if (told <= 3) fill(slot);
    };
    rig.writes.length = 0;
    fill(slot);
    await settle();
    expect([told, slot.congested]).toEqual([1, true]);
    expect(rig.writes).toEqual([full * 514]);
    // The write under way settles, the queue takes its place, and is filled anew.
    await rig.theirs.read();
    await settle();
    expect([told, slot.congested]).toEqual([2, true]);
    expect(rig.writes).toEqual([full * 514, full * 514]);
    await readUntilQuiet(rig);
    expect([told, slot.congested]).toEqual([4, false]);
    expect(rig.writes).toEqual(new Array(4).fill(full * 514));
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

  it("is an ordinary close when the relay ends TLS without close_notify, as C tor does", async () => {
    const rig = await open();
    const cut = new TorError("protocol-violation", "ALLIUM_E_TLS_TRUNCATED", "cut");
    rig.ours.readPieces = () => Promise.reject(cut);
    await rig.relay.send(variableCell(0, 128, new Uint8Array(1)));
    const error = await rig.channel.closed;
    expect(error).toMatchObject({ kind: "circuit-collapse", code: "ALLIUM_E_LINK_CLOSED" });
    expect(error.cause).toBe(cut);
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
