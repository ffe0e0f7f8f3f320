// CGO relay crypto: the vectors of relays and clients, circuits of three hops, tampering, tags, and keys that are gone.

import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { concat } from "../../src/base/bytes.ts";
import { fromHex, toHex } from "../../src/base/encoding.ts";
import { randomBytes } from "../../src/base/random.ts";
import { CellBody } from "../../src/circuit/relaycrypto/cell-body.ts";
import { CGO_KEY_MATERIAL, CgoCrypto } from "../../src/circuit/relaycrypto/cgo.ts";
import { CgoDirection, type CgoSide } from "../../src/circuit/relaycrypto/cgo-direction.ts";
import { COMMAND } from "../../src/link/commands.ts";
import { CGO_CLIENT_ORIGINATE, CGO_RELAY, CGO_RELAY_ORIGINATE, type CgoState } from "./cgo-vectors.ts";

const CELL = 509;
const TAG = 16;
const { relay: RELAY, relayEarly: RELAY_EARLY } = COMMAND;

afterEach(() => {
  vi.unstubAllGlobals();
});

function cellOf(bytes: Uint8Array): CellBody {
  const cell = new CellBody();
  cell.bytes.set(bytes);
  return cell;
}

function contents(cell: CellBody): Uint8Array {
  return cell.body.slice();
}

/** Without the tag, which is the relay crypto's own. */
function right(cell: CellBody): string {
  return toHex(contents(cell).subarray(TAG));
}

function randomCell(): CellBody {
  return cellOf(randomBytes(CELL));
}

function hexOf(words: Int32Array): string {
  const view = new DataView(new ArrayBuffer(4 * words.length));
  words.forEach((word, i) => {
    view.setInt32(4 * i, word, true);
  });
  return toHex(new Uint8Array(view.buffer));
}

function directionOf(state: CgoState, side: CgoSide): CgoDirection {
  const direction = new CgoDirection(fromHex(state.keys + state.nonce), side);
  const view = new DataView(fromHex(state.tweak).buffer);
  for (let i = 0; i < 4; i++) direction.tweak[i] = view.getInt32(4 * i, true);
  return direction;
}

function expectState(direction: CgoDirection, expected: CgoState, side: CgoSide): void {
  expect(hexOf(direction.nonce)).toBe(expected.nonce);
  expect(hexOf(direction.tweak)).toBe(expected.tweak);
  // The same keys and tweak make the same of any cell.
  const bytes = randomBytes(CELL);
  const [cell, other] = [cellOf(bytes), cellOf(bytes)];
  direction.pass(cell, RELAY);
  directionOf(expected, side).pass(other, RELAY);
  expect(right(cell)).toBe(right(other));
}

describe("vectors", () => {
  it.each(CGO_RELAY)("a relay passes a cell on to $after.tweak (inbound: $inbound)", (vector) => {
    const relay = directionOf(vector.before, "relay");
    const cell = cellOf(fromHex(vector.input));
    const command = Number.parseInt(vector.command, 16);
    if (vector.inbound) relay.pass(cell, command);
    else expect(relay.receive(cell, command)).toBe(false);
    expect(toHex(contents(cell))).toBe(vector.output);
    expectState(relay, vector.after, "relay");
  });

  it.each(CGO_RELAY_ORIGINATE)("a relay originates a cell ($after.nonce)", (vector) => {
    const relay = directionOf(vector.before, "relay");
    const cell = cellOf(fromHex("ee".repeat(TAG) + vector.right));
    relay.originate(cell, Number.parseInt(vector.command, 16));
    expect(toHex(contents(cell))).toBe(vector.output);
    expect(toHex(relay.sendmeTag())).toBe(vector.output.slice(0, 32));
    expectState(relay, vector.after, "relay");
  });

  it.each(CGO_CLIENT_ORIGINATE)("a client originates a cell to hop $hop", (vector) => {
    const hops = vector.before.map((state) => directionOf(state, "client"));
    const cell = cellOf(fromHex("ee".repeat(TAG) + vector.right));
    const command = Number.parseInt(vector.command, 16);
    hops[vector.hop - 1]?.originate(cell, command);
    for (let i = vector.hop - 2; i >= 0; i--) hops[i]?.pass(cell, command);
    expect(toHex(contents(cell))).toBe(vector.output);
    hops.forEach((hop, i) => {
      expectState(hop, vector.after[i] as CgoState, "client");
    });
  });
});

interface Hop {
  readonly client: CgoCrypto;
  readonly relay: CgoCrypto;
}

function circuit(length: number): Hop[] {
  return Array.from({ length }, () => {
    const material = randomBytes(CGO_KEY_MATERIAL);
    return { client: new CgoCrypto(material), relay: new CgoCrypto(material, "relay") };
  });
}

/** Sends a cell from the client to hop `target`; whether and where it is recognised. */
function outbound(hops: readonly Hop[], target: number, cell: CellBody, command: number): number | undefined {
  hops[target]?.client.originate(cell, command);
  for (let i = target - 1; i >= 0; i--) hops[i]?.client.encrypt(cell, command);
  const reached = hops.findIndex(({ relay }) => relay.decrypt(cell, command));
  return reached < 0 ? undefined : reached;
}

/** Sends a cell from hop `origin` to the client; whether and as whose it is recognised. */
function inbound(hops: readonly Hop[], origin: number, cell: CellBody, command: number): number | undefined {
  hops[origin]?.relay.originate(cell, command);
  for (let i = origin - 1; i >= 0; i--) hops[i]?.relay.encrypt(cell, command);
  const recognized = hops.findIndex(({ client }) => client.decrypt(cell, command));
  return recognized < 0 ? undefined : recognized;
}

describe("circuits", () => {
  it("carries any exchange between the client and three hops, at any alignment", () => {
    const step = fc.record({
      towardsClient: fc.boolean(),
      hop: fc.nat(2),
      early: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
        const hops = circuit(3);
        for (const { towardsClient, hop, early } of steps) {
          const cell = randomCell();
          const expected = right(cell);
          const command = early ? RELAY_EARLY : RELAY;
          const { client, relay } = hops[hop] as Hop;
          if (towardsClient) {
            expect(inbound(hops, hop, cell, command)).toBe(hop);
            expect(client.receivedTag()).toEqual(relay.sentTag());
          } else {
            expect(outbound(hops, hop, cell, command)).toBe(hop);
            expect(relay.receivedTag()).toEqual(client.sentTag());
          }
          expect(right(cell)).toBe(expected);
        }
      }),
      { numRuns: 30 },
    );
  });

  it("goes on for thousands of cells both ways, and never sends the same twice", () => {
    const hops = circuit(1);
    const cell = new CellBody();
    const seen = new Set<string>();
    for (let i = 0; i < 2000; i++) {
      cell.bytes.fill(0);
      const { client, relay } = hops[0] as Hop;
      const [from, to] = (i >> 4) & 1 ? [client, relay] : [relay, client];
      from.originate(cell, RELAY);
      seen.add(toHex(contents(cell)));
      const recognized = to.decrypt(cell, RELAY);
      cell.bytes.fill(0, 0, TAG);
      if (!recognized || cell.bytes.some((byte) => byte !== 0)) expect.fail(`cell ${i} came through changed`);
    }
    expect(seen.size).toBe(2000);
  });

  it("wants exactly the keys of both directions", () => {
    for (const length of [0, CGO_KEY_MATERIAL - 1, CGO_KEY_MATERIAL + 1]) {
      expect(() => new CgoCrypto(new Uint8Array(length))).toThrow(RangeError);
    }
  });

  it("copies its keys, wherever in a buffer they stand", () => {
    const material = randomBytes(CGO_KEY_MATERIAL);
    const room = Buffer.from(concat(new Uint8Array(3), material));
    const client = new CgoCrypto(room.subarray(3));
    room.fill(0);
    const cell = randomCell();
    client.originate(cell, RELAY);
    expect(new CgoCrypto(material, "relay").decrypt(cell, RELAY)).toBe(true);
  });
});

describe("SENDME tags", () => {
  it("are the 16 bytes of the tag between client and relay, of the last cell of each direction that was theirs", () => {
    const hops = circuit(2);
    const [first, second] = hops as [Hop, Hop];

    const own = randomCell();
    first.relay.originate(own, RELAY);
    const wire = contents(own).slice(0, TAG);
    expect(first.client.decrypt(own, RELAY)).toBe(true);
    expect(first.relay.sentTag()).toEqual(wire);
    expect(first.client.receivedTag()).toEqual(wire);

    // A cell that only passes leaves it as it is.
    const passing = randomCell();
    expect(inbound(hops, 1, passing, RELAY)).toBe(1);
    expect(first.client.receivedTag()).toEqual(wire);
    expect(second.client.receivedTag()).not.toEqual(wire);

    const sent = randomCell();
    second.client.originate(sent, RELAY);
    const inner = contents(sent).slice(0, TAG);
    first.client.encrypt(sent, RELAY);
    expect(second.client.sentTag()).toEqual(inner);
    expect(first.relay.decrypt(sent, RELAY)).toBe(false);
    expect(second.relay.decrypt(sent, RELAY)).toBe(true);
    expect(second.relay.receivedTag()).toEqual(inner);
  });

  it("are copies", () => {
    const { client, relay } = circuit(1)[0] as Hop;
    const cell = randomCell();
    client.originate(cell, RELAY);
    relay.decrypt(cell, RELAY);
    client.sentTag().fill(0);
    relay.receivedTag().fill(0);
    expect(client.sentTag()).toEqual(relay.receivedTag());
    expect(client.sentTag().every((byte) => byte === 0)).toBe(false);
  });
});

describe("tampering", () => {
  /** What the other end makes of a cell that was touched by `touch`, and of three cells after it. */
  function attack(touch: (cell: CellBody) => void, towardsClient: boolean): void {
    const { client, relay } = circuit(1)[0] as Hop;
    const [from, to] = towardsClient ? [relay, client] : [client, relay];
    const honest = randomCell();
    from.originate(honest, RELAY);
    expect(to.decrypt(honest, RELAY)).toBe(true);
    for (let i = 0; i < 4; i++) {
      const cell = randomCell();
      const original = right(cell);
      from.originate(cell, RELAY);
      if (i === 0) touch(cell);
      expect(to.decrypt(cell, RELAY)).toBe(false);
      if (i > 0 || !towardsClient) expectGarbage(right(cell), original);
    }
  }

  /** No block of the original is left. */
  function expectGarbage(hex: string, original: string): void {
    const blocks = original.match(/.{16}/g) ?? [];
    expect(blocks.filter((block, i) => block === hex.slice(16 * i, 16 * i + 16))).toEqual([]);
  }

  it("of any byte towards the client makes the cell nobody's, and all after it garbage", () => {
    for (let i = 0; i < CELL; i++) {
      attack((cell) => {
        cell.bytes[i] = (cell.bytes[i] as number) ^ (1 << (i & 7));
      }, true);
    }
  });

  it("of any byte towards the relay makes the cell and all after it garbage", () => {
    for (let i = 0; i < CELL; i++) {
      attack((cell) => {
        cell.bytes[i] = (cell.bytes[i] as number) ^ (1 << (i & 7));
      }, false);
    }
  });

  it("of the command, as when RELAY_EARLY is made RELAY, is found like that of the cell", () => {
    for (const [sent, got] of [
      [RELAY, RELAY_EARLY],
      [RELAY_EARLY, RELAY],
    ] as const) {
      for (const towardsClient of [true, false]) {
        const { client, relay } = circuit(1)[0] as Hop;
        const [from, to] = towardsClient ? [relay, client] : [client, relay];
        const cell = randomCell();
        from.originate(cell, sent);
        expect(to.decrypt(cell, got)).toBe(false);
        const next = randomCell();
        from.originate(next, sent);
        expect(to.decrypt(next, sent)).toBe(false);
      }
    }
  });

  it("by dropping, repeating or exchanging cells makes what follows nobody's", () => {
    for (const order of [[1], [0, 0], [1, 0], [0, 2]]) {
      const { client, relay } = circuit(1)[0] as Hop;
      const cells = [randomCell(), randomCell(), randomCell()];
      for (const cell of cells) relay.originate(cell, RELAY);
      const got = order.map((i) => client.decrypt(cellOf(contents(cells[i] as CellBody)), RELAY));
      expect(got).toEqual(order.map((cell, place) => cell === place && place === 0));
    }
  });

  it("at a relay on the way makes it nobody's, and so with every relay behind", () => {
    for (let mark = 0; mark < 3; mark++) {
      const hops = circuit(3);
      const cell = randomCell();
      hops[2]?.client.originate(cell, RELAY);
      hops[1]?.client.encrypt(cell, RELAY);
      hops[0]?.client.encrypt(cell, RELAY);
      const seen = hops.map(({ relay }, i) => {
        if (i === mark) cell.bytes[400] = (cell.bytes[400] as number) ^ 1;
        return relay.decrypt(cell, RELAY);
      });
      expect(seen).toEqual([false, false, false]);
    }
  });
});

describe("destroyed keys", () => {
  it("encrypt and decrypt nothing more", () => {
    const { client } = circuit(1)[0] as Hop;
    client.destroy();
    expect(() => client.originate(randomCell(), RELAY)).toThrow(/destroyed/);
    expect(() => client.encrypt(randomCell(), RELAY)).toThrow(/destroyed/);
    expect(() => client.decrypt(randomCell(), RELAY)).toThrow(/destroyed/);
  });

  it("are overwritten, with everything that was derived from them", () => {
    const made: Int32Array[] = [];
    class Watched extends Int32Array {
      constructor(length: number) {
        super(length);
        made.push(this);
      }
    }
    vi.stubGlobal("Int32Array", Watched);
    const material = randomBytes(CGO_KEY_MATERIAL);
    const client = new CgoCrypto(material);
    const relay = new CgoCrypto(material, "relay");
    vi.unstubAllGlobals();
    const cell = randomCell();
    relay.originate(cell, RELAY);
    expect(client.decrypt(cell, RELAY)).toBe(true);
    client.originate(cell, RELAY);
    expect(relay.decrypt(cell, RELAY)).toBe(true);
    const inUse = () => made.filter((words) => words.some((word) => word !== 0)).length;
    expect(inUse()).toBeGreaterThan(100);
    client.destroy();
    relay.destroy();
    expect(inUse()).toBe(0);
  });
});
